//! Who sees whom.

use serde_json::{Value, json};

use super::{come, next, seen, status, watch};
use crate::harness::app::{TestApp, User};
use crate::rooms::{done, group, people};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_see_who_added_them_and_members_see_each_other() {
    let app = TestApp::start().await;
    let [ada, friend, admirer, stranger, member]: [User; 5] =
        people(&app, ["ada", "friend", "admirer", "stranger", "member"]).await;
    done(&ada, "addContact", json!({ "userId": friend.id })).await;
    done(&admirer, "addContact", json!({ "userId": ada.id })).await;
    group(&ada, &[&member]).await;
    let _here = come(&ada).await;
    let (mut own, _) = watch(&ada, &[&ada]).await;
    while seen(&ada, &ada).await != "ONLINE" {
        next(&mut own).await;
    }
    for (who, user, expected) in [
        ("friend", &friend, "ONLINE"),
        ("member", &member, "ONLINE"),
        ("admirer", &admirer, "OFFLINE"),
        ("stranger", &stranger, "OFFLINE"),
    ] {
        assert_eq!(seen(user, &ada).await, expected, "{who}");
        let (_, first) = watch(user, &[&ada]).await;
        assert_eq!(first, [expected], "{who}");
    }
    let nobody = json!({ "ids": ["user_00000000000000000000000000000001"] });
    let query = "subscription ($ids: [ID!]!) { presenceEvents(userIds: $ids) { status lastSeenAt } }";
    let first = stranger.subscribe(query, nobody).await.next().await;
    assert_eq!(status(&first.expect("an answer")), "OFFLINE", "as of anybody else");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_know_is_told_and_nobody_else() {
    let app = TestApp::start().await;
    let [ada, bob, eve]: [User; 3] = people(&app, ["ada", "bob", "eve"]).await;
    let chat = group(&ada, &[&bob]).await;
    let mut told = come(&bob).await;
    let (mut spy, _) = watch(&eve, &[&ada, &eve]).await;
    let mut all = come(&eve).await;
    let query =
        "subscription ($ids: [ID!]) { events(chatIds: $ids) { __typename ... on ChatUpserted { chat { title } } } }";
    let mut narrowed = bob.subscribe(query, json!({ "ids": [chat] })).await;
    narrowed.until("StreamReady").await;
    let here = come(&ada).await;
    loop {
        let presence = told.until("PresenceChanged").await["presence"].take();
        if presence["userId"] == json!(ada.id) {
            assert_eq!(status(&presence), "ONLINE");
            break;
        }
    }
    drop(here);
    loop {
        let presence = told.until("PresenceChanged").await["presence"].take();
        if presence["userId"] == json!(ada.id) {
            assert_eq!(status(&presence), "GONE");
            break;
        }
    }
    // Whatever was told of Ada was told before these.
    done(&ada, "updateChat", json!({ "chatId": chat, "title": "The end" })).await;
    loop {
        let event = narrowed.next().await.expect("an event");
        assert_ne!(event["__typename"], "PresenceChanged", "a stream of some chats");
        if event["chat"]["title"] == "The end" {
            break;
        }
    }
    done(&eve, "createChat", json!({ "title": "the end" })).await;
    loop {
        let event = all.next().await.expect("an event");
        assert_ne!(event["presence"]["userId"], json!(ada.id), "{event}");
        if event["chat"]["title"] == "the end" {
            break;
        }
    }
    drop(all);
    let told: Value = spy.next().await.expect("of herself");
    assert_eq!(told["userId"], json!(eve.id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_hides_both_at_once_and_its_end_shows_them_again() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    group(&ada, &[&bob]).await;
    let (_ada_here, _bob_here) = (come(&ada).await, come(&bob).await);
    let (mut hers, _) = watch(&ada, &[&bob]).await;
    let (mut his, _) = watch(&bob, &[&ada]).await;
    while seen(&ada, &bob).await != "ONLINE" {
        next(&mut hers).await;
    }
    while seen(&bob, &ada).await != "ONLINE" {
        next(&mut his).await;
    }
    done(&ada, "blockUser", json!({ "userId": bob.id })).await;
    // What was told while it was waited for may come before.
    while next(&mut hers).await != "OFFLINE" {}
    while next(&mut his).await != "OFFLINE" {}
    assert_eq!(
        (seen(&ada, &bob).await, seen(&bob, &ada).await),
        ("OFFLINE".into(), "OFFLINE".into())
    );
    done(&ada, "unblockUser", json!({ "userId": bob.id })).await;
    assert_eq!(
        (next(&mut hers).await, next(&mut his).await),
        ("ONLINE".into(), "ONLINE".into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_about_a_hundred_people_at_most() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let query = "subscription ($ids: [ID!]!) { presenceEvents(userIds: $ids) { status } }";
    for (many, code) in [(100, Value::Null), (101, json!("BAD_USER_INPUT"))] {
        let ids = vec![ada.id.clone(); many];
        let answer = ada.subscribe(query, json!({ "ids": ids })).await.result().await;
        assert_eq!(answer.expect("an answer")["errors"][0]["extensions"]["code"], code);
    }
}
