//! One's own data: deleting the account with all that belongs to it.
//!
//! The account ends at once, in one transaction ([`leave`]): nobody can sign in to it, its sessions and streams are over, and
//! nothing in its row says whose it was. What belonged to it is cleared away after that ([`clear`]), by a job, in steps that
//! each may be repeated, so that it comes to an end whatever dies in between. What stays, and why, is one list ([`fate`]).

pub mod api;
pub mod clear;
pub mod fate;
pub mod leave;
