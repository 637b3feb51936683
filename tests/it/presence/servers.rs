//! Presence over several servers, some of which die.

use serde_json::json;

use super::{come, next, seen, set, watch};
use crate::crash::on_database;
use crate::harness::app::{TestApp, User};
use crate::rooms::{group, people};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_tell_each_other_and_devices_count_wherever_they_are() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let other = app.sibling().await;
    let elsewhere = other.client_of(&ada);
    let (mut stream, first) = watch(&bob, &[&ada]).await;
    assert_eq!(first, ["OFFLINE"]);
    let there = come(&elsewhere).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    // The device is connected there, and says it here.
    set(&ada, json!({ "away": true })).await;
    assert_eq!(next(&mut stream).await, "AWAY");
    let laptop = app.anonymous().second_device("ada").await;
    let here = come(&laptop).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    drop(here);
    assert_eq!(next(&mut stream).await, "AWAY");
    assert_eq!(seen(&other.client_of(&bob), &ada).await, "AWAY");
    let mut told = come(&bob).await;
    let typing = json!({ "chatId": chat, "isTyping": true });
    elsewhere.mutate("setTyping", typing, "").await;
    assert_eq!(told.until("TypingChanged").await["userId"], json!(ada.id));
    let query = "query ($id: ID!) { chat(id: $id) { typing { username } } }";
    let typing = bob.ok(query, json!({ "id": chat })).await;
    assert_eq!(typing["chat"]["typing"], json!([{ "username": "ada" }]));
    drop(there);
    assert_eq!(next(&mut stream).await, "GONE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_says_who_was_there() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    group(&ada, &[&bob]).await;
    let other = app.sibling().await;
    let (mut stream, _) = watch(&bob, &[&ada]).await;
    let _there = come(&other.client_of(&ada)).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    other.app.stop().await;
    assert_eq!(next(&mut stream).await, "GONE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_is_buried_with_its_people() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    group(&ada, &[&bob]).await;
    let process = on_database(&app, &[]).await;
    let (mut stream, _) = watch(&bob, &[&ada]).await;
    let mut remote = process.client();
    remote.token.clone_from(&ada.token);
    let there = come(&remote).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    process.kill().await;
    drop(there);
    // Its lease runs out by itself; nobody needs to wait for it here.
    let sql = app.sql().await;
    let lease = "UPDATE nodes SET expires_at = now() - interval '1 second' WHERE id = (SELECT node_id FROM people_here WHERE user_id = $1::text::uuid)";
    let id = crate::harness::app::uuid(&ada.id);
    assert_eq!(sql.execute(lease, &[&id]).await.expect("its lease"), 1);
    assert_ne!(seen(&bob, &ada).await, "ONLINE", "nobody is where no server is");
    assert_eq!(next(&mut stream).await, "GONE");
    let left: i64 = sql
        .query_one("SELECT count(*) FROM nodes", &[])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(left, 1, "it is buried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_taken_for_dead_says_again_who_is_here() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    group(&ada, &[&bob]).await;
    let other = app.sibling().await;
    let (mut stream, _) = watch(&bob, &[&ada]).await;
    let _there = come(&other.client_of(&ada)).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    // As after a crash of Postgres, too: what is not in the write-ahead log is empty then.
    let sql = app.sql().await;
    sql.batch_execute("TRUNCATE nodes, people_here")
        .await
        .expect("empty tables");
    // Whether anybody looked before they said it again is chance.
    let mut told = next(&mut stream).await;
    if told == "GONE" {
        told = next(&mut stream).await;
    }
    assert_eq!(told, "ONLINE");
    assert_eq!(seen(&bob, &ada).await, "ONLINE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_said_while_a_server_heard_nothing_is_told_afterwards() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    group(&ada, &[&bob]).await;
    let other = app.sibling().await;
    let elsewhere = other.client_of(&ada);
    let (mut stream, _) = watch(&bob, &[&ada]).await;
    let _there = come(&elsewhere).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    // As when Postgres restarts: a connection that listened is opened again a second later.
    let sql = app.sql().await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(sql.query(cut, &[]).await.expect("its connections").len(), 2);
    set(&elsewhere, json!({ "away": true })).await;
    assert_eq!(next(&mut stream).await, "AWAY");
}
