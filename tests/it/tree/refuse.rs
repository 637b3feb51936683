//! What cannot be: versions of what is not one's own, of what is gone, and too many.

use serde_json::json;

use super::{QUICK, regenerated, sent, shown};
use crate::harness::app::{TestApp, new_key, uuid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_has_its_reason() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (question, answer) = sent(&ada, &chat, "one").await;
    let key = "idempotencyKey";
    let long = "x".repeat(4001);
    for (name, input, code, field) in [
        (
            "regenerateMessage",
            json!({ "messageId": question, key: "1" }),
            "INVALID_STATE",
            "messageId",
        ),
        (
            "regenerateMessage",
            json!({ "messageId": answer, key: "" }),
            "INVALID",
            key,
        ),
        (
            "regenerateMessage",
            json!({ "messageId": chat, key: "2" }),
            "NOT_FOUND",
            "messageId",
        ),
        (
            "regenerateMessage",
            json!({ "messageId": "msg_0", key: "3" }),
            "NOT_FOUND",
            "messageId",
        ),
        (
            "editMessage",
            json!({ "messageId": answer, "content": "x", key: "4" }),
            "INVALID_STATE",
            "messageId",
        ),
        (
            "editMessage",
            json!({ "messageId": question, "content": " ", key: "5" }),
            "REQUIRED",
            "content",
        ),
        (
            "editMessage",
            json!({ "messageId": question, "content": long, key: "6" }),
            "TOO_LONG",
            "content",
        ),
        (
            "editMessage",
            json!({ "messageId": "msg_0", "content": "x", key: "7" }),
            "NOT_FOUND",
            "messageId",
        ),
        (
            "selectBranch",
            json!({ "messageId": "msg_0" }),
            "NOT_FOUND",
            "messageId",
        ),
    ] {
        let payload = ada.mutate(name, input.clone(), "").await;
        assert_eq!(payload["errors"][0]["code"], code, "{name} {input}: {payload}");
        assert_eq!(payload["errors"][0]["field"], json!(["input", field]), "{name} {input}");
    }
    let input = json!({ "messageId": answer, key: "8", "reply": { "model": "scripted:words=many" } });
    let refused = ada.mutate("regenerateMessage", input, "").await;
    assert_eq!(refused["errors"][0]["field"], json!(["input", "reply", "model"]));
    let input = json!({ "messageId": answer, key: "9", "reply": { "provider": "OPENAI", "model": "gpt-5-mini" } });
    let refused = ada.mutate("regenerateMessage", input, "").await;
    assert_eq!(refused["errors"][0]["code"], "KEY_MISSING");
    assert_eq!(shown(&ada, &chat).await, [question, answer], "nothing was stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_a_limit_to_versions() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (question, answer) = sent(&ada, &chat, "one").await;
    let more = "INSERT INTO messages (id, chat_id, sequence, role, content, parent_id, active, chosen) \
        SELECT gen_random_uuid(), chat_id, sequence + n, role, content, parent_id, false, false FROM messages, generate_series(1, 48) AS n \
        WHERE id = $1::text::uuid";
    let sql = app.sql().await;
    sql.execute(more, &[&uuid(&answer)]).await.expect("versions");
    sql.execute(
        "UPDATE chats SET last_sequence = 100 WHERE id = $1::text::uuid",
        &[&uuid(&chat)],
    )
    .await
    .expect("a chat");
    let last = regenerated(&ada, &answer, None).await;
    let payload = ada
        .mutate(
            "regenerateMessage",
            json!({ "messageId": answer, "idempotencyKey": new_key() }),
            "",
        )
        .await;
    assert_eq!(payload["errors"][0]["code"], "LIMIT_REACHED", "{payload}");
    assert_eq!(shown(&ada, &chat).await, [question, last], "all was undone");
}
