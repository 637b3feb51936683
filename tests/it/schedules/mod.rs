//! Messages that are sent later: once, again and again, late, and exactly once.

mod keeping;
mod refuse;
mod rule;
mod sending;

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, new_key, uuid};
use crate::harness::stream::Subscription;

/// A chat in which everything is said back at once.
const ECHO: &str = "scripted:echo,first=0,delay=0";
/// What the API says of a scheduled message.
const SCHEDULED: &str = "id content sendAt rule timeZone missed state nextAt sentCount lastSentAt lastMessage { id content author { ... on User { username } } } \
    missedAt missedCount lastError { code message } version chat { id }";

/// A moment as the API takes it.
fn moment(from_now: Duration) -> String {
    (Utc::now() + from_now).to_rfc3339()
}

fn time(value: &Value) -> DateTime<Utc> {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("no time: {value}"))
}

/// Schedules a message that is not refused.
async fn schedule(client: &Client, chat: &str, more: Value) -> Value {
    let mut input = json!({ "chatId": chat, "content": "Good morning", "idempotencyKey": new_key() });
    let fields = input.as_object_mut().expect("an object");
    fields.extend(more.as_object().expect("an object").clone());
    let mut payload = client
        .mutate("scheduleMessage", input, &format!("scheduledMessage {{ {SCHEDULED} }}"))
        .await;
    assert_eq!(payload["errors"], json!([]));
    payload["scheduledMessage"].take()
}

/// What becomes of scheduled messages, as it is told.
async fn watch(client: &Client) -> Subscription {
    let query = format!(
        "subscription {{ events {{ __typename ... on ScheduledMessageChanged {{ scheduledMessage {{ {SCHEDULED} }} }} \
         ... on MessageCreated {{ message {{ content }} }} }} }}"
    );
    let mut stream = client.subscribe(&query, json!({})).await;
    stream.until("StreamReady").await;
    stream
}

/// The next change of a scheduled message that is told.
async fn changed(stream: &mut Subscription) -> Value {
    stream.until("ScheduledMessageChanged").await["scheduledMessage"].take()
}

/// Has what waits become due so many hours ago, as if no server had run since.
async fn overdue(app: &TestApp, scheduled: &Value, hours: i32) {
    let id = uuid(scheduled["id"].as_str().expect("an id"));
    // Nobody may take the job before both are moved.
    let sql = format!(
        "BEGIN; UPDATE scheduled_messages SET next_at = next_at - make_interval(hours => {hours}) WHERE id = '{id}'; \
         UPDATE jobs SET run_at = now() - interval '1 second' WHERE kind = 'chat.schedule' AND payload->>'id' = '{id}'::uuid::text; COMMIT"
    );
    app.sql().await.batch_execute(&sql).await.expect("rows");
    app.app.schedules().wake();
}

/// The texts of a chat.
async fn texts(client: &Client, chat: &str) -> Vec<String> {
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { content } } } }";
    let seen = client.ok(query, json!({ "id": chat })).await;
    let nodes = seen["chat"]["messages"]["nodes"].as_array().expect("messages").clone();
    nodes
        .iter()
        .map(|node| node["content"].as_str().expect("a text").to_owned())
        .collect()
}
