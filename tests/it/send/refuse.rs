//! A refused send leaves nothing behind.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{SENT, input, plain_chat, rows};
use crate::harness::app::{TestApp, new_key};

const FROZEN: &str = "scripted:first=100000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_leaves_nothing_behind() {
    let app = TestApp::with(&["--message-characters=10"]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = ada.chat("scripted").await;
    let paid = plain_chat(&ada).await;
    ada.mutate("updateChat", json!({ "chatId": paid, "model": "gpt-5-mini" }), "")
        .await;
    let before = rows(&app).await;
    let with = |name: &str, value: Value| {
        let mut input = input(&chat, "hello", &new_key());
        input[name] = value;
        input
    };
    let missing = "This chat does not exist, or you have no access to it.";
    let empty = "The message is empty. Write something first.";
    let long = "The message must be at most 10 characters long.";
    let key = "The idempotency key must be 1 to 128 visible ASCII characters. Use a new UUID for each action and the same one for its retries.";
    for (input, code, field, message) in [
        (with("content", json!("")), "REQUIRED", "content", empty),
        (with("content", json!(" \n\t ")), "REQUIRED", "content", empty),
        (with("content", json!("x".repeat(11))), "TOO_LONG", "content", long),
        (with("content", json!("👩‍🚀".repeat(11))), "TOO_LONG", "content", long),
        (
            with("content", json!("e\u{301}".repeat(50_000 / 3))),
            "TOO_LONG",
            "content",
            long,
        ),
        (with("idempotencyKey", json!("")), "INVALID", "idempotencyKey", key),
        (with("idempotencyKey", json!("ключ")), "INVALID", "idempotencyKey", key),
        (
            with("chatId", json!("chat_0192f3a0000070008000000000000000")),
            "NOT_FOUND",
            "chatId",
            missing,
        ),
        (
            with("reply", json!({ "model": "scripted:speed=1" })),
            "INVALID",
            "reply.model",
            "unknown option `speed` of a scripted model",
        ),
        (
            with("chatId", json!(paid)),
            "KEY_MISSING",
            "",
            "No API key configured. Please add your OpenAI API key in profile settings.",
        ),
        (
            with("reply", json!({ "provider": "OPENAI", "model": "gpt-5" })),
            "KEY_MISSING",
            "",
            "No API key configured. Please add your OpenAI API key in profile settings.",
        ),
    ] {
        let payload = ada.mutate("sendMessage", input.clone(), SENT).await;
        let field = if field.is_empty() {
            Value::Null
        } else {
            std::iter::once("input").chain(field.split('.')).collect()
        };
        assert_eq!(
            payload["errors"],
            json!([{ "code": code, "message": message, "field": field, "retryAfterSeconds": null }]),
            "{input}"
        );
        assert_eq!(
            (&payload["message"], &payload["generation"]),
            (&Value::Null, &Value::Null)
        );
    }
    let strange = bob.mutate("sendMessage", input(&chat, "hello", "k"), SENT).await;
    assert_eq!(strange["errors"][0]["message"], missing);
    let query = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
    let nul = ada.run(query, json!({ "input": input(&chat, "a\0b", "k") })).await;
    assert_eq!(nul["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(rows(&app).await, before);

    let most = ada
        .mutate("sendMessage", input(&chat, &"👩‍🚀".repeat(10), &new_key()), SENT)
        .await;
    assert_eq!(most["errors"], json!([]), "ten as a person counts them");
    let odd = " \u{202E}r\u{0}l".replace('\0', "t");
    let sent = ada.mutate("sendMessage", input(&chat, &odd, &new_key()), SENT).await;
    assert_eq!(sent["message"]["content"], odd, "stored as it was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_answers_run_at_once_and_no_more() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chats = join_all((0..24).map(|_| ada.chat(FROZEN))).await;
    let sent = join_all(
        chats
            .iter()
            .map(|chat| ada.mutate("sendMessage", input(chat, "hello", &new_key()), SENT)),
    )
    .await;
    let (taken, refused): (Vec<_>, Vec<_>) = sent.iter().partition(|payload| payload["errors"] == json!([]));
    assert_eq!((taken.len(), refused.len()), (16, 8), "however many chats they are in");
    assert!(
        refused
            .iter()
            .all(|payload| payload["errors"][0]["code"] == "LIMIT_REACHED"
                && payload["errors"][0]["message"]
                    == "16 answers are being written for you already. Wait for one to finish, or stop one.")
    );
    let counts = rows(&app).await;
    assert!(
        counts.contains(&("messages", 32)) && counts.contains(&("sends", 16)),
        "{counts:?}"
    );
    let bob = app.user("bob").await;
    bob.send(&bob.chat(FROZEN).await, "others are not held up").await;
}
