//! What a message carries besides its text: replies, kinds, importance, metadata.

use serde_json::{Value, json};

use crate::chats::refused;
use crate::harness::app::{Client, TestApp, User, new_key};
use crate::rooms::{done, group, say};

const QUICK: &str = "scripted:words=2,first=0,delay=0";
const CARRIED: &str = "message { id kind importance metadata replyTo { id content deletedAt } }";

/// A message for a chat, with what it carries besides.
fn message(chat: &str, extras: &Value) -> Value {
    let mut input = json!({ "chatId": chat, "content": "Look.", "idempotencyKey": new_key() });
    let fields = input.as_object_mut().expect("an object");
    fields.extend(extras.as_object().expect("an object").clone());
    input
}

async fn sent(client: &Client, input: Value) -> Value {
    let mut payload = client.mutate("sendMessage", input, CARRIED).await;
    assert_eq!(payload["errors"], json!([]));
    payload["message"].take()
}

/// What a message replies to, as somebody sees it.
async fn reply_to(client: &Client, id: &Value) -> Value {
    let query = "query ($id: ID!) { message(id: $id) { replyTo { id } } }";
    client.ok(query, json!({ "id": id })).await["message"]["replyTo"]["id"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_carries_what_it_was_sent_with() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let room = group(&ada, &[&bob]).await;
    let assistant = ada.chat(QUICK).await;
    for chat in [&room, &assistant] {
        let plain = sent(&ada, message(chat, &json!({ "metadata": null }))).await;
        assert_eq!(
            (
                &plain["kind"],
                &plain["importance"],
                &plain["metadata"],
                &plain["replyTo"]
            ),
            (&json!("TEXT"), &json!("NORMAL"), &Value::Null, &Value::Null)
        );
        let metadata = json!({ "width": 640, "thumb": { "tones": [0.5, null, true, "sépia"] } });
        let extras = json!({ "kind": "IMAGE", "importance": "URGENT", "metadata": metadata, "replyToId": plain["id"] });
        let rich = sent(&ada, message(chat, &extras)).await;
        assert_eq!(
            (
                &rich["kind"],
                &rich["importance"],
                &rich["metadata"],
                &rich["replyTo"]["id"]
            ),
            (&json!("IMAGE"), &json!("URGENT"), &metadata, &plain["id"])
        );
        let query =
            "query ($id: ID!) { message(id: $id) { id kind importance metadata replyTo { id content deletedAt } } }";
        let read = ada.ok(query, json!({ "id": rich["id"] })).await["message"].take();
        assert_eq!(read, rich);
    }
    // What Parlor tells is of a kind of its own.
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { role kind } } } }";
    let seen = bob.ok(query, json!({ "id": room })).await["chat"]["messages"]["nodes"].take();
    assert_eq!(seen[0], json!({ "role": "SYSTEM", "kind": "SYSTEM" }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_may_send_is_refused_whole() {
    let app = TestApp::with(&["--messages-per-minute=0"]).await;
    let [ada, bob, eve]: [User; 3] = [app.user("ada").await, app.user("bob").await, app.user("eve").await];
    let (room, other) = (group(&ada, &[&bob]).await, group(&ada, &[&bob]).await);
    let elsewhere = say(&ada, &other, "In the other room.").await;
    let hidden = say(&ada, &room, "Before Eve came.").await;
    done(&ada, "addMembers", json!({ "chatId": room, "userIds": [eve.id] })).await;
    let mut deep = json!({ "leaf": true });
    for _ in 0..8 {
        deep = json!({ "down": deep });
    }
    let absent = "msg_0192f3a0000070008000000000000000";
    let assistant = eve.chat(QUICK).await;
    for (extras, code, field) in [
        (json!({ "kind": "SYSTEM" }), "INVALID", "kind"),
        (json!({ "kind": "ENCRYPTED" }), "INVALID", "kind"),
        (json!({ "metadata": [1] }), "INVALID", "metadata"),
        (json!({ "metadata": "text" }), "INVALID", "metadata"),
        (json!({ "metadata": deep }), "INVALID", "metadata"),
        (
            json!({ "metadata": { "long": "x".repeat(8 * 1024) } }),
            "TOO_LONG",
            "metadata",
        ),
        (json!({ "replyToId": absent }), "NOT_FOUND", "replyToId"),
        (json!({ "replyToId": "nonsense" }), "NOT_FOUND", "replyToId"),
        (json!({ "replyToId": elsewhere }), "NOT_FOUND", "replyToId"),
        (json!({ "replyToId": hidden }), "NOT_FOUND", "replyToId"),
    ] {
        for chat in [&room, &assistant] {
            let refusals = refused(&eve, "sendMessage", message(chat, &extras)).await;
            let found: Vec<_> = refusals
                .iter()
                .map(|(code, path, _)| (code.as_str(), path.clone()))
                .collect();
            assert_eq!(found, [(code, format!("input.{field}"))], "{extras}");
        }
    }
    let rows = "SELECT count(*) FROM sends WHERE user_id = (SELECT id FROM users WHERE username = 'eve')";
    let rows = app.sql().await.query_one(rows, &[]).await.expect("a count");
    assert_eq!(rows.get::<_, i64>(0), 0, "nothing half-done");
    let seven = deep["down"].take();
    sent(&eve, message(&room, &json!({ "metadata": seven }))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_has_to_carry_the_same() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let room = group(&ada, &[&bob]).await;
    let first = say(&ada, &room, "First.").await;
    let extras = json!({ "replyToId": first, "importance": "HIGH", "metadata": { "a": 1, "b": 2 } });
    let input = message(&room, &extras);
    let once = sent(&ada, input.clone()).await;
    assert_eq!(sent(&ada, input.clone()).await, once, "the first result again");
    for (field, value) in [
        ("replyToId", Value::Null),
        ("importance", json!("LOW")),
        ("kind", json!("FILE")),
        ("metadata", json!({ "a": 1 })),
    ] {
        let mut other = input.clone();
        other[field] = value;
        let refusals = refused(&ada, "sendMessage", other).await;
        assert_eq!(refusals[0].0, "CONFLICT", "{field}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reply_leads_to_is_shown_to_those_who_see_it() {
    let app = TestApp::start().await;
    let [ada, bob, cyd]: [User; 3] = [app.user("ada").await, app.user("bob").await, app.user("cyd").await];
    let room = group(&ada, &[&bob]).await;
    let question = say(&bob, &room, "Where is the ladder?").await;
    done(&ada, "addMembers", json!({ "chatId": room, "userIds": [cyd.id] })).await;
    let answer = sent(&ada, message(&room, &json!({ "replyToId": question }))).await["id"].take();
    assert_eq!(reply_to(&bob, &answer).await, json!(question));
    assert_eq!(reply_to(&cyd, &answer).await, Value::Null, "said before she came");
    // Other words for a question carry what it carried.
    let chat = ada.chat(QUICK).await;
    let one = sent(&ada, message(&chat, &json!({}))).await;
    let two = sent(
        &ada,
        message(&chat, &json!({ "replyToId": one["id"], "importance": "LOW" })),
    )
    .await;
    let input = json!({ "messageId": two["id"], "content": "In other words.", "idempotencyKey": new_key() });
    let edited = ada.mutate("editMessage", input, CARRIED).await["message"].take();
    assert_eq!(
        (&edited["replyTo"]["id"], &edited["importance"]),
        (&one["id"], &json!("LOW"))
    );
}
