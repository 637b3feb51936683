//! One question over HTTP: sending it, repeating it, reading what comes back.
//!
//! ```text
//! request ──► headers ──► first word ──► … ──► finish reason ──► usage ──► end
//! └───────── first_byte ──────────┘└─ idle ─┘└──────── a moment of grace ──────┘
//! ```

use std::{collections::VecDeque, error::Error as _, time::Duration};

use bytes::Bytes;
use chrono::Utc;
use http::{HeaderMap, HeaderValue, header};
use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use url::Url;

use super::{
    Answer, Delta, Failure, FailureKind, Limits,
    guard::Refusal,
    openai::{Reading, Said, nonsense, refusal},
    retry::{self, Setback},
    sse,
};

/// How long a model that said it was done may take to say what it cost.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait for the end of a finished stream, so that its connection can be used again.
const TAIL: Duration = Duration::from_millis(10);
/// How much of an error, or of a list of models, is read.
const BODY: usize = 64 * 1024;

/// A request, ready to be sent and sent again.
pub(super) struct Call {
    pub(super) http: reqwest::Client,
    pub(super) url: Url,
    pub(super) secret: Option<SecretString>,
    /// What to post; without it the request is a GET.
    pub(super) body: Option<Bytes>,
    pub(super) limits: Limits,
}

