//! Sockets that speak `graphql-transport-ws`, the protocol of npm `graphql-ws`.
//!
//! One task reads and keeps the state, one writes, and each operation has its own; the queue to the writer is
//! bounded, so an operation whose client reads slowly waits alone.

mod connection;
mod message;
mod operations;
mod writer;

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use super::doors::Doors;
use super::refusal::Refusal;
use super::{credentials, http as over_http, origin};

/// The most bytes in one message.
const MESSAGE_BYTES: usize = 64 * 1024;
const PROTOCOL: &str = "graphql-transport-ws";

/// Whether a request asks for a socket.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get(header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Opens a socket.
///
/// # Errors
/// When the page may not, the address has too many, or the request is not a good handshake.
pub async fn upgrade(doors: Doors, mut parts: Parts) -> Result<Response, Refusal> {
    if !origin::may_open_socket(&doors, &parts.headers) {
        let message = "Pages from this origin may not open sockets. Add it to PARLOR_CORS_ORIGINS if they should.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "ORIGIN_NOT_ALLOWED", message));
    }
    if doors.shutdown().is_cancelled() {
        return Err(Refusal::unavailable());
    }
    let client = over_http::client(&doors, &parts);
    let place = doors.connections().of_address(client.address).ok_or_else(|| {
        let message = "Too many sockets and streams are open from this address. Close some first.";
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_STREAMS", message).retry_after(Duration::from_secs(5))
    })?;
    let token = credentials::bearer(&parts.headers).map(str::to_owned);
    let socket = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(socket) => socket,
        Err(rejection) => {
            return Err(Refusal::new(
                rejection.into_response().status(),
                "BAD_REQUEST",
                "This is not a good WebSocket handshake.",
            ));
        }
    };
    // The defaults of 128 KiB a buffer are most of what an idle socket takes. What is written goes out when it is flushed,
    // or more than this has come together.
    let socket = socket
        .read_buffer_size(1024)
        .write_buffer_size(2048)
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES);
    let socket = socket.protocols([PROTOCOL]);
    // Not asked for our protocol, the client learns of it by a close code, which it can read, not by a status.
    let speaks = socket.selected_protocol().is_some();
    let held = doors.tasks().token();
    Ok(socket.on_upgrade(async move |socket| {
        let _held = (held, place);
        if speaks {
            connection::run(doors, socket, client, token).await;
        } else {
            writer::refuse(socket, message::SUBPROTOCOL).await;
        }
    }))
}
