//! Parlor seen from outside: one binary, a file per behaviour.

mod ai;
mod chats;
mod crash;
mod databases;
mod doors;
mod embedded;
mod envelope;
mod generation;
mod harness;
mod history;
mod schema_details;
mod send;
mod tidy;
mod walk;
