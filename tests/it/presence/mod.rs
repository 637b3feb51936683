//! Who is here, who types, what assistants do: told at once, to those who may know, and to nobody else.

mod activity;
mod device;
mod invisible;
mod seen;
mod servers;
mod shared;
mod typing;

use serde_json::{Value, json};

use crate::harness::app::{Client, User};
use crate::harness::stream::Subscription;

/// What is told of somebody.
const PRESENCE: &str = "userId status lastSeenAt";

/// Begins to follow whether these people are here; what is told first of each is read.
async fn watch(client: &Client, people: &[&User]) -> (Subscription, Vec<String>) {
    let query = format!("subscription ($ids: [ID!]!) {{ presenceEvents(userIds: $ids) {{ {PRESENCE} }} }}");
    let ids: Vec<&str> = people.iter().map(|user| user.id.as_str()).collect();
    let mut stream = client.subscribe(&query, json!({ "ids": ids })).await;
    let mut first = Vec::new();
    for _ in people {
        first.push(status(&stream.next().await.expect("how it is now")));
    }
    (stream, first)
}

/// Makes somebody be here, with a stream that tells them what happens.
async fn come(client: &Client) -> Subscription {
    let query = "subscription { events { __typename ... on PresenceChanged { presence { userId status lastSeenAt } } \
        ... on TypingChanged { chatId userId isTyping expiresAt user { username } cursor } ... on MessageCreated { message { content } } \
        ... on AssistantActivity { generationId activity cursor } ... on ChatUpserted { chat { title } } ... on ChatRemoved { chatId } } }";
    let mut stream = client.subscribe(query, json!({})).await;
    stream.until("StreamReady").await;
    stream
}

/// The next of what a `presenceEvents` tells, whatever it is.
async fn next(stream: &mut Subscription) -> String {
    status(&stream.next().await.expect("a stream without an end"))
}

/// A presence in a word; gone without a trace, and gone since some moment, are two.
fn status(presence: &Value) -> String {
    let status = presence["status"].as_str().unwrap_or_else(|| panic!("{presence}"));
    match (status, &presence["lastSeenAt"]) {
        ("OFFLINE", Value::String(_)) => "GONE".to_owned(),
        (status, Value::Null) => status.to_owned(),
        (status, _) => panic!("{status} people have not been seen last: {presence}"),
    }
}

/// What somebody sees of another one who asks anew.
async fn seen(client: &Client, user: &User) -> String {
    let query = format!("query ($id: ID!) {{ user(by: {{ id: $id }}) {{ presence {{ {PRESENCE} }} }} }}");
    status(&client.ok(&query, json!({ "id": user.id })).await["user"]["presence"])
}

/// Says how one wants to be seen.
async fn set(client: &Client, input: Value) {
    let payload = client.mutate("setPresence", input, "invisible").await;
    assert_eq!(payload["errors"], json!([]));
}
