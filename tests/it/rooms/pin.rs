//! Pins: what is kept in sight for all, by those who may.

use serde_json::{Value, json};

use super::{direct, done, group, notes, people, say};
use crate::chats::refused;
use crate::harness::app::{Client, TestApp, User};

fn input(message: &str) -> Value {
    json!({ "messageId": message })
}

/// The texts of a chat's pinned messages, as somebody sees them.
async fn pinned(client: &Client, chat: &str) -> Vec<String> {
    let query = "query ($id: ID!) { chat(id: $id) { pinnedMessages { nodes { content pinnedAt } } } }";
    let seen = client.ok(query, json!({ "id": chat })).await;
    let nodes = seen["chat"]["pinnedMessages"]["nodes"]
        .as_array()
        .expect("messages")
        .clone();
    assert!(nodes.iter().all(|node| node["pinnedAt"].is_string()));
    nodes.iter().map(|node| super::id(&node["content"])).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pinned_is_seen_by_all_and_told() {
    let app = TestApp::start().await;
    let [ada, bob, cyd]: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob]).await;
    let rules = say(&bob, &chat, "The rules.").await;
    let address = say(&bob, &chat, "The address.").await;
    let fields = "message { pinnedAt pinnedBy { username } }";
    let first = ada.mutate("pinMessage", input(&rules), fields).await;
    assert_eq!(first["message"]["pinnedBy"], json!({ "username": "ada" }));
    assert_eq!(
        ada.mutate("pinMessage", input(&rules), fields).await,
        first,
        "once is enough"
    );
    done(&ada, "pinMessage", input(&address)).await;
    assert_eq!(
        pinned(&bob, &chat).await,
        ["The address.", "The rules."],
        "the newest first"
    );
    let query = "query ($id: ID!) { chat(id: $id) { messages(last: 1) { nodes { content kind replyTo { id } system { kind } } } } }";
    let told = bob.ok(query, json!({ "id": chat })).await["chat"]["messages"]["nodes"][0].take();
    let expected = json!({ "content": "ada pinned a message.", "kind": "SYSTEM", "replyTo": { "id": address }, "system": { "kind": "MESSAGE_PINNED" } });
    assert_eq!(told, expected);
    assert_eq!(notes(&bob, &chat).await.len(), 3, "made, pinned, pinned");
    let query = "query ($id: ID!, $after: String) { chat(id: $id) { pinnedMessages(first: 1, after: $after) { nodes { content } pageInfo { hasNextPage endCursor } } } }";
    let page = bob.ok(query, json!({ "id": chat })).await["chat"]["pinnedMessages"].take();
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let page = bob
        .ok(query, json!({ "id": chat, "after": page["pageInfo"]["endCursor"] }))
        .await;
    assert_eq!(
        page["chat"]["pinnedMessages"]["nodes"],
        json!([{ "content": "The rules." }])
    );
    // Who came later is shown nothing of it, and what is deleted is not pinned any more.
    done(&ada, "addMembers", json!({ "chatId": chat, "userIds": [cyd.id] })).await;
    assert_eq!(pinned(&cyd, &chat).await, [""; 0]);
    done(&bob, "deleteMessage", input(&address)).await;
    assert_eq!(pinned(&bob, &chat).await, ["The rules."]);
    let query = "query ($id: ID!) { message(id: $id) { pinnedAt pinnedBy { username } } }";
    let gone = bob.ok(query, json!({ "id": address })).await["message"].take();
    assert_eq!(gone, json!({ "pinnedAt": null, "pinnedBy": null }));
    done(&ada, "unpinMessage", input(&rules)).await;
    done(&ada, "unpinMessage", input(&rules)).await;
    assert_eq!(pinned(&ada, &chat).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_pin_and_how_much() {
    let app = TestApp::with(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    let [ada, bob, eve]: [User; 3] = people(&app, ["ada", "bob", "eve"]).await;
    let chat = group(&ada, &[&bob]).await;
    let message = say(&bob, &chat, "Mine.").await;
    let code = async |client: &Client, mutation: &str, message: &str| {
        let refusals = refused(client, mutation, input(message)).await;
        assert_eq!(refusals[0].1, "input.messageId");
        refusals[0].0.clone()
    };
    assert_eq!(code(&bob, "pinMessage", &message).await, "FORBIDDEN");
    assert_eq!(code(&eve, "pinMessage", &message).await, "NOT_FOUND");
    done(&ada, "pinMessage", input(&message)).await;
    assert_eq!(code(&bob, "unpinMessage", &message).await, "FORBIDDEN");
    done(
        &ada,
        "updateChat",
        json!({ "chatId": chat, "permissions": { "pin": "MEMBER" } }),
    )
    .await;
    done(&bob, "unpinMessage", input(&message)).await;
    // Both of two, and without a word.
    let pair = direct(&ada, &bob).await;
    let mut messages = Vec::new();
    for number in 0..51 {
        messages.push(say(&ada, &pair, &number.to_string()).await);
    }
    let pins = messages[1..]
        .iter()
        .map(|message| bob.mutate("pinMessage", input(message), ""));
    for payload in futures_util::future::join_all(pins).await {
        assert_eq!(payload["errors"], json!([]));
    }
    assert_eq!(code(&ada, "pinMessage", &messages[0]).await, "LIMIT_REACHED");
    done(&ada, "unpinMessage", input(&messages[1])).await;
    done(&ada, "pinMessage", input(&messages[0])).await;
    assert_eq!(notes(&bob, &pair).await, [Value::Null; 0]);
    // In one's own chat with an assistant, too.
    let own = ada.chat("scripted:words=1,first=0,delay=0").await;
    let sent = json!({ "chatId": own, "content": "Remember this.", "idempotencyKey": "own" });
    let sent = ada.mutate("sendMessage", sent, "message { id }").await["message"]["id"].take();
    done(&ada, "pinMessage", json!({ "messageId": sent })).await;
    assert_eq!(pinned(&ada, &own).await, ["Remember this."]);
}
