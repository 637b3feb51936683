//! The tree: other versions of questions and answers, the branch that is shown, answers that go on.

mod delete;
mod model;
mod plan;
mod refuse;
mod resume;
mod select;
mod versions;

use serde_json::{Value, json};

use crate::harness::app::{Client, new_key};

/// Answers at once, with one word.
pub(super) const QUICK: &str = "scripted:words=1,first=0,delay=0";

/// What was made: the message's id and the generation's.
pub(super) fn ids(payload: &Value) -> (String, String) {
    assert_eq!(payload["errors"], json!([]), "{payload}");
    let id = |of: &str| {
        payload[of]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{payload}"))
            .to_owned()
    };
    (id("message"), id("generation"))
}

/// Waits for an answer's end.
pub(super) async fn done(client: &Client, generation: &str) {
    let mut stream = client.generation_events(generation, None).await;
    stream.until("GenerationFinished").await;
}

/// Sends, and waits for the answer: the ids of question and answer.
pub(crate) async fn sent(client: &Client, chat: &str, content: &str) -> (String, String) {
    let input = json!({ "chatId": chat, "content": content, "idempotencyKey": new_key() });
    let fields = "message { id } generation { id message { id } }";
    let payload = client.mutate("sendMessage", input, fields).await;
    let (question, generation) = ids(&payload);
    done(client, &generation).await;
    let answer = &payload["generation"]["message"]["id"];
    (question, answer.as_str().expect("an id").to_owned())
}

/// Has an answer made anew, and waits for it: the new one's id.
pub(crate) async fn regenerated(client: &Client, message: &str, model: Option<&str>) -> String {
    let mut input = json!({ "messageId": message, "idempotencyKey": new_key() });
    if let Some(model) = model {
        input["reply"] = json!({ "model": model });
    }
    let payload = client
        .mutate("regenerateMessage", input, "message { id } generation { id }")
        .await;
    let (answer, generation) = ids(&payload);
    done(client, &generation).await;
    answer
}

/// Edits a question, and waits for the answer: the ids of both.
pub(super) async fn edited(client: &Client, message: &str, content: &str) -> (String, String) {
    let input = json!({ "messageId": message, "content": content, "idempotencyKey": new_key() });
    let fields = "message { id } generation { id message { id } }";
    let payload = client.mutate("editMessage", input, fields).await;
    let (question, generation) = ids(&payload);
    done(client, &generation).await;
    let answer = &payload["generation"]["message"]["id"];
    (question, answer.as_str().expect("an id").to_owned())
}

/// Shows a branch: the ids of its messages.
pub(super) async fn selected(client: &Client, message: &str) -> Vec<String> {
    let fields = "chat { messages(last: 100) { nodes { id } } }";
    let payload = client
        .mutate("selectBranch", json!({ "messageId": message }), fields)
        .await;
    assert_eq!(payload["errors"], json!([]));
    list(&payload["chat"]["messages"]["nodes"])
}

/// The ids of the messages that a chat shows.
pub(super) async fn shown(client: &Client, chat: &str) -> Vec<String> {
    let query = "query ($id: ID!) { chat(id: $id) { lastMessage { id } messages(last: 100) { nodes { id active } } } }";
    let seen = client.ok(query, json!({ "id": chat })).await["chat"].take();
    let nodes = &seen["messages"]["nodes"];
    let ids = list(nodes);
    assert!(
        nodes
            .as_array()
            .expect("messages")
            .iter()
            .all(|node| node["active"] == true)
    );
    assert_eq!(seen["lastMessage"]["id"].as_str(), ids.last().map(String::as_str));
    ids
}

/// The ids of some nodes.
pub(super) fn list(nodes: &Value) -> Vec<String> {
    let nodes = nodes.as_array().unwrap_or_else(|| panic!("{nodes}"));
    nodes
        .iter()
        .map(|node| node["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// One message, with these fields.
pub(super) async fn message(client: &Client, id: &str, fields: &str) -> Value {
    let query = format!("query ($id: ID!) {{ message(id: $id) {{ {fields} }} }}");
    client.ok(&query, json!({ "id": id })).await["message"].take()
}
