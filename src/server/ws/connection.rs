//! One socket: its state, its deadlines, and everything that can end it.

use async_graphql::Request;
use axum::extract::ws::{Message, WebSocket};
use chrono::SecondsFormat;
use futures_util::future::BoxFuture;
use futures_util::stream::{SplitStream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, timeout, timeout_at};

use super::message::{self, Ack, Close, Incoming, Outgoing};
use super::operations::Operations;
use super::writer::{self, Frame};
use crate::account::token::TokenError;
use crate::account::viewer::{Client, Viewer};
use crate::id::UserId;
use crate::server::connections::Place;
use crate::server::credentials;
use crate::server::doors::Doors;
use crate::server::params::Params;
use crate::server::session::{self, Over};

/// How a socket's life ends.
enum End {
    /// We close it and say why.
    Close(Close),
    /// We cannot read it any more, and say so.
    Deaf(Close),
    /// The other side closes it and waits for our agreement.
    Left,
    /// The other side is gone or too slow.
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        End::Close(close)
    }
}

/// What `connection_init` makes.
struct Member {
    viewer: Viewer,
    _place: Option<Place<UserId>>,
}

struct Connection {
    doors: Doors,
    client: Client,
    /// The token that came with the upgrade, for clients that can send headers there.
    upgrade_token: Option<String>,
    opened: Instant,
    member: Option<Member>,
    over: BoxFuture<'static, Over>,
    operations: Operations,
    queue: mpsc::Sender<Frame>,
}

/// Speaks with a socket until its end.
pub(super) async fn run(doors: Doors, socket: WebSocket, client: Client, upgrade_token: Option<String>) {
    let (sink, mut incoming) = socket.split();
    let (queue, waiting) = mpsc::channel(writer::WAITING);
    let (close, closing) = oneshot::channel();
    let mut writer = tokio::spawn(writer::run(sink, waiting, closing));
    let mut connection = Connection {
        doors,
        client,
        upgrade_token,
        opened: Instant::now(),
        member: None,
        over: Box::pin(std::future::pending()),
        operations: Operations::new(queue.clone()),
        queue,
    };
    let end = tokio::select! {
        biased;
        _ = &mut writer => End::Gone,
        end = connection.live(&mut incoming) => end,
    };
    drop(connection);
    let (is_deaf, is_closing) = match end {
        End::Close(reason) => (false, close.send(reason).is_ok()),
        End::Deaf(reason) => (true, close.send(reason).is_ok()),
        // Reading on is what sends the agreement.
        End::Left => (false, true),
        End::Gone => (false, false),
    };
    let agreed = async {
        while let Some(Ok(_)) = incoming.next().await {}
        if is_deaf {
            // Dropped with bytes unread, the connection would be reset, and the close lost on its way.
            std::future::pending::<()>().await;
        }
    };
    if is_closing && timeout(2 * writer::CLOSING, agreed).await.is_err() {
        tracing::debug!("a socket did not answer its close");
    }
    writer.abort();
}

impl Connection {
    async fn live(&mut self, incoming: &mut SplitStream<WebSocket>) -> End {
        let shutdown = self.doors.shutdown().clone();
        let init_deadline = self.opened + self.doors.settings().init_timeout;
        let mut ping = tokio::time::interval_at(
            self.opened + self.doors.settings().ping_every,
            self.doors.settings().ping_every,
        );
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_heard = true;
        loop {
            let message = tokio::select! {
                biased;
                () = shutdown.cancelled() => return message::RESTART.into(),
                why = &mut self.over => return match why {
                    Over::Ended => message::SESSION_OVER.into(),
                    Over::Expired => message::TOKEN_EXPIRED.into(),
                },
                () = tokio::time::sleep_until(init_deadline), if self.member.is_none() => return message::INIT_TIMEOUT.into(),
                _ = ping.tick() => {
                    if !std::mem::take(&mut was_heard) {
                        return End::Gone;
                    }
                    // Behind what waits for a slow client, its answer would be late; that one is judged by what it takes.
                    was_heard = self.queue.try_send(Frame::Ping).is_err();
                    continue;
                }
                () = self.operations.reap() => continue,
                message = incoming.next() => message,
            };
            was_heard = true;
            let heard = match message {
                Some(Ok(Message::Text(text))) => self.hear(&text, init_deadline).await,
                Some(Ok(Message::Binary(_))) => Err(Close::bad_message("binary")),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                Some(Ok(Message::Close(_))) => return End::Left,
                None => return End::Gone,
                Some(Err(error)) => return End::Deaf(unreadable(&error)),
            };
            if let Err(close) = heard {
                return close.into();
            }
        }
    }

