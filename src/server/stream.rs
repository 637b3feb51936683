//! What server-sent events and multipart subscriptions have in common: answers, heartbeats, and one of four ends.
//!
//! How a stream ends decides what clients do next:
//! - the operation is done: the protocol's own end, and nobody comes back;
//! - the session is over: an UNAUTHENTICATED error, then the protocol's own end;
//! - the access token has run out: an UNAUTHENTICATED error without the protocol's own end, so that clients that
//!   refresh on it, and clients that reconnect with a fresh header, both do;
//! - the server stops: the connection is cut in the middle, which every client takes for what it is, a network
//!   error, and retries elsewhere.

use std::panic::AssertUnwindSafe;

use async_graphql::Response;
use async_graphql::parser::types::OperationType;
use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use http::{HeaderName, HeaderValue, StatusCode, header};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::answer::{self, Answer};
use super::documents::Opened;
use super::doors::Doors;
use super::execution;
use super::refusal::Refusal;
use super::session::{self, Over};
use crate::account::viewer::{Client, Viewer};

/// How many pieces may wait for a slow client. Behind them the operation itself waits, and after the write
/// timeout the connection is given up.
const WAITING: usize = 16;

/// One way of putting answers into a body.
pub struct Encoding {
    /// The content type of the body.
    pub content_type: &'static str,
    /// What the body begins with.
    pub opening: &'static str,
    /// What shows that a quiet stream is alive.
    pub heartbeat: &'static str,
    /// An answer, given in JSON.
    pub answer: fn(&str) -> String,
    /// The protocol's own end.
    pub complete: &'static str,
    /// The last error of a stream whose session is over or whose token has run out, given as an answer in JSON.
    pub over: fn(&str, Over) -> String,
}

/// The connection is cut on purpose.
#[derive(Debug, thiserror::Error)]
#[error("the server is stopping")]
struct Cut;

type End = Result<Bytes, Cut>;

impl Encoding {
    /// Runs an operation and streams its answers.
    ///
    /// # Errors
    /// When the address or the account has too many streams.
    pub fn respond(
        &'static self,
        doors: &Doors,
        opened: Opened,
        viewer: Viewer,
        client: Client,
    ) -> Result<axum::response::Response, Refusal> {
        let address_place = doors.connections().of_address(client.address).ok_or_else(too_many)?;
        let user_place = match &viewer {
            Viewer::SignedIn(signed_in) => Some(doors.connections().of_user(signed_in.user_id).ok_or_else(too_many)?),
            Viewer::Anonymous => None,
        };
        let (pieces, queue) = mpsc::channel(WAITING);
        let (end, ending) = oneshot::channel();
        let over = session::over(doors, &viewer);
        let operation = opened.operation;
        let answers = answers(doors, opened, viewer, client);
        let producer = Producer {
            encoding: self,
            doors: doors.clone(),
            operation,
            pieces,
            end,
        };
        doors.tasks().spawn(async move {
            let _places = (address_place, user_place);
            producer.run(answers, over).await;
        });
        Ok(self.response(Body::from_stream(body(queue, ending))))
    }

    /// Answers with one response and the end.
    pub fn respond_once(&self, response: &Response) -> axum::response::Response {
        let answer = (self.answer)(&Answer(response).to_json());
        self.response(Body::from([self.opening, &answer, self.complete].concat()))
    }

    fn response(&self, body: Body) -> axum::response::Response {
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.content_type)),
            (
                header::CACHE_CONTROL,
                HeaderValue::from_static("no-store, no-transform"),
            ),
            // nginx would collect the pieces otherwise.
            (
                HeaderName::from_static("x-accel-buffering"),
                HeaderValue::from_static("no"),
            ),
        ];
        (headers, body).into_response()
    }
}

fn too_many() -> Refusal {
    let message = "Too many streams are open. Close some first, or send everything over one socket.";
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "TOO_MANY_STREAMS", message)
        .retry_after(std::time::Duration::from_secs(5))
}

/// The answers of an operation of any kind; a panic becomes the last of them.
pub fn answers(doors: &Doors, opened: Opened, viewer: Viewer, client: Client) -> BoxStream<'static, Response> {
    let doors = doors.clone();
    if opened.operation != OperationType::Subscription {
        return stream::once(async move { execution::run(&doors, opened, viewer, client).await }).boxed();
    }
    let plan = opened.plan();
    let stream = AssertUnwindSafe(doors.house().execute_stream(opened, viewer, client)).catch_unwind();
    let finished = move |answer: std::thread::Result<Response>| match answer {
        Ok(answer) => plan.finish(doors.types(), answer),
        Err(panic) => execution::panicked(&*panic),
    };
    stream.map(finished).boxed()
}

