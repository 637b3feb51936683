//! What a response's headers say is left of a key's limits.
//!
//! ```text
//! x-ratelimit-{limit,remaining,reset}-{requests,tokens}    OpenAI, Groq, vLLM gateways; resets as spans ("6m0s")
//! anthropic-ratelimit-{requests,tokens}-{limit,…,reset}    Anthropic; resets as dates
//! x-ratelimit-{limit,remaining,reset}                      OpenRouter; a reset as milliseconds since 1970
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;

use super::{Headroom, retry::span_in_words};

/// The most that any limit can be: what a JSON number holds exactly.
const MOST: u64 = (1 << 53) - 1;

/// The headroom, if the headers tell any of it.
pub(super) fn read(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Headroom> {
    let number = |names: [&str; 3]| names.iter().find_map(|name| count(headers, name));
    let found = Headroom {
        requests_limit: number([
            "x-ratelimit-limit-requests",
            "anthropic-ratelimit-requests-limit",
            "x-ratelimit-limit",
        ]),
        requests_remaining: number([
            "x-ratelimit-remaining-requests",
            "anthropic-ratelimit-requests-remaining",
            "x-ratelimit-remaining",
        ]),
        tokens_limit: number([
            "x-ratelimit-limit-tokens",
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-input-tokens-limit",
        ]),
        tokens_remaining: number([
            "x-ratelimit-remaining-tokens",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-input-tokens-remaining",
        ]),
        resets_after: None,
    };
    if found == Headroom::default() {
        return None;
    }
    let resets = |names: [&str; 3]| names.iter().find_map(|name| reset(headers, name, now));
    let requests = resets([
        "x-ratelimit-reset-requests",
        "anthropic-ratelimit-requests-reset",
        "x-ratelimit-reset",
    ]);
    let tokens = resets([
        "x-ratelimit-reset-tokens",
        "anthropic-ratelimit-tokens-reset",
        "anthropic-ratelimit-input-tokens-reset",
    ]);
    // What is nearer to its end is what one waits for.
    let left = |remaining: Option<u64>, limit: Option<u64>| match (remaining, limit) {
        (Some(remaining), Some(limit)) if limit > 0 => remaining.min(limit) * 1000 / limit,
        (Some(0), _) => 0,
        _ => 1000,
    };
    let requests_left = left(found.requests_remaining, found.requests_limit);
    let tokens_left = left(found.tokens_remaining, found.tokens_limit);
    let resets_after = match tokens_left < requests_left {
        true => tokens.or(requests),
        false => requests.or(tokens),
    };
    Some(Headroom { resets_after, ..found })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn count(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.parse().ok().filter(|count| *count <= MOST)
}

/// A span ("6m0s", "12"), a date, or milliseconds since 1970.
fn reset(headers: &HeaderMap, name: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = text(headers, name)?;
    let until = |date: DateTime<Utc>| (date - now).to_std().ok();
    if let Ok(date) = DateTime::parse_from_rfc3339(value) {
        return until(date.to_utc());
    }
    match value.parse::<i64>() {
        Ok(millis) if millis > 1_000_000_000_000 => until(DateTime::from_timestamp_millis(millis)?),
        Ok(seconds) if seconds > 1_000_000_000 => until(DateTime::from_timestamp(seconds, 0)?),
        _ => span_in_words(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&'static str, &str)]) -> Option<Headroom> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().expect("a header value"));
        }
        let now = DateTime::parse_from_rfc3339("2026-11-20T10:00:00Z").expect("a date");
        read(&headers, now.to_utc())
    }

    #[test]
    fn each_provider_tells_in_its_own_way() {
        assert_eq!(told(&[("x-request-id", "req_1")]), None);
        let openai = told(&[
            ("x-ratelimit-limit-requests", "5000"),
            ("x-ratelimit-remaining-requests", "4999"),
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-limit-tokens", "160000"),
            ("x-ratelimit-remaining-tokens", "400"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]);
        let expected = Headroom {
            requests_limit: Some(5000),
            requests_remaining: Some(4999),
            tokens_limit: Some(160_000),
            tokens_remaining: Some(400),
            resets_after: Some(Duration::from_secs(360)),
        };
        assert_eq!(openai, Some(expected));
        let anthropic = told(&[
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-20T10:00:07Z"),
            ("anthropic-ratelimit-input-tokens-limit", "40000"),
            ("anthropic-ratelimit-input-tokens-remaining", "39000"),
        ]);
        let expected = Headroom {
            requests_limit: Some(50),
            requests_remaining: Some(0),
            tokens_limit: Some(40_000),
            tokens_remaining: Some(39_000),
            resets_after: Some(Duration::from_secs(7)),
        };
        assert_eq!(anthropic, Some(expected));
        let openrouter = told(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1795168803000")]);
        assert_eq!(
            openrouter.expect("a headroom").resets_after,
            Some(Duration::from_secs(3))
        );
    }

    #[test]
    fn nonsense_is_no_headroom() {
        for value in ["-1", "many", "1e9", "99999999999999999999"] {
            assert_eq!(told(&[("x-ratelimit-remaining-requests", value)]), None, "{value}");
        }
    }
}
