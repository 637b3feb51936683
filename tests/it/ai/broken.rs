//! Answers that break off, fail in the middle, or are none at all.

use parlor::ai::FailureKind as Kind;
use serde_json::json;

use crate::harness::upstream::{Reply, Upstream};

use super::{LEAK, ask, wire::fixture};

#[tokio::test]
async fn failures_in_the_middle_keep_what_was_said() {
    for (name, bytes, kind, broke_off) in [
        ("error_nested", fixture!("error_nested"), Kind::Unavailable, false),
        ("error_flat", fixture!("error_flat"), Kind::RateLimited, false),
        ("error_string", fixture!("error_string"), Kind::Unavailable, false),
        (
            "error_openrouter",
            fixture!("error_openrouter"),
            Kind::RateLimited,
            false,
        ),
        ("error_vllm", fixture!("error_vllm"), Kind::ContextTooLong, false),
        ("error_text", fixture!("error_text"), Kind::Unavailable, false),
        ("error_quota", fixture!("error_quota"), Kind::QuotaExceeded, false),
        ("not_json", fixture!("not_json"), Kind::Unavailable, false),
        ("wrong_shape", fixture!("wrong_shape"), Kind::Unavailable, false),
        ("cut_clean", fixture!("cut_clean"), Kind::Interrupted, true),
        ("cut_torn", fixture!("cut_torn"), Kind::Interrupted, true),
        ("cut_done", fixture!("cut_done"), Kind::Interrupted, true),
    ] {
        let upstream = Upstream::start().await;
        upstream.script([Reply::recorded(bytes)]);
        let heard = ask(&upstream).await;
        assert_eq!(heard.text, "Half", "{name}");
        let failure = heard.failure();
        assert_eq!((failure.kind, failure.broke_off()), (kind, broke_off), "{name}");
        assert_eq!(failure.provider_request_id.as_deref(), Some("req_upstream"), "{name}");
        assert_eq!(upstream.requests().len(), 1, "never asked again after a word: {name}");
    }
}

#[tokio::test]
async fn a_cut_connection_is_an_interruption() {
    let upstream = Upstream::start().await;
    upstream.script([
        Reply::stream().word("Half").cut(),
        Reply::stream().cut(),
        Reply::stream(),
    ]);
    let heard = ask(&upstream).await;
    assert_eq!(heard.text, "Half");
    assert!(heard.failure().broke_off());
    for _ in 0..2 {
        let heard = ask(&upstream).await;
        assert_eq!((heard.failure().kind, heard.started), (Kind::Interrupted, None));
    }
}

#[tokio::test]
async fn what_is_no_answer_at_all() {
    let html = || Reply::status(200).bytes(fixture!("html"));
    let cases = [
        (
            "a page",
            html().header("content-type", "text/html; charset=utf-8"),
            Kind::Unavailable,
        ),
        (
            "a page in disguise",
            html().header("content-type", "text/event-stream"),
            Kind::Unavailable,
        ),
        ("a page without a type", html(), Kind::Unavailable),
        (
            "a document",
            Reply::status(200).json(&json!({"choices": [{"message": {"content": LEAK}}]})),
            Kind::Unavailable,
        ),
        (
            "an error called a success",
            Reply::status(200).json(&json!({"error": {"message": LEAK, "code": "invalid_api_key"}})),
            Kind::KeyInvalid,
        ),
        (
            "compressed",
            Reply::recorded(vec![0x1f, 0x8b, 8, 0]).header("content-encoding", "gzip"),
            Kind::Unavailable,
        ),
        (
            "not UTF-8",
            Reply::recorded(b"data: {\"choices\": \"\xff\xfe\"}\n\n".as_slice()),
            Kind::Unavailable,
        ),
    ];
    for (name, reply, kind) in cases {
        let upstream = Upstream::start().await;
        upstream.script([reply]);
        let heard = ask(&upstream).await;
        assert_eq!(heard.failure().kind, kind, "{name}");
        assert_eq!((heard.text.as_str(), upstream.requests().len()), ("", 1), "{name}");
    }
}
