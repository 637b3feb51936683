//! Cursors that cannot be continued: an answer, never silence.

use chrono::Utc;
use parlor::event::{self, Cursor, Position, Snapshot};
use serde_json::{Value, json};

use super::{follow, rename, subscribe, sync_cursor, until_title};
use crate::harness::app::{Client, TestApp};

/// The one event of a stream that begins here, and its end.
async fn refused(client: &Client, after: &str) -> Value {
    let mut stream = subscribe(client, Some(after)).await;
    let event = stream.next().await.expect("an answer");
    assert_eq!(event["__typename"], "ResyncRequired", "{event}");
    assert_eq!(event["cursor"], Value::Null);
    assert_eq!(stream.next().await, None, "the stream completes");
    event["reason"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_a_bad_input() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let good: Cursor = sync_cursor(&ada).await.parse().expect("a cursor");
    let good = good.to_string();
    for bad in [
        "",
        "garbage",
        "MQ",
        "eyJhIjoxfQ==",
        "💥",
        &good[1..],
        &good[..good.len() / 2],
        &format!("{good}x"),
        &"A".repeat(9_000),
    ] {
        let answer = subscribe(&ada, Some(bad)).await.result().await.expect("an answer");
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{bad:?}: {answer}"
        );
        let message = "This is not a cursor of this stream. Use `viewer.syncCursor` or the `cursor` of an event.";
        assert_eq!(answer["errors"][0]["message"], message);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cursors_of_another_log_or_another_time_are_unknown() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let good: Cursor = sync_cursor(&ada).await.parse().expect("a cursor");
    let foreign = Cursor {
        epoch: uuid::Uuid::now_v7(),
        ..good.clone()
    };
    let future = Snapshot {
        xmin: good.position.seen.xmin,
        xmax: good.position.seen.xmax + 1_000_000,
        running: Vec::new(),
    };
    let ahead = Cursor {
        position: Position::at(future.clone()),
        ..good.clone()
    };
    let halfway = Cursor {
        position: Position {
            then: Some((future, 1)),
            ..good.position.clone()
        },
        ..good.clone()
    };
    for cursor in [foreign, ahead, halfway] {
        assert_eq!(refused(&ada, &cursor.to_string()).await, "CURSOR_UNKNOWN");
    }
    let moved = "UPDATE event_log SET epoch = gen_random_uuid()";
    app.sql().await.execute(moved, &[]).await.expect("another log");
    assert_eq!(refused(&ada, &good.to_string()).await, "CURSOR_UNKNOWN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_older_than_the_log_is_too_old() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted").await;
    let before = sync_cursor(&ada).await;
    rename(&ada, &chat, "long ago").await;
    let after = sync_cursor(&ada).await;
    let trim = async || {
        let mut connection = app.app.connection().await.expect("a connection");
        event::trim(&mut connection, 14).await.expect("a trim");
    };
    trim().await;
    let kept = until_title(&mut follow(&ada, Some(&before)).await, "long ago").await;
    assert_eq!(kept.len(), 1, "what is young stays");

    let aged = "UPDATE events SET occurred_at = now() - interval '15 days'";
    app.sql().await.execute(aged, &[]).await.expect("older events");
    trim().await;
    assert_eq!(refused(&ada, &before).await, "CURSOR_TOO_OLD");
    let mut stream = follow(&ada, Some(&after)).await;
    rename(&ada, &chat, "today").await;
    let event = until_title(&mut stream, "today").await.remove(0);
    let at: chrono::DateTime<Utc> = event["occurredAt"].as_str().expect("a time").parse().expect("a time");
    assert!((Utc::now() - at).num_seconds() < 60);
    trim().await;
    assert_eq!(
        until_title(&mut follow(&ada, Some(&after)).await, "today").await.len(),
        1
    );
    assert_eq!(
        json!(refused(&ada, &before).await),
        "CURSOR_TOO_OLD",
        "it stays too old"
    );
}
