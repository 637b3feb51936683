//! Server-sent events: the distinct connections mode of graphql-sse, which urql's `fetchSubscriptions` reads too.
//!
//! The `complete` event carries an empty `data` field, or browsers would not dispatch it; without a space after
//! the colon, or urql would take the space for an answer.

use async_graphql::Response;

use super::documents::Opened;
use super::doors::Doors;
use super::refusal::Refusal;
use super::session::Over;
use super::stream::Encoding;
use crate::account::viewer::{Client, Viewer};

const COMPLETE: &str = "event: complete\ndata:\n\n";

static EVENTS: Encoding = Encoding {
    content_type: "text/event-stream; charset=utf-8",
    opening: ":\n\n",
    heartbeat: ":\n\n",
    answer: next,
    complete: COMPLETE,
    over,
};

fn next(json: &str) -> String {
    format!("event: next\ndata: {json}\n\n")
}

fn over(json: &str, why: Over) -> String {
    match why {
        Over::Ended => next(json) + COMPLETE,
        Over::Expired => next(json),
    }
}

/// Runs an operation and streams its answers as events.
///
/// # Errors
/// When the address or the account has too many streams.
pub fn respond(
    doors: &Doors,
    opened: Opened,
    viewer: Viewer,
    client: Client,
) -> Result<axum::response::Response, Refusal> {
    EVENTS.respond(doors, opened, viewer, client)
}

/// One answer as events.
pub fn respond_once(response: &Response) -> axum::response::Response {
    EVENTS.respond_once(response)
}
