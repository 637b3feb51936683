//! Failing: each way to fail has its code, its words, and what helps; what came before is kept.

use parlor::ai::FailureKind;
use serde_json::{Value, json};

use super::{ended, state};
use crate::harness::app::TestApp;
use crate::harness::upstream::Reply;
use crate::send::{plain_chat, with_upstream};

/// What a failure of each kind tells: its words, whether it can be retried, and what helps.
fn told(kind: FailureKind) -> (&'static str, bool, &'static str) {
    match kind {
        FailureKind::KeyMissing => (
            "No API key configured. Please add your scripted API key in profile settings.",
            false,
            "CHECK_KEY",
        ),
        FailureKind::KeyInvalid => (
            "Invalid API key. Please check your scripted API key in profile settings.",
            false,
            "CHECK_KEY",
        ),
        FailureKind::RateLimited => ("API rate limit exceeded. Please try again later.", true, "RETRY"),
        FailureKind::QuotaExceeded => (
            "The scripted account behind this key has no credit left. Please add credit there, or use another key.",
            false,
            "ADD_CREDIT",
        ),
        FailureKind::BudgetExceeded => (
            "The budget for this is used up. What came before is kept; raise the budget, or use another key.",
            false,
            "RAISE_BUDGET",
        ),
        FailureKind::Unavailable => (
            "AI service temporarily unavailable. Please try again later.",
            true,
            "RETRY",
        ),
        FailureKind::Timeout => ("scripted did not answer in time. Please try again.", true, "RETRY"),
        FailureKind::ContextTooLong => (
            "The conversation is longer than this model takes. Clear the history, start a new chat, or choose a model with a larger context.",
            false,
            "SHORTEN_CONVERSATION",
        ),
        FailureKind::ContentFiltered => (
            "scripted declined to answer this. Please put it in other words.",
            false,
            "REPHRASE",
        ),
        FailureKind::ModelNotFound => (
            "scripted does not have this model, or this key may not use it. Please choose another model.",
            false,
            "CHANGE_MODEL",
        ),
        FailureKind::InvalidRequest => (
            "scripted did not understand the request. Please choose another model, or check the base URL of the key.",
            false,
            "CHANGE_MODEL",
        ),
        FailureKind::Interrupted => (
            "The answer broke off. What came before is kept; please ask again for the rest.",
            true,
            "RETRY",
        ),
        FailureKind::Internal => (
            "Something went wrong on our side. What came before is kept; please try again.",
            true,
            "RETRY",
        ),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failure_says_what_happened_and_what_helps() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for kind in FailureKind::ALL {
        for (at, text) in [(0, ""), (2, "You asked")] {
            let chat = ada
                .chat(&format!("scripted:fail={kind},at={at},retry_after=7,first=0,delay=0"))
                .await;
            let generation = ada.send(&chat, "Fail, please").await;
            let told_live = ended(&ada, &generation).await;
            let (message, retryable, action) = told(kind);
            let broke_off = kind == FailureKind::Interrupted;
            // An answer that broke off waits for nobody.
            let wait = (!broke_off).then_some(7);
            let code = kind.name().to_uppercase();
            let error = json!({ "code": code, "message": message, "retryable": retryable, "retryAfterSeconds": wait, "action": action });
            let status = if broke_off { "INTERRUPTED" } else { "FAILED" };
            assert_eq!(
                (&told_live["status"], &told_live["error"], &told_live["text"]),
                (&json!(status), &error, &json!(text))
            );
            let stored = state(&ada, &generation).await;
            assert_eq!(
                (&stored["error"], &stored["text"], &stored["finishReason"]),
                (&error, &json!(text), &Value::Null)
            );
            assert!(stored["finishedAt"].is_string());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_its_end_is_never_complete() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let begun = || Reply::stream().word("Half").word(" an");
    for (reply, status, code) in [
        (begun().cut(), "INTERRUPTED", "INTERRUPTED"),
        (begun(), "INTERRUPTED", "INTERRUPTED"),
        (begun().done(), "INTERRUPTED", "INTERRUPTED"),
        (begun().data("{\"choices\":[{\"del"), "FAILED", "UNAVAILABLE"),
        (
            begun().data(r#"{"error":{"message":"sk-secret overloaded","type":"server_error"}}"#),
            "FAILED",
            "UNAVAILABLE",
        ),
    ] {
        upstream.script([reply]);
        let generation = ada.send(&chat, "Say it all").await;
        let end = ended(&ada, &generation).await;
        assert_eq!(
            (&end["status"], &end["error"]["code"], &end["text"]),
            (&json!(status), &json!(code), &json!("Half an"))
        );
        assert!(
            !end.to_string().contains("sk-secret"),
            "what the provider says stays here"
        );
    }
    let cut = ada.send(&ada.chat("scripted:cut=3,first=0,delay=0").await, "Cut").await;
    let end = ended(&ada, &cut).await;
    assert_eq!(
        (&end["status"], &end["text"]),
        (&json!("INTERRUPTED"), &json!("You asked about:"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_provider_is_given_up() {
    let app = TestApp::with(&["--idle-seconds=1", "--first-byte-seconds=1"]).await;
    let ada = app.user("ada").await;
    let (early, late) = (
        ada.chat("scripted:stall,first=0").await,
        ada.chat("scripted:stall=2,first=0,delay=0").await,
    );
    let (early, late) = (ada.send(&early, "Say").await, ada.send(&late, "Say").await);
    for (generation, text) in [(early, ""), (late, "You asked")] {
        let end = ended(&ada, &generation).await;
        assert_eq!(
            (&end["status"], &end["error"]["code"], &end["text"]),
            (&json!("INTERRUPTED"), &json!("TIMEOUT"), &json!(text))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_carry_the_providers_own_name() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    for (reply, code, message) in [
        (
            Reply::error(
                401,
                "invalid_request_error",
                "invalid_api_key",
                "Incorrect API key sk-test",
            ),
            "KEY_INVALID",
            "Invalid API key. Please check your OpenAI API key in profile settings.",
        ),
        (
            Reply::error(404, "invalid_request_error", "model_not_found", "No such model"),
            "MODEL_NOT_FOUND",
            "OpenAI does not have this model, or this key may not use it. Please choose another model.",
        ),
        (
            Reply::error(429, "insufficient_quota", "insufficient_quota", "Pay"),
            "QUOTA_EXCEEDED",
            "The OpenAI account behind this key has no credit left. Please add credit there, or use another key.",
        ),
        (
            Reply::error(400, "invalid_request_error", "context_length_exceeded", "Too long"),
            "CONTEXT_TOO_LONG",
            "The conversation is longer than this model takes. Clear the history, start a new chat, or choose a model with a larger context.",
        ),
    ] {
        upstream.script([reply]);
        let end = ended(&ada, &ada.send(&chat, "Hello").await).await;
        assert_eq!(
            (&end["status"], &end["error"]["code"], &end["error"]["message"]),
            (&json!("FAILED"), &json!(code), &json!(message))
        );
    }
}
