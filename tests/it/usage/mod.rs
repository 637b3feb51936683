//! What answers use and cost, who pays, and when it is enough.

mod budget;
mod cut;
mod lanes;
mod ledger;
mod race;
mod reconciled;
mod report;
mod steps;

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, User, new_key, uuid};
use crate::harness::upstream::Upstream;

const KEY: &str = "sk-proj-AbCdEfGhIjKlMnOpQrStUvWxa1b2";
const SPENT: &str = "id status text usage { inputTokens outputTokens reasoningTokens totalTokens costUsd costState priceVersion } \
    error { code message action retryable }";

/// A server with a key of its own for a fake provider, and an administrator who may have set the prices of its model:
/// one dollar for a million tokens of prompt, ten for a million of answer.
struct House {
    app: TestApp,
    upstream: Upstream,
    admin: User,
}

impl House {
    async fn open() -> House {
        let upstream = Upstream::start().await;
        let url = format!("--openai-base-url={}", upstream.url());
        let key = format!("--openai-api-key={KEY}");
        let allow = format!("--base-urls=http://127.0.0.1:{}", upstream.port());
        let app = TestApp::with(&[&key, &url, &allow, "--openai-model=house-model"]).await;
        let admin = app.admin("admin").await;
        House { app, upstream, admin }
    }

    async fn priced(most_output: Option<i64>) -> House {
        let house = House::open().await;
        let input = json!({
            "provider": "OPENAI", "model": "house-model", "maxOutputTokens": most_output,
            "prices": { "input": "1", "output": "10" },
        });
        let payload = house.admin.mutate("setModel", input, "model { name }").await;
        assert_eq!(payload["errors"], json!([]));
        house
    }

    /// What the server's keys may spend for somebody.
    async fn allow(&self, user: &User, usd: &str) -> Value {
        let input = json!({ "userId": user.id, "limitUsd": usd, "period": "TOTAL" });
        let fields = "budget { scope limitUsd spentUsd reservedUsd leftUsd }";
        let payload = self.admin.mutate("setUserBudget", input, fields).await;
        assert_eq!(payload["errors"], json!([]));
        payload["budget"].clone()
    }

    /// The ledger, oldest first: outcome, error, input, output, cost, state, what is held.
    async fn rows(&self) -> Vec<String> {
        let query = "SELECT format('%s %s %s/%s cost %s %s held %s', coalesce(outcome, 'OPEN'), coalesce(error_code, '-'), input_tokens, \
            output_tokens, coalesce(cost_micro_usd::text, '?'), state, reserved_micro_usd) FROM attempts ORDER BY id";
        let sql = self.app.sql().await;
        let rows = sql.query(query, &[]).await.expect("a ledger");
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// A chat with whichever model is the default.
async fn plain_chat(client: &Client) -> String {
    let payload = client.mutate("createChat", json!({}), "chat { id }").await;
    payload["chat"]["id"].as_str().expect("an id").to_owned()
}

/// The payload of a send, whatever it says.
async fn try_to_send(client: &Client, chat: &str, content: &str) -> Value {
    let input = json!({ "chatId": chat, "content": content, "idempotencyKey": new_key() });
    client.mutate("sendMessage", input, "generation { id }").await
}

/// What an answer came to in the end.
async fn spent(client: &Client, generation: &str) -> Value {
    let query = format!(
        "subscription ($id: ID!) {{ generationEvents(generationId: $id) {{ __typename ... on GenerationFinished {{ generation {{ {SPENT} }} }} }} }}"
    );
    let mut events = client.subscribe(&query, json!({ "id": generation })).await;
    let finished = events.until("GenerationFinished").await["generation"].take();
    let stored = client
        .ok(
            &format!("query ($id: ID!) {{ generation(id: $id) {{ {SPENT} }} }}"),
            json!({ "id": generation }),
        )
        .await["generation"]
        .take();
    assert_eq!(finished, stored, "what was told is what is stored");
    finished
}

async fn budgets(client: &Client) -> Value {
    let query = "{ viewer { budgets { scope limitUsd period spentUsd reservedUsd leftUsd } } }";
    client.ok(query, json!({})).await["viewer"]["budgets"].take()
}

/// What the ledger says of an answer, as the API would put it.
async fn in_the_ledger(app: &TestApp, generation: &str) -> Value {
    let query = "SELECT sum(input_tokens)::bigint, sum(output_tokens)::bigint, sum(reasoning_tokens)::bigint, \
        CASE WHEN count(*) = count(cost_micro_usd) THEN sum(cost_micro_usd)::bigint END, bool_and(ended_at IS NOT NULL) \
        FROM attempts WHERE generation_id = $1::text::uuid";
    let sql = app.sql().await;
    let row = sql.query_one(query, &[&uuid(generation)]).await.expect("sums");
    assert!(row.get::<_, bool>(4), "nothing is left open");
    let cost: Option<i64> = row.get(3);
    json!({
        "inputTokens": row.get::<_, i64>(0),
        "outputTokens": row.get::<_, i64>(1),
        "reasoningTokens": row.get::<_, i64>(2),
        "costUsd": cost.map(|cost| parlor::scalar::Decimal(cost).to_string()),
    })
}

/// Checks that an answer says what the ledger says.
async fn agrees(app: &TestApp, answer: &Value) {
    let told = &answer["usage"];
    let ledger = in_the_ledger(app, answer["id"].as_str().expect("an id")).await;
    for name in ["inputTokens", "outputTokens", "reasoningTokens", "costUsd"] {
        assert_eq!(told[name], ledger[name], "{name} of {answer}");
    }
}
