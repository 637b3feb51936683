//! Messages that are sent later, once or again and again.
//!
//! A row says what is to be sent and when next; a job of the same time wakes whichever server is up, which sends it the
//! very way its owner would by hand, and then notes it in the row:
//!
//! ```text
//! row { next_at } + job ── due ── send, its key made of the row and next_at ── note: sent, next_at moves on, next job
//!                           ▲          │ killed here?                              │
//!                           └──────────┴─ the job is done again: the key is taken, so nothing is sent twice
//! ```

pub mod make;
pub mod note;
pub mod row;
pub mod rule;
pub mod run;

pub use row::ScheduledMessage;
