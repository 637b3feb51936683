//! One's sessions: seen, ended one by one or all at once, and ended by a new password.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::{alive, ended, follow, refusal, refused};
use crate::harness::app::{Client, PASSWORD, TestApp};

async fn revoke(client: &Client, id: &str) -> Value {
    let input = json!({ "sessionId": id });
    client.mutate("revokeSession", input, "revokedSessionId").await
}

async fn log_out(client: &Client, everywhere: bool) -> Value {
    let payload = client
        .mutate("logout", json!({ "everywhere": everywhere }), "endedSessions")
        .await;
    payload["endedSessions"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_listed_newest_first() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let second = app.anonymous().at("203.0.113.9").sign_in("ada").await;
    app.user("bob").await;
    let query = "{ viewer { sessions { id current address userAgent } } }";
    let seen = second.ok(query, json!({})).await;
    assert_json_snapshot!(seen, { ".viewer.sessions[].id" => "[id]" }, @r#"
    {
      "viewer": {
        "sessions": [
          {
            "address": "203.0.113.9",
            "current": true,
            "id": "[id]",
            "userAgent": null
          },
          {
            "address": "127.0.0.1",
            "current": false,
            "id": "[id]",
            "userAgent": null
          }
        ]
      }
    }
    "#);
    assert_eq!(seen["viewer"]["sessions"][1]["id"], ada.session_id().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_can_be_ended_from_another_but_nobody_elses() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let lost = app.anonymous().sign_in("ada").await;
    let (mut kept, mut cut) = (follow(&ada).await, follow(&lost).await);

    let absent = revoke(&ada, "ses_01234567012370123456789abcdef012").await;
    assert_eq!(refusal(&absent), refused("NOT_FOUND", "input.sessionId"));
    for id in [bob.session_id().await.as_str(), ada.id.as_str(), "", "ses_", "\u{202e}"] {
        assert_eq!(revoke(&ada, id).await, absent, "{id}");
    }
    assert_eq!(bob.whoami().await, "bob");

    let id = lost.session_id().await;
    assert_eq!(revoke(&ada, &id).await["revokedSessionId"], json!(id));
    ended(&mut cut).await;
    assert_eq!(lost.whoami().await, Value::Null);
    assert_eq!(revoke(&ada, &id).await, absent, "once is enough");
    alive(&ada, &mut kept).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_here_and_everywhere() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let (second, third) = (
        app.anonymous().sign_in("ada").await,
        app.anonymous().sign_in("ada").await,
    );
    let (mut here, mut there, mut theirs) = (follow(&ada).await, follow(&second).await, follow(&bob).await);

    assert_eq!(log_out(&ada, false).await, 1);
    ended(&mut here).await;
    assert_eq!((ada.whoami().await, second.whoami().await), (Value::Null, json!("ada")));
    alive(&second, &mut there).await;

    assert_eq!(log_out(&third, true).await, 2);
    ended(&mut there).await;
    assert_eq!(
        (second.whoami().await, third.whoami().await),
        (Value::Null, Value::Null)
    );
    alive(&bob, &mut theirs).await;
}

async fn change(client: &Client, current: &str, new: &str) -> Value {
    let input = json!({ "currentPassword": current, "newPassword": new });
    client.mutate("changePassword", input, "changed").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_ends_all_others() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let second = app.anonymous().sign_in("ada").await;
    let (mut here, mut there) = (follow(&ada).await, follow(&second).await);
    let new = "nine slow badgers hum";

    for (current, wanted, code, field) in [
        ("not the password", new, "WRONG_CREDENTIALS", "input.currentPassword"),
        (PASSWORD, "short", "TOO_SHORT", "input.newPassword"),
        (PASSWORD, "password1", "WEAK_PASSWORD", "input.newPassword"),
        (PASSWORD, &"x".repeat(129), "TOO_LONG", "input.newPassword"),
    ] {
        let payload = change(&ada, current, wanted).await;
        assert_eq!(refusal(&payload), refused(code, field));
        assert_eq!(payload["changed"], false);
    }
    assert_eq!(second.whoami().await, "ada", "nothing has changed");

    assert_eq!(
        change(&ada, PASSWORD, new).await,
        json!({ "changed": true, "errors": [] })
    );
    ended(&mut there).await;
    assert_eq!(second.whoami().await, Value::Null);
    alive(&ada, &mut here).await;
    let former = app.anonymous().login("ada", PASSWORD).await;
    assert_eq!(refusal(&former), refused("WRONG_CREDENTIALS", "input.password"));
    assert!(app.anonymous().login("ada", new).await["tokens"].is_object());
}
