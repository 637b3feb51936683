//! Who leaves a room is told nothing more of it, whatever waits for their streams.

use serde_json::{Value, json};

use super::resume::{burst, sequences};
use super::{follow, mark, until_title};
use crate::harness::app::{TestApp, User, uuid};
use crate::harness::stream::Subscription;
use crate::rooms::{done, group, people};

/// How many events at most are on their way to a client, written already, and cannot be taken back.
const SENT: usize = 20;

/// A stream of somebody's that is live, and has read everything.
async fn live(user: &User) -> Subscription {
    let mut stream = follow(user, None).await;
    mark(user, "here").await;
    until_title(&mut stream, "here").await;
    stream
}

/// Three streams of somebody's in whose room so much is said at once: one reads nothing of it, one is in its midst, and one
/// has read it all.
async fn reading(app: &TestApp, user: &User, chat: &str, count: i64) -> [Subscription; 3] {
    let (lazy, mut slow, mut eager) = (live(user).await, live(user).await, live(user).await);
    burst(app, chat, count).await;
    mark(user, "after").await;
    slow.until("MessageCreated").await;
    until_title(&mut eager, "after").await;
    [lazy, slow, eager]
}

/// What a stream is told until a room was left.
async fn until_removed(stream: &mut Subscription, chat: &str) -> Vec<Value> {
    let mut told = Vec::new();
    loop {
        let event = stream.next().await.expect("an event");
        if event["__typename"] == "ChatRemoved" {
            assert_eq!(event["chatId"], chat);
            return told;
        }
        told.push(event);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_of_a_room_that_was_left_is_not_told() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    // More than waits for one stream: these are cut off.
    let [lazy, slow, mut eager] = reading(&app, &bob, &chat, 300).await;
    done(&ada, "removeMember", json!({ "chatId": chat, "userId": bob.id })).await;
    assert!(until_removed(&mut eager, &chat).await.is_empty());
    for mut stream in [slow, lazy] {
        let told = sequences(&until_removed(&mut stream, &chat).await);
        assert!(told.len() <= SENT, "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_what_waits_when_more_happens_than_is_handed_out() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let [lazy, slow, mut eager] = reading(&app, &bob, &chat, 100).await;
    let removed = "WITH gone AS (DELETE FROM chat_members WHERE chat_id = $1::text::uuid AND user_id = $2::text::uuid), \
          said AS (INSERT INTO events (user_id, kind, payload) VALUES ($2::text::uuid, 'chat.removed', jsonb_build_object('chatId', $1::text::uuid))) \
        INSERT INTO events (chat_id, kind, payload) \
        SELECT $1::text::uuid, 'chat.upserted', jsonb_build_object('chatId', $1::text::uuid) FROM generate_series(1, 2100)";
    let sql = app.sql().await;
    let written = sql.execute(removed, &[&uuid(&chat), &uuid(&bob.id)]).await;
    written.expect("events");
    app.app.log().wake();
    assert!(until_removed(&mut eager, &chat).await.is_empty());
    for mut stream in [slow, lazy] {
        let told = sequences(&until_removed(&mut stream, &chat).await);
        assert!(told.len() <= SENT, "{told:?}");
    }
}
