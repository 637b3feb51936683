//! The messages of `graphql-transport-ws` and the codes that close it.

use std::borrow::Cow;

use axum::extract::ws::CloseFrame;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::server::answer::Answer;

/// Why a socket is closed.
#[derive(Debug, Clone)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: Cow<'static, str>,
}

pub(super) const NOT_YET: Close = Close::because(
    4401,
    "Unauthorized: send connection_init and wait for connection_ack first",
);
pub(super) const SESSION_OVER: Close = Close::because(4401, "Unauthorized: the session is over");
pub(super) const TOKEN_EXPIRED: Close = Close::because(4403, "Forbidden: the access token has expired");
pub(super) const TOKEN_INVALID: Close = Close::because(4403, "Forbidden: the access token is not valid");
pub(super) const SUBPROTOCOL: Close = Close::because(4406, "Subprotocol not acceptable: speak graphql-transport-ws");
pub(super) const INIT_TIMEOUT: Close = Close::because(4408, "Connection initialisation timeout");
pub(super) const SECOND_INIT: Close = Close::because(4429, "Too many initialisation requests");
pub(super) const RESTART: Close = Close::because(1012, "Service restart");
pub(super) const TOO_MANY_SOCKETS: Close =
    Close::because(1013, "Try again later: too many sockets and streams of this account");
/// Not 4429: clients take that for fatal, and this one may come back when it reads.
pub(super) const UNHEARD: Close = Close::because(1013, "Try again later: read the answers before asking for more");
pub(super) const UNAVAILABLE: Close = Close::because(1013, "Try again later: temporarily unavailable");

/// The most bytes in the reason of a close frame (RFC 6455, section 5.5).
const REASON_BYTES: usize = 123;

impl Close {
    const fn because(code: u16, reason: &'static str) -> Self {
        Close {
            code,
            reason: Cow::Borrowed(reason),
        }
    }

    pub(super) fn bad_message(what: &str) -> Self {
        Close {
            code: 4400,
            reason: format!("Invalid message: {what}").into(),
        }
    }

    pub(super) fn duplicate(id: &str) -> Self {
        Close {
            code: 4409,
            reason: format!("Subscriber for {id} already exists").into(),
        }
    }
}

impl From<Close> for CloseFrame {
    fn from(close: Close) -> Self {
        let end = close.reason.floor_char_boundary(REASON_BYTES);
        CloseFrame {
            code: close.code,
            reason: close.reason[..end].into(),
        }
    }
}

/// What clients say.
#[derive(Debug)]
pub(super) enum Incoming<'a> {
    Init(Option<&'a RawValue>),
    Ping,
    Pong,
    Subscribe { id: String, payload: &'a RawValue },
    Complete { id: String },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    id: Option<String>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

impl<'a> Incoming<'a> {
    /// Reads a message, or says how to close on it.
    pub(super) fn read(text: &'a str) -> Result<Self, Close> {
        let Envelope { kind, id, payload } =
            serde_json::from_str(text).map_err(|_| Close::bad_message("not a JSON object with a type"))?;
        let is_map = payload.is_none_or(|payload| payload.get().starts_with('{') || payload.get() == "null");
        let id = || {
            id.filter(|id| !id.is_empty())
                .ok_or_else(|| Close::bad_message("an id is missing"))
        };
        match &*kind {
            _ if !is_map => Err(Close::bad_message("the payload is not an object")),
            "connection_init" => Ok(Incoming::Init(payload)),
            "ping" => Ok(Incoming::Ping),
            "pong" => Ok(Incoming::Pong),
            "subscribe" => {
                let payload = payload.ok_or_else(|| Close::bad_message("a payload is missing"))?;
                Ok(Incoming::Subscribe { id: id()?, payload })
            }
            "complete" => Ok(Incoming::Complete { id: id()? }),
            _ => Err(Close::bad_message("an unknown type")),
        }
    }
}

/// What the server says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Outgoing<'a> {
    ConnectionAck {
        payload: Ack,
    },
    Pong,
    Error {
        id: &'a str,
        payload: &'a [async_graphql::ServerError],
    },
    Complete {
        id: &'a str,
    },
}

/// What the acknowledgement of `connection_init` tells.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ack {
    /// When the access token ends and the socket with it; null for an anonymous viewer.
    pub(super) expires_at: Option<String>,
}

/// The message that brings an answer: most of all that is said.
pub(super) fn next(id: &str, answer: &Answer<'_>) -> Box<str> {
    let mut text = String::from(r#"{"type":"next","id":"#);
    text.push_str(&serde_json::to_string(id).unwrap_or_default());
    text.push_str(r#","payload":"#);
    answer.write(&mut text);
    text.push('}');
    text.into()
}

impl Outgoing<'_> {
    pub(super) fn to_text(&self) -> Box<str> {
        match serde_json::to_string(self) {
            Ok(text) => text.into(),
            Err(error) => {
                tracing::error!(%error, "a message cannot be written");
                r#"{"type":"pong"}"#.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_into_its_frame() {
        let frame: CloseFrame = Close::duplicate(&"é".repeat(200)).into();
        assert!(frame.reason.len() <= REASON_BYTES && frame.reason.len() > REASON_BYTES - 4);
        for close in [
            NOT_YET,
            SESSION_OVER,
            TOKEN_EXPIRED,
            TOKEN_INVALID,
            SUBPROTOCOL,
            INIT_TIMEOUT,
            SECOND_INIT,
            RESTART,
            TOO_MANY_SOCKETS,
            UNHEARD,
            UNAVAILABLE,
        ] {
            assert!(close.reason.len() <= REASON_BYTES, "{}", close.reason);
        }
    }

    #[test]
    fn malformed_messages_close_with_4400() {
        for text in [
            "",
            "[]",
            "7",
            "{}",
            r#"{"type":7}"#,
            r#"{"type":"hello"}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","payload":{}}"#,
        ]
        .into_iter()
        .chain([
            r#"{"type":"subscribe","id":"","payload":{}}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"connection_init","payload":[]}"#,
        ]) {
            assert_eq!(Incoming::read(text).expect_err(text).code, 4400, "{text}");
        }
    }
}
