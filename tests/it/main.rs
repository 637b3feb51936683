//! Parlor seen from outside: one binary, a file per behaviour.

mod ai;
mod databases;
mod doors;
mod embedded;
mod envelope;
mod harness;
mod rates;
mod tidy;
mod walk;
