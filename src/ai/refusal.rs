//! What an error means, from a status, a code and, where nothing else tells, a phrase.

use std::time::Duration;

use serde_json::Value;

use super::{Failure, FailureKind, retry::span_in_words, sse};

/// An error as a provider worded it. Read for its meaning, then dropped: none of it is passed on.
#[derive(Debug, Default)]
pub(super) struct Said {
    codes: Vec<String>,
    status: Option<u16>,
    message: String,
    moderated: bool,
    is_error: bool,
    /// How long the words ask to wait, where no header does.
    wait: Option<Duration>,
    /// Whether a quota of more than a minute is used up.
    daily: bool,
    /// Whether a quota was named at all.
    quota: bool,
}

impl Said {
    /// Reads `{"error": {…}}`, `{"error": "…"}`, `[{"error": …}]`, the flat form, or plain text.
    pub(super) fn in_body(body: &[u8]) -> Self {
        // Some write one error behind the other, or end in the middle.
        let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => Self::in_value(&value),
            Some(Err(_)) | None => Self::default(),
        }
    }

    /// The same, of parsed JSON.
    pub(super) fn in_value(value: &Value) -> Self {
        let value = match value {
            Value::Array(items) => items.first().unwrap_or(&Value::Null),
            other => other,
        };
        let error = value.get("error").filter(|error| !error.is_null());
        let mut said = Self {
            is_error: error.is_some(),
            ..Self::default()
        };
        let error = error.unwrap_or(value);
        if let Value::String(message) = error {
            said.listen(message);
            return said;
        }
        for key in ["code", "type", "status", "error_type"] {
            match error.get(key) {
                Some(Value::String(code)) => said.codes.push(code.to_ascii_lowercase()),
                Some(Value::Number(code)) => said.status = code.as_u64().and_then(as_status),
                _ => {}
            }
        }
        let message = error.get("message").or_else(|| error.get("detail"));
        if let Some(Value::String(message)) = message {
            said.listen(message);
        }
        match error.get("details") {
            Some(Value::Array(details)) => details.iter().for_each(|detail| said.google(detail)),
            // Anthropic's second code.
            Some(details) => said.codes.extend(code_in(details, "error_code")),
            None => {}
        }
        let metadata = error.get("metadata");
        said.moderated = metadata.is_some_and(|m| m.get("flagged_input").is_some() || m.get("reasons").is_some());
        said
    }

    fn listen(&mut self, message: &str) {
        self.message = message.to_ascii_lowercase();
        // "Please try again in 5.289s."
        let words = self.message.split_once("try again in ").map(|(_, after)| after);
        let span = words.and_then(|after| after.split_whitespace().next());
        self.wait = span.and_then(|span| span_in_words(span.trim_end_matches(['.', ',', ';'])));
    }

    /// What Google says beside the message: a reason, how long to wait, which quota.
    fn google(&mut self, detail: &Value) {
        self.codes.extend(code_in(detail, "reason"));
        let delay = detail.get("retryDelay").and_then(Value::as_str);
        self.wait = delay.and_then(span_in_words).or(self.wait);
        for violation in detail.get("violations").and_then(Value::as_array).into_iter().flatten() {
            let quota = violation.get("quotaId").and_then(Value::as_str).unwrap_or_default();
            self.quota = true;
            self.daily |= quota.contains("PerDay");
        }
    }

    /// Whether there was an error at all.
    pub(super) fn is_an_error(&self) -> bool {
        self.is_error
    }

    fn has_code(&self, known: &[&str]) -> bool {
        self.codes.iter().any(|code| known.contains(&code.as_str()))
    }

    fn mentions(&self, phrases: &[&str]) -> bool {
        phrases.iter().any(|phrase| self.message.contains(phrase))
    }

    /// The first code, for the log, if it looks like one and like nothing else.
    fn code(&self) -> Option<&str> {
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        let codes = self.codes.iter().map(String::as_str);
        codes
            .filter(|code| code.len() <= 40)
            .find(|code| code.chars().all(plain))
    }
}

/// The nested form, the string form, the flat form, and an event that is called so.
pub(super) fn is_error(event: &sse::Event, value: &Value) -> bool {
    event.name.as_deref() == Some("error")
        || value.get("error").is_some_and(|error| !error.is_null())
        || ["type", "object"]
            .iter()
            .any(|key| value.get(key).and_then(Value::as_str) == Some("error"))
}

/// An answer that is none.
pub(super) fn nonsense(what: &str) -> Failure {
    Failure {
        http_status: Some(200),
        ..Failure::new(FailureKind::Unavailable, format!("the provider sent {what}"))
    }
}

fn code_in(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_ascii_lowercase)
}

fn as_status(code: u64) -> Option<u16> {
    u16::try_from(code).ok().filter(|code| (400..600).contains(code))
}

