//! What tests share: databases and servers to talk to, and words to describe them in.

pub mod app;
pub mod cluster;
pub mod database;
pub mod dice;
pub mod law;
pub mod mcp;
pub mod people;
pub mod process;
pub mod stream;
pub mod upstream;
