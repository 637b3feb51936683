//! What OpenAI can refuse or break, in both of its formats.

use serde_json::json;

use super::{hold, openai, recorded, row, waits};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_chat_completions() {
    let invalid = "invalid_request_error";
    let in_stream = |data: &str| {
        recorded(
            format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"Half\"}}}}]}}\n\n{data}").as_bytes(),
        )
    };
    hold(
        "OPENAI",
        None,
        vec![
            row(
                "bad key",
                openai(401, invalid, "invalid_api_key", "Incorrect API key provided"),
                "KEY_INVALID",
            ),
            row(
                "no credit",
                openai(
                    429,
                    "insufficient_quota",
                    "insufficient_quota",
                    "You exceeded your current quota",
                ),
                "QUOTA_EXCEEDED",
            ),
            row(
                "credit balance",
                openai(429, "billing", "credit_balance_exhausted", "Top up"),
                "QUOTA_EXCEEDED",
            ),
            waits(
                "rate limit",
                openai(429, "requests", "rate_limit_exceeded", "Slow").header("retry-after", "30"),
                "RATE_LIMITED",
                30,
            ),
            waits(
                "milliseconds first",
                openai(429, "tokens", "rate_limit_exceeded", "Slow")
                    .header("retry-after-ms", "24500")
                    .header("retry-after", "99"),
                "RATE_LIMITED",
                25,
            ),
            waits(
                "slow down",
                openai(503, "server_error", "slow_down", "Slow").header("retry-after", "41.2"),
                "RATE_LIMITED",
                42,
            ),
            row(
                "overloaded",
                openai(503, "server_error", "server_is_overloaded", "Busy"),
                "UNAVAILABLE",
            ),
            row("broken", openai(500, "server_error", "", "Oops"), "UNAVAILABLE"),
            row(
                "context",
                openai(
                    400,
                    invalid,
                    "context_length_exceeded",
                    "This model's maximum context length is 8192 tokens",
                ),
                "CONTEXT_TOO_LONG",
            ),
            row(
                "filtered question",
                openai(400, invalid, "content_policy_violation", "No"),
                "CONTENT_FILTERED",
            ),
            row("filtered answer", fixture!("openai/azure_filter"), "CONTENT_FILTERED"),
            row("refusal", fixture!("openai/refusal"), "CONTENT_FILTERED"),
            row("timeout", openai(408, "", "", "Slow"), "TIMEOUT"),
            row(
                "model",
                openai(404, invalid, "model_not_found", "The model `m-1` does not exist"),
                "MODEL_NOT_FOUND",
            ),
            row(
                "middle",
                in_stream("data: {\"error\":{\"message\":\"Oops\",\"type\":\"server_error\"}}\n\n"),
                "UNAVAILABLE",
            ),
            row("cut", in_stream(""), "INTERRUPTED"),
            row("cut with DONE", in_stream("data: [DONE]\n\n"), "INTERRUPTED"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_responses() {
    let invalid = "invalid_request_error";
    let failed = |code: &str, message: &str| {
        let event = json!({ "type": "response.failed", "response": { "status": "failed", "error": { "code": code, "message": message } } });
        let said = json!({ "type": "response.output_text.delta", "delta": "Half" });
        recorded(format!("data: {said}\n\ndata: {event}\n\n").as_bytes())
    };
    hold(
        "OPENAI",
        Some("RESPONSES"),
        vec![
            row(
                "bad key",
                openai(401, invalid, "invalid_api_key", "Incorrect API key provided"),
                "KEY_INVALID",
            ),
            row(
                "no credit",
                openai(429, "insufficient_quota", "insufficient_quota", "Pay"),
                "QUOTA_EXCEEDED",
            ),
            waits(
                "rate limit",
                openai(429, "requests", "rate_limit_exceeded", "Slow").header("retry-after", "30"),
                "RATE_LIMITED",
                30,
            ),
            row(
                "overloaded",
                openai(503, "server_error", "server_is_overloaded", "Busy"),
                "UNAVAILABLE",
            ),
            row(
                "context",
                openai(
                    400,
                    invalid,
                    "context_length_exceeded",
                    "Your input exceeds the context window of this model.",
                ),
                "CONTEXT_TOO_LONG",
            ),
            row("filtered", fixture!("responses/filter"), "CONTENT_FILTERED"),
            row("refusal", fixture!("responses/refusal"), "CONTENT_FILTERED"),
            row(
                "invalid prompt",
                failed("invalid_prompt", "Flagged"),
                "CONTENT_FILTERED",
            ),
            row("bio policy", failed("bio_policy", "Flagged"), "CONTENT_FILTERED"),
            row("failed", fixture!("responses/failed"), "UNAVAILABLE"),
            row("flat error", fixture!("responses/error_flat"), "UNAVAILABLE"),
            waits(
                "limited in the middle",
                failed("rate_limit_exceeded", "Please try again in 5.289s."),
                "RATE_LIMITED",
                6,
            ),
            row("timeout", openai(408, "", "", "Slow"), "TIMEOUT"),
            row("cut", fixture!("responses/cut"), "INTERRUPTED"),
            row("torn", fixture!("responses/cut_torn"), "INTERRUPTED"),
        ],
    )
    .await;
}
