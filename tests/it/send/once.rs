//! A send counts once: at the same moment, later, on another server, after the message is gone.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{SENT, input, plain_chat, rows, with_upstream};
use crate::harness::app::TestApp;

const QUICK: &str = "scripted:words=3,first=0,delay=0";

fn conflict(message: &str) -> Value {
    json!([{ "code": "CONFLICT", "message": message, "field": ["input", "idempotencyKey"], "retryAfterSeconds": null }])
}

fn other_content() -> Value {
    conflict("This idempotency key was used to send something else. Use a new key for a new message.")
}

fn removed_since() -> Value {
    conflict("This message was sent before and has been removed since. Use a new idempotency key to send it again.")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_at_once_are_one_message_one_answer_one_call() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let sibling = app.sibling().await;
    let elsewhere = sibling.client_of(&ada);
    let clients = [&ada.client, &elsewhere];
    let sends = (0..20).map(|n| clients[n % 2].mutate("sendMessage", input(&chat, "hello", "k1"), SENT));
    let payloads = join_all(sends).await;
    assert_eq!(payloads[0]["errors"], json!([]));
    assert!(payloads.iter().all(|payload| *payload == payloads[0]), "{payloads:#?}");
    assert_eq!(payloads[0]["message"]["idempotencyKey"], "k1");
    let generation = payloads[0]["generation"]["id"].as_str().expect("an id");
    ada.generation_events(generation, None).await.rest().await;
    assert_eq!(upstream.requests().len(), 1);
    let rows = rows(&app).await;
    assert!(
        rows.contains(&("messages", 2)) && rows.contains(&("generations", 1)) && rows.contains(&("sends", 1)),
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_gets_the_first_result_for_good() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let first = ada.mutate("sendMessage", input(&chat, "hello", "k1"), SENT).await;
    let generation = first["generation"]["id"].as_str().expect("an id");
    ada.generation_events(generation, None).await.rest().await;
    let before = rows(&app).await;

    let sibling = app.sibling().await;
    for client in [&ada.client, &sibling.client_of(&ada)] {
        assert_eq!(
            client.mutate("sendMessage", input(&chat, "hello", "k1"), SENT).await,
            first
        );
        for other in [
            input(&chat, "hullo", "k1"),
            input(&ada.chat(QUICK).await, "hello", "k1"),
            json!({ "chatId": chat, "content": "hello", "idempotencyKey": "k1", "reply": { "model": QUICK } }),
        ] {
            assert_eq!(
                client.mutate("sendMessage", other, SENT).await["errors"],
                other_content()
            );
        }
    }
    let without_new_chats = |rows: Vec<(&'static str, i64)>| {
        rows.into_iter()
            .filter(|(table, _)| ["messages", "generations", "sends"].contains(table))
            .collect::<Vec<_>>()
    };
    assert_eq!(without_new_chats(rows(&app).await), without_new_chats(before));

    let bob = app.user("bob").await;
    let his = bob.chat(QUICK).await;
    let payload = bob.mutate("sendMessage", input(&his, "hello", "k1"), SENT).await;
    assert_eq!(payload["errors"], json!([]), "keys are each sender's own");
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { role idempotencyKey } } } }";
    let shown = bob.ok(query, json!({ "id": his })).await;
    assert_eq!(shown["chat"]["messages"]["nodes"][0]["idempotencyKey"], "k1");
    assert_eq!(shown["chat"]["messages"]["nodes"][1]["idempotencyKey"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_used_up_even_when_its_message_is_gone() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for (number, mutation) in ["clearHistory", "deleteChat"].into_iter().enumerate() {
        let (chat, key) = (ada.chat(QUICK).await, format!("k{number}"));
        ada.mutate("sendMessage", input(&chat, "hello", &key), SENT).await;
        assert_eq!(
            ada.mutate(mutation, json!({ "chatId": chat }), "").await["errors"],
            json!([])
        );
        for _ in 0..2 {
            let again = ada.mutate("sendMessage", input(&chat, "hello", &key), SENT).await;
            assert_eq!(again["errors"], removed_since(), "{mutation}");
        }
    }
    let (_, messages) = rows(&app).await[2];
    assert_eq!(messages, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_known_before_any_limit() {
    let app = TestApp::with(&["--message-characters=5"]).await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:first=100000").await;
    let mut firsts = Vec::new();
    for number in 0..16 {
        firsts.push(
            ada.mutate("sendMessage", input(&chat, "hello", &format!("k{number}")), SENT)
                .await,
        );
    }
    let full = ada.mutate("sendMessage", input(&chat, "hello", "k16"), SENT).await;
    assert_eq!(full["errors"][0]["code"], "LIMIT_REACHED");
    assert_eq!(
        ada.mutate("sendMessage", input(&chat, "hello", "k3"), SENT).await,
        firsts[3]
    );
    let first = firsts[0]["generation"]["id"].clone();
    ada.mutate("stopGeneration", json!({ "generationId": first }), "").await;
    let now = ada.mutate("sendMessage", input(&chat, "hello", "k16"), SENT).await;
    assert_eq!(now["errors"], json!([]), "a refused key may be used again");
    let again = ada.mutate("sendMessage", input(&chat, "hello", "k0"), SENT).await;
    assert_eq!(again, firsts[0]);
}
