//! What can go wrong with a model, in words that may be shown to anyone.

use std::{fmt, str::FromStr, time::Duration};

/// The class of a failure; the same words the API and the database use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// No key was given and the provider wants one.
    KeyMissing,
    /// The key was refused.
    KeyInvalid,
    /// Too many requests just now.
    RateLimited,
    /// No credit, or a spending cap: waiting does not help.
    QuotaExceeded,
    /// The budget for it is used up. Never said by a provider: those who keep budgets say it.
    BudgetExceeded,
    /// The provider is overloaded, broken, unreachable or answers something else than its protocol.
    Unavailable,
    /// The provider took too long.
    Timeout,
    /// The conversation does not fit into the model.
    ContextTooLong,
    /// The provider refused the content.
    ContentFiltered,
    /// No such model, or not for this key.
    ModelNotFound,
    /// The provider, or the guard in front of it, refused the request for another reason.
    InvalidRequest,
    /// The answer broke off without its end.
    Interrupted,
    /// Our own fault.
    Internal,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::KeyMissing,
        Self::KeyInvalid,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::BudgetExceeded,
        Self::Unavailable,
        Self::Timeout,
        Self::ContextTooLong,
        Self::ContentFiltered,
        Self::ModelNotFound,
        Self::InvalidRequest,
        Self::Interrupted,
        Self::Internal,
    ];

    /// The name used in the database and in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyMissing => "key_missing",
            Self::KeyInvalid => "key_invalid",
            Self::RateLimited => "rate_limited",
            Self::QuotaExceeded => "quota_exceeded",
            Self::BudgetExceeded => "budget_exceeded",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::ContextTooLong => "context_too_long",
            Self::ContentFiltered => "content_filtered",
            Self::ModelNotFound => "model_not_found",
            Self::InvalidRequest => "invalid_request",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
        }
    }

    /// Whether the same request may succeed later, unchanged.
    pub fn retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited | Self::Unavailable | Self::Timeout | Self::Interrupted | Self::Internal
        )
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no kind of failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of failure")]
pub struct UnknownKind;

impl FromStr for FailureKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or(UnknownKind)
    }
}

/// Why there is no answer, or no more of it.
///
/// `detail` is for our own log: it is written by us, holds no key and nothing that the provider
/// said beyond short codes. Even so it is not for clients, who get words made from `kind`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct Failure {
    /// The class.
    pub kind: FailureKind,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
    /// The provider's name for this call, for its support.
    pub provider_request_id: Option<String>,
    /// The status of the response that carried the failure, 200 for one inside a stream.
    pub http_status: Option<u16>,
    /// For the log.
    pub detail: String,
    /// See [`Failure::broke_off`].
    pub(super) broke_off: bool,
    /// Whether the provider itself called it an error, as against our not making sense of it.
    pub(super) said_by_provider: bool,
}

impl Failure {
    /// A failure of this kind with a sentence for the log.
    pub fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            retry_after: None,
            provider_request_id: None,
            http_status: None,
            detail: detail.into(),
            broke_off: kind == FailureKind::Interrupted,
            said_by_provider: false,
        }
    }

    /// Whether the same request may succeed later, unchanged.
    pub fn retryable(&self) -> bool {
        self.kind.retryable()
    }

    /// Whether the provider fell silent or hung up instead of saying that it failed: the answer
    /// was interrupted, and can be continued.
    pub fn broke_off(&self) -> bool {
        self.broke_off
    }

    /// The provider accepted the request and then said nothing for too long.
    pub(super) fn stalled(after: Duration) -> Self {
        Self {
            broke_off: true,
            ..Self::new(
                FailureKind::Timeout,
                format!("nothing arrived for {} ms", after.as_millis()),
            )
        }
    }
}
