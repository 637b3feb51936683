//! Chats are made once, however often they are asked for.

use futures_util::future::join_all;
use serde_json::json;

use super::{QUICK, made, refusal, refused, titles};
use crate::harness::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retried_creation_makes_one_chat() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let wanted = json!({ "title": "  Tea  ", "model": QUICK, "idempotencyKey": "k1" });
    let tries = join_all((0..20).map(|_| made(&ada, wanted.clone()))).await;
    assert!(tries.iter().all(|chat| *chat == tries[0]), "{tries:?}");
    assert_eq!(
        (tries[0]["title"].clone(), tries[0]["model"].clone()),
        (json!("Tea"), json!(QUICK))
    );
    assert_eq!(titles(&ada, "").await, ["Tea"]);

    let conflict = refusal(
        "CONFLICT",
        "input.idempotencyKey",
        "This idempotency key was used to create another chat. Use a new key for a new chat.",
    );
    for other in [
        json!({ "title": "Coffee", "model": QUICK, "idempotencyKey": "k1" }),
        json!({ "title": "Tea", "idempotencyKey": "k1" }),
        json!({ "title": "Tea", "model": QUICK, "provider": "OPENAI", "idempotencyKey": "k1" }),
        json!({ "model": QUICK, "idempotencyKey": "k1" }),
    ] {
        assert_eq!(refused(&ada, "createChat", other).await, conflict);
    }
    // The retry is known by what was asked, whatever became of the chat since.
    let change = json!({ "chatId": tries[0]["id"], "title": "Green tea", "model": "scripted:echo" });
    ada.mutate("updateChat", change, "chat { id }").await;
    assert_eq!(made(&ada, wanted.clone()).await["title"], "Green tea");

    let bob = app.user("bob").await;
    assert_ne!(
        made(&bob, wanted).await["id"],
        tries[0]["id"],
        "keys are each person's own"
    );
    let (one, other) = (made(&ada, json!({})).await, made(&ada, json!({})).await);
    assert_ne!(one["id"], other["id"], "without a key every creation counts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_assistant_chat_is_always_the_same() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let query = "{ viewer { assistantChat { id isDefault kind assistants { id displayName } } } }";
    let asked = join_all((0..20).map(|_| ada.ok(query, json!({})))).await;
    assert!(asked.iter().all(|answer| *answer == asked[0]), "{asked:?}");
    let chat = asked[0]["viewer"]["assistantChat"].clone();
    assert_eq!((&chat["isDefault"], &chat["kind"]), (&json!(true), &json!("ASSISTANT")));
    assert_eq!(titles(&ada, "").await.len(), 1);
    assert_eq!(
        refused(&ada, "deleteChat", json!({ "chatId": chat["id"] })).await,
        refusal(
            "INVALID_STATE",
            "input.chatId",
            "This chat is always there and cannot be deleted. Clear its history instead."
        )
    );
    assert_eq!(ada.ok(query, json!({})).await, asked[0]);
}
