//! Sending: once for good, all or nothing, with the conversation that fits.

mod context;
mod extras;
mod once;
mod refuse;

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp};
use crate::harness::upstream::Upstream;

/// Everything that clients ask of a send.
pub(super) const SENT: &str = "message { id sequence content idempotencyKey } generation { id }";

/// A Parlor whose own key leads to an imitation of OpenAI.
pub(crate) async fn with_upstream() -> (TestApp, Upstream) {
    let upstream = Upstream::start().await;
    let base_url = format!("--openai-base-url={}", upstream.url());
    let app = TestApp::with(&["--openai-api-key=sk-test-0123456789abcdef", &base_url]).await;
    (app, upstream)
}

/// The chat that the server's own key pays for.
pub(crate) async fn plain_chat(client: &Client) -> String {
    let payload = client.mutate("createChat", json!({}), "chat { id }").await;
    payload["chat"]["id"].as_str().expect("an id").to_owned()
}

pub(super) fn input(chat: &str, content: &str, key: &str) -> Value {
    json!({ "chatId": chat, "content": content, "idempotencyKey": key })
}

/// How many rows each table has that a send writes to.
pub(super) async fn rows(app: &TestApp) -> Vec<(&'static str, i64)> {
    let sql = app.sql().await;
    let mut counts = Vec::new();
    for table in ["chats", "chat_members", "messages", "generations", "sends", "events"] {
        let count = sql.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await;
        counts.push((table, count.expect(table).get(0)));
    }
    counts
}
