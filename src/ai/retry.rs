//! Whether to ask again, and when.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::{Failure, FailureKind, Headroom, Limits};

/// A failure, and whether repeating the request may help.
#[derive(Debug)]
pub(super) struct Setback {
    pub(super) failure: Failure,
    pub(super) again: bool,
    /// What its headers say is left of the key's limits.
    pub(super) headroom: Option<Headroom>,
}

impl Setback {
    /// A failure that is told as it is.
    pub(super) fn for_good(failure: Failure) -> Self {
        Self {
            failure,
            again: false,
            headroom: None,
        }
    }

    /// A failure that may pass.
    pub(super) fn for_now(failure: Failure) -> Self {
        Self {
            again: true,
            ..Self::for_good(failure)
        }
    }
}

/// How long to wait before repetition number `attempt` (1 is the first), or `None` to give up.
/// `dice` is a random number in `0.0..1.0`.
pub(super) fn wait(limits: &Limits, attempt: u32, setback: &Setback, dice: f64) -> Option<Duration> {
    if !setback.again || attempt > limits.retries {
        return None;
    }
    match setback.failure.retry_after.filter(|after| !after.is_zero()) {
        Some(asked) if asked > limits.retry_wait => None,
        // Never sooner than asked, and not all of us at the same moment.
        Some(asked) => Some(asked + Duration::from_millis(250).mul_f64(dice)),
        None => {
            let backoff = Duration::from_millis(500) * 2u32.saturating_pow(attempt - 1).min(16);
            Some(backoff.min(limits.retry_wait).mul_f64(0.5 + dice / 2.0))
        }
    }
}

/// Whether a refusal with these headers may be repeated.
pub(super) fn may_repeat(kind: FailureKind, status: u16, headers: &HeaderMap) -> bool {
    if kind == FailureKind::QuotaExceeded {
        return false;
    }
    match text(headers, "x-should-retry") {
        Some("true") => true,
        Some("false") => false,
        _ => {
            matches!(status, 408 | 409 | 429 | 498 | 500..)
                && matches!(
                    kind,
                    FailureKind::RateLimited | FailureKind::Unavailable | FailureKind::Timeout
                )
        }
    }
}

/// How long the provider asks to wait: `retry-after-ms`, then `retry-after` in seconds, then as a
/// date.
pub(super) fn asked_to_wait(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let number = |value: &str| value.trim().parse::<f64>().ok();
    if let Some(millis) = text(headers, "retry-after-ms").and_then(number) {
        return span(millis / 1000.0);
    }
    // LiteLLM hands on what the provider behind it said, under a name of its own.
    let after = text(headers, "retry-after").or_else(|| text(headers, "llm_provider-retry-after"))?;
    if let Some(seconds) = number(after) {
        return span(seconds);
    }
    let date = DateTime::parse_from_rfc2822(after.trim()).ok()?;
    (date.to_utc() - now)
        .to_std()
        .ok()
        .and_then(|wait| span(wait.as_secs_f64()))
}

/// A wait that makes sense: not negative, not a month.
fn span(seconds: f64) -> Option<Duration> {
    if !(0.0..=7.0 * 86_400.0).contains(&seconds) {
        return None;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// A span as Go and Groq write it: "12ms", "5.289s", "6m0s", "1h2m"; a bare number is seconds.
pub(super) fn span_in_words(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if let Ok(seconds) = rest.parse::<f64>() {
        return span(seconds);
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        let (unit, after) = ["ms", "h", "m", "s", "d"]
            .iter()
            .find_map(|unit| Some((*unit, rest[digits..].strip_prefix(unit)?)))?;
        seconds += amount
            * match unit {
                "ms" => 0.001,
                "h" => 3600.0,
                "m" => 60.0,
                "d" => 86_400.0,
                _ => 1.0,
            };
        rest = after;
    }
    span(seconds)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("a header value"));
        }
        let now = DateTime::parse_from_rfc2822("Fri, 20 Nov 2026 10:00:00 GMT").expect("a date");
        asked_to_wait(&headers, now.to_utc())
    }

    #[test]
    fn the_headers_are_read_in_order() {
        let secs = Duration::from_secs_f64;
        let date = "Fri, 20 Nov 2026 10:00:09 GMT";
        assert_eq!(asked(&[]), None);
        assert_eq!(
            asked(&[("retry-after-ms", "1500"), ("retry-after", "9")]),
            Some(secs(1.5))
        );
        assert_eq!(
            asked(&[("retry-after-ms", "soon"), ("retry-after", "9")]),
            Some(secs(9.0))
        );
        assert_eq!(asked(&[("retry-after", "0.25")]), Some(secs(0.25)));
        assert_eq!(asked(&[("retry-after", date)]), Some(secs(9.0)));
        assert_eq!(asked(&[("retry-after", "Fri, 20 Nov 2026 09:59:59 GMT")]), None);
        for odd in ["-1", "NaN", "inf", "1e300", "tomorrow"] {
            assert_eq!(asked(&[("retry-after", odd)]), None, "{odd}");
        }
    }

    #[test]
    fn waits_are_bounded_and_jittered() {
        let limits = Limits::default();
        let mut setback = Setback::for_now(Failure::new(FailureKind::RateLimited, "busy"));
        let millis =
            |setback: &Setback, attempt, dice| wait(&limits, attempt, setback, dice).map(|wait| wait.as_millis());
        assert_eq!(millis(&setback, 1, 0.0), Some(250));
        assert_eq!(millis(&setback, 1, 1.0), Some(500));
        assert_eq!(millis(&setback, 2, 1.0), Some(1000));
        assert_eq!(millis(&setback, 3, 0.0), None, "two repetitions at most");
        setback.failure.retry_after = Some(Duration::from_secs(3));
        assert_eq!(millis(&setback, 1, 0.0), Some(3000));
        assert_eq!(millis(&setback, 1, 1.0), Some(3250));
        setback.failure.retry_after = Some(Duration::from_secs(21));
        assert_eq!(millis(&setback, 1, 0.0), None, "too long to keep a person waiting");
        setback.failure.retry_after = None;
        setback.again = false;
        assert_eq!(millis(&setback, 1, 0.0), None);
    }

    #[test]
    fn the_provider_has_the_word_except_about_an_empty_purse() {
        let mut headers = HeaderMap::new();
        assert!(may_repeat(FailureKind::RateLimited, 429, &headers));
        assert!(may_repeat(FailureKind::Unavailable, 529, &headers));
        assert!(may_repeat(FailureKind::Unavailable, 409, &headers));
        assert!(may_repeat(FailureKind::Timeout, 408, &headers));
        assert!(!may_repeat(FailureKind::KeyInvalid, 401, &headers));
        assert!(!may_repeat(FailureKind::ContextTooLong, 500, &headers));
        assert!(!may_repeat(FailureKind::QuotaExceeded, 429, &headers));
        headers.insert("x-should-retry", http::HeaderValue::from_static("false"));
        assert!(!may_repeat(FailureKind::RateLimited, 429, &headers));
        headers.insert("x-should-retry", http::HeaderValue::from_static("true"));
        assert!(may_repeat(FailureKind::InvalidRequest, 400, &headers));
        assert!(!may_repeat(FailureKind::QuotaExceeded, 429, &headers));
    }
}
