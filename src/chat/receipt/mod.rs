//! Receipts: how far each person has come in rooms of several. Two marks for each, that never go back: the newest message
//! that a device of theirs was handed, and the newest that they have read.
//!
//! ```text
//! a stream or a page hands out messages ── gathered in memory ──┐ at most half a second
//! markRead ── stored with what is unread, marked as untold ─────┤
//!                                                               └ stored ── told once for all in a chat: ReceiptsUpdated
//! ```
//! Who comes has nothing to catch up with, and nobody waits for who has gone: so what a message has come to may change
//! with the members, and is told of then, too.
//!
//! What is gathered in memory and lost with its process is only late: the next message, or the reading, moves the mark.
//! What was stored is told, by whichever process is up.

mod coalesce;
mod marks;

use async_graphql::Enum;

pub use coalesce::Receipts;
pub use marks::{Floor, Mark, Receipt, Wanted, begin, find_many, floors, freed, pages, read};

/// In groups of more people nobody's marks move, and nobody is told who has read what: each would be told of each.
pub const MOST_PEOPLE: i64 = 100;

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Enum)]
pub enum DeliveryStatus {
    /// It is stored.
    Sent,
    /// A device has it.
    Delivered,
    /// It was read.
    Read,
}