    async fn hear(&mut self, text: &str, init_deadline: Instant) -> Result<(), Close> {
        match (Incoming::read(text)?, &self.member) {
            (Incoming::Init(_), Some(_)) => Err(message::SECOND_INIT),
            (Incoming::Init(payload), None) => {
                let token = match payload.map(|payload| serde_json::from_str(payload.get())) {
                    Some(Ok(serde_json::Value::Object(payload))) => credentials::from_init(&payload).map(str::to_owned),
                    Some(Err(_)) => return Err(Close::bad_message("the payload cannot be read")),
                    _ => None,
                };
                let token = token.or_else(|| self.upgrade_token.take());
                timeout_at(init_deadline, Box::pin(self.admit(token)))
                    .await
                    .unwrap_or(Err(message::UNAVAILABLE))
            }
            (Incoming::Ping, _) => {
                self.offer(Frame::Text(Outgoing::Pong.to_text()));
                Ok(())
            }
            (Incoming::Pong, _) => Ok(()),
            (Incoming::Subscribe { .. } | Incoming::Complete { .. }, None) => Err(message::NOT_YET),
            (Incoming::Complete { id }, Some(_)) => {
                self.operations.stop(&id);
                Ok(())
            }
            (Incoming::Subscribe { id, payload }, Some(member)) => {
                let params: Params =
                    serde_json::from_str(payload.get()).map_err(|_| Close::bad_message("the payload of subscribe"))?;
                let request: Request = params.into_request();
                self.operations
                    .start(&self.doors, id, request, member.viewer.clone(), self.client.clone())
            }
        }
    }

    async fn admit(&mut self, token: Option<String>) -> Result<(), Close> {
        let viewer = match token {
            None => Viewer::Anonymous,
            Some(token) => match self.doors.house().authenticate(&token).await {
                Ok(signed_in) => Viewer::SignedIn(signed_in),
                Err(TokenError::Expired) => return Err(message::TOKEN_EXPIRED),
                Err(TokenError::Invalid) => return Err(message::TOKEN_INVALID),
                Err(TokenError::Ended) => return Err(message::SESSION_OVER),
                Err(TokenError::Unavailable) => return Err(message::UNAVAILABLE),
            },
        };
        let (place, expires_at) = match &viewer {
            Viewer::Anonymous => (None, None),
            Viewer::SignedIn(signed_in) => {
                let place = self
                    .doors
                    .connections()
                    .of_user(signed_in.user_id)
                    .ok_or(message::TOO_MANY_SOCKETS)?;
                (
                    Some(place),
                    Some(signed_in.expires_at.to_rfc3339_opts(SecondsFormat::Millis, true)),
                )
            }
        };
        self.over = session::over(&self.doors, &viewer);
        self.member = Some(Member { viewer, _place: place });
        self.offer(Frame::Text(
            Outgoing::ConnectionAck {
                payload: Ack { expires_at },
            }
            .to_text(),
        ));
        Ok(())
    }

    /// Queues a message of the connection itself. When the queue is full the client is not reading, and would
    /// not miss it; waiting here would keep the reader from noticing the end.
    fn offer(&self, frame: Frame) {
        if self.queue.try_send(frame).is_err() {
            tracing::debug!(address = %self.client.address, "a socket's queue is full");
        }
    }
}

fn unreadable(error: &axum::Error) -> Close {
    let is_long = std::error::Error::source(error).is_some_and(|source| source.to_string().contains("too long"));
    Close::bad_message(if is_long {
        "longer than 65536 bytes"
    } else {
        "not a text frame in UTF-8"
    })
}
