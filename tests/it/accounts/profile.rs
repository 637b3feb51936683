//! What people say about themselves.

use serde_json::{Value, json};

use super::{refusal, refused};
use crate::harness::app::{Client, TestApp};

async fn update(client: &Client, input: Value) -> Value {
    client.mutate("updateProfile", input, "user { displayName bio }").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_away_stays() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let payload = update(
        &ada,
        json!({ "displayName": "  Ada 👩‍💻 ", "bio": "Poetical\nscience \u{202e}." }),
    )
    .await;
    let both = json!({ "displayName": "Ada 👩‍💻", "bio": "Poetical\nscience \u{202e}." });
    assert_eq!(payload["user"], both);
    assert_eq!(update(&ada, json!({})).await["user"], both);
    let payload = update(&ada, json!({ "bio": "" })).await;
    assert_eq!(payload["user"], json!({ "displayName": "Ada 👩‍💻", "bio": null }));

    let bob = app.user("bob").await;
    let query = "query ($name: String!) { user(by: { username: $name }) { displayName bio } }";
    let seen = bob.ok(query, json!({ "name": "ADA" })).await;
    assert_eq!(seen["user"], payload["user"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_values_are_refused_by_name() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let endless = "a".repeat(10_000);
    for (field, code, value) in [
        ("displayName", "REQUIRED", " "),
        ("displayName", "TOO_LONG", &endless),
        ("displayName", "INVALID", "Ada\u{2066}"),
        ("bio", "TOO_LONG", &endless),
    ] {
        let payload = update(&ada, json!({ field: value })).await;
        assert_eq!(refusal(&payload), refused(code, &format!("input.{field}")));
        assert_eq!(payload["user"], Value::Null);
    }
    let mixed = update(&ada, json!({ "displayName": "Countess", "bio": endless })).await;
    assert_eq!(refusal(&mixed), refused("TOO_LONG", "input.bio"));
    let seen = ada.ok("{ viewer { user { displayName bio } } }", json!({})).await;
    assert_eq!(
        seen["viewer"]["user"],
        json!({ "displayName": "ada", "bio": null }),
        "nothing half-written"
    );
}
