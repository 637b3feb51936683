//! Archives of one's own data: that there are such, how far they are, and how they are downloaded. What is in them is gathered
//! by [`crate::privacy`], which stands above all the rooms that it gathers from.
//!
//! ```text
//! QUEUED ── the job begins ── RUNNING ─┬─ whole: READY ── a day later: EXPIRED, its bytes are gone
//!              └ its process died: from the beginning, as another run ┴─ too often: FAILED
//! ```
//!
//! The bytes are in Postgres, in pieces of half a megabyte, for a day: that is where every server finds them, with nothing to
//! set up, and where they are as safe as what they were gathered from. Pieces belong to a run, and only the newest run may
//! write: a process that was taken for dead cannot spoil the archive of the one that took over, and nothing is READY before
//! the last piece is there.

pub mod api;
pub mod download;
pub mod event;
pub mod link;
pub mod row;

pub use row::DataExport;
