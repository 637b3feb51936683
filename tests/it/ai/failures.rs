//! Everything that can be refused, typed; and nothing of it passed on.

use std::time::Duration;

use futures_util::StreamExt;
use parlor::ai::{Delta, Endpoint, FailureKind as Kind, Provider};
use serde_json::json;

use crate::harness::upstream::{Reply, Upstream};

use super::{KEY, LEAK, ask, at, client, hear, question, wire::fixture};

fn error(status: u16, kind: &str, code: &str) -> Reply {
    Reply::error(status, kind, code, &format!("No. {LEAK} {KEY}"))
}

fn says(status: u16, message: &str) -> Reply {
    Reply::error(status, "invalid_request_error", "", &format!("{message} {LEAK}"))
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let cases = [
        (error(401, "invalid_request_error", "invalid_api_key"), Kind::KeyInvalid),
        (Reply::status(401), Kind::KeyInvalid),
        (
            error(403, "invalid_request_error", "unsupported_country"),
            Kind::KeyInvalid,
        ),
        (
            Reply::status(403).json(&json!({"error": {"code": 403, "message": "flagged",
                "metadata": {"reasons": ["x"], "flagged_input": LEAK}}})),
            Kind::ContentFiltered,
        ),
        (
            error(429, "insufficient_quota", "insufficient_quota"),
            Kind::QuotaExceeded,
        ),
        (
            says(429, "You exceeded your current quota, please check your plan"),
            Kind::QuotaExceeded,
        ),
        (error(402, "", ""), Kind::QuotaExceeded),
        (
            error(400, "invalid_request_error", "context_length_exceeded"),
            Kind::ContextTooLong,
        ),
        (
            says(400, "This model's maximum context length is 8192 tokens."),
            Kind::ContextTooLong,
        ),
        (
            says(400, "Please reduce the length of the messages or completion."),
            Kind::ContextTooLong,
        ),
        (error(400, "exceed_context_size_error", ""), Kind::ContextTooLong),
        (error(413, "", ""), Kind::ContextTooLong),
        (
            says(
                400,
                "litellm.ContextWindowExceededError: litellm.BadRequestError: too long",
            ),
            Kind::ContextTooLong,
        ),
        (
            says(400, "/chat/completions: Invalid model name passed in model=x."),
            Kind::ModelNotFound,
        ),
        (
            error(400, "invalid_request_error", "content_policy_violation"),
            Kind::ContentFiltered,
        ),
        (error(400, "", "content_filter"), Kind::ContentFiltered),
        (
            error(404, "invalid_request_error", "model_not_found"),
            Kind::ModelNotFound,
        ),
        (
            Reply::status(404).json(&json!({"error": format!("model \"x\" not found {LEAK}")})),
            Kind::ModelNotFound,
        ),
        (Reply::status(404).bytes("404 page not found"), Kind::InvalidRequest),
        (
            error(400, "invalid_request_error", "unknown_parameter"),
            Kind::InvalidRequest,
        ),
        (Reply::status(422).json(&json!({"detail": LEAK})), Kind::InvalidRequest),
        (
            Reply::status(400).json(&json!([{"error": {"code": 400, "message": "API key not valid."}}])),
            Kind::KeyInvalid,
        ),
        (
            Reply::status(307).header("location", "/elsewhere"),
            Kind::InvalidRequest,
        ),
    ];
    for (reply, kind) in cases {
        let upstream = Upstream::start().await;
        let shown = format!("{kind}");
        upstream.script([reply.header("x-request-id", "req_9")]);
        let heard = ask(&upstream).await;
        let failure = heard.failure();
        assert_eq!(failure.kind, kind, "{failure}");
        assert_eq!(failure.provider_request_id.as_deref(), Some("req_9"), "{shown}");
        assert!(!failure.broke_off() && !failure.retryable(), "{failure}");
        assert_eq!(upstream.requests().len(), 1, "asked once: {failure}");
    }
}

#[tokio::test]
async fn what_may_pass_is_asked_again_twice() {
    let soon = |reply: Reply| reply.header("retry-after-ms", "1");
    let cases = [
        (error(429, "requests", "rate_limit_exceeded"), Kind::RateLimited, 429),
        (error(500, "server_error", ""), Kind::Unavailable, 500),
        (Reply::status(502).bytes("<html>bad gateway"), Kind::Unavailable, 502),
        (
            error(503, "server_error", "server_is_overloaded"),
            Kind::Unavailable,
            503,
        ),
        (error(529, "overloaded_error", ""), Kind::Unavailable, 529),
        (error(409, "", ""), Kind::Unavailable, 409),
        (error(408, "", ""), Kind::Timeout, 408),
        (error(504, "timeout_error", ""), Kind::Timeout, 504),
    ];
    for (reply, kind, status) in cases {
        let upstream = Upstream::start().await;
        upstream.script([soon(reply.clone()), soon(reply.clone()), soon(reply)]);
        let heard = ask(&upstream).await;
        let failure = heard.failure();
        assert_eq!((failure.kind, failure.http_status), (kind, Some(status)));
        assert!(failure.retryable() && !failure.broke_off());
        assert_eq!((heard.retries, upstream.requests().len()), (2, 3), "{failure}");
        let bodies: Vec<_> = upstream.requests().into_iter().map(|seen| seen.body).collect();
        assert!(
            bodies.iter().all(|body| *body == bodies[0]),
            "the same request each time"
        );
    }
}

