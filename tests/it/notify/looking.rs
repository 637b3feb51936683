//! A stream says that a device is there, as long as it is, and of no other device.

use std::time::Duration;

use parlor::id::UserId;
use serde_json::json;

use super::browser::register;
use super::{called_for, endpoint, look_again, with_service};
use crate::harness::app::{Client, TestApp};
use crate::harness::stream::Subscription;
use crate::rooms::{group, say};
use crate::titles::until_jobs;

async fn stream(client: &Client) -> Subscription {
    let mut stream = client
        .subscribe("subscription { events { __typename } }", json!({}))
        .await;
    stream.until("StreamReady").await;
    stream
}

/// Waits until it is written down that so many people are here, each with a device.
async fn written_down(app: &TestApp, people: i64) {
    let sql = app.sql().await;
    let here = "SELECT count(*) FROM people_here WHERE cardinality(sessions) > 0";
    let wait = async {
        while sql.query_one(here, &[]).await.expect("a row").get::<_, i64>(0) != people {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait)
        .await
        .unwrap_or_else(|_| panic!("there were never {people} here"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_another_device_is_none_of_this_one() {
    let (app, service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    let phone = bob.sign_in("bob").await;
    register(&phone, &endpoint(&service, "phone")).await;
    let _desk = stream(&bob).await;
    say(&ada, &chat, "Hello").await;
    service.asked(1).await;
    until_jobs(&app, "count = 0").await;
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_dead_swallows_nothing() {
    let (app, service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    register(&bob, &endpoint(&service, "bob")).await;
    let dying = stream(&bob).await;
    let message = say(&ada, &chat, "Hello").await;
    called_for(&app).await;
    until_jobs(&app, "count = 1 AND due > now()").await;
    assert_eq!(service.requests().len(), 0);
    drop(dying);
    let gone = async {
        while app.app.live_sessions().has(UserId::from(bob.id.as_str())) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone)
        .await
        .expect("it is gone");
    look_again(&app).await;
    service.asked(1).await;
    until_jobs(&app, "count = 0").await;

    // What was read meanwhile is no news.
    let dying = stream(&bob).await;
    say(&ada, &chat, "And again").await;
    called_for(&app).await;
    until_jobs(&app, "count = 1 AND due > now()").await;
    drop(dying);
    let last = "query ($id: ID!) { chat(id: $id) { lastMessage { id } } }";
    let last = bob.ok(last, json!({ "id": chat })).await["chat"]["lastMessage"]["id"].take();
    assert_ne!(last, json!(message));
    bob.mutate("markRead", json!({ "chatId": chat, "messageId": last }), "")
        .await;
    look_again(&app).await;
    until_jobs(&app, "count = 0").await;
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_another_server_counts_by_device_too() {
    let (app, service) = with_service().await;
    let other = app.sibling().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    register(&bob, &endpoint(&service, "desk")).await;
    let phone = bob.sign_in("bob").await;
    register(&phone, &endpoint(&service, "phone")).await;
    let there = stream(&other.client_of(&bob)).await;
    written_down(&app, 1).await;
    say(&ada, &chat, "Hello").await;
    service.asked(1).await;
    until_jobs(&app, "count = 1 AND due > now()").await;
    let paths: Vec<String> = service.requests().into_iter().map(|push| push.path).collect();
    assert_eq!(paths, ["/wake/phone"]);
    drop(there);
    written_down(&app, 0).await;
    look_again(&app).await;
    service.asked(2).await;
    until_jobs(&app, "count = 0").await;
}