/// The answer to a call.
pub(super) fn stream(call: Call) -> Answer {
    Box::pin(async_stream::try_stream! {
        let deadline = Instant::now() + call.limits.total;
        let mut attempt = 0;
        let mut spoken = false;
        loop {
            let setback = match Exchange::open(&call, deadline).await {
                Ok(mut exchange) => loop {
                    match exchange.next().await {
                        Ok(Some(delta)) => {
                            spoken = true;
                            yield delta;
                        }
                        Ok(None) => return,
                        Err(setback) => break setback,
                    }
                },
                Err(setback) => setback,
            };
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

/// Whether the provider takes the key.
pub(super) async fn verify(call: &Call) -> Result<(), Failure> {
    let asked = async {
        let (response, _) = send(call).await.map_err(|setback| setback.failure)?;
        let start = head(response).await;
        match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b'[') => Ok(()),
            _ => Err(nonsense("something else than a list of models")),
        }
    };
    let patience = call.limits.first_byte;
    timeout(patience, asked)
        .await
        .unwrap_or_else(|_| Err(Failure::stalled(patience)))
}

/// One attempt whose answer has begun to arrive.
struct Exchange<'a> {
    response: Response,
    limits: &'a Limits,
    deadline: Instant,
    request_id: Option<String>,
    reader: Option<sse::Reader>,
    reading: Reading,
    deltas: VecDeque<Delta>,
    /// How it ended, once it has; what was read before is still in `deltas`.
    outcome: Option<Result<(), Setback>>,
}

impl<'a> Exchange<'a> {
    async fn open(call: &'a Call, deadline: Instant) -> Result<Self, Setback> {
        let limits = &call.limits;
        let latest = deadline.min(Instant::now() + limits.first_byte);
        let sent = timeout_at(latest, send(call)).await;
        let stalled = |_| Setback::for_good(Failure::stalled(limits.first_byte));
        let (response, request_id) = sent.map_err(stalled)??;
        Ok(Self {
            response,
            limits,
            deadline,
            reading: Reading::new(request_id.clone(), limits.answer),
            request_id,
            reader: Some(sse::Reader::new(limits.line)),
            deltas: VecDeque::new(),
            outcome: None,
        })
    }

    /// The next piece, `None` after the last.
    async fn next(&mut self) -> Result<Option<Delta>, Setback> {
        loop {
            // Whatever arrived before the failure arrived: it is told first.
            if let Some(delta) = self.deltas.pop_front() {
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
        let patience = match () {
            () if self.reading.has_finished() => GRACE,
            () if self.reading.said_anything() => self.limits.idle,
            () => self.limits.first_byte,
        };
        let latest = self.deadline.min(Instant::now() + patience);
        match timeout_at(latest, self.response.chunk()).await {
            Ok(Ok(Some(piece))) => self.read(&piece).await,
            Ok(Ok(None)) => self.finish(),
            // What the model finished is finished, however its connection ends.
            Ok(Err(_)) | Err(_) if self.reading.has_finished() => self.finish(),
            Ok(Err(_)) => Err(Failure::new(FailureKind::Interrupted, "the connection broke")),
            Err(_) => Err(Failure::stalled(patience)),
        }
    }

    async fn read(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let Some(reader) = &mut self.reader else {
            return Ok(());
        };
        let mut events = Vec::new();
        let whole = reader.read(piece, &mut events);
        for event in events {
            self.reading.event(&event, &mut self.deltas)?;
            if self.reading.is_over() {
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
        Setback { failure, again }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let stray = match self.reader.take() {
            Some(reader) => {
                let stray = reader.saw_stray_lines();
                if let Ok(Some(last)) = reader.finish() {
                    // A torn event is no news: the missing finish reason is.
                    match self.reading.event(&last, &mut self.deltas) {
                        Err(failure) if failure.said_by_provider => return Err(failure),
                        _ => {}
                    }
                }
                stray
            }
            None => false,
        };
        let unknown = self.reading.unknown_events();
        if unknown > 0 {
            tracing::debug!(unknown, "a provider sent events of unknown kinds");
        }
        if stray && !self.reading.has_begun() {
            return Err(nonsense("something else than events"));
        }
        self.reading.end(&mut self.deltas)?;
        self.outcome = Some(Ok(()));
        Ok(())
    }
}

/// Sends the request; what comes back is a success with a body that may be an event stream.
async fn send(call: &Call) -> Result<(Response, Option<String>), Setback> {
    let request = match &call.body {
        Some(body) => call
            .http
            .post(call.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream")
            .body(body.clone()),
        None => call.http.get(call.url.clone()),
    };
    let mut request = request.header(header::ACCEPT_ENCODING, "identity");
    if let Some(secret) = &call.secret {
        request = request.header(header::AUTHORIZATION, bearer(secret)?);
    }
    let response = request.send().await.map_err(|error| not_sent(&error))?;
    let status = response.status();
    let headers = response.headers().clone();
    let request_id = request_id(&headers, call.secret.as_ref());
    let compressed = headers.contains_key(header::CONTENT_ENCODING) && headers[header::CONTENT_ENCODING] != "identity";
    let told = |mut failure: Failure| {
        failure.provider_request_id = request_id.clone();
        failure
    };
    if status.is_success() && compressed {
        return Err(Setback::for_good(told(nonsense("a compressed answer"))));
    }
    if status.is_success() && !(call.body.is_some() && is_a_document(&headers)) {
        return Ok((response, request_id));
    }
    let said = match compressed {
        true => Said::default(),
        false => Said::in_body(&head(response).await),
    };
    if status.is_success() && !said.is_an_error() {
        return Err(Setback::for_good(told(nonsense("a document"))));
    }
    let mut failure = told(refusal(status.as_u16(), &said, call.secret.is_some()));
    failure.retry_after = retry::asked_to_wait(&headers, Utc::now());
    let again = retry::may_repeat(failure.kind, status.as_u16(), &headers);
    Err(Setback { failure, again })
}

/// An answer in one piece where a stream was asked for.
fn is_a_document(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    ["text/html", "application/json", "application/xhtml+xml"].contains(&kind)
}

/// The beginning of a body; a broken or slow one counts for what arrived.
async fn head(mut response: Response) -> Vec<u8> {
    let mut head = Vec::new();
    let reading = async {
        while let Ok(Some(piece)) = response.chunk().await {
            let room = BODY - head.len();
            head.extend_from_slice(&piece[..piece.len().min(room)]);
            if head.len() == BODY {
                break;
            }
        }
    };
    match timeout(GRACE, reading).await {
        Ok(()) | Err(_) => head,
    }
}

fn bearer(secret: &SecretString) -> Result<HeaderValue, Setback> {
    let value = format!("Bearer {}", secret.expose_secret().trim());
    let mut value = HeaderValue::from_str(&value).map_err(|_| {
        let detail = "the key has characters that no key has";
        Setback::for_good(Failure::new(FailureKind::KeyInvalid, detail))
    })?;
    value.set_sensitive(true);
    Ok(value)
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
    let names = ["x-request-id", "request-id", "x-generation-id"];
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