/// The failure that an error with this status is; 200 for one inside a stream.
pub(super) fn refusal(http_status: u16, said: &Said, had_key: bool) -> Failure {
    let kind = kind(said.status.unwrap_or(http_status), said, had_key);
    let code = said.code().map_or(String::new(), |code| format!(", code {code}"));
    Failure {
        http_status: Some(http_status),
        said_by_provider: true,
        retry_after: said.wait,
        ..Failure::new(kind, format!("the provider answered {http_status}{code}"))
    }
}

fn kind(status: u16, said: &Said, had_key: bool) -> FailureKind {
    use FailureKind as Kind;
    if status == 401 && !had_key {
        return Kind::KeyMissing;
    }
    // Groq says both at once: too long for a minute's tokens is too long.
    let status_first = (status == 413).then_some(Kind::ContextTooLong);
    status_first.or_else(|| by_code(said)).unwrap_or_else(|| match status {
        403 if said.moderated => Kind::ContentFiltered,
        401 | 403 => Kind::KeyInvalid,
        402 => Kind::QuotaExceeded,
        404 if said.mentions(&["model"]) => Kind::ModelNotFound,
        408 | 499 | 504 => Kind::Timeout,
        // 498 is Groq's "no capacity for this tier just now", 409 a conflict with ourselves.
        429 | 498 => Kind::RateLimited,
        409 | 500.. => Kind::Unavailable,
        300..500 => Kind::InvalidRequest,
        // An error inside a stream that had begun well.
        _ => Kind::Unavailable,
    })
}

fn by_code(said: &Said) -> Option<FailureKind> {
    use FailureKind as Kind;
    let kind = if said.quota {
        // Google words both alike: only the quota's name tells a minute from a day.
        match said.daily {
            true => Kind::QuotaExceeded,
            false => Kind::RateLimited,
        }
    } else if said.has_code(&QUOTA) || said.mentions(&QUOTA_PHRASES) {
        Kind::QuotaExceeded
    } else if said.has_code(&CONTEXT) || said.mentions(&CONTEXT_PHRASES) {
        Kind::ContextTooLong
    } else if said.has_code(&FILTER) {
        Kind::ContentFiltered
    } else if said.has_code(&MODEL) || said.mentions(&MODEL_PHRASES) {
        Kind::ModelNotFound
    } else if said.has_code(&KEY) || said.mentions(&KEY_PHRASES) {
        Kind::KeyInvalid
    } else if said.has_code(&TIMEOUT) {
        Kind::Timeout
    } else if said.has_code(&RATE) {
        Kind::RateLimited
    } else if said.has_code(&OVERLOAD) {
        Kind::Unavailable
    } else if said.has_code(&INVALID) {
        Kind::InvalidRequest
    } else {
        return None;
    };
    Some(kind)
}

const QUOTA: [&str; 10] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "insufficient_credits",
    "exceeded_current_quota_error",
    "enforced_spend_limit_reached",
    "spend_limit_reached",
    "budget_exceeded",
];
const QUOTA_PHRASES: [&str; 4] = [
    "exceeded your current quota",
    "insufficient credits",
    "credit balance is too low",
    "requires more credits",
];

const CONTEXT: [&str; 4] = [
    "context_length_exceeded",
    "exceed_context_size_error",
    "model_context_window_exceeded",
    "request_too_large",
];
const CONTEXT_PHRASES: [&str; 16] = [
    "context window exceeded",
    "contextwindowexceedederror",
    "exceeds the context length",
    "maximum context length",
    "context length exceeded",
    "context_length_exceeded",
    "prompt is too long",
    "reduce the length of the messages",
    "exceed context limit",
    "exceeds the context window",
    "exceeds the maximum number of tokens",
    "exceed context window",
    "available context size",
    "input is too long",
    "input context is too long",
    "too many tokens in the prompt",
];

const FILTER: [&str; 6] = [
    "content_filter",
    "content_policy_violation",
    "invalid_prompt",
    "bio_policy",
    "cyber_policy",
    "moderation_blocked",
];

const MODEL: [&str; 3] = ["model_not_found", "model_not_available", "invalid_model"];

const MODEL_PHRASES: [&str; 2] = ["invalid model name", "is not a valid model id"];

const KEY: [&str; 8] = [
    "invalid_api_key",
    "api_key_invalid",
    "invalid_authentication",
    "authentication_error",
    "account_deactivated",
    "permission_denied",
    "permission_error",
    "unauthenticated",
];

const KEY_PHRASES: [&str; 3] = ["incorrect api key", "invalid api key", "api key not valid"];

const TIMEOUT: [&str; 4] = ["timeout_error", "deadline_exceeded", "cancelled", "request_timeout"];

const RATE: [&str; 7] = [
    "capacity_exceeded",
    "rate_limit_exceeded",
    "rate_limit_error",
    "resource_exhausted",
    "slow_down",
    "tokens",
    "requests",
];

const OVERLOAD: [&str; 9] = [
    "server_error",
    "server_is_overloaded",
    "overloaded_error",
    "overloaded",
    "internal",
    "internal_error",
    "internal_server_error",
    "service_unavailable",
    "unavailable",
];

const INVALID: [&str; 1] = ["data_residency_mismatch"];
