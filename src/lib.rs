//! Parlor: people and AI models talking in the same rooms, over one GraphQL schema.

pub mod account;
pub mod admin;
pub mod ai;
pub mod app;
pub mod chat;
pub mod command;
pub mod config;
pub mod context;
pub mod db;
pub mod error;
pub mod event;
pub mod graphql;
pub mod id;
pub mod input;
pub mod page;
pub mod scalar;
pub mod server;
pub mod vault;
pub mod viewer;
