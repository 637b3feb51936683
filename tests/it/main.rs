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
mod memories;
mod models;
mod rates;
mod schema_details;
mod send;
mod summaries;
mod tidy;
mod titles;
mod walk;
