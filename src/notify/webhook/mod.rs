//! Webhooks: other services are told of what happens, in the form of Standard Webhooks.
//!
//! The reader of the event log writes a delivery for each event that a webhook wants, in the transaction that moves its
//! cursor on, and a job for each keeper ([`queue`]). A row for each event and each webhook in the sender's own transaction would
//! make every send pay for whoever listens; this way nobody does, and nothing is left out either.

pub mod api;
pub mod body;
pub mod change;
pub mod delivery;
pub mod log;
pub mod queue;
pub mod row;
