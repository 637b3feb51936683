//! What Gemini can refuse or break.

use serde_json::{Value, json};

use super::{google, hold, recorded, row, waits};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gemini() {
    let quota = |id: &str| {
        json!([
        { "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{ "quotaId": id }] },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s" }])
    };
    let finished = |reason: &str| {
        let event = json!({ "candidates": [{ "content": { "parts": [{ "text": "Half" }] }, "finishReason": reason }] });
        recorded(format!("data: {event}\r\n\r\n").as_bytes())
    };
    let words = "You exceeded your current quota, please check your plan and billing details.";
    hold(
        "GEMINI",
        None,
        vec![
            row(
                "bad key",
                google(
                    400,
                    "INVALID_ARGUMENT",
                    "API key not valid.",
                    json!([{ "reason": "API_KEY_INVALID" }]),
                ),
                "KEY_INVALID",
            ),
            row(
                "not allowed",
                google(403, "PERMISSION_DENIED", "No", json!([])),
                "KEY_INVALID",
            ),
            waits(
                "daily quota",
                google(
                    429,
                    "RESOURCE_EXHAUSTED",
                    words,
                    quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
                ),
                "QUOTA_EXCEEDED",
                37,
            ),
            waits(
                "minute's quota",
                google(
                    429,
                    "RESOURCE_EXHAUSTED",
                    words,
                    quota("GenerateRequestsPerMinutePerProjectPerModel"),
                ),
                "RATE_LIMITED",
                37,
            ),
            row(
                "rate limit",
                google(
                    429,
                    "RESOURCE_EXHAUSTED",
                    "Resource has been exhausted (e.g. check quota).",
                    Value::Null,
                ),
                "RATE_LIMITED",
            ),
            row(
                "overloaded",
                google(503, "UNAVAILABLE", "The model is overloaded.", Value::Null),
                "UNAVAILABLE",
            ),
            row(
                "broken",
                google(500, "INTERNAL", "An internal error has occurred.", Value::Null),
                "UNAVAILABLE",
            ),
            row(
                "too long as internal",
                google(500, "INTERNAL", "Your input context is too long.", Value::Null),
                "CONTEXT_TOO_LONG",
            ),
            row(
                "too long",
                google(
                    400,
                    "INVALID_ARGUMENT",
                    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
                    Value::Null,
                ),
                "CONTEXT_TOO_LONG",
            ),
            row("blocked question", fixture!("gemini/blocked"), "CONTENT_FILTERED"),
            row("safety", fixture!("gemini/safety"), "CONTENT_FILTERED"),
            row("blocklist", finished("BLOCKLIST"), "CONTENT_FILTERED"),
            row("prohibited", finished("PROHIBITED_CONTENT"), "CONTENT_FILTERED"),
            row("spii", finished("SPII"), "CONTENT_FILTERED"),
            row("recitation", finished("RECITATION"), "CONTENT_FILTERED"),
            row(
                "deadline",
                google(504, "DEADLINE_EXCEEDED", "Slow", Value::Null),
                "TIMEOUT",
            ),
            row("cancelled", google(499, "CANCELLED", "Gone", Value::Null), "TIMEOUT"),
            row(
                "model",
                google(
                    404,
                    "NOT_FOUND",
                    "models/m-1 is not found for API version v1beta",
                    Value::Null,
                ),
                "MODEL_NOT_FOUND",
            ),
            row("bare in the middle", fixture!("gemini/error_raw"), "UNAVAILABLE"),
            row("middle", fixture!("gemini/error_event"), "UNAVAILABLE"),
            row("cut", fixture!("gemini/cut"), "INTERRUPTED"),
            row("torn", fixture!("gemini/cut_torn"), "INTERRUPTED"),
        ],
    )
    .await;
}
