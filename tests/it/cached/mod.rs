//! The cache of answers: the same question of the same person gets the same answer, at once and for nothing, and nothing
//! else does.

mod asked;
mod served;
mod whole;

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, User, new_key};
use crate::harness::upstream::{Reply, Upstream};

const KEY: &str = "sk-proj-AbCdEfGhIjKlMnOpQrStUvWxa1b2";
const ON: &str = "--answer-cache-seconds=600";
const TOLD: &str = "id status text reasoning cached finishReason tokensPerSecond message { id content } \
    usage { inputTokens outputTokens reasoningTokens totalTokens costUsd costState } error { code }";

/// A server with a key for a fake provider, and somebody who asks.
struct Room {
    app: TestApp,
    upstream: Upstream,
    ada: User,
}

impl Room {
    /// One with a cache.
    async fn open() -> Room {
        Room::with(&[ON]).await
    }

    async fn with(flags: &[&str]) -> Room {
        let upstream = Upstream::start().await;
        let url = format!("--openai-base-url={}", upstream.url());
        let key = format!("--openai-api-key={KEY}");
        let allow = format!("--base-urls=http://127.0.0.1:{}", upstream.port());
        let mut all = vec![key.as_str(), &url, &allow, "--openai-model=house-model"];
        all.extend(flags);
        let app = TestApp::with(&all).await;
        let ada = app.user("ada").await;
        Room { app, upstream, ada }
    }

    /// The same where `Hello?` was answered with `first` already, and `second` is what comes next.
    async fn after_hello() -> Room {
        let room = Room::open().await;
        room.upstream
            .script([Reply::says(&["first"]), Reply::says(&["second"])]);
        let first = hello(&room.ada).await;
        assert_eq!((&first["text"], &first["cached"]), (&json!("first"), &json!(false)));
        room
    }

    /// How often the provider was asked.
    fn requests(&self) -> usize {
        self.upstream.requests().len()
    }

    async fn sql(&self, statement: &str) {
        self.app.sql().await.batch_execute(statement).await.expect(statement);
    }

    /// How many answers are kept.
    async fn kept(&self) -> i64 {
        let sql = self.app.sql().await;
        let row = sql.query_one("SELECT count(*) FROM cached_answers", &[]).await;
        row.expect("a count").get(0)
    }
}

/// A chat made with these wishes.
async fn chat(client: &Client, input: Value) -> String {
    let payload = client.mutate("createChat", input, "chat { id }").await;
    let id = payload["chat"]["id"].as_str();
    id.unwrap_or_else(|| panic!("{payload}")).to_owned()
}

/// What came of asking this there, with these options.
async fn asked(client: &Client, chat: &str, question: &str, reply: Value) -> Value {
    let input = json!({ "chatId": chat, "content": question, "idempotencyKey": new_key(), "reply": reply });
    let payload = client.mutate("sendMessage", input, "generation { id }").await;
    let id = payload["generation"]["id"].as_str();
    told(client, id.unwrap_or_else(|| panic!("{payload}"))).await
}

/// What an answer came to in the end.
async fn told(client: &Client, id: &str) -> Value {
    let query = format!(
        "subscription ($id: ID!) {{ generationEvents(generationId: $id) {{ __typename ... on GenerationFinished {{ generation {{ {TOLD} }} }} }} }}"
    );
    let mut events = client.subscribe(&query, json!({ "id": id })).await;
    let finished = events.until("GenerationFinished").await["generation"].take();
    let query = format!("query ($id: ID!) {{ generation(id: $id) {{ {TOLD} }} }}");
    let stored = client.ok(&query, json!({ "id": id })).await["generation"].take();
    assert_eq!(finished, stored, "what was told is what is stored");
    finished
}

/// What comes of `Hello?` in a new chat.
async fn hello(client: &Client) -> Value {
    let chat = chat(client, json!({})).await;
    asked(client, &chat, "Hello?", Value::Null).await
}
