//! Parlor seen from outside: one binary, a file per behaviour.

mod access;
mod accounts;
mod admin;
mod ai;
mod assistants;
mod chats;
mod command;
mod crash;
mod databases;
mod doors;
mod embedded;
mod envelope;
mod events;
mod generation;
mod harness;
mod history;
mod keys;
mod lanes;
mod models;
mod rates;
mod schema_details;
mod send;
mod tidy;
mod titles;
mod tree;
mod walk;
