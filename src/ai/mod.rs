//! Talking to models, in neutral words.
//!
//! The rest of Parlor says what it wants ([`Request`]), from whom ([`Endpoint`]), and reads an
//! [`Answer`]: a stream of [`Delta`]s that ends with [`Delta::Finished`] or with one [`Failure`].
//! Nothing here knows of chats, Postgres or GraphQL. In reading order:
//!
//! - `failure`: what can go wrong, in words that may be shown to anyone
//! - `client`: the handle; chooses the connection and the wire format
//! - `call`: one question over HTTP, with its repetitions, which `retry` decides on
//! - `sse`: bytes to events
//! - `openai`: the Chat Completions format, spoken by OpenAI and by everyone who imitates it
//! - `guard`: where a user's key may be sent
//! - `tokens`: counting them
//! - `scripted`: a provider without a network, for development and tests
//!
//! The order of an answer: `Retrying`*, `Started`, (`Reasoning` | `Text` | `Usage`)*, `Finished`.
//! An `Err` is always the last item. Text is whole UTF-8, byte for byte what the model wrote.

mod call;
mod client;
mod failure;
pub mod guard;
mod openai;
mod retry;
pub mod scripted;
pub mod sse;
pub mod tokens;

pub use client::{Client, Limits};
pub use failure::{Failure, FailureKind};

use std::{fmt, pin::Pin, str::FromStr, sync::Arc, time::Duration};

use futures_util::Stream;
use secrecy::SecretString;
use url::Url;

/// An answer as it arrives. Dropping it closes the connection to the provider.
pub type Answer = Pin<Box<dyn Stream<Item = Result<Delta, Failure>> + Send + 'static>>;

/// Who answers, which is to say which wire format and which habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// api.openai.com, Chat Completions.
    OpenAi,
    /// Anything that imitates it: vLLM, llama.cpp, Ollama, a gateway.
    OpenAiCompatible,
    /// No network: the answer is written in the model's name, see [`scripted`].
    Scripted,
}

impl Provider {
    /// Every provider, in the order to offer them.
    pub const ALL: [Self; 3] = [Self::OpenAi, Self::OpenAiCompatible, Self::Scripted];

    /// The name used in the database and in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiCompatible => "openai_compatible",
            Self::Scripted => "scripted",
        }
    }

    /// What it is called among people.
    pub fn title(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::OpenAiCompatible => "OpenAI-compatible",
            Self::Scripted => "scripted",
        }
    }

    /// The provider's own address; none for those that are wherever they were installed.
    pub fn home(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::OpenAiCompatible | Self::Scripted => None,
        }
    }

    /// Whether a request without a key is hopeless.
    pub fn needs_key(self) -> bool {
        matches!(self, Self::OpenAi)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no provider's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown provider {0:?}")]
pub struct UnknownProvider(String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.name() == name)
            .ok_or_else(|| UnknownProvider(name.chars().take(64).collect()))
    }
}

/// Where to ask, and with whose key.
#[derive(Clone)]
pub struct Endpoint {
    /// The wire format and its habits.
    pub provider: Provider,
    /// The root of the API (`https://llm.example.com/v1`); `None` is the provider's own address.
    pub base_url: Option<Url>,
    /// The key, sent as a bearer token and nowhere else.
    pub secret: Option<SecretString>,
    /// How far a request may go.
    pub reach: Reach,
}

impl Endpoint {
    /// The provider that needs nothing.
    pub fn scripted() -> Self {
        Self {
            provider: Provider::Scripted,
            base_url: None,
            secret: None,
            reach: Reach::Operator,
        }
    }
}

/// Prints no key, and of the address only its origin: paths and user info have held keys before.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("provider", &self.provider)
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

/// What to ask a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The provider's name of the model.
    pub model: String,
    /// The conversation, oldest first.
    pub turns: Vec<Turn>,
    /// How freely to choose words; `None` leaves it to the provider.
    pub temperature: Option<f32>,
    /// Where to stop the model; `None` leaves it to the provider.
    pub max_output_tokens: Option<u32>,
}

/// One speaker's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What they say.
    pub text: String,
}

impl Turn {
    /// A turn of this role.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            text: text.into(),
        }
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The instructions.
    System,
    /// A person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The word every wire format uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// The next piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// Nothing was said yet, and the request is about to be repeated.
    Retrying {
        /// 1 for the first repetition.
        attempt: u32,
        /// How long the client waits before it.
        after: Duration,
        /// What went wrong.
        kind: FailureKind,
    },
    /// The provider accepted the request and began to answer.
    Started {
        /// The provider's name for this call, for its support.
        provider_request_id: Option<String>,
        /// The model that answers, when it says so.
        model: Option<String>,
    },
    /// Thinking aloud, which is no part of the answer. Never empty.
    Reasoning(String),
    /// The answer. Never empty.
    Text(String),
    /// What the call cost so far; the last one counts. Most providers tell once, at the end, some
    /// with every piece, and one that is cut or stopped may never tell.
    Usage(Usage),
    /// The end, always last: the provider said that it was done.
    Finished {
        /// Why it stopped.
        reason: FinishReason,
        /// The provider's own word for it.
        raw: String,
    },
}

/// Tokens, counted alike for all providers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Everything that was read, cached or not.
    pub input_tokens: u64,
    /// The part of `input_tokens` that came from the provider's cache.
    pub cached_input_tokens: u64,
    /// Everything that was written, reasoning included.
    pub output_tokens: u64,
    /// The part of `output_tokens` that was reasoning.
    pub reasoning_tokens: u64,
    /// The provider's own figures, kept for the ledger.
    pub raw: serde_json::Value,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinishReason {
    /// It had said what it wanted to say.
    Stop,
    /// It reached the limit of tokens.
    Length,
    /// The provider withheld the rest, or the model refused.
    ContentFilter,
    /// It wants a tool's result.
    ToolCalls,
    /// A word this version does not know; the raw one is kept beside it.
    Other,
}

impl FinishReason {
    /// The name used in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::ToolCalls => "tool_calls",
            Self::Other => "other",
        }
    }
}
