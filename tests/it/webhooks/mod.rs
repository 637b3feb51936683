//! Other services are told of what happens: all of it, signed, and nowhere but where they said.

mod bounds;
mod keeping;
mod told;
mod trouble;

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, User, uuid};
use crate::harness::upstream::{Seen, Upstream};

/// What the API says of a webhook.
const WEBHOOK: &str = "id url description events server enabled disabledReason failingSince version";

/// An app that may tell a service of this machine, and that service.
async fn with_service() -> (TestApp, Upstream) {
    let service = Upstream::start().await;
    let allowed = format!("--notify-urls=http://127.0.0.1:{}", service.port());
    (TestApp::with(&[&allowed]).await, service)
}

/// Makes a webhook that is told of these; gives its id and its secret.
async fn hook(client: &Client, service: &Upstream, events: &[&str], server: bool) -> (String, String) {
    let url = format!("http://127.0.0.1:{}/hook", service.port());
    let input = json!({ "url": url, "events": events, "server": server });
    let payload = client.mutate("createWebhook", input, "webhook { id } secret").await;
    assert_eq!(payload["errors"], json!([]));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&payload["webhook"]["id"]), text(&payload["secret"]))
}

/// A webhook of somebody's with something that was delivered to it, put there by hand.
pub(crate) async fn furnished(app: &TestApp, owner: &User) -> (String, String) {
    let input = json!({ "url": "https://hooks.example.com/owner", "events": ["NOTIFICATION"] });
    let made = owner.mutate("createWebhook", input, "webhook { id }").await;
    let hook = made["webhook"]["id"].as_str().expect("an id").to_owned();
    let delivery = "INSERT INTO webhook_deliveries (webhook_id, kind, payload, state) \
        VALUES ($1::text::uuid, 'NOTIFICATION', '{}', 'FAILED') RETURNING replace(id::text, '-', '')";
    let sql = app.sql().await;
    let row = sql.query_one(delivery, &[&uuid(&hook)]).await.expect("a row");
    (hook, format!("hookmsg_{}", row.get::<_, String>(0)))
}

/// What a webhook was told, after its signature was checked as its keeper would.
fn verified(secret: &str, seen: &Seen) -> Value {
    let headers = seen.headers.iter().filter(|(name, _)| name.starts_with("webhook-"));
    let headers = headers.map(|(name, value)| {
        let name: http::HeaderName = name.parse().expect("a name");
        (name, value.parse().expect("a value"))
    });
    let keeper = standardwebhooks::Webhook::new(secret).expect("a secret");
    keeper.verify(&seen.bytes, &headers.collect()).expect("signed with it");
    seen.body.clone()
}

/// The deliveries of a webhook of the viewer's, newest first.
async fn deliveries(client: &Client, hook: &str) -> Vec<Value> {
    let query = "query ($id: ID!) { node(id: $id) { ... on Webhook { deliveries { nodes { id event state attempts responseStatus error finishedAt } } } } }";
    let seen = client.ok(query, json!({ "id": hook })).await;
    seen["node"]["deliveries"]["nodes"]
        .as_array()
        .expect("deliveries")
        .clone()
}

/// A webhook as its keeper sees it.
async fn state(client: &Client, hook: &str) -> Value {
    let query = format!("query ($id: ID!) {{ node(id: $id) {{ ... on Webhook {{ {WEBHOOK} }} }} }}");
    client.ok(&query, json!({ "id": hook })).await["node"].take()
}

/// Waits until the first attempts came to this, and the rest of what is to be delivered is put off.
async fn put_off(app: &TestApp, condition: &str) {
    let sql = app.sql().await;
    let query = format!("SELECT count(*) > 0 FROM webhook_deliveries WHERE {condition}");
    let wait = async {
        while !sql.query_one(&query, &[]).await.expect("a row").get::<_, bool>(0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), wait)
        .await
        .unwrap_or_else(|_| panic!("deliveries never came to {condition}"));
    crate::titles::until_jobs(app, "count = 1 AND due > now()").await;
}

/// Has everything that waits be due, after `also` was done to the database.
async fn due(app: &TestApp, also: &str) {
    let now =
        format!("BEGIN; {also}; UPDATE webhook_deliveries SET next_at = now(); UPDATE jobs SET run_at = now(); COMMIT");
    app.sql().await.batch_execute(&now).await.expect("rows");
    app.app.deliveries().wake();
}
