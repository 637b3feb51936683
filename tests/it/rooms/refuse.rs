//! What cannot be done in rooms of people: each refusal typed, nothing half-done.

use serde_json::{Value, json};

use super::{direct, group, people, say};
use crate::chats::refused;
use crate::harness::app::TestApp;

/// The code and path of a refusal.
async fn code(client: &crate::harness::app::Client, mutation: &str, input: Value) -> (String, String) {
    let mut refusals = refused(client, mutation, input).await;
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    let (code, path, _) = refusals.remove(0);
    (code, path)
}

fn is(code: &str, path: &str) -> (String, String) {
    (code.to_owned(), path.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chats_that_cannot_be() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    let gone = app.user("gone").await;
    let bar = "UPDATE users SET deactivated_at = now() WHERE username = 'gone'";
    app.sql().await.batch_execute(bar).await.expect("a barred account");
    let absent = "user_0192f3a0000070008000000000000000";
    let many: Vec<String> = (0..101).map(|n| format!("user_{n:032}")).collect();
    for (input, expected) in [
        (json!({ "kind": "DIRECT" }), is("INVALID", "input.memberIds")),
        (
            json!({ "kind": "DIRECT", "memberIds": [ada.id] }),
            is("INVALID", "input.memberIds"),
        ),
        (
            json!({ "kind": "DIRECT", "memberIds": [bob.id, cyd.id] }),
            is("INVALID", "input.memberIds"),
        ),
        (
            json!({ "kind": "DIRECT", "memberIds": [absent] }),
            is("NOT_FOUND", "input.memberIds"),
        ),
        (
            json!({ "kind": "DIRECT", "memberIds": ["nonsense"] }),
            is("NOT_FOUND", "input.memberIds"),
        ),
        (
            json!({ "kind": "DIRECT", "memberIds": [gone.id] }),
            is("NOT_FOUND", "input.memberIds"),
        ),
        (
            json!({ "kind": "DIRECT", "memberIds": [bob.id], "title": "Bob" }),
            is("INVALID", "input.title"),
        ),
        (
            json!({ "kind": "DIRECT", "memberIds": [bob.id], "model": "x" }),
            is("INVALID", "input.model"),
        ),
        (
            json!({ "kind": "ASSISTANT", "memberIds": [bob.id] }),
            is("INVALID", "input.memberIds"),
        ),
        (
            json!({ "kind": "ASSISTANT", "history": "FROM_START" }),
            is("INVALID", "input.history"),
        ),
        (
            json!({ "kind": "GROUP", "memberIds": [bob.id, absent] }),
            is("NOT_FOUND", "input.memberIds"),
        ),
        (
            json!({ "kind": "GROUP", "memberIds": [gone.id] }),
            is("NOT_FOUND", "input.memberIds"),
        ),
        (
            json!({ "kind": "GROUP", "memberIds": many }),
            is("LIMIT_REACHED", "input.memberIds"),
        ),
        (
            json!({ "kind": "GROUP", "title": "x".repeat(121) }),
            is("TOO_LONG", "input.title"),
        ),
        (
            json!({ "kind": "GROUP", "description": "x".repeat(1001) }),
            is("TOO_LONG", "input.description"),
        ),
        (
            json!({ "kind": "GROUP", "iconUrl": "http://example.com/i.png" }),
            is("INVALID", "input.iconUrl"),
        ),
        (
            json!({ "kind": "GROUP", "iconUrl": "javascript:alert(1)" }),
            is("INVALID", "input.iconUrl"),
        ),
        (
            json!({ "kind": "GROUP", "provider": "OPENAI" }),
            is("INVALID", "input.provider"),
        ),
        (
            json!({ "kind": "GROUP", "idempotencyKey": "" }),
            is("INVALID", "input.idempotencyKey"),
        ),
    ] {
        assert_eq!(code(&ada, "createChat", input.clone()).await, expected, "{input}");
    }
    let rows = app
        .sql()
        .await
        .query_one(
            "SELECT (SELECT count(*) FROM chats) + (SELECT count(*) FROM sends)",
            &[],
        )
        .await;
    assert_eq!(rows.expect("a count").get::<_, i64>(0), 0, "nothing half-done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_other_kinds_of_chats_have() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let (pair, room) = (direct(&ada, &bob).await, group(&ada, &[&bob]).await);
    let alone = ada.chat("scripted:words=1,first=0,delay=0").await;
    let in_pair = say(&ada, &pair, "one").await;
    say(&ada, &room, "two").await;
    for (mutation, input, expected) in [
        (
            "updateChat",
            json!({ "chatId": pair, "title": "Bob" }),
            is("INVALID_STATE", "input.title"),
        ),
        (
            "updateChat",
            json!({ "chatId": pair, "description": "x" }),
            is("INVALID_STATE", "input.description"),
        ),
        (
            "updateChat",
            json!({ "chatId": room, "model": "scripted" }),
            is("INVALID_STATE", "input.model"),
        ),
        (
            "updateChat",
            json!({ "chatId": room, "assistantIds": [] }),
            is("INVALID_STATE", "input.assistantIds"),
        ),
        (
            "updateChat",
            json!({ "chatId": alone, "permissions": {} }),
            is("INVALID_STATE", "input.permissions"),
        ),
        (
            "updateChat",
            json!({ "chatId": room, "iconUrl": "x" }),
            is("INVALID", "input.iconUrl"),
        ),
        (
            "addMembers",
            json!({ "chatId": pair, "userIds": [bob.id] }),
            is("INVALID_STATE", "input.chatId"),
        ),
        (
            "addMembers",
            json!({ "chatId": alone, "userIds": [bob.id] }),
            is("INVALID_STATE", "input.chatId"),
        ),
        (
            "addMembers",
            json!({ "chatId": room, "userIds": ["user_0"] }),
            is("NOT_FOUND", "input.userIds"),
        ),
        (
            "removeMember",
            json!({ "chatId": pair, "userId": bob.id }),
            is("INVALID_STATE", "input.chatId"),
        ),
        (
            "setMemberRole",
            json!({ "chatId": pair, "userId": bob.id, "role": "OWNER" }),
            is("INVALID_STATE", "input.chatId"),
        ),
        (
            "leaveChat",
            json!({ "chatId": alone }),
            is("INVALID_STATE", "input.chatId"),
        ),
        (
            "regenerateTitle",
            json!({ "chatId": room }),
            is("INVALID_STATE", "input.chatId"),
        ),
        (
            "summarizeChat",
            json!({ "chatId": pair }),
            is("INVALID_STATE", "input.chatId"),
        ),
        (
            "regenerateMessage",
            json!({ "messageId": in_pair, "idempotencyKey": "r" }),
            is("INVALID_STATE", "input.messageId"),
        ),
        (
            "sendMessage",
            json!({ "chatId": room, "content": " ", "idempotencyKey": "s" }),
            is("REQUIRED", "input.content"),
        ),
        (
            "sendMessage",
            json!({ "chatId": room, "content": "x".repeat(4001), "idempotencyKey": "s" }),
            is("TOO_LONG", "input.content"),
        ),
    ] {
        assert_eq!(
            code(&ada, mutation, input.clone()).await,
            expected,
            "{mutation} {input}"
        );
    }
    let plan =
        "query ($id: ID!) { generationPlan(input: { chatId: $id, content: \"Hello?\" }) { refusals { code field } } }";
    let plan = ada.ok(plan, json!({ "id": room })).await;
    assert_eq!(plan["generationPlan"]["refusals"][0]["code"], "INVALID_STATE");
}
