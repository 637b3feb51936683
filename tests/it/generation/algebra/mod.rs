//! The failure algebra: everything that each provider can refuse or break, through real HTTP, to what clients are told.
//!
//! A row is a way to fail and the code it has to have. What a code means (whether to try again, what helps) stands here
//! once; a code that says nothing (INTERNAL, INVALID_REQUEST) fails the row.

macro_rules! fixture {
    ($name:literal) => {
        super::recorded(include_bytes!(concat!("../../fixtures/", $name, ".txt")))
    };
}

mod anthropic;
mod gemini;
mod open;
mod openai;

use serde_json::{Value, json};

use super::ended;
use crate::harness::app::{Client, TestApp};
use crate::harness::upstream::{Reply, Upstream};

/// What clients are told to do about a code.
fn helps(code: &str) -> (bool, &'static str) {
    match code {
        "KEY_INVALID" => (false, "CHECK_KEY"),
        "QUOTA_EXCEEDED" => (false, "ADD_CREDIT"),
        "RATE_LIMITED" | "UNAVAILABLE" | "TIMEOUT" | "INTERRUPTED" => (true, "RETRY"),
        "CONTEXT_TOO_LONG" => (false, "SHORTEN_CONVERSATION"),
        "CONTENT_FILTERED" => (false, "REPHRASE"),
        "MODEL_NOT_FOUND" => (false, "CHANGE_MODEL"),
        other => panic!("{other} says nothing about what went wrong"),
    }
}

struct Row {
    name: &'static str,
    reply: Reply,
    code: &'static str,
    wait: Option<i64>,
}

fn row(name: &'static str, reply: Reply, code: &'static str) -> Row {
    let wait = None;
    Row {
        name,
        reply,
        code,
        wait,
    }
}

/// The same with the seconds that the provider asks to wait.
fn waits(name: &'static str, reply: Reply, code: &'static str, seconds: i64) -> Row {
    let wait = Some(seconds);
    Row {
        name,
        reply,
        code,
        wait,
    }
}

/// A refusal that is not asked again, so that the table is quick.
#[expect(
    clippy::needless_pass_by_value,
    reason = "rows read better with what they say than with where it lies"
)]
fn refused(status: u16, body: Value) -> Reply {
    Reply::status(status)
        .json(&body)
        .header("x-request-id", "req_9")
        .header("x-should-retry", "false")
}

fn openai(status: u16, kind: &str, code: &str, message: &str) -> Reply {
    refused(
        status,
        json!({ "error": { "message": message, "type": kind, "param": null, "code": code } }),
    )
}

fn anthropic(status: u16, kind: &str, message: &str) -> Reply {
    let body = json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_9" });
    let mut reply = refused(status, body);
    reply = reply.header("request-id", "req_9");
    reply
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "rows read better with what they say than with where it lies"
)]
fn google(status: u16, name: &str, message: &str, details: Value) -> Reply {
    refused(
        status,
        json!({ "error": { "code": status, "message": message, "status": name, "details": details } }),
    )
}

fn recorded(bytes: &[u8]) -> Reply {
    Reply::status(200)
        .header("content-type", "text/event-stream")
        .header("x-request-id", "req_9")
        .bytes(bytes)
}

/// Feeds every row through a key for this provider.
async fn hold(provider: &str, format: Option<&str>, rows: Vec<Row>) {
    let upstream = Upstream::start().await;
    let allow = format!("--base-urls=http://127.0.0.1:{}", upstream.port());
    let app = TestApp::with(&[&allow]).await;
    let ada = app.user("ada").await;
    let input = json!({ "provider": provider, "secret": "sk-0123456789abcdef", "baseUrl": upstream.url(), "format": format, "verify": false });
    let payload = ada.mutate("setApiKey", input, "").await;
    assert_eq!(payload["errors"], json!([]));
    let input = json!({ "provider": provider, "model": "m-1" });
    let payload = ada.mutate("createChat", input, "chat { id }").await;
    let chat = payload["chat"]["id"].as_str().expect("an id").to_owned();
    for Row {
        name,
        reply,
        code,
        wait,
    } in rows
    {
        upstream.script([reply]);
        let told = failure(&ada, &chat).await;
        let (retryable, action) = helps(code);
        let status = if code == "INTERRUPTED" { "INTERRUPTED" } else { "FAILED" };
        assert_eq!(told["status"], status, "{provider}: {name}");
        let error = &told["error"];
        let got = json!([
            error["code"],
            error["retryable"],
            error["action"],
            error["retryAfterSeconds"],
            error["providerRequestId"]
        ]);
        assert_eq!(
            got,
            json!([code, retryable, action, wait, "req_9"]),
            "{provider}: {name}"
        );
        assert!(
            error["message"].as_str().is_some_and(|words| words.len() > 20),
            "{provider}: {name}"
        );
    }
}

async fn failure(client: &Client, chat: &str) -> Value {
    let generation = client.send(chat, "Hello?").await;
    ended(client, &generation).await;
    let query = "query ($id: ID!) { generation(id: $id) { status error { code message retryable action retryAfterSeconds providerRequestId } } }";
    client.ok(query, json!({ "id": generation })).await["generation"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_pass_is_repeated_twice_and_seen() {
    let (app, upstream) = crate::send::with_upstream().await;
    let ada = app.user("ada").await;
    let chat = crate::send::plain_chat(&ada).await;
    let busy = || Reply::error(503, "server_error", "server_is_overloaded", "Busy").header("retry-after-ms", "1");
    upstream.script([busy(), busy(), busy()]);
    let generation = ada.send(&chat, "Hello?").await;
    let end = ended(&ada, &generation).await;
    assert_eq!(
        (&end["status"], &end["error"]["code"]),
        (&json!("FAILED"), &json!("UNAVAILABLE"))
    );
    assert_eq!(upstream.requests().len(), 3);
}
