//! The task that writes to a socket. A client that takes no bytes for too long is given up by the connection itself
//! ([`crate::server::write_deadline`]); a slow one that reads is not. A close overtakes what waits, so that nothing is
//! delivered after it.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::sink::{Sink, SinkExt};
use futures_util::stream::StreamExt;
use tokio::sync::{mpsc, oneshot};

use super::message::Close;

/// How many messages may wait for a slow client; behind them its operations wait.
pub(super) const WAITING: usize = 32;
/// How long the other side gets to take and answer a close.
pub(super) const CLOSING: Duration = Duration::from_secs(1);

/// What waits to be written. Smaller than a [`Message`], of which every socket's queue would hold room for dozens.
pub(super) enum Frame {
    Text(Box<str>),
    Ping,
}

impl From<Frame> for Message {
    fn from(frame: Frame) -> Self {
        match frame {
            Frame::Text(text) => Message::text(String::from(text)),
            Frame::Ping => Message::Ping(Bytes::new()),
        }
    }
}

/// Writes what is queued until the queue ends, the client is too slow or gone, or the socket is to be closed.
pub(super) async fn run<S: Sink<Message> + Unpin>(
    mut socket: S,
    mut queue: mpsc::Receiver<Frame>,
    mut closing: oneshot::Receiver<Close>,
) {
    loop {
        let message = tokio::select! {
            biased;
            close = &mut closing => break finish(&mut socket, close.ok()).await,
            message = queue.recv() => message,
        };
        let Some(message) = message else { break };
        let written = tokio::select! {
            biased;
            close = &mut closing => break finish(&mut socket, close.ok()).await,
            written = write(&mut socket, message, &mut queue) => written,
        };
        if written.is_err() {
            break;
        }
    }
}

/// Writes a message and those that wait behind it with one flush.
async fn write<S: Sink<Message> + Unpin>(
    socket: &mut S,
    frame: Frame,
    queue: &mut mpsc::Receiver<Frame>,
) -> Result<(), S::Error> {
    socket.feed(frame.into()).await?;
    for _ in 0..WAITING {
        let Ok(frame) = queue.try_recv() else { break };
        socket.feed(frame.into()).await?;
    }
    socket.flush().await
}

async fn finish<S: Sink<Message> + Unpin>(socket: &mut S, close: Option<Close>) {
    if let Some(close) = close {
        let sent = tokio::time::timeout(CLOSING, socket.send(Message::Close(Some(CloseFrame::from(close))))).await;
        if !matches!(sent, Ok(Ok(()))) {
            tracing::debug!("a socket was gone before its close");
        }
    }
}

/// Closes a socket at once, and waits a moment for the other side to agree.
pub(super) async fn refuse(mut socket: WebSocket, close: Close) {
    finish(&mut socket, Some(close)).await;
    let (_, mut incoming) = socket.split();
    if tokio::time::timeout(CLOSING, async { while let Some(Ok(_)) = incoming.next().await {} })
        .await
        .is_err()
    {
        tracing::debug!("a socket did not answer its close");
    }
}
