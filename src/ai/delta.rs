//! What comes back from a model, piece by piece.

use std::time::Duration;

use super::{FailureKind, Replay, ToolCall};

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
    /// What the provider's headers say is left of the key's limits.
    Headroom(Headroom),
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
    /// The model wants a tool's result. The call is whole; several may follow each other.
    ToolCall(ToolCall),
    /// What has to be sent back word for word with this turn. At most one, right before the end.
    Replay(Replay),
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
    /// The part of `input_tokens` that was written into the provider's cache.
    pub cache_write_tokens: u64,
    /// Everything that was written, reasoning included.
    pub output_tokens: u64,
    /// The part of `output_tokens` that was reasoning.
    pub reasoning_tokens: u64,
    /// What the provider itself says it cost, in millionths of a US dollar. Many say 0 for "unknown":
    /// that is `None`.
    pub cost_micro_usd: Option<u64>,
    /// The provider's own figures, kept for the ledger.
    pub raw: serde_json::Value,
}

/// What is left of a key's limits, as far as the provider tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headroom {
    /// Requests in a window.
    pub requests_limit: Option<u64>,
    /// Those that are left.
    pub requests_remaining: Option<u64>,
    /// Tokens in a window.
    pub tokens_limit: Option<u64>,
    /// Those that are left.
    pub tokens_remaining: Option<u64>,
    /// How long until there is more of what is scarcest.
    pub resets_after: Option<Duration>,
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
