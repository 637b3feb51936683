//! Work that is done in the background, after the request that called for it, and certainly.
//!
//! A job is a row, written in the transaction that calls for it ([`enqueue`]). A worker of any process takes it under a
//! lease, renews the lease while it works, and removes the row when it is done:
//!
//! ```text
//! enqueue ── commit ── wake ── claim (SKIP LOCKED, lease) ── run ─┬─ done: the row goes
//!                        ▲                 ▲                      ├─ trouble: again later, each time later
//!                        │                 └── lease ran out ─────┤  (the process died)
//!                        └── called for again meanwhile ──────────┴─ hopeless, or too often: given up, and logged
//! ```
//!
//! A job may be run more than once (a process can die between the work and the removal), so every kind of work is such
//! that a repetition does no harm.

mod queue;
pub mod steady;
mod worker;

use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;

pub use queue::{call_all, enqueue, enqueue_all};
pub use worker::Jobs;

use crate::app::App;
use crate::error::Error;

/// A running job.
pub type Running = Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send>>;

/// A kind of work: each feature has its own, and the app lists them.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name in the table.
    pub name: &'static str,
    /// How often it is tried before it is given up.
    pub attempts: i32,
    /// How long one attempt may take.
    pub limit: Duration,
    /// Does it.
    pub run: fn(App, Value) -> Running,
}

/// Why an attempt failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct Trouble {
    /// For the log: no message text, no secret.
    pub detail: String,
    /// What is to become of the job.
    pub verdict: Verdict,
    /// How long to wait before it is looked at again, at least.
    pub after: Option<Duration>,
}

/// What is to become of a job that was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It failed, and is tried again as often as its kind allows.
    Retry,
    /// It failed, and no attempt gets over that.
    GiveUp,
    /// It has come further, and goes on later: its attempts are counted anew.
    GoOn,
    /// It was not begun: this was no attempt.
    Postpone,
}

impl Trouble {
    /// What another attempt may get over.
    pub fn passing(detail: impl Into<String>, after: Option<Duration>) -> Self {
        Trouble {
            detail: detail.into(),
            verdict: Verdict::Retry,
            after,
        }
    }

    /// What no attempt gets over.
    pub fn hopeless(detail: impl Into<String>) -> Self {
        Trouble {
            detail: detail.into(),
            verdict: Verdict::GiveUp,
            after: None,
        }
    }

    /// No trouble: what is left to do is to be done after so long, or as soon as the job is called for again.
    pub fn resume(after: Duration) -> Self {
        Trouble {
            detail: "it goes on".to_owned(),
            verdict: Verdict::GoOn,
            after: Some(after),
        }
    }

    /// No trouble: it is not its turn yet, and is to be looked at again after so long.
    pub fn postpone(after: Duration) -> Self {
        Trouble {
            detail: "it waits".to_owned(),
            verdict: Verdict::Postpone,
            after: Some(after),
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable(source) | Error::Internal(source) => Trouble::passing(source.to_string(), None),
            Error::RateLimited { retry_after } => Trouble::passing("too often", Some(retry_after)),
            refused => Trouble::hopeless(refused.to_string()),
        }
    }
}

impl From<diesel::result::Error> for Trouble {
    fn from(error: diesel::result::Error) -> Self {
        Error::from(error).into()
    }
}
