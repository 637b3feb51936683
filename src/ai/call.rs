//! One question over HTTP: sending it, repeating it, reading what comes back.
//!
//! ```text
//! request ──► headers ──► first word ──► … ──► finish reason ──► usage ──► end
//! └───────── first_byte ──────────┘└─ idle ─┘└──────── a moment of grace ──────┘
//! ```

use std::{error::Error as _, time::Duration};

use bytes::Bytes;
use chrono::Utc;
use http::{HeaderMap, header};
use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use url::Url;

use super::{
    Answer, Delta, Failure, FailureKind, Format, Headroom, Limits,
    client::Counters,
    frames::{Frames, Framing},
    guard::Refusal,
    headroom,
    refusal::{Said, nonsense, refusal},
    retry::{self, Setback},
    telling::{Grammar, Telling},
    wire,
};

/// How long a model that said it was done may take to say what it cost.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait for the end of a finished stream, so that its connection can be used again.
const TAIL: Duration = Duration::from_millis(10);
/// How much of an error is read.
const BODY: usize = 64 * 1024;

/// A request, ready to be sent and sent again.
pub(super) struct Call {
    pub(super) http: reqwest::Client,
    pub(super) url: Url,
    /// The key and what else the format wants in the head.
    pub(super) headers: HeaderMap,
    pub(super) secret: Option<SecretString>,
    pub(super) limits: Limits,
    pub(super) counters: Counters,
}

/// What to post, and how to read the answer.
pub(super) struct Question {
    pub(super) format: Format,
    pub(super) model: String,
    pub(super) body: Bytes,
}

/// The answer to a question.
pub(super) fn stream(call: Call, question: Question) -> Answer {
    Box::pin(async_stream::try_stream! {
        let deadline = Instant::now() + call.limits.total;
        let mut attempt = 0;
        let mut spoken = false;
        loop {
            let setback = match Exchange::open(&call, &question, deadline).await {
                Ok(mut exchange) => {
                    if let Some(headroom) = exchange.headroom.take() {
                        yield Delta::Headroom(headroom);
                    }
                    loop {
                        match exchange.next().await {
                            Ok(Some(delta)) => {
                                spoken = true;
                                yield delta;
                            }
                            Ok(None) => return,
                            Err(setback) => break setback,
                        }
                    }
                }
                Err(setback) => setback,
            };
            if let Some(headroom) = setback.headroom {
                yield Delta::Headroom(headroom);
            }
            attempt += 1;
            let wait = match spoken {
                true => None,
                false => retry::wait(&call.limits, attempt, &setback, dice()),
            };
            let kind = setback.failure.kind;
            match wait {
                Some(after) => {
                    tracing::debug!(attempt, ?after, failure = %setback.failure, "asking the model again");
                    yield Delta::Retrying { attempt, after, kind };
                    sleep(after).await;
                }
                None => Err(setback.failure)?,
            }
        }
    })
}

/// What a GET of `call.url` returns: JSON, of at most `most` bytes.
pub(super) async fn get(call: &Call, most: usize) -> Result<serde_json::Value, Failure> {
    let asked = async {
        let (response, ..) = send(call, None).await.map_err(|setback| setback.failure)?;
        let body = head(response, most).await;
        serde_json::from_slice(&body).map_err(|_| nonsense("something else than JSON"))
    };
    let patience = call.limits.first_byte;
    timeout(patience, asked)
        .await
        .unwrap_or_else(|_| Err(Failure::stalled(patience)))
}

/// One attempt whose answer has begun to arrive.
struct Exchange<'a> {
    response: Response,
    call: &'a Call,
    deadline: Instant,
    request_id: Option<String>,
    headroom: Option<Headroom>,
    frames: Option<Frames>,
    grammar: Box<dyn Grammar>,
    told: Telling,
    /// How it ended, once it has; what was read before is still to be told.
    outcome: Option<Result<(), Setback>>,
}

