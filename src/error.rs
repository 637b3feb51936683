//! Everything that can go wrong, in one type, and the only door to `async_graphql::Error`.
//!
//! What a user can mend is a [`UserError`] in a mutation's payload; a refusal of the request as a whole is a
//! top-level error with a code in its extensions; what nobody planned is logged once under an `errorId`, and
//! only that id leaves the server.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Enum, ErrorExtensions, SimpleObject};

/// The result of every operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, sorted by who can do something about it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The field needs a signed-in viewer.
    #[error("You are not signed in. Sign in and send the access token as `Authorization: Bearer …`.")]
    Unauthenticated,
    /// The viewer's role does not allow it.
    #[error("You are not allowed to do this.")]
    Forbidden,
    /// Too many requests of one kind; the same request may be sent again after the wait.
    #[error("Too many requests. Please try again in {} seconds.", whole_seconds(*retry_after))]
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// An argument of a query or subscription that no value can stand for.
    #[error("{0}")]
    BadInput(String),
    /// What the user can mend; mutations return these in their payload's `errors`.
    #[error("{}", .0.first().map_or("The input was refused.", |first| first.message.as_str()))]
    Rejected(Vec<UserError>),
    /// Postgres cannot be reached or is not accepting work; nothing was stored and a retry is safe.
    #[error("The service is temporarily unavailable. Nothing was changed; please try again.")]
    Unavailable(Arc<dyn std::error::Error + Send + Sync>),
    /// A surprise: logged under an error id, never shown.
    #[error("Something went wrong on our side.")]
    Internal(Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// The code of what fails while Postgres is away.
    pub const UNAVAILABLE: &'static str = "SERVICE_UNAVAILABLE";

    /// One refused input field.
    pub fn rejected(code: ErrorCode, field: &[&str], message: impl Into<String>) -> Self {
        Error::Rejected(vec![UserError::new(code, field, message)])
    }

    /// The same refusal, of the input field at `field`.
    pub fn at(self, field: &[&str]) -> Self {
        let Error::Rejected(errors) = self else { return self };
        let moved = errors.into_iter().map(|error| UserError {
            retry_after_seconds: error.retry_after_seconds,
            ..UserError::new(error.code, field, error.message)
        });
        Error::Rejected(moved.collect())
    }

    /// The answer for what does not exist and for what the viewer may not see: the two are never told apart.
    pub fn not_found(field: &[&str], what: &str) -> Self {
        Self::rejected(
            ErrorCode::NotFound,
            field,
            format!("This {what} does not exist, or you have no access to it."),
        )
    }

    /// A surprise described in words for the log.
    pub fn internal(description: impl Into<String>) -> Self {
        Error::surprise(description.into())
    }

    /// Postgres cannot be asked now.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Unavailable(source.into().into())
    }

    /// A surprise that came as an error.
    pub fn surprise(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Internal(source.into().into())
    }

    /// The `extensions.code` of this error when it answers a whole field.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Unauthenticated => "UNAUTHENTICATED",
            Error::Forbidden => "FORBIDDEN",
            Error::RateLimited { .. } => "RATE_LIMITED",
            Error::Rejected(errors) if errors.iter().any(|error| error.code == ErrorCode::NotFound) => "NOT_FOUND",
            Error::BadInput(_) | Error::Rejected(_) => "BAD_USER_INPUT",
            Error::Unavailable(_) => Self::UNAVAILABLE,
            Error::Internal(_) => "INTERNAL_SERVER_ERROR",
        }
    }
}

/// Whole seconds, rounded up, so that a client that waits them is never early.
pub fn whole_seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}

