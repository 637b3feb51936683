//! Webhooks are kept by whom they belong to, and go to no place of our own network.

use serde_json::{Value, json};

use super::{WEBHOOK, furnished, state};
use crate::harness::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_refused() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for (change, code, field) in [
        (json!({ "url": "nonsense" }), "INVALID", "url"),
        (
            json!({ "url": format!("https://example.com/{}", "x".repeat(2000)) }),
            "INVALID",
            "url",
        ),
        (
            json!({ "url": "http://example.com/hook" }),
            "BASE_URL_NOT_ALLOWED",
            "url",
        ),
        (
            json!({ "url": "https://127.0.0.1/hook" }),
            "BASE_URL_NOT_ALLOWED",
            "url",
        ),
        (
            json!({ "url": "https://169.254.169.254/latest" }),
            "BASE_URL_NOT_ALLOWED",
            "url",
        ),
        (
            json!({ "url": "https://[fd00::1]/hook" }),
            "BASE_URL_NOT_ALLOWED",
            "url",
        ),
        (
            json!({ "url": "https://a:b@example.com/hook" }),
            "BASE_URL_NOT_ALLOWED",
            "url",
        ),
        (json!({ "events": [] }), "REQUIRED", "events"),
        (json!({ "description": "x".repeat(201) }), "TOO_LONG", "description"),
        (json!({ "server": true }), "FORBIDDEN", "server"),
    ] {
        let mut input = json!({ "url": "https://example.com/hook", "events": ["NOTIFICATION"] });
        let fields = input.as_object_mut().expect("an object");
        fields.extend(change.as_object().expect("an object").clone());
        let payload = ada.mutate("createWebhook", input, "webhook { id } secret").await;
        assert_eq!(
            (&payload["webhook"], &payload["secret"]),
            (&Value::Null, &Value::Null),
            "{change}"
        );
        assert_eq!(payload["errors"][0]["code"], code, "{change}: {payload}");
        assert_eq!(
            payload["errors"][0]["field"],
            json!(["input", field]),
            "{change}: {payload}"
        );
    }
    let seen = ada.ok("{ viewer { webhooks { id } } }", json!({})).await;
    assert_eq!(seen["viewer"]["webhooks"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_changed_by_their_keepers_alone_and_their_secret_is_nowhere() {
    let app = TestApp::start().await;
    let (ada, bob, admin) = (app.user("ada").await, app.user("bob").await, app.admin("admin").await);
    let (hook, _) = furnished(&app, &ada).await;
    let fields = format!("webhook {{ {WEBHOOK} }} secret");
    let change = json!({ "webhookId": hook, "description": "Mine", "events": ["CHAT_UPDATED", "CHAT_UPDATED"], "enabled": false });
    for other in [&bob, &admin] {
        let refused = other.mutate("updateWebhook", change.clone(), &fields).await;
        assert_eq!(refused["errors"][0]["code"], "NOT_FOUND");
        assert_eq!(state(other, &hook).await, Value::Null);
    }
    let changed = ada.mutate("updateWebhook", change, &fields).await;
    assert_eq!((&changed["errors"], &changed["secret"]), (&json!([]), &Value::Null));
    let webhook = &changed["webhook"];
    assert_eq!(
        (&webhook["description"], &webhook["events"]),
        (&json!("Mine"), &json!(["CHAT_UPDATED"]))
    );
    assert_eq!(
        (&webhook["enabled"], &webhook["disabledReason"]),
        (&json!(false), &json!("BY_HAND"))
    );
    assert_eq!(*webhook, state(&ada, &hook).await);
    let sealed = "SELECT position('whsec_'::bytea IN sealed) = 0 FROM webhooks";
    let row = app.sql().await.query_one(sealed, &[]).await.expect("a webhook");
    assert!(row.get::<_, bool>(0));
    // The server's own are every administrator's.
    let input = json!({ "url": "https://example.com/hook", "events": ["MESSAGE_CREATED"], "server": true });
    let made = admin.mutate("createWebhook", input, "webhook { id }").await["webhook"]["id"].take();
    let second = app.admin("second").await;
    assert_eq!(state(&second, made.as_str().expect("an id")).await["server"], true);
    assert_eq!(state(&ada, made.as_str().expect("an id")).await, Value::Null);
}
