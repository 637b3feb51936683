//! Transactions commit in another order than they are numbered.
//!
//! ```text
//! raw connection:  begin ── event of A ───────────────────────────── commit
//! the server:               begin ── event of B ── commit
//! subscriber:                        hears of B at once ── reconnects ── hears of A, once
//! ```

use super::{cursor, follow, mark, rename, until_title};
use crate::harness::app::{TestApp, uuid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_transaction_is_neither_waited_for_nor_missed() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let (late, early) = (ada.chat("scripted").await, ada.chat("scripted").await);
    let mut live = follow(&ada, None).await;

    let sql = app.sql().await;
    sql.batch_execute("BEGIN").await.expect("a transaction");
    let insert = "INSERT INTO events (chat_id, kind, payload) VALUES ($1::text::uuid, 'chat.upserted', jsonb_build_object('chatId', $1::text::uuid))";
    sql.execute(insert, &[&uuid(&late)]).await.expect("an event");
    rename(&ada, &early, "early").await;
    let heard = until_title(&mut live, "early").await;
    assert_eq!(heard.len(), 1, "at once, and alone: {heard:#?}");

    let here = cursor(&heard[0]).to_owned();
    let mut resumed = follow(&ada, Some(&here)).await;
    mark(&ada, "later").await;
    assert_eq!(until_title(&mut resumed, "later").await.len(), 1);

    sql.batch_execute("COMMIT").await.expect("a commit");
    let mut fresh = follow(&ada, Some(&here)).await;
    for stream in [&mut live, &mut resumed, &mut fresh] {
        loop {
            let event = stream.next().await.expect("the late one");
            if event["chat"]["id"] == late {
                break;
            }
            assert_eq!(event["chat"]["title"], "later", "{event:#}");
        }
    }
    mark(&ada, "marker").await;
    for stream in [&mut live, &mut resumed, &mut fresh] {
        let rest = until_title(stream, "marker").await;
        assert!(
            rest.iter().all(|event| event["chat"]["id"] != late),
            "exactly once: {rest:#?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_from_before_the_pause_finds_both() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let (late, early) = (ada.chat("scripted").await, ada.chat("scripted").await);
    let sql = app.sql().await;
    sql.batch_execute("BEGIN; SELECT pg_current_xact_id()")
        .await
        .expect("a transaction");
    let snapshot = super::sync_cursor(&ada).await;
    rename(&ada, &early, "early").await;
    let update = "UPDATE chats SET title = 'late' WHERE id = $1::text::uuid";
    sql.execute(update, &[&uuid(&late)]).await.expect("a change");
    let insert = "INSERT INTO events (chat_id, kind, payload) VALUES ($1::text::uuid, 'chat.upserted', jsonb_build_object('chatId', $1::text::uuid))";
    sql.execute(insert, &[&uuid(&late)]).await.expect("an event");
    let between = super::sync_cursor(&ada).await;
    sql.batch_execute("COMMIT").await.expect("a commit");
    let both = until_title(&mut follow(&ada, Some(&snapshot)).await, "late").await;
    assert_eq!(both.len(), 2, "{both:#?}");
    let rest = until_title(&mut follow(&ada, Some(&between)).await, "late").await;
    assert_eq!(rest.len(), 1, "{rest:#?}");
}
