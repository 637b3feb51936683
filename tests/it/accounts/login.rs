//! Signing in: one answer for whoever may not, and no way to keep out who may.

use futures_util::future::join_all;
use parlor::id::UserId;
use serde_json::{Value, json};

use super::{refusal, refused};
use crate::harness::app::{Client, PASSWORD, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_name_or_address_in_any_case() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let input = json!({ "username": "Ada.L", "email": "Ärger@Example.com", "password": PASSWORD });
    let made = nobody.mutate("register", input, "viewer { id }").await;
    assert_eq!(made["errors"], json!([]));
    for identifier in [
        "Ada.L",
        "ada.l",
        " ADA.L ",
        "Ärger@Example.com",
        "ärger@example.com",
        "ÄRGER@EXAMPLE.COM",
    ] {
        let payload = nobody.login(identifier, PASSWORD).await;
        assert_eq!(
            payload["viewer"]["user"]["username"], "Ada.L",
            "{identifier}: {payload}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let app = TestApp::start().await;
    let (ada, root) = (app.user("ada").await, app.admin("root").await);
    let nobody = app.anonymous();
    let wrong = "not the password";
    let expected = nobody.login("ada", wrong).await;
    assert_eq!(refusal(&expected), refused("WRONG_CREDENTIALS", "input.password"));
    let endless = "a".repeat(10_000);
    for identifier in ["nobody", "nobody@example.com", "", "a\u{202e}da", &endless, "%", "ad_"] {
        assert_eq!(nobody.login(identifier, wrong).await, expected);
    }
    assert_eq!(nobody.login("ada", "").await, expected);

    let input = json!({ "userId": ada.id, "active": false });
    root.mutate("setUserActive", input, "user { active }").await;
    assert_eq!(
        nobody.login("ada", wrong).await,
        expected,
        "deactivation is no secret's business"
    );
    let barred = nobody.login("ada", PASSWORD).await;
    assert_eq!(refusal(&barred), refused("ACCOUNT_DEACTIVATED", "input.identifier"));
    assert_eq!(barred["tokens"], Value::Null);

    let log = "SELECT target, address, detail::text FROM audit_log WHERE action = 'login.failed' ORDER BY id";
    let rows = app.sql().await.query(log, &[]).await.expect("the log");
    let targets: Vec<Option<String>> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        targets.iter().flatten().collect::<Vec<_>>(),
        [&ada.id, &ada.id, &ada.id]
    );
    assert_eq!(targets.len(), 10);
    assert!(
        rows.iter()
            .all(|row| row.get::<_, &str>(1) == "127.0.0.1" && row.get::<_, &str>(2) == "{}")
    );
}

/// The answer to an attempt that is not even made.
async fn throttled(client: &Client, identifier: &str) -> bool {
    let query = "mutation ($input: LoginInput!) { login(input: $input) { errors { code } } }";
    let input = json!({ "identifier": identifier, "password": "not the password" });
    let answer = client.run(query, json!({ "input": input })).await;
    let extensions = &answer["errors"][0]["extensions"];
    if extensions["code"] == "RATE_LIMITED" {
        assert!(
            extensions["retryAfter"]
                .as_u64()
                .is_some_and(|seconds| (1..=60).contains(&seconds))
        );
    }
    extensions["code"] == "RATE_LIMITED"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_slowed_down_and_locks_nobody_out() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let stranger = app.anonymous().at("203.0.113.9");
    let attempts = join_all((0..14).map(|_| throttled(&stranger, "ada"))).await;
    let stopped = attempts.iter().filter(|stopped| **stopped).count();
    assert!(
        (3..=4).contains(&stopped),
        "ten go through, one more after a while: {attempts:?}"
    );
    assert!(throttled(&stranger, "ADA").await, "another case is the same name");

    // A crowd of addresses, each of which has its own ten attempts.
    let user_id = UserId::from(ada.id.as_str());
    while app.app.throttle().stranger(user_id).is_ok() {}
    assert!(throttled(&app.anonymous().at("198.51.100.7"), "ada").await);
    assert!(
        !throttled(&app.anonymous().at("198.51.100.7"), "bob").await,
        "others are not touched"
    );
    assert_eq!(
        app.anonymous().sign_in("ada").await.whoami().await,
        "ada",
        "the owner's address is known"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_of_a_provider_is_one_address() {
    let app = TestApp::start().await;
    let throttle = app.app.throttle();
    let address = |text: &str| text.parse().expect("an address");
    for last in 0..10 {
        throttle
            .login("ada", address(&format!("2001:db8:1:2::{last}")))
            .expect("ten go through");
    }
    throttle
        .login("ada", address("2001:db8:1:2:ffff::1"))
        .expect_err("the same /64");
    throttle.login("ada", address("2001:db8:1:3::1")).expect("another /64");
}
