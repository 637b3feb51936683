//! Leaving groups: somebody is always the owner, and with the last one it is gone.

use serde_json::json;

use super::{done, group, notes, people, roster, say, texts};
use crate::chats::refused;
use crate::harness::app::{TestApp, User, uuid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_hands_over_to_the_oldest_moderator_or_member() {
    let app = TestApp::start().await;
    let [ada, bob, cyd, dan] = people(&app, ["ada", "bob", "cyd", "dan"]).await;
    let chat = group(&ada, &[&bob]).await;
    for newcomer in [&dan, &cyd] {
        done(&ada, "addMembers", json!({ "chatId": chat, "userIds": [newcomer.id] })).await;
    }
    done(
        &ada,
        "setMemberRole",
        json!({ "chatId": chat, "userId": cyd.id, "role": "MODERATOR" }),
    )
    .await;
    say(&ada, &chat, "I go.").await;
    let left = ada.mutate("leaveChat", json!({ "chatId": chat }), "leftChatId").await;
    assert_eq!(left["leftChatId"], chat.as_str());
    assert_eq!(texts(&ada, &chat).await, None);
    assert_eq!(roster(&bob, &chat).await, ["bob MEMBER", "dan MEMBER", "cyd OWNER"]);
    insta::assert_json_snapshot!(notes(&bob, &chat).await[4..], @r#"
    [
      {
        "author": {
          "username": "ada"
        },
        "content": "ada left.",
        "role": "SYSTEM",
        "system": {
          "details": [],
          "kind": "MEMBER_LEFT",
          "role": null,
          "subject": {
            "username": "ada"
          }
        }
      },
      {
        "author": {
          "username": "ada"
        },
        "content": "ada made cyd the owner.",
        "role": "SYSTEM",
        "system": {
          "details": [],
          "kind": "ROLE_CHANGED",
          "role": "OWNER",
          "subject": {
            "username": "cyd"
          }
        }
      }
    ]
    "#);
    // Deleting a group is leaving it.
    done(&cyd, "deleteChat", json!({ "chatId": chat })).await;
    assert_eq!(
        roster(&bob, &chat).await,
        ["bob OWNER", "dan MEMBER"],
        "the one who is there longest"
    );
    done(&dan, "leaveChat", json!({ "chatId": chat })).await;
    assert_eq!(roster(&bob, &chat).await, ["bob OWNER"]);
    done(&bob, "leaveChat", json!({ "chatId": chat })).await;
    let rows = app.sql().await;
    let rows = rows
        .query("SELECT FROM chats WHERE id = $1::text::uuid", &[&uuid(&chat)])
        .await;
    assert!(rows.expect("rows").is_empty(), "the last one's leave deletes it");
}

/// Keeps somebody out until an administrator lets them in again.
async fn deactivate(app: &TestApp, user: &User) {
    let bar = "UPDATE users SET deactivated_at = now() WHERE id = $1::text::uuid";
    let barred = app.sql().await.execute(bar, &[&uuid(&user.id)]).await;
    assert_eq!(barred.expect("a row"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_to_nobody_who_is_deactivated_while_others_are_there() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob, &cyd]).await;
    let give = |user: &User, role: &str| json!({ "chatId": chat, "userId": user.id, "role": role });
    done(&ada, "setMemberRole", give(&bob, "MODERATOR")).await;
    deactivate(&app, &bob).await;
    let refusal = refused(&ada, "setMemberRole", give(&bob, "OWNER")).await;
    assert_eq!(
        (refusal[0].0.as_str(), refusal[0].1.as_str()),
        ("INVALID_STATE", "input.userId")
    );
    done(&ada, "setMemberRole", give(&bob, "MEMBER")).await;
    done(&ada, "setMemberRole", give(&bob, "MODERATOR")).await;
    done(&ada, "leaveChat", json!({ "chatId": chat })).await;
    assert_eq!(roster(&cyd, &chat).await, ["bob MODERATOR", "cyd OWNER"]);
    // It waits for those who may come back.
    done(&cyd, "leaveChat", json!({ "chatId": chat })).await;
    let back = "UPDATE users SET deactivated_at = NULL";
    app.sql().await.batch_execute(back).await.expect("rows");
    let bob = app.anonymous().second_device("bob").await;
    assert_eq!(roster(&bob, &chat).await, ["bob OWNER"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_may_leave_at_once() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob, &cyd]).await;
    let leave = |client: &crate::harness::app::Client| {
        let client = client.clone();
        let input = json!({ "chatId": chat });
        async move { client.mutate("leaveChat", input, "").await }
    };
    let (one, two, three) = tokio::join!(leave(&ada), leave(&bob), leave(&cyd));
    for payload in [one, two, three] {
        assert_eq!(payload["errors"], json!([]));
    }
    let count = app
        .sql()
        .await
        .query_one("SELECT count(*) FROM chats WHERE kind = 'GROUP'", &[])
        .await;
    assert_eq!(count.expect("a count").get::<_, i64>(0), 0);
}