impl From<Error> for async_graphql::Error {
    fn from(error: Error) -> Self {
        let code = error.code();
        let shown = async_graphql::Error::new(error.to_string());
        match error {
            Error::RateLimited { retry_after } => shown.extend_with(|_, extensions| {
                extensions.set("code", code);
                extensions.set("retryAfter", whole_seconds(retry_after));
            }),
            Error::Internal(source) | Error::Unavailable(source) => {
                let error_id = uuid::Uuid::now_v7().simple().to_string();
                tracing::error!(error_id, code, error = %source, "a request failed");
                shown.extend_with(|_, extensions| {
                    extensions.set("code", code);
                    extensions.set("errorId", error_id.as_str());
                })
            }
            _ => shown.extend_with(|_, extensions| extensions.set("code", code)),
        }
    }
}

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::DatabaseErrorKind::{ClosedConnection, ReadOnlyTransaction, UnableToSendCommand};
        match &error {
            diesel::result::Error::DatabaseError(ClosedConnection | UnableToSendCommand | ReadOnlyTransaction, _) => {
                Error::unavailable(error)
            }
            // Statement timeouts, full disks and shutdowns arrive as `Unknown` with words of Postgres' own.
            diesel::result::Error::DatabaseError(_, information) if is_temporary(information.message()) => {
                Error::unavailable(error)
            }
            diesel::result::Error::DatabaseError(_, information)
                if information.message().starts_with("invalid byte sequence") =>
            {
                Error::BadInput("A text holds a NUL character, which cannot be stored.".into())
            }
            diesel::result::Error::DatabaseError(_, information)
                if information.message() == "timestamp out of range" =>
            {
                Error::BadInput("A time lies so far away that it cannot be stored.".into())
            }
            _ => Error::surprise(error),
        }
    }
}

fn is_temporary(message: &str) -> bool {
    const TEMPORARY: [&str; 10] = [
        "deadlock detected",
        "canceling statement due to",
        "terminating connection",
        "the database system is",
        "No space left on device",
        "could not extend file",
        "connection closed",
        "error communicating with the server",
        "too many clients",
        "could not write",
    ];
    TEMPORARY.iter().any(|words| message.contains(words))
}

impl From<diesel_async::pooled_connection::deadpool::PoolError> for Error {
    fn from(error: diesel_async::pooled_connection::deadpool::PoolError) -> Self {
        Error::unavailable(error)
    }
}

/// One thing in a mutation's input that was refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct UserError {
    /// What kind of refusal this is, for programs.
    pub code: ErrorCode,
    /// What went wrong and what to do next, for people.
    pub message: String,
    /// The path of the refused value in the mutation's arguments, such as `["input", "email"]`.
    pub field: Option<Vec<String>>,
    /// After how many seconds the same request may succeed, where waiting helps.
    pub retry_after_seconds: Option<i32>,
}

impl UserError {
    /// A refusal of the input field at `field`, a path without the leading `input`.
    pub fn new(code: ErrorCode, field: &[&str], message: impl Into<String>) -> Self {
        let path = (!field.is_empty()).then(|| {
            std::iter::once("input")
                .chain(field.iter().copied())
                .map(str::to_owned)
                .collect()
        });
        UserError {
            code,
            message: message.into(),
            field: path,
            retry_after_seconds: None,
        }
    }
}

/// The kinds of refusal that a mutation's `errors` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ErrorCode {
    /// The value is empty where something is needed.
    Required,
    /// The value is longer than allowed.
    TooLong,
    /// The value is shorter than allowed.
    TooShort,
    /// The value does not have the right form.
    Invalid,
    /// Somebody else already has this value.
    Taken,
    /// The password is too easy to guess.
    WeakPassword,
    /// The user name, e-mail address or password is wrong.
    WrongCredentials,
    /// The refresh token is unknown, expired or already used; sign in again.
    SessionEnded,
    /// The account was deactivated by an administrator.
    AccountDeactivated,
    /// It does not exist, or the viewer has no access to it.
    NotFound,
    /// The idempotency key was used before with another content, or the change collides with one made meanwhile.
    Conflict,
    /// No provider key is configured for this model.
    KeyMissing,
    /// The provider refuses the key.
    KeyInvalid,
    /// The provider could not be asked; try again.
    ProviderUnavailable,
    /// What has to be sent is more than the model takes.
    ContextTooLong,
    /// The base URL is not one that this server may call.
    BaseUrlNotAllowed,
    /// The tool server does not answer as it should; the message says how.
    ToolServerUnavailable,
    /// At least one administrator must remain.
    LastAdmin,
    /// A limit on how much of this the viewer may have or do at once.
    LimitReached,
    /// The budget that pays for this is used up.
    BudgetExceeded,
    /// Nobody knows what the model costs, so no budget can pay for it.
    PriceUnknown,
    /// The action does not fit the state the object is in.
    InvalidState,
    /// The viewer's role in the chat does not allow it, or the person whom it concerns does not.
    Forbidden,
}

/// Splits an operation's outcome into a mutation payload's result and its `errors`; only refusals of the
/// input go into the payload, everything else stays a top-level error.
pub fn payload<T>(outcome: Result<T>) -> Result<(Option<T>, Vec<UserError>)> {
    match outcome {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(Error::Rejected(errors)) => Ok((None, errors)),
        Err(error) => Err(error),
    }
}
