//! The log of what happened, and how clients follow it without a gap.
//!
//! Every event is written in the transaction that made it happen. Transactions commit in another order than their
//! numbers and serials say, so a position in the log is not a number but a *snapshot*: Postgres' own description of
//! which transactions a reader has seen ([`Snapshot`]). What a client has missed is then exactly the events whose
//! transaction its snapshot does not show:
//!
//! ```text
//! transaction 7:  begin ── insert event A ─────────────── commit
//! transaction 8:           begin ── insert event B ── commit
//! reader:                                          ↑ sees B, remembers "8 seen, 7 not"      ↑ gets A, and only A
//! ```

mod cursor;
mod feed;
mod home;
mod log;
mod made;
mod recent;
mod roster;
mod signal;
mod tail;

pub use cursor::{Cursor, CursorError, Position, Snapshot};
pub use feed::{Delivery, Feed, Handed};
pub use home::adopt;
pub use log::{
    Audience, CHAT_REMOVED, LoggedEvent, NewEvent, Resumable, append, append_all, current, read, read_everything,
    resumable, trim,
};
pub use made::Made;
pub use signal::{Circle, Ear, Signal, Subject};
pub use tail::Log;

/// The position from before anything in a request was read, for `viewer.syncCursor`.
#[derive(Debug, Clone)]
pub struct SyncCursor(pub Cursor);
