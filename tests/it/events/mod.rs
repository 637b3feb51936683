//! The event log as clients follow it: no gap, ever; no repeat but the same change again.

mod apart;
mod away;
mod cursor;
mod law;
mod leaving;
mod paused;
mod resume;
mod scope;

use serde_json::{Value, json};

use crate::harness::app::Client;
use crate::harness::stream::Subscription;

/// What tells one event from another.
pub(super) const EVENT: &str = "__typename cursor occurredAt ... on StreamReady { resumed } ... on ResyncRequired { reason } \
    ... on ChatUpserted { chat { id title version } } ... on ChatRemoved { chatId } \
    ... on HistoryCleared { chatId throughSequence } \
    ... on BranchChanged { afterSequence chat { id } } \
    ... on MessageCreated { message { id sequence } } ... on MessageUpdated { message { id version } changed }";

/// Everything of one's own, from a cursor or from now; the stream's first event is read.
pub(super) async fn follow(client: &Client, after: Option<&str>) -> Subscription {
    let mut stream = subscribe(client, after).await;
    let ready = stream.next().await.expect("a beginning");
    assert_eq!(
        (&ready["__typename"], &ready["resumed"]),
        (&json!("StreamReady"), &json!(after.is_some())),
        "{ready}"
    );
    assert!(ready["cursor"].is_string());
    stream
}

pub(super) async fn subscribe(client: &Client, after: Option<&str>) -> Subscription {
    let query = format!("subscription ($after: String) {{ events(after: $after, ephemeral: false) {{ {EVENT} }} }}");
    client.subscribe(&query, json!({ "after": after })).await
}

pub(super) async fn sync_cursor(client: &Client) -> String {
    let answer = client.ok("{ viewer { syncCursor } }", json!({})).await;
    answer["viewer"]["syncCursor"].as_str().expect("a cursor").to_owned()
}

pub(super) async fn rename(client: &Client, chat: &str, title: &str) {
    let payload = client
        .mutate("updateChat", json!({ "chatId": chat, "title": title }), "")
        .await;
    assert_eq!(payload["errors"], json!([]));
}

/// Makes a chat whose one event says that everything before it has come: things are shown as they are now, so a new
/// title may be seen on an older event.
pub(super) async fn mark(client: &Client, title: &str) {
    let payload = client.mutate("createChat", json!({ "title": title }), "").await;
    assert_eq!(payload["errors"], json!([]));
}

/// The events until the chat with this title appears, that one included.
pub(super) async fn until_title(stream: &mut Subscription, title: &str) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let event = stream.next().await;
        let event = event.unwrap_or_else(|| panic!("the stream ended after {:?}", events.last()));
        let found = event["chat"]["title"] == title;
        events.push(event);
        if found {
            return events;
        }
    }
}

pub(super) fn cursor(event: &Value) -> &str {
    event["cursor"].as_str().expect("a cursor")
}

/// An event without its cursor, which may be put in several ways.
pub(super) fn bare(events: &[Value]) -> Vec<Value> {
    let mut events = events.to_vec();
    for event in &mut events {
        event.as_object_mut().expect("an event").remove("cursor");
    }
    events
}
