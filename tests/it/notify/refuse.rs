//! What no browser gives is refused, and nothing is sent where it must not go.

use serde_json::json;

use super::browser::{AUTH, PUBLIC, register};
use super::browsers;
use crate::harness::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_public_addresses_are_told_anything() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for endpoint in [
        "http://push.example.com/1",
        "https://localhost/1",
        "https://127.0.0.1/1",
        "https://10.0.0.7/1",
        "https://169.254.169.254/latest",
        "https://[::1]/1",
        "https://[::ffff:10.0.0.7]/1",
        "https://intranet/1",
        "https://printer.local/1",
        "https://user:secret@push.example.com/1",
        "ftp://push.example.com/1",
    ] {
        let input = json!({ "endpoint": endpoint, "p256dh": PUBLIC, "auth": AUTH });
        let refused = ada.mutate("registerPushSubscription", input, "").await;
        assert_eq!(
            refused["errors"][0]["code"], "BASE_URL_NOT_ALLOWED",
            "{endpoint}: {refused}"
        );
        assert_eq!(refused["errors"][0]["field"], json!(["input", "endpoint"]));
        assert!(!refused.to_string().contains("BASE_URLS"), "another setting allows it");
    }
    for (field, value) in [
        ("endpoint", "nonsense".to_owned()),
        ("endpoint", format!("https://push.example.com/{}", "x".repeat(1000))),
        ("p256dh", AUTH.to_owned()),
        ("p256dh", PUBLIC.replace("BCV", "BCW")),
        ("p256dh", "€".to_owned()),
        ("auth", PUBLIC.to_owned()),
        ("auth", String::new()),
    ] {
        let mut input = json!({ "endpoint": "https://push.example.com/1", "p256dh": PUBLIC, "auth": AUTH });
        input[field] = json!(value);
        let refused = ada.mutate("registerPushSubscription", input, "").await;
        assert_eq!(refused["errors"][0]["code"], "INVALID", "{field}: {refused}");
        assert_eq!(refused["errors"][0]["field"], json!(["input", field]));
    }
    assert_eq!(browsers(&ada).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_has_so_many_browsers_and_each_once() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let first = register(&ada, "https://push.example.com/0").await;
    assert_eq!(register(&ada, "https://push.example.com/0").await, first);
    for n in 1..20 {
        register(&ada, &format!("https://push.example.com/{n}")).await;
    }
    let input = json!({ "endpoint": "https://push.example.com/20", "p256dh": PUBLIC, "auth": AUTH });
    let refused = ada.mutate("registerPushSubscription", input, "").await;
    assert_eq!(refused["errors"][0]["code"], "LIMIT_REACHED");
    assert_eq!(browsers(&ada).await, 20);
    let removal = json!({ "pushSubscriptionId": first });
    let theirs = bob.mutate("removePushSubscription", removal.clone(), "").await;
    assert_eq!(theirs["errors"][0]["code"], "NOT_FOUND");
    let fields = "removedPushSubscriptionId";
    assert_eq!(
        ada.mutate("removePushSubscription", removal, fields).await[fields],
        first
    );
    assert_eq!(browsers(&ada).await, 19);
}
