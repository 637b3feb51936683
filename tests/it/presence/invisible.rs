//! Whoever is invisible looks like somebody who was never here, until they show themselves.

use serde_json::{Value, json};

use super::{come, next, seen, set, watch};
use crate::harness::app::{TestApp, User};
use crate::rooms::{group, people, say};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_invisible_come_and_go_unseen() {
    let app = TestApp::start().await;
    let [ada, bob, cyd]: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    group(&ada, &[&bob, &cyd]).await;
    let (mut stream, _) = watch(&bob, &[&ada, &cyd]).await;
    let here = come(&ada).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    set(&ada, json!({ "invisible": true })).await;
    assert_eq!(next(&mut stream).await, "OFFLINE", "not when she was last seen, either");
    assert_eq!(seen(&bob, &ada).await, "OFFLINE");
    let (mut own, first) = watch(&ada, &[&ada]).await;
    assert_eq!(first, ["ONLINE"], "but she sees herself");
    // She goes and comes back; the next that Bob is told is of somebody else.
    drop(here);
    set(&ada, json!({ "away": true })).await;
    assert_eq!(next(&mut own).await, "AWAY");
    let _hers = come(&cyd).await;
    let told: Value = stream.next().await.expect("of Cyd");
    assert_eq!(told["userId"], json!(cyd.id));
    let mode = "{ viewer { invisible } }";
    let kept = app.anonymous().second_device("ada").await.ok(mode, json!({})).await;
    assert_eq!(kept["viewer"]["invisible"], true, "it is the account's");
    set(&ada, json!({ "invisible": false })).await;
    assert_eq!(next(&mut stream).await, "AWAY");
    assert_eq!(seen(&bob, &ada).await, "AWAY");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_their_device_has_a_message_is_not_told() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&bob, &[&ada]).await;
    set(&ada, json!({ "invisible": true })).await;
    let mut told = come(&ada).await;
    let status = async |message: &str| {
        app.app.receipts().flush(&app.app).await.expect("receipts");
        let query = "query ($id: ID!) { message(id: $id) { status } }";
        bob.ok(query, json!({ "id": message })).await["message"]["status"].take()
    };
    let first = say(&bob, &chat, "Are you there?").await;
    told.until("MessageCreated").await;
    assert_eq!(status(&first).await, "SENT");
    ada.mutate("markRead", json!({ "chatId": chat, "messageId": first }), "")
        .await;
    assert_eq!(status(&first).await, "READ", "she says so herself");
    set(&ada, json!({ "invisible": false })).await;
    let second = say(&bob, &chat, "There you are.").await;
    told.until("MessageCreated").await;
    assert_eq!(status(&second).await, "DELIVERED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_unseen_is_not_seen_later() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    group(&ada, &[&bob]).await;
    set(&ada, json!({ "invisible": true })).await;
    let (mut own, _) = watch(&ada, &[&ada]).await;
    let second = app.anonymous().second_device("ada").await;
    set(&ada, json!({ "away": true })).await;
    while next(&mut own).await != "AWAY" {}
    drop(own);
    let (mut watching, _) = watch(&second, &[&ada]).await;
    // Of her first device, when it has gone, while this one is here.
    while next(&mut watching).await != "ONLINE" {}
    drop(watching);
    let sql = app.sql().await;
    let left = async || {
        let left = sql.query_one("SELECT count(*) FROM people_here", &[]).await;
        left.expect("a count").get::<_, i64>(0)
    };
    while left().await > 0 {}
    set(&ada, json!({ "invisible": false })).await;
    assert_eq!(seen(&bob, &ada).await, "OFFLINE", "never seen");
}
