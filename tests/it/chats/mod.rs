//! Chats: made once, found again, changed, put away, cleared and deleted.

mod create;
mod list;
mod refuse;
mod talk;

use serde_json::{Value, json};

use crate::harness::app::Client;

/// A script that is over at once.
pub(super) const QUICK: &str = "scripted:words=4,first=0,delay=0";

pub(super) async fn made(client: &Client, input: Value) -> Value {
    let payload = client
        .mutate("createChat", input, "chat { id title model version isDefault }")
        .await;
    assert_eq!(payload["errors"], json!([]));
    payload["chat"].clone()
}

/// The code, path and words of each refusal.
pub(crate) async fn refused(client: &Client, mutation: &str, input: Value) -> Vec<(String, String, String)> {
    let payload = client.mutate(mutation, input, "").await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let path = |field: &Value| {
        field
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .collect::<Vec<_>>()
            .join(".")
    };
    let errors = payload["errors"].as_array().expect("errors").clone();
    assert!(!errors.is_empty(), "{mutation} was not refused");
    errors
        .iter()
        .map(|error| (text(&error["code"]), path(&error["field"]), text(&error["message"])))
        .collect()
}

pub(crate) fn refusal(code: &str, path: &str, message: &str) -> Vec<(String, String, String)> {
    vec![(code.to_owned(), path.to_owned(), message.to_owned())]
}

pub(super) async fn look(client: &Client, chat: &str) -> Value {
    let query = "query ($id: ID!) { chat(id: $id) { title version lastMessage { role content } \
        viewerState { unreadCount lastReadSequence pinned archived } messages { nodes { id sequence } } } }";
    client.ok(query, json!({ "id": chat })).await["chat"].take()
}

/// The titles of a page, and its page info.
pub(super) async fn page(client: &Client, arguments: &str) -> (Vec<String>, Value) {
    let query = format!(
        "{{ viewer {{ chats({arguments}) {{ nodes {{ title }} edges {{ cursor }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
    );
    let mut answer = client.ok(&query, json!({})).await;
    let page = answer["viewer"]["chats"].take();
    let nodes = page["nodes"].as_array().expect("nodes");
    let titles = nodes
        .iter()
        .map(|node| node["title"].as_str().unwrap_or("-").to_owned());
    (titles.collect(), page["pageInfo"].clone())
}

pub(super) async fn titles(client: &Client, filter: &str) -> Vec<String> {
    page(client, &format!("filter: {{{filter}}}")).await.0
}

pub(super) async fn answered(client: &Client, chat: &str, content: &str) {
    let generation = client.send(chat, content).await;
    client.generation_events(&generation, None).await.rest().await;
}
