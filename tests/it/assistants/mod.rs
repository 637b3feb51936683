//! Assistants: made, changed, shared and deleted; chosen for chats; heard in answers.

mod answering;
mod keeping;
mod sharing;
mod thinking;

use serde_json::{Value, json};

use crate::harness::app::{Client, new_key};

/// The default assistant's id, the same on every server.
pub(super) const DEFAULT: &str = "asst_00000000000070008000000000000001";
/// Everything that can be seen of an assistant.
pub(super) const FIELDS: &str = "id displayName available isDefault avatarUrl description instructions provider model \
    temperature maxOutputTokens reasoningEffort owner { username } visibility version";

pub(super) async fn made(client: &Client, input: Value) -> Value {
    let payload = client
        .mutate("createAssistant", input, &format!("assistant {{ {FIELDS} }}"))
        .await;
    assert_eq!(payload["errors"], json!([]));
    payload["assistant"].clone()
}

pub(super) async fn changed(client: &Client, assistant: &Value, mut input: Value) -> Value {
    input["assistantId"] = assistant["id"].clone();
    let payload = client
        .mutate("updateAssistant", input, &format!("assistant {{ {FIELDS} }}"))
        .await;
    assert_eq!(payload["errors"], json!([]));
    payload["assistant"].clone()
}

/// The names of the assistants that somebody can use.
pub(super) async fn names(client: &Client) -> Vec<String> {
    let answer = client
        .ok("{ viewer { assistants { nodes { displayName } } } }", json!({}))
        .await;
    let nodes = answer["viewer"]["assistants"]["nodes"]
        .as_array()
        .expect("nodes")
        .clone();
    let names = nodes
        .iter()
        .map(|node| node["displayName"].as_str().expect("a name").to_owned());
    names.collect()
}

/// A chat with these assistants.
pub(super) async fn chat_with(client: &Client, assistants: &[&Value], more: Value) -> String {
    let mut input = more;
    input["assistantIds"] = assistants.iter().map(|assistant| assistant["id"].clone()).collect();
    let payload = client.mutate("createChat", input, "chat { id }").await;
    payload["chat"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{payload}"))
        .to_owned()
}

/// Who answers a question there, in whose words and by which model.
pub(super) async fn answer(client: &Client, chat: &str, reply: Value) -> Value {
    let input = json!({ "chatId": chat, "content": "Who are you?", "idempotencyKey": new_key(), "reply": reply });
    let payload = client.mutate("sendMessage", input, "generation { id }").await;
    let generation = payload["generation"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{payload}"));
    client.generation_events(generation, None).await.rest().await;
    let query = "query ($id: ID!) { generation(id: $id) { text provider model finishReason message { author { \
        ... on Assistant { id displayName available instructions } } } } }";
    client.ok(query, json!({ "id": generation })).await["generation"].take()
}

/// The assistants of a chat: name, and whether they can be used.
pub(super) async fn chosen(client: &Client, chat: &str) -> Value {
    let query = "query ($id: ID!) { chat(id: $id) { assistants { displayName available instructions } } }";
    client.ok(query, json!({ "id": chat })).await["chat"]["assistants"].take()
}