/// The pieces in order; an end that cannot wait overtakes them.
fn body(mut queue: mpsc::Receiver<String>, mut ending: oneshot::Receiver<End>) -> impl Stream<Item = End> {
    async_stream::stream! {
        let mut may_overtake = true;
        loop {
            tokio::select! {
                biased;
                end = &mut ending, if may_overtake => match end {
                    Ok(end) => {
                        yield end;
                        break;
                    }
                    Err(_) => may_overtake = false,
                },
                piece = queue.recv() => match piece {
                    Some(piece) => yield Ok(piece.into()),
                    None => {
                        // The end and the closing of the queue may both have come since `ending` was looked at.
                        if may_overtake && let Ok(end) = (&mut ending).await {
                            yield end;
                        }
                        break;
                    }
                },
            }
        }
    }
}

struct Producer {
    encoding: &'static Encoding,
    doors: Doors,
    operation: OperationType,
    pieces: mpsc::Sender<String>,
    end: oneshot::Sender<End>,
}

impl Producer {
    async fn run(self, answers: BoxStream<'static, Response>, mut over: impl Future<Output = Over> + Unpin) {
        // Beside everything, also beside waiting for room: an end must not wait for a slow client.
        let end = tokio::select! {
            biased;
            end = self.early_end(&mut over) => end,
            () = self.produce(answers) => return,
        };
        if self.end.send(end).is_err() {
            tracing::debug!("a stream's client was gone before its end");
        }
    }

    async fn early_end(&self, over: &mut (impl Future<Output = Over> + Unpin)) -> End {
        // Queries and mutations are finished, also while the server stops.
        let is_subscription = self.operation == OperationType::Subscription;
        tokio::select! {
            biased;
            () = self.doors.shutdown().cancelled(), if is_subscription => Err(Cut),
            why = over => Ok((self.encoding.over)(&Answer(&last_error(why)).to_json(), why).into()),
        }
    }

    /// Sends the answers until the last one, or until the client is gone or too slow.
    async fn produce(&self, mut answers: BoxStream<'static, Response>) {
        let encoding = self.encoding;
        if !encoding.opening.is_empty() && self.send(encoding.opening.to_owned()).await.is_none() {
            return;
        }
        let mut heartbeat = tokio::time::interval(self.doors.settings().heartbeat_every);
        heartbeat.reset();
        loop {
            let piece = tokio::select! {
                biased;
                () = self.pieces.closed() => return,
                answer = answers.next() => match answer {
                    Some(answer) => (encoding.answer)(&Answer(&answer).to_json()),
                    None => {
                        self.send(encoding.complete.to_owned()).await;
                        return;
                    }
                },
                _ = heartbeat.tick() => {
                    // Never waited for: the answer that is being made meanwhile may be others' as well. Where there is no
                    // room for it, something else is on its way.
                    if let Err(TrySendError::Closed(_)) = self.pieces.try_send(encoding.heartbeat.to_owned()) {
                        return;
                    }
                    continue;
                }
            };
            if self.send(piece).await.is_none() {
                return;
            }
            // A stream that is always ready must not keep the thread from the others.
            tokio::task::yield_now().await;
        }
    }

    async fn send(&self, piece: String) -> Option<()> {
        self.pieces
            .send_timeout(piece, self.doors.settings().write_timeout)
            .await
            .ok()
    }
}

fn last_error(why: Over) -> Response {
    answer::error(
        "UNAUTHENTICATED",
        match why {
            Over::Ended => "The session is over. Please sign in again.",
            Over::Expired => "The access token has expired. Refresh the session and subscribe again.",
        },
    )
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_end_is_told_whenever_it_comes() {
        for _ in 0..20_000 {
            let (pieces, queue) = mpsc::channel::<String>(1);
            let (end, ending) = oneshot::channel();
            let producer = tokio::spawn(async move {
                end.send(Ok(Bytes::from_static(b"over"))).expect("the reader is there");
                drop(pieces);
            });
            let mut body = pin!(body(queue, ending));
            let last = body.next().await.expect("the end").expect("not cut");
            assert_eq!(last, "over");
            assert!(body.next().await.is_none());
            producer.await.expect("no panic");
        }
    }
}
