//! Parlor seen from outside: one binary, a file per behaviour.

mod accounts;
mod ai;
mod databases;
mod doors;
mod embedded;
mod envelope;
mod harness;
mod tidy;
mod walk;
