//! What webhooks are told.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{deliveries, hook, verified, with_service};
use crate::notify::called_for;
use crate::rooms::{done, group, say};
use crate::titles::until_jobs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_told_of_their_own_chats_and_signed_for() {
    let (app, service) = with_service().await;
    let (ada, bob, cyd) = (app.user("ada").await, app.user("bob").await, app.user("cyd").await);
    let (hook, secret) = hook(&bob, &service, &["MESSAGE_CREATED"], false).await;
    assert!(secret.starts_with("whsec_"));
    let (ours, theirs) = (group(&ada, &[&bob]).await, group(&ada, &[&cyd]).await);
    say(&ada, &theirs, "Not for bob").await;
    let message = say(&ada, &ours, "For bob").await;
    called_for(&app).await;
    until_jobs(&app, "count = 0").await;
    let told: Vec<Value> = service.requests().iter().map(|seen| verified(&secret, seen)).collect();
    // What happened to the group is a message, too.
    let said: Vec<&Value> = told.iter().filter(|told| told["data"]["role"] == "USER").collect();
    assert_eq!(said.len(), 1, "{told:#?}");
    assert_eq!(said[0]["type"], "message.created");
    let data = &said[0]["data"];
    assert_eq!(
        (&data["id"], &data["chatId"], &data["content"]),
        (&json!(message), &json!(ours), &json!("For bob"))
    );
    assert_eq!((&data["authorId"], &data["truncated"]), (&json!(ada.id), &json!(false)));
    let log = deliveries(&bob, &hook).await;
    assert_eq!(log.len(), told.len());
    for delivery in &log {
        assert_eq!(
            (&delivery["state"], &delivery["attempts"]),
            (&json!("DELIVERED"), &json!(1))
        );
        assert_eq!(
            (&delivery["responseStatus"], &delivery["error"]),
            (&json!(200), &Value::Null)
        );
        let sent = service
            .requests()
            .iter()
            .filter(|seen| delivery["id"] == seen.headers["webhook-id"])
            .count();
        assert_eq!(sent, 1, "each has an id of its own");
    }
    done(&bob, "leaveChat", json!({ "chatId": ours })).await;
    let before = service.requests().len();
    say(&ada, &ours, "Without bob").await;
    called_for(&app).await;
    until_jobs(&app, "count = 0").await;
    assert!(
        !service.requests()[before..]
            .iter()
            .any(|seen| seen.body["data"]["content"] == "Without bob")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_told_of_all_and_of_who_is_to_be_notified() {
    let (app, service) = with_service().await;
    let (ada, bob, admin) = (app.user("ada").await, app.user("bob").await, app.admin("admin").await);
    let chat = group(&ada, &[&bob]).await;
    let muted = group(&ada, &[&bob]).await;
    done(&bob, "updateChat", json!({ "chatId": muted, "notifications": "NONE" })).await;
    let (_, secret) = hook(&admin, &service, &["NOTIFICATION"], true).await;
    say(&ada, &muted, "To nobody").await;
    say(&ada, &chat, "Hello, bob").await;
    called_for(&app).await;
    until_jobs(&app, "count = 0").await;
    let requests = service.requests();
    assert_eq!(requests.len(), 1, "one person, one message");
    let told = verified(&secret, &requests[0]);
    assert_eq!(
        (&told["type"], &told["data"]["userId"]),
        (&json!("notification"), &json!(bob.id))
    );
    assert_eq!(
        (&told["data"]["title"], &told["data"]["body"]),
        (&json!("ada · Painters"), &json!("Hello, bob"))
    );
    let log = admin
        .ok(
            "{ admin { webhooks { server events } auditLog { nodes { action } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        log["admin"]["webhooks"],
        json!([{ "server": true, "events": ["NOTIFICATION"] }])
    );
    assert_eq!(log["admin"]["auditLog"]["nodes"][0]["action"], "webhook.created");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_servers_tell_everything_once() {
    let (app, service) = with_service().await;
    let (_second, _third) = (app.sibling().await, app.sibling().await);
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    let (hook, secret) = hook(&bob, &service, &["MESSAGE_CREATED", "CHAT_UPDATED"], false).await;
    let sends = (0..8).map(|turn| say(&ada, &chat, if turn % 2 == 0 { "even" } else { "odd" }).boxed());
    let mut expected: Vec<String> = futures_util::future::join_all(sends).await;
    called_for(&app).await;
    until_jobs(&app, "count = 0").await;
    let told: Vec<Value> = service.requests().iter().map(|seen| verified(&secret, seen)).collect();
    let created = told.iter().filter(|told| told["type"] == "message.created");
    let mut created: Vec<String> = created
        .map(|told| told["data"]["id"].as_str().expect("an id").to_owned())
        .collect();
    created.sort();
    expected.sort();
    assert_eq!(created, expected);
    let chats = told.iter().filter(|told| told["type"] == "chat.updated");
    assert!(chats.clone().count() == 8 && chats.clone().all(|told| told["data"]["id"] == chat));
    assert_eq!(deliveries(&bob, &hook).await.len(), 16);
}
