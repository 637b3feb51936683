//! Presence is one over a person's devices.

use serde_json::json;

use super::{come, next, seen, set, watch};
use crate::harness::app::{TestApp, User};
use crate::rooms::{group, people};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_in_use_makes_online_and_the_last_to_leave_offline() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    group(&ada, &[&bob]).await;
    let (mut stream, first) = watch(&bob, &[&ada]).await;
    assert_eq!(first, ["OFFLINE"]);
    let phone = come(&ada).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    set(&ada, json!({ "away": true })).await;
    assert_eq!(next(&mut stream).await, "AWAY");
    let laptop_client = app.anonymous().second_device("ada").await;
    let laptop = come(&laptop_client).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    assert_eq!(seen(&bob, &ada).await, "ONLINE");
    drop(laptop);
    assert_eq!(next(&mut stream).await, "AWAY");
    set(&ada, json!({ "away": false })).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    drop(phone);
    assert_eq!(next(&mut stream).await, "GONE");
    assert_eq!(seen(&bob, &ada).await, "GONE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_stream_makes_somebody_be_here_and_others_do_not() {
    let app = TestApp::start().await;
    let [ada, bob, cyd, dan]: [User; 4] = people(&app, ["ada", "bob", "cyd", "dan"]).await;
    let chat = group(&ada, &[&bob, &cyd, &dan]).await;
    let (mut stream, _) = watch(&dan, &[&ada, &bob, &cyd]).await;
    let query = "subscription ($id: ID!) { chatEvents(chatId: $id, ephemeral: false) { __typename } }";
    let _hers = ada.subscribe(query, json!({ "id": chat })).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    let (_his, _) = watch(&bob, &[&ada]).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
    // What somebody asks is no sign of it.
    cyd.ok("{ viewer { id } }", json!({})).await;
    assert_eq!(seen(&dan, &cyd).await, "OFFLINE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_not_connected_is_not_away_later() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    group(&ada, &[&bob]).await;
    let (mut stream, _) = watch(&bob, &[&ada, &bob]).await;
    assert_eq!(next(&mut stream).await, "ONLINE", "Bob");
    set(&ada, json!({ "away": true })).await;
    set(&bob, json!({ "away": true })).await;
    // When this was heard, so was what came before it.
    assert_eq!(next(&mut stream).await, "AWAY", "Bob");
    let _here = come(&ada).await;
    assert_eq!(next(&mut stream).await, "ONLINE");
}

#[test]
fn a_cable_that_is_pulled_is_noticed_in_time() {
    let settings = parlor::server::doors::DoorSettings::default();
    // Silent since just after one ping, dropped at the second after it; then two seconds of grace.
    let longest = 2 * settings.ping_every + std::time::Duration::from_secs(3);
    assert!(longest < std::time::Duration::from_secs(30), "{longest:?}");
}
