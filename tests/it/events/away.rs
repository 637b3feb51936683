//! What Postgres does to streams: it goes away while an event is read, another takes its place, and what a reader was on the
//! way to is removed.

use serde_json::{Value, json};

use super::resume::{burst, sequences};
use super::{EVENT, follow, mark, sync_cursor, until_title};
use crate::harness::app::{TestApp, User};
use crate::harness::database::blocked;
use crate::harness::stream::Subscription;
use crate::rooms::{done, group, people, say};

async fn resync(stream: &mut Subscription, reason: &str) {
    let event = stream.next().await.expect("an event");
    let said = (&event["__typename"], &event["cursor"], &event["reason"]);
    assert_eq!(
        said,
        (&json!("ResyncRequired"), &Value::Null, &json!(reason)),
        "{event}"
    );
    assert_eq!(stream.next().await, None, "the stream completes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_waits_for_postgres_when_a_part_of_it_cannot_be_read() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let query = "subscription { events(ephemeral: false) { __typename ... on MessageCreated { message { content reactions { count } } } } }";
    let mut stream = bob.subscribe(query, json!({})).await;
    stream.next().await.expect("a beginning");
    let (lock, sql) = (app.sql().await, app.sql().await);
    let locked = "BEGIN; LOCK reaction_counts IN ACCESS EXCLUSIVE MODE";
    lock.batch_execute(locked).await.expect("a lock");
    say(&ada, &chat, "Hello").await;
    let outage = async {
        let readers = blocked(&sql, 1, &[]).await;
        let gone = sql
            .execute("SELECT pg_terminate_backend(unnest($1::int[]))", &[&readers])
            .await;
        gone.expect("a connection less");
        blocked(&sql, 1, &readers).await;
        lock.batch_execute("COMMIT").await.expect("an end");
    };
    let (event, ()) = tokio::join!(stream.until("MessageCreated"), outage);
    assert_eq!(event["message"], json!({ "content": "Hello", "reactions": [] }));
    say(&ada, &chat, "Again").await;
    let again = stream.until("MessageCreated").await;
    assert_eq!(again["message"]["content"], "Again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_stream_of_a_log_that_is_no_more_says_so() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut stream = follow(&ada, None).await;
    let moved = "UPDATE event_log SET epoch = gen_random_uuid()";
    app.sql().await.execute(moved, &[]).await.expect("another log");
    // The reader of the log is still in the old one, or it is not.
    let mut new = follow(&ada, None).await;
    resync(&mut stream, "CURSOR_UNKNOWN").await;
    mark(&ada, "there").await;
    assert_eq!(until_title(&mut new, "there").await.len(), 1);
    let cursor = sync_cursor(&ada).await;
    mark(&ada, "then").await;
    assert_eq!(
        until_title(&mut follow(&ada, Some(&cursor)).await, "then").await.len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_finds_another_postgres_begins_a_new_log() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut stream = follow(&ada, None).await;
    mark(&ada, "before").await;
    until_title(&mut stream, "before").await;
    // As after a failover: another timeline, and what was committed last on the old one is not there.
    let moved = "UPDATE event_log SET home = 'elsewhere'";
    app.sql().await.execute(moved, &[]).await.expect("another home");
    mark(&ada, "after").await;
    resync(&mut stream, "CURSOR_UNKNOWN").await;
    let mut new = follow(&ada, None).await;
    mark(&ada, "there").await;
    assert_eq!(until_title(&mut new, "there").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_removed_while_a_reader_is_on_the_way_to_it_is_not_skipped() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted").await;
    let before = sync_cursor(&ada).await;
    burst(&app, &chat, 1_000).await;
    let mut stream = follow(&ada, Some(&before)).await;
    let mut heard = vec![stream.next().await.expect("the first one")];
    let aged = "UPDATE events SET occurred_at = now() - interval '15 days'";
    app.sql().await.execute(aged, &[]).await.expect("older events");
    let mut connection = app.app.connection().await.expect("a connection");
    parlor::event::trim(&mut connection, 14).await.expect("a trim");
    drop(connection);
    let ended = loop {
        let event = stream.next().await.expect("an event");
        if event["__typename"] != "MessageCreated" {
            break event;
        }
        heard.push(event);
    };
    assert_eq!(ended["reason"], "CURSOR_TOO_OLD", "{ended}");
    let heard = sequences(&heard);
    assert!(heard.len() < 1_000, "{}", heard.len());
    assert_eq!(heard, (1..=heard.len() as i64).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_while_a_stream_of_the_chat_begins_is_told() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let (lock, sql) = (app.sql().await, app.sql().await);
    let locked = "BEGIN; LOCK event_log IN ACCESS EXCLUSIVE MODE";
    lock.batch_execute(locked).await.expect("a lock");
    let query = format!("subscription ($id: ID!) {{ chatEvents(chatId: $id, ephemeral: false) {{ {EVENT} }} }}");
    let mut stream = bob.subscribe(&query, json!({ "id": chat })).await;
    let leaving = async {
        blocked(&sql, 1, &[]).await;
        done(&ada, "removeMember", json!({ "chatId": chat, "userId": bob.id })).await;
        lock.batch_execute("COMMIT").await.expect("an end");
    };
    let (answer, ()) = tokio::join!(stream.result(), leaving);
    let answer = answer.expect("an answer");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND", "{answer}");
    assert_eq!(stream.result().await, None);
}
