//! Parlor: people and AI models talking in the same rooms, over one GraphQL schema.

pub mod ai;
pub mod db;
pub mod vault;
