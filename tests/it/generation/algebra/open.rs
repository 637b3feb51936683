//! What Groq, OpenRouter and Ollama can refuse or break, each in its own words.

use serde_json::{Value, json};

use super::{hold, openai, recorded, refused, row, waits};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groq() {
    let words =
        "Rate limit reached for model `m-1` on tokens per minute (TPM): Limit 6000. Please try again in 5.289s. Visit";
    hold(
        "GROQ",
        None,
        vec![
            row(
                "bad key",
                openai(401, "invalid_request_error", "invalid_api_key", "Invalid API Key"),
                "KEY_INVALID",
            ),
            waits(
                "rate limit",
                openai(429, "tokens", "rate_limit_exceeded", words).header("retry-after", "30"),
                "RATE_LIMITED",
                30,
            ),
            waits(
                "rate limit in words",
                openai(429, "tokens", "rate_limit_exceeded", words),
                "RATE_LIMITED",
                6,
            ),
            row(
                "no capacity",
                openai(498, "capacity_exceeded", "capacity_exceeded", "Flex"),
                "RATE_LIMITED",
            ),
            row(
                "overloaded",
                openai(503, "internal_server_error", "", "Busy"),
                "UNAVAILABLE",
            ),
            row(
                "context",
                openai(
                    413,
                    "tokens",
                    "rate_limit_exceeded",
                    "Request too large for model `m-1`",
                ),
                "CONTEXT_TOO_LONG",
            ),
            row(
                "context in words",
                openai(
                    400,
                    "invalid_request_error",
                    "",
                    "Please reduce the length of the messages or completion.",
                ),
                "CONTEXT_TOO_LONG",
            ),
            row(
                "model",
                openai(
                    404,
                    "invalid_request_error",
                    "model_not_found",
                    "The model `m-1` does not exist",
                ),
                "MODEL_NOT_FOUND",
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openrouter() {
    let says = |status: u16, message: &str, metadata: Value| {
        refused(
            status,
            json!({ "error": { "code": status, "message": message, "metadata": metadata } }),
        )
    };
    let middle = |code: Value| {
        let said = json!({ "choices": [{ "index": 0, "delta": { "content": "Half" } }] });
        let error = json!({ "error": { "code": code, "message": "Oops" }, "choices": [{ "index": 0, "delta": {}, "finish_reason": "error" }] });
        recorded(format!(": OPENROUTER PROCESSING\n\ndata: {said}\n\ndata: {error}\n\n").as_bytes())
    };
    hold(
        "OPENROUTER",
        None,
        vec![
            row(
                "bad key",
                says(401, "No auth credentials found", Value::Null),
                "KEY_INVALID",
            ),
            row(
                "no credit",
                says(402, "Insufficient credits", Value::Null),
                "QUOTA_EXCEEDED",
            ),
            waits(
                "rate limit",
                says(429, "Slow", Value::Null).header("retry-after", "30"),
                "RATE_LIMITED",
                30,
            ),
            waits(
                "overloaded",
                says(503, "Busy", Value::Null).header("retry-after", "31"),
                "UNAVAILABLE",
                31,
            ),
            row("bad gateway", says(502, "Oops", Value::Null), "UNAVAILABLE"),
            row(
                "moderated",
                says(403, "Flagged", json!({ "reasons": ["violence"], "flagged_input": "…" })),
                "CONTENT_FILTERED",
            ),
            row("timeout", says(408, "Slow", Value::Null), "TIMEOUT"),
            row(
                "context",
                says(
                    400,
                    "This endpoint's maximum context length is 8192 tokens.",
                    Value::Null,
                ),
                "CONTEXT_TOO_LONG",
            ),
            row("limited in the middle", middle(json!(429)), "RATE_LIMITED"),
            row("broken in the middle", middle(json!("server_error")), "UNAVAILABLE"),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ollama() {
    let says = |status: u16, message: &str| refused(status, json!({ "error": message }));
    hold(
        "OLLAMA",
        None,
        vec![
            row("bad key", says(401, "unauthorized"), "KEY_INVALID"),
            row("model", says(404, "model 'm-1' not found"), "MODEL_NOT_FOUND"),
            row(
                "broken",
                says(500, "llama runner process has terminated"),
                "UNAVAILABLE",
            ),
            row(
                "busy",
                says(503, "server busy, please try again. maximum pending requests exceeded"),
                "UNAVAILABLE",
            ),
            row(
                "context",
                says(400, "the input length exceeds the context length"),
                "CONTEXT_TOO_LONG",
            ),
            row("middle", fixture!("ollama/error"), "UNAVAILABLE"),
            row("cut", fixture!("ollama/cut"), "INTERRUPTED"),
            row("torn", fixture!("ollama/cut_torn"), "INTERRUPTED"),
        ],
    )
    .await;
}
