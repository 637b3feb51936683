//! Telling those who do not look: web push to browsers, and webhooks to other services.
//!
//! The one reader of the event log ([`reader`]) finds whom a new message concerns and calls for a job for each of their
//! browsers, and for each webhook that wants to be told; sending a message costs nothing for it. Its position is a row like any client's cursor, moved on in the
//! transaction that stores the jobs: nothing is left out and nothing is called for twice, whichever server reads.
//!
//! ```text
//! event log ── reader, one server at a time ── whom? (rules) ── jobs ── is it still news? (content) ── push service, webhook
//! ```

pub mod api;
pub mod content;
pub mod live;
pub mod places;
pub mod push;
pub mod reader;
pub mod rules;
pub mod subscription;
pub mod vapid;
pub mod webhook;

use crate::ai::guard::Refusal;

/// What is told of an address that nothing is sent to.
fn explained(refusal: Refusal) -> String {
    refusal.told("The address", "PARLOR_NOTIFY_URLS")
}
