//! Provider keys: they go in, are tried, pay for answers, move to new masters, and do not come out.

mod custody;
mod formats;
mod health;
mod paying;
mod rotation;
mod setting;

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp};
use crate::harness::upstream::Upstream;

const SECRET: &str = "sk-proj-AbCdEfGhIjKlMnOpQrStUvWxa1b2";
const OTHER: &str = "sk-proj-ZyXwVuTsRqPoNmLkJiHgFeDcc3d4";
const SHOWN: &str = "apiKey { id provider label baseUrl hint fingerprint lastUsedAt \
    health { accepted lastVerifiedAt lastErrorCode lastErrorAt } }";

/// A server whose people may send their keys to a fake provider, and that provider.
async fn with_upstream(flags: &[&str]) -> (TestApp, Upstream) {
    let upstream = Upstream::start().await;
    let allow = format!("--base-urls=http://127.0.0.1:{}", upstream.port());
    let flags: Vec<&str> = flags.iter().copied().chain([allow.as_str()]).collect();
    (TestApp::with(&flags).await, upstream)
}

/// Keeps a key without asking anybody.
async fn keep(client: &Client, upstream: &Upstream, secret: &str) -> Value {
    let input = json!({ "provider": "OPENAI", "secret": secret, "baseUrl": upstream.url(), "verify": false });
    let payload = client.mutate("setApiKey", input, SHOWN).await;
    assert_eq!(payload["errors"], json!([]));
    payload["apiKey"].clone()
}

async fn keys(client: &Client) -> Value {
    let query = "{ viewer { apiKeys { id provider hint health { accepted lastErrorCode } } } }";
    client.ok(query, json!({})).await["viewer"]["apiKeys"].clone()
}

/// The one refusal in a payload: its code, its field and its words.
fn refusal(payload: &Value) -> (&str, String, &str) {
    let errors = payload["errors"].as_array().unwrap_or_else(|| panic!("{payload}"));
    assert_eq!(errors.len(), 1, "{payload}");
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
    let path: Vec<String> = errors[0]["field"].as_array().into_iter().flatten().map(text).collect();
    let word = |name: &str| errors[0][name].as_str().unwrap_or_default();
    (word("code"), path.join("."), word("message"))
}

/// A whole table as text.
async fn dump(app: &TestApp, table: &str) -> String {
    let sql = app.sql().await;
    let query = format!("SELECT coalesce(string_agg(row::text, E'\\n'), '') FROM {table} AS row");
    sql.query_one(&query, &[]).await.expect("a table").get(0)
}
