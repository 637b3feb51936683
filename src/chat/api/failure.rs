//! A failed answer as clients see it: a code for programs, words for people, and what helps.

use async_graphql::{Enum, SimpleObject};

use crate::ai::{FailureKind, Provider};

/// Why there is no complete answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum GenerationErrorCode {
    /// There is no key for this provider.
    KeyMissing,
    /// The provider refuses the key.
    KeyInvalid,
    /// The provider wants fewer requests.
    RateLimited,
    /// The account behind the key has no credit left.
    QuotaExceeded,
    /// The budget for it is used up.
    BudgetExceeded,
    /// The provider has a fault or cannot be reached.
    Unavailable,
    /// The provider did not answer in time.
    Timeout,
    /// The conversation is longer than the model takes.
    ContextTooLong,
    /// The provider's filter stopped it.
    ContentFiltered,
    /// The provider does not have this model.
    ModelNotFound,
    /// The provider does not understand the request.
    InvalidRequest,
    /// The answer broke off.
    Interrupted,
    /// A fault of Parlor's.
    Internal,
}

/// What helps against a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ErrorAction {
    /// Send it again, after `retryAfterSeconds` if it is there.
    Retry,
    /// Set a provider key, or check it.
    CheckKey,
    /// Add credit to the provider's account.
    AddCredit,
    /// Set a higher budget, or ask an administrator for one.
    RaiseBudget,
    /// Choose another model.
    ChangeModel,
    /// Say less: clear the history or start a new chat.
    ShortenConversation,
    /// Put it in other words.
    Rephrase,
}

/// Why there is no complete answer, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct GenerationError {
    /// What kind of failure it is, for programs.
    code: GenerationErrorCode,
    /// What happened and what to do next, for people.
    message: String,
    /// Whether the same question may succeed later.
    retryable: bool,
    /// How long the provider asks to wait.
    retry_after_seconds: Option<i32>,
    /// What helps.
    action: Option<ErrorAction>,
    /// The provider's own name for the call, for its support.
    provider_request_id: Option<String>,
}

impl From<FailureKind> for GenerationErrorCode {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::KeyMissing => Self::KeyMissing,
            FailureKind::KeyInvalid => Self::KeyInvalid,
            FailureKind::RateLimited => Self::RateLimited,
            FailureKind::QuotaExceeded => Self::QuotaExceeded,
            FailureKind::BudgetExceeded => Self::BudgetExceeded,
            FailureKind::Unavailable => Self::Unavailable,
            FailureKind::Timeout => Self::Timeout,
            FailureKind::ContextTooLong => Self::ContextTooLong,
            FailureKind::ContentFiltered => Self::ContentFiltered,
            FailureKind::ModelNotFound => Self::ModelNotFound,
            FailureKind::InvalidRequest => Self::InvalidRequest,
            FailureKind::Interrupted => Self::Interrupted,
            FailureKind::Internal => Self::Internal,
        }
    }
}

impl GenerationError {
    /// The error that a failure of this kind is with this provider.
    pub(super) fn new(
        kind: FailureKind,
        provider: &str,
        retry_after_seconds: Option<i32>,
        provider_request_id: Option<String>,
    ) -> Self {
        let name = provider.parse().map_or("The provider", Provider::title);
        let (message, action) = helps(kind, name);
        GenerationError {
            code: kind.into(),
            message,
            retryable: kind.retryable(),
            retry_after_seconds,
            action: Some(action),
            provider_request_id,
        }
    }
}

impl GenerationError {
    /// Whether it speaks of the payer's key or budget.
    pub(super) fn is_about_paying(&self) -> bool {
        use GenerationErrorCode as Code;
        matches!(
            self.code,
            Code::KeyMissing | Code::KeyInvalid | Code::QuotaExceeded | Code::BudgetExceeded
        )
    }

    /// The same for those who do not pay, and can do nothing about it.
    pub(super) fn told_to_others(self) -> Self {
        GenerationError {
            message: "Whoever pays for this answer cannot pay for it now. Ask them, or ask again later.".into(),
            action: Some(ErrorAction::Retry),
            provider_request_id: None,
            ..self
        }
    }
}

/// What happened and what to do next, in words and as an action.
fn helps(kind: FailureKind, name: &str) -> (String, ErrorAction) {
    use ErrorAction as Action;
    match kind {
        FailureKind::KeyMissing => (
            format!("No API key configured. Please add your {name} API key in profile settings."),
            Action::CheckKey,
        ),
        FailureKind::KeyInvalid => (
            format!("Invalid API key. Please check your {name} API key in profile settings."),
            Action::CheckKey,
        ),
        FailureKind::RateLimited => (
            "API rate limit exceeded. Please try again later.".into(),
            Action::Retry,
        ),
        FailureKind::QuotaExceeded => (
            format!("The {name} account behind this key has no credit left. Please add credit there, or use another key."),
            Action::AddCredit,
        ),
        FailureKind::BudgetExceeded => (
            "The budget for this is used up. What came before is kept; raise the budget, or use another key.".into(),
            Action::RaiseBudget,
        ),
        FailureKind::Unavailable => (
            "AI service temporarily unavailable. Please try again later.".into(),
            Action::Retry,
        ),
        FailureKind::Timeout => (
            format!("{name} did not answer in time. Please try again."),
            Action::Retry,
        ),
        FailureKind::ContextTooLong => (
            "The conversation is longer than this model takes. Clear the history, start a new chat, or choose a model with a larger context.".into(),
            Action::ShortenConversation,
        ),
        FailureKind::ContentFiltered => (
            format!("{name} declined to answer this. Please put it in other words."),
            Action::Rephrase,
        ),
        FailureKind::ModelNotFound => (
            format!("{name} does not have this model, or this key may not use it. Please choose another model."),
            Action::ChangeModel,
        ),
        FailureKind::InvalidRequest => (
            format!("{name} did not understand the request. Please choose another model, or check the base URL of the key."),
            Action::ChangeModel,
        ),
        FailureKind::Interrupted => (
            "The answer broke off. What came before is kept; please ask again for the rest.".into(),
            Action::Retry,
        ),
        FailureKind::Internal => (
            "Something went wrong on our side. What came before is kept; please try again.".into(),
            Action::Retry,
        ),
    }
}