impl<'a> Exchange<'a> {
    async fn open(call: &'a Call, question: &Question, deadline: Instant) -> Result<Self, Setback> {
        let limits = &call.limits;
        let latest = deadline.min(Instant::now() + limits.first_byte);
        let sent = timeout_at(latest, send(call, Some(question))).await;
        let stalled = |_| Setback::for_good(Failure::stalled(limits.first_byte));
        let (response, request_id, headroom) = sent.map_err(stalled)??;
        Ok(Self {
            response,
            call,
            deadline,
            told: Telling::new(question.format, &question.model, request_id.clone(), limits.answer),
            grammar: wire::grammar(question.format),
            request_id,
            headroom,
            frames: Some(Frames::new(wire::framing(question.format), limits.line)),
            outcome: None,
        })
    }

    /// The next piece, `None` after the last.
    async fn next(&mut self) -> Result<Option<Delta>, Setback> {
        loop {
            // Whatever arrived before the failure arrived: it is told first.
            if let Some(delta) = self.told.pop() {
                return Ok(Some(delta));
            }
            if let Some(outcome) = self.outcome.take() {
                return outcome.map(|()| None);
            }
            if let Err(failure) = self.advance().await {
                self.outcome = Some(Err(self.setback(failure)));
            }
        }
    }

    /// Reads the next piece of the body.
    async fn advance(&mut self) -> Result<(), Failure> {
        let limits = &self.call.limits;
        let patience = match () {
            () if self.told.has_finished() => GRACE,
            () if self.told.said_anything() => limits.idle,
            () => limits.first_byte,
        };
        let latest = self.deadline.min(Instant::now() + patience);
        match timeout_at(latest, self.response.chunk()).await {
            Ok(Ok(Some(piece))) => self.read(&piece).await,
            Ok(Ok(None)) => self.finish(),
            // What the model finished is finished, however its connection ends.
            Ok(Err(_)) | Err(_) if self.told.has_finished() => self.finish(),
            Ok(Err(_)) => Err(Failure::new(FailureKind::Interrupted, "the connection broke")),
            Err(_) => Err(Failure::stalled(patience)),
        }
    }

    async fn read(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let Some(frames) = &mut self.frames else {
            return Ok(());
        };
        let mut events = Vec::new();
        let whole = frames.read(piece, &mut events);
        for event in events {
            self.grammar.event(&event, &mut self.told)?;
            if self.told.is_over() {
                // The end of the body nearly always is in the same packet.
                let _tail = timeout(TAIL, self.response.chunk()).await;
                return self.finish();
            }
        }
        whole.map_err(|malformed| nonsense(&malformed.to_string()))
    }

