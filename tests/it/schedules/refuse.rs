//! What cannot be scheduled is refused with words, and nothing is half-done.

use chrono::Duration;
use serde_json::{Value, json};

use super::{ECHO, moment, schedule};
use crate::harness::app::{TestApp, new_key};
use crate::rooms::{done, group};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = ada.chat(ECHO).await;
    let silent = group(&bob, &[&ada]).await;
    done(
        &bob,
        "updateChat",
        json!({ "chatId": silent, "permissions": { "post": "OWNER" } }),
    )
    .await;
    let theirs = bob.chat(ECHO).await;
    // 465 bytes that name each second of a year, and fewer that name each minute.
    let all = |most: u8| (0..most).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let minutes = format!(
        "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={};BYMINUTE={}",
        all(24),
        all(60)
    );
    let seconds = format!("{minutes};BYSECOND={}", all(60));
    for (change, code, field) in [
        (json!({ "content": " " }), "REQUIRED", "content"),
        (json!({ "content": "x".repeat(4001) }), "TOO_LONG", "content"),
        (json!({ "sendAt": null }), "REQUIRED", "sendAt"),
        (json!({ "sendAt": moment(Duration::days(3000)) }), "INVALID", "sendAt"),
        (
            json!({ "sendAt": moment(-Duration::days(3000)), "rule": "FREQ=DAILY" }),
            "INVALID",
            "sendAt",
        ),
        (
            json!({ "sendAt": moment(-Duration::hours(1)), "missed": "SKIP" }),
            "INVALID",
            "sendAt",
        ),
        (json!({ "rule": "whenever" }), "INVALID", "rule"),
        (json!({ "rule": "FREQ=MINUTELY" }), "INVALID", "rule"),
        (json!({ "rule": "" }), "INVALID", "rule"),
        (json!({ "rule": minutes }), "INVALID", "rule"),
        (json!({ "rule": seconds }), "INVALID", "rule"),
        (json!({ "timeZone": "Mars/Olympus" }), "INVALID", "timeZone"),
        (json!({ "timeZone": "" }), "INVALID", "timeZone"),
        (json!({ "idempotencyKey": "" }), "INVALID", "idempotencyKey"),
        (json!({ "chatId": theirs }), "NOT_FOUND", "chatId"),
        (json!({ "chatId": "chat_0" }), "NOT_FOUND", "chatId"),
        (json!({ "chatId": silent }), "FORBIDDEN", "chatId"),
    ] {
        let mut input = json!({ "chatId": chat, "content": "Hello", "sendAt": moment(Duration::hours(1)), "idempotencyKey": new_key() });
        let fields = input.as_object_mut().expect("an object");
        fields.extend(change.as_object().expect("an object").clone());
        let payload = ada.mutate("scheduleMessage", input, "scheduledMessage { id }").await;
        assert_eq!(payload["scheduledMessage"], Value::Null, "{change}");
        assert_eq!(payload["errors"][0]["code"], code, "{change}: {payload}");
        assert_eq!(
            payload["errors"][0]["field"],
            json!(["input", field]),
            "{change}: {payload}"
        );
    }
    let seen = ada
        .ok("{ viewer { scheduledMessages { nodes { id } } } }", json!({}))
        .await;
    assert_eq!(seen["viewer"]["scheduledMessages"]["nodes"], json!([]));
    crate::titles::until_jobs(&app, "count = 0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_so_many_wait_for_one_person() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let later = json!({ "sendAt": moment(Duration::hours(1)) });
    let first = schedule(&ada, &chat, later.clone()).await;
    let many = "INSERT INTO scheduled_messages (id, user_id, chat_id, content, time_zone, starts_at, next_at, missed, idempotency_key, request_hash) \
        SELECT gen_random_uuid(), user_id, chat_id, content, time_zone, starts_at, next_at, missed, n::text, request_hash \
        FROM scheduled_messages, generate_series(1, 99) AS n";
    app.sql().await.execute(many, &[]).await.expect("rows");
    let mut input = later.clone();
    for (name, value) in [
        ("chatId", chat.as_str()),
        ("content", "One more"),
        ("idempotencyKey", "one-more"),
    ] {
        input[name] = json!(value);
    }
    let refused = ada.mutate("scheduleMessage", input.clone(), "").await;
    assert_eq!(refused["errors"][0]["code"], "LIMIT_REACHED");
    done(
        &ada,
        "cancelScheduledMessage",
        json!({ "scheduledMessageId": first["id"] }),
    )
    .await;
    done(&ada, "scheduleMessage", input).await;
}
