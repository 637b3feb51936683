//! One's own data: taking it along, and deleting the account with all that belongs to it.
//!
//! An archive is gathered by a job ([`gather`]), in pages, into the pieces that [`crate::export`] keeps and hands out.
//!
//! The account ends at once, in one transaction ([`leave`]): nobody can sign in to it, its sessions and streams are over, and
//! nothing in its row says whose it was. What belonged to it is cleared away after that ([`clear`]), by a job, in steps that
//! each may be repeated, so that it comes to an end whatever dies in between. What stays, and why, is one list ([`fate`]).

pub mod api;
pub mod clear;
pub mod fate;
pub mod gather;
pub mod leave;