    /// A failure in the middle of an answer.
    fn setback(&self, mut failure: Failure) -> Setback {
        failure.provider_request_id = self.request_id.clone();
        // Only what the provider itself called an error passes; a web page does not get better.
        let again =
            failure.said_by_provider && matches!(failure.kind, FailureKind::RateLimited | FailureKind::Unavailable);
        Setback {
            failure,
            again,
            headroom: None,
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let (last, stray) = self.frames.take().map_or((None, None), Frames::finish);
        if let Some(last) = last {
            // A torn event is no news: the missing finish reason is.
            match self.grammar.event(&last, &mut self.told) {
                Err(failure) if failure.said_by_provider => return Err(failure),
                _ => {}
            }
        }
        if let Some(stray) = stray.filter(|_| !self.told.has_finished()) {
            // Some write an error into the stream as it is, without making an event of it.
            let said = Said::in_body(stray.as_bytes());
            if said.is_an_error() {
                return Err(refusal(200, &said, true));
            }
            if !self.told.has_begun() {
                return Err(nonsense("something else than events"));
            }
        }
        self.grammar.close(&mut self.told);
        self.told.end()?;
        self.outcome = Some(Ok(()));
        Ok(())
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        self.call.counters.saw_unknown(self.told.unknown_events());
    }
}

type Begun = (Response, Option<String>, Option<Headroom>);

/// Sends the request; what comes back is a success with a body that may be a stream of events.
async fn send(call: &Call, question: Option<&Question>) -> Result<Begun, Setback> {
    let request = match question {
        Some(question) => call
            .http
            .post(call.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, wire::accepts(question.format))
            .body(question.body.clone()),
        None => call.http.get(call.url.clone()),
    };
    let request = request
        .header(header::ACCEPT_ENCODING, "identity")
        .headers(call.headers.clone());
    let response = request.send().await.map_err(|error| not_sent(&error))?;
    let status = response.status();
    let headers = response.headers().clone();
    let request_id = request_id(&headers, call.secret.as_ref());
    let headroom = headroom::read(&headers, Utc::now());
    let compressed = headers.contains_key(header::CONTENT_ENCODING) && headers[header::CONTENT_ENCODING] != "identity";
    let told = |mut failure: Failure| {
        failure.provider_request_id = request_id.clone();
        failure
    };
    if status.is_success() && compressed {
        return Err(Setback::for_good(told(nonsense("a compressed answer"))));
    }
    let is_document = question.is_some_and(|question| is_a_document(&headers, question.format));
    if status.is_success() && !is_document {
        return Ok((response, request_id, headroom));
    }
    let said = match compressed {
        true => Said::default(),
        false => Said::in_body(&head(response, BODY).await),
    };
    if status.is_success() && !said.is_an_error() {
        return Err(Setback::for_good(told(nonsense("a document"))));
    }
    let mut failure = told(refusal(status.as_u16(), &said, call.secret.is_some()));
    failure.retry_after = retry::asked_to_wait(&headers, Utc::now()).or(failure.retry_after);
    let again = retry::may_repeat(failure.kind, status.as_u16(), &headers);
    Err(Setback {
        failure,
        again,
        headroom,
    })
}

/// An answer in one piece where a stream was asked for.
fn is_a_document(headers: &HeaderMap, format: Format) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    match kind {
        "text/html" | "application/xhtml+xml" => true,
        // Lines of JSON are called so by some.
        "application/json" => wire::framing(format) == Framing::Sse,
        _ => false,
    }
}

/// The beginning of a body, at most `most` bytes; a broken or slow one counts for what arrived.
async fn head(mut response: Response, most: usize) -> Vec<u8> {
    let mut head = Vec::new();
    let reading = async {
        while let Ok(Some(piece)) = response.chunk().await {
            let room = most - head.len();
            head.extend_from_slice(&piece[..piece.len().min(room)]);
            if head.len() == most {
                break;
            }
        }
    };
    match timeout(GRACE, reading).await {
        Ok(()) | Err(_) => head,
    }
}

/// Why a request got no response. The error's own words would name the address.
fn not_sent(error: &reqwest::Error) -> Setback {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref::<Refusal>() {
            let failure = Failure::new(FailureKind::InvalidRequest, refusal.to_string());
            return Setback::for_good(failure);
        }
        cause = inner.source();
    }
    if error.is_connect() || error.is_timeout() {
        let detail = match error.is_timeout() {
            true => "no connection in time",
            false => "no connection",
        };
        return Setback::for_now(Failure::new(FailureKind::Unavailable, detail));
    }
    // The provider may have begun to work: asking again could be paid for twice.
    let detail = "the connection broke before the provider answered";
    Setback::for_good(Failure::new(FailureKind::Interrupted, detail))
}

/// The provider's name for the call, unless it looks like anything else.
fn request_id(headers: &HeaderMap, secret: Option<&SecretString>) -> Option<String> {
    // OpenRouter's own name first: by that it tells what the call has cost.
    let names = ["x-generation-id", "x-request-id", "request-id"];
    let value = names.iter().find_map(|name| headers.get(*name))?;
    let value = value.to_str().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let echoes = secret.is_some_and(|secret| {
        let secret = secret.expose_secret();
        value.contains(secret) || secret.contains(value)
    });
    let is_one = (1..=128).contains(&value.len()) && value.chars().all(plain) && !echoes;
    is_one.then(|| value.to_owned())
}

/// A random number in `0.0..1.0`.
fn dice() -> f64 {
    let mut bytes = [0; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0),
        // Without randomness a wait is still a wait.
        Err(_) => 0.5,
    }
}