#[tokio::test]
async fn a_second_attempt_may_succeed() {
    let upstream = Upstream::start().await;
    upstream.script([
        error(503, "", "").header("retry-after", "0.01"),
        Reply::recorded(fixture!("error_first")),
        Reply::says(&["Here", " it is"]),
    ]);
    let heard = ask(&upstream).await;
    assert_eq!((heard.retries, heard.text.as_str()), (2, "Here it is"));
    assert!(heard.finish.is_some());
}

#[tokio::test]
async fn the_provider_says_whether_and_when() {
    let upstream = Upstream::start().await;
    upstream.script([
        error(503, "", "").header("x-should-retry", "false"),
        error(400, "", "")
            .header("x-should-retry", "true")
            .header("retry-after-ms", "2"),
    ]);
    let heard = ask(&upstream).await;
    assert_eq!((heard.retries, heard.failure().kind), (0, Kind::Unavailable));
    let heard = ask(&upstream).await;
    assert_eq!((heard.retries, heard.text.as_str()), (1, "Hello, world"));

    // Longer than a person waits: the failure says how long, and nothing is asked again.
    upstream.script([error(429, "requests", "rate_limit_exceeded").header("retry-after", "120")]);
    let heard = ask(&upstream).await;
    assert_eq!((heard.retries, heard.failure().kind), (0, Kind::RateLimited));
    assert_eq!(heard.failure().retry_after, Some(Duration::from_secs(120)));
    assert_eq!(upstream.requests().len(), 4);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (upstream, elsewhere) = (Upstream::start().await, Upstream::start().await);
    for status in [301, 302, 303, 307, 308] {
        upstream.script([Reply::status(status).header("location", elsewhere.url().as_str())]);
        assert_eq!(ask(&upstream).await.failure().kind, Kind::InvalidRequest);
    }
    assert_eq!(elsewhere.connections(), 0, "the key goes nowhere else");
    upstream.script([Reply::status(302).header("location", elsewhere.url().as_str())]);
    client().verify(&at(&upstream)).await.expect_err("no models there");
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn nobody_there() {
    let gone = {
        let upstream = Upstream::start().await;
        at(&upstream)
    };
    let heard = hear(client().stream(gone, question("?"))).await;
    assert_eq!((heard.failure().kind, heard.retries), (Kind::Unavailable, 2));
}

#[tokio::test]
async fn without_what_it_takes_nothing_is_asked() {
    let upstream = Upstream::start().await;
    let keyless = Endpoint {
        provider: Provider::OpenAi,
        secret: None,
        ..at(&upstream)
    };
    let homeless = Endpoint {
        base_url: None,
        ..at(&upstream)
    };
    let unspeakable = Endpoint {
        secret: Some("sk-with\nnewline".into()),
        ..at(&upstream)
    };
    for (endpoint, kind) in [
        (keyless, Kind::KeyMissing),
        (homeless, Kind::InvalidRequest),
        (unspeakable, Kind::KeyInvalid),
    ] {
        let heard = hear(client().stream(endpoint, question("?"))).await;
        assert_eq!(heard.failure().kind, kind);
    }
    assert_eq!(upstream.connections(), 0);
    upstream.script([Reply::status(401)]);
    let anonymous = Endpoint {
        secret: None,
        ..at(&upstream)
    };
    let heard = hear(client().stream(anonymous, question("?"))).await;
    assert_eq!(heard.failure().kind, Kind::KeyMissing);
}

#[tokio::test]
async fn stopping_hangs_up() {
    let upstream = Upstream::start().await;
    upstream.script([Reply::stream().word("Hel").stall()]);
    let mut answer = client().stream(at(&upstream), question("?"));
    while let Some(item) = answer.next().await {
        if let Delta::Text(text) = item.expect("no failure") {
            assert_eq!(text, "Hel");
            break;
        }
    }
    drop(answer);
    upstream.hung_up(1).await;
}

#[test]
fn an_endpoint_keeps_its_key_to_itself() {
    let endpoint = Endpoint {
        provider: Provider::OpenAi,
        format: None,
        base_url: Some(
            format!("https://user:{KEY}@llm.example.com/{KEY}")
                .parse()
                .expect("a URL"),
        ),
        secret: Some(KEY.into()),
        reach: parlor::ai::Reach::Operator,
    };
    let shown = format!("{endpoint:?}");
    assert!(!shown.contains(KEY), "{shown}");
    assert!(shown.contains("https://llm.example.com"), "{shown}");
}
