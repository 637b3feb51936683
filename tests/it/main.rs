//! Parlor seen from outside: one binary, a file per behaviour.

mod accounts;
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
mod rates;
mod schema_details;
mod send;
mod tidy;
mod walk;
