//! What Anthropic can refuse or break.

use serde_json::json;

use super::{anthropic, hold, refused, row, waits};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_messages() {
    let invalid = "invalid_request_error";
    let spend_limit = json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "Limit",
        "details": { "error_code": "enforced_spend_limit_reached" } } });
    hold(
        "ANTHROPIC",
        None,
        vec![
            row(
                "bad key",
                anthropic(401, "authentication_error", "invalid x-api-key"),
                "KEY_INVALID",
            ),
            row("not allowed", anthropic(403, "permission_error", "No"), "KEY_INVALID"),
            row("no credit", anthropic(402, "billing_error", "Pay"), "QUOTA_EXCEEDED"),
            row(
                "low balance",
                anthropic(
                    400,
                    invalid,
                    "Your credit balance is too low to access the Anthropic API.",
                ),
                "QUOTA_EXCEEDED",
            ),
            row("spend limit", refused(429, spend_limit), "QUOTA_EXCEEDED"),
            waits(
                "rate limit",
                anthropic(429, "rate_limit_error", "Slow").header("retry-after", "33"),
                "RATE_LIMITED",
                33,
            ),
            row(
                "overloaded",
                anthropic(529, "overloaded_error", "Overloaded"),
                "UNAVAILABLE",
            ),
            row("broken", anthropic(500, "api_error", "Oops"), "UNAVAILABLE"),
            row(
                "overloaded in the middle",
                fixture!("anthropic/error_overloaded"),
                "UNAVAILABLE",
            ),
            row(
                "prompt too long",
                anthropic(400, invalid, "prompt is too long: 210094 tokens > 200000 maximum"),
                "CONTEXT_TOO_LONG",
            ),
            row(
                "prompt and answer too long",
                anthropic(
                    400,
                    invalid,
                    "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000",
                ),
                "CONTEXT_TOO_LONG",
            ),
            row("window", fixture!("anthropic/window"), "CONTEXT_TOO_LONG"),
            row(
                "request too large",
                anthropic(413, "request_too_large", "Request exceeds the maximum size"),
                "CONTEXT_TOO_LONG",
            ),
            row("refusal", fixture!("anthropic/refusal"), "CONTENT_FILTERED"),
            row("timeout", anthropic(504, "timeout_error", "Slow"), "TIMEOUT"),
            row(
                "model",
                anthropic(404, "not_found_error", "model: m-1"),
                "MODEL_NOT_FOUND",
            ),
            row("cut", fixture!("anthropic/cut"), "INTERRUPTED"),
            row("torn", fixture!("anthropic/cut_torn"), "INTERRUPTED"),
        ],
    )
    .await;
}
