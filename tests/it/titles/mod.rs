//! Titles of the model's making, and the background jobs that ask for them.

mod clean;
mod given;
mod jobs;

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp};
use crate::harness::stream::Subscription;
use crate::harness::upstream::Upstream;

/// A Parlor that gives titles, whose own key leads to an imitation of OpenAI.
pub(super) async fn with_upstream() -> (TestApp, Upstream) {
    let upstream = Upstream::start().await;
    let base_url = format!("--openai-base-url={}", upstream.url());
    let app = TestApp::with(&["--titles=true", "--openai-api-key=sk-test-0123456789abcdef", &base_url]).await;
    (app, upstream)
}

pub(super) async fn untitled(client: &Client) -> String {
    let payload = client.mutate("createChat", json!({}), "chat { id }").await;
    payload["chat"]["id"].as_str().expect("an id").to_owned()
}

/// The title and who gave it.
pub(crate) async fn title(client: &Client, chat: &str) -> (Value, Value) {
    let query = "query ($id: ID!) { chat(id: $id) { title titleSource } }";
    let chat = client.ok(query, json!({ "id": chat })).await["chat"].take();
    (chat["title"].clone(), chat["titleSource"].clone())
}

/// The events of a chat, from now on.
pub(super) async fn watch(client: &Client, chat: &str) -> Subscription {
    let query = "subscription ($id: ID!) { chatEvents(chatId: $id, ephemeral: false) { __typename ... on ChatUpserted { chat { title titleSource version } } } }";
    let mut stream = client.subscribe(query, json!({ "id": chat })).await;
    assert_eq!(stream.next().await.expect("a beginning")["__typename"], "StreamReady");
    stream
}

/// Waits until a title of the model's making is told of.
pub(super) async fn told(stream: &mut Subscription) -> Value {
    loop {
        let event = stream.until("ChatUpserted").await;
        if event["chat"]["titleSource"] == "MODEL" {
            return event["chat"]["title"].clone();
        }
    }
}

/// Waits until the table of jobs is as the condition says.
pub(crate) async fn until_jobs(app: &TestApp, condition: &str) {
    let sql = app.sql().await;
    let query = format!(
        "SELECT {condition} FROM (SELECT count(*) AS count, max(attempts) AS attempts, max(last_error) AS error, min(run_at) AS due FROM jobs) AS all_jobs"
    );
    let wait = async {
        while !sql
            .query_one(&query, &[])
            .await
            .expect("a row")
            .get::<_, Option<bool>>(0)
            .unwrap_or(false)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), wait)
        .await
        .unwrap_or_else(|_| panic!("jobs never came to {condition}"));
}

pub(crate) async fn answered(client: &Client, chat: &str, content: &str) {
    let generation = client.send(chat, content).await;
    client.generation_events(&generation, None).await.rest().await;
}
