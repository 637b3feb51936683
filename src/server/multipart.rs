//! Apollo's multipart subscription protocol.
//!
//! A part is over for its reader when the boundary after it arrives, so each part is written together with that
//! boundary; otherwise every event would be seen when the next one comes.

use async_graphql::Response;

use super::documents::Opened;
use super::doors::Doors;
use super::refusal::Refusal;
use super::session::Over;
use super::stream::Encoding;
use crate::account::viewer::{Client, Viewer};

static PARTS: Encoding = Encoding {
    content_type: r#"multipart/mixed;boundary="graphql";subscriptionSpec="1.0""#,
    opening: "\r\n--graphql",
    heartbeat: "\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql",
    answer: payload,
    complete: "--\r\n",
    over: fatal,
};

fn part(json: &str) -> String {
    format!("\r\ncontent-type: application/json\r\n\r\n{json}\r\n--graphql")
}

fn payload(json: &str) -> String {
    part(&format!(r#"{{"payload":{json}}}"#))
}

/// The form of an error that ends the stream: beside a payload that is null. Apollo's client takes both ends
/// alike, and refreshing is up to the link that sees the code.
fn fatal(json: &str, _: Over) -> String {
    let errors = json.strip_prefix('{').unwrap_or(json);
    part(&format!(r#"{{"payload":null,{errors}"#)) + "--\r\n"
}

/// Runs an operation and streams its answers as parts.
///
/// # Errors
/// When the address or the account has too many streams.
pub fn respond(
    doors: &Doors,
    opened: Opened,
    viewer: Viewer,
    client: Client,
) -> Result<axum::response::Response, Refusal> {
    PARTS.respond(doors, opened, viewer, client)
}

/// One answer as parts.
pub fn respond_once(response: &Response) -> axum::response::Response {
    PARTS.respond_once(response)
}
