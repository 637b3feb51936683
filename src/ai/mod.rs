//! Talking to models, in neutral words.
//!
//! The rest of Parlor says what it wants ([`Request`]), from whom ([`Endpoint`]), and reads an
//! [`Answer`]: a stream of [`Delta`]s that ends with [`Delta::Finished`] or with one [`Failure`].
//! Nothing here knows of chats, Postgres or GraphQL. In reading order:
//!
//! - `provider`: whose models, and the wire formats they speak
//! - `request`: what to ask; `delta`: what comes back; `failure`: what can go wrong, in words that
//!   may be shown to anyone
//! - `client`: the handle; chooses the connection
//! - `call`: one question over HTTP, with its repetitions, which `retry` decides on
//! - `frames`, `sse`, `ndjson`: bytes to events
//! - `wire`: which format has which address, head, body and reader; `telling` is what all readers
//!   share, `refusal` what errors mean, `headroom` what headers tell of limits
//! - `openai` (Chat Completions, spoken by everyone who imitates OpenAI), `responses`, `anthropic`,
//!   `gemini`, `ollama`: a format each, what is asked and what is read; `usage` counts alike for all
//! - `models`: what a provider lists
//! - `guard`: where a user's key may be sent
//! - `tokens`: counting them
//! - `scripted`: a provider without a network, for development and tests
//!
//! The order of an answer: (`Headroom` | `Retrying`)*, `Started`, (`Reasoning` | `Text` | `Usage`)*,
//! `ToolCall`*, `Replay`?, `Finished`; a `Usage` may also stand right before `Finished`. An `Err` is
//! always the last item. Text is whole UTF-8, byte for byte what the model wrote.

mod anthropic;
mod call;
mod client;
mod delta;
mod failure;
mod frames;
mod gemini;
pub mod guard;
mod headroom;
mod models;
pub mod ndjson;
mod ollama;
mod openai;
mod provider;
mod refusal;
mod request;
mod responses;
mod retry;
pub mod scripted;
pub mod sse;
mod telling;
pub mod tokens;
mod usage;
mod wire;

pub use client::{Client, Limits};
pub use delta::{Delta, FinishReason, Headroom, Usage};
pub use failure::{Failure, FailureKind};
pub use models::Offered;
pub use provider::{Format, Provider, UnknownName};
pub use request::{Effort, Replay, Request, Tool, ToolCall, Turn};
/// What goes wrong with [`Client::connections`].
pub use reqwest::Error as HttpError;

use std::{fmt, pin::Pin, sync::Arc};

use futures_util::Stream;
use secrecy::SecretString;
use url::Url;

/// An answer as it arrives. Dropping it closes the connection to the provider.
pub type Answer = Pin<Box<dyn Stream<Item = Result<Delta, Failure>> + Send + 'static>>;

/// Where to ask, and with whose key.
#[derive(Clone)]
pub struct Endpoint {
    /// Who answers.
    pub provider: Provider,
    /// The wire format; `None` is the provider's usual one.
    pub format: Option<Format>,
    /// The root of the API (`https://llm.example.com/v1`); `None` is the provider's own address.
    pub base_url: Option<Url>,
    /// The key, sent in the header that the format has for it and nowhere else.
    pub secret: Option<SecretString>,
    /// How far a request may go.
    pub reach: Reach,
}

impl Endpoint {
    /// The provider that needs nothing.
    pub fn scripted() -> Self {
        Self {
            provider: Provider::Scripted,
            format: None,
            base_url: None,
            secret: None,
            reach: Reach::Operator,
        }
    }

    /// The wire format that is spoken there; none for a provider without a wire.
    pub fn format(&self) -> Option<Format> {
        self.format.or_else(|| self.provider.usual_format())
    }

    /// Whether what a model has signed goes back there with its turn.
    pub fn replays(&self) -> bool {
        match self.format() {
            Some(Format::ChatCompletions) => self.provider == Provider::OpenRouter,
            format => format.is_some_and(Format::replays),
        }
    }
}

/// Prints no key, and of the address only its origin: paths and user info have held keys before.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("provider", &self.provider)
            .field("format", &self.format())
            .field(
                "origin",
                &self.base_url.as_ref().map(|url| url.origin().ascii_serialization()),
            )
            .field("secret", &self.secret.as_ref().map(|_| "[redacted]"))
            .field("reach", &self.reach)
            .finish()
    }
}

/// How far a request may go, by who wrote its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The operator wrote it: any address, private networks included.
    Operator,
    /// A user wrote it: only where this list allows, and never into a private network.
    User(Arc<guard::Allowed>),
}
