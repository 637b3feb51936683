//! Resuming: from every cursor of a run, exactly the rest.

use serde_json::{Value, json};

use super::{bare, cursor, follow, mark, rename, sync_cursor, until_title};
use crate::harness::app::{TestApp, uuid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cursor_resumes_exactly() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let start = sync_cursor(&ada).await;
    let mut live = follow(&ada, None).await;
    let chat = ada.chat("scripted:words=3,first=0,delay=0").await;
    for number in 0..3 {
        let generation = ada.send(&chat, &format!("question {number}")).await;
        ada.generation_events(&generation, None).await.rest().await;
        rename(&ada, &chat, &format!("title {number}")).await;
    }
    ada.mutate("updateChat", json!({ "chatId": chat, "pinned": true }), "")
        .await;
    let last = ada
        .mutate("createChat", json!({ "title": "last" }), "chat { id }")
        .await;
    let lived = until_title(&mut live, "last").await;
    let replayed = until_title(&mut follow(&ada, Some(&start)).await, "last").await;
    assert!(replayed.len() > 15);
    // Live events were shown as things were then; which ones came, and when they happened, is the same.
    let named = |events: &[Value]| -> Vec<(Value, Value, Value)> {
        events
            .iter()
            .map(|event| {
                (
                    event["__typename"].clone(),
                    event["message"]["id"].clone(),
                    event["occurredAt"].clone(),
                )
            })
            .collect()
    };
    assert_eq!(named(&lived), named(&replayed));

    for run in [&lived, &replayed] {
        for (index, event) in run.iter().enumerate().rev().skip(1) {
            let rest = until_title(&mut follow(&ada, Some(cursor(event))).await, "last").await;
            assert_eq!(bare(&rest), bare(&replayed)[index + 1..], "from the event at {index}");
        }
    }
    // From the very last one there is nothing but what is new.
    let mut end = follow(&ada, Some(cursor(lived.last().expect("an event")))).await;
    rename(&ada, last["chat"]["id"].as_str().expect("an id"), "after all").await;
    assert_eq!(until_title(&mut end, "after all").await.len(), 1);
}

/// Writes `count` messages and their events in one transaction.
pub(super) async fn burst(app: &TestApp, chat: &str, count: i64) {
    let insert = "WITH new AS (INSERT INTO messages (id, chat_id, sequence, role, content) \
          SELECT gen_random_uuid(), chats.id, last_sequence + n, 'USER', 'message' FROM chats, generate_series(1, $2::bigint) AS n \
          WHERE chats.id = $1::text::uuid RETURNING id, chat_id, sequence), \
        counted AS (UPDATE chats SET last_sequence = last_sequence + $2 WHERE id = $1::text::uuid) \
        INSERT INTO events (chat_id, kind, payload) SELECT chat_id, 'message.created', jsonb_build_object('chatId', chat_id, 'messageId', id) \
        FROM new ORDER BY sequence";
    app.sql()
        .await
        .execute(insert, &[&uuid(chat), &count])
        .await
        .expect("a burst");
    app.app.log().wake();
}

/// The numbers of the messages in these events.
pub(super) fn sequences(events: &[Value]) -> Vec<i64> {
    events
        .iter()
        .filter_map(|event| event["message"]["sequence"].as_i64())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_loses_nothing_and_is_resumed_in_its_middle() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted").await;
    // More than waits for one stream: who was cut off by it goes on with what was handed out lately. Then more than is
    // handed out at all: one reads along, one has read nothing so far, and both read the log.
    let mut eager = follow(&ada, None).await;
    let mut lazy = follow(&ada, None).await;
    burst(&app, &chat, 300).await;
    mark(&ada, "first").await;
    let mut heard = until_title(&mut eager, "first").await;
    burst(&app, &chat, 2_100).await;
    mark(&ada, "second").await;
    let (rest, all_at_once) = tokio::join!(until_title(&mut eager, "second"), until_title(&mut lazy, "second"));
    heard.extend(rest);
    heard.retain(|event| event["message"].is_object());
    let all: Vec<i64> = (1..=2_400).collect();
    assert_eq!(sequences(&heard), all);
    assert_eq!(sequences(&all_at_once), all);
    // More than one read of the log fetches, from positions around the borders of reads.
    for index in [0, 199, 200, 999, 1_589] {
        let mut stream = follow(&ada, Some(cursor(&heard[index]))).await;
        let mut rest = Vec::new();
        while sequences(&rest).len() < 210 {
            rest.push(stream.next().await.expect("an event"));
        }
        assert_eq!(
            sequences(&rest),
            all[index + 1..index + 211],
            "from the event at {index}"
        );
    }
    let late = cursor(&heard[2_300]).to_owned();
    let rest = until_title(&mut follow(&ada, Some(&late)).await, "second").await;
    assert_eq!(sequences(&rest), sequences(&heard[2_301..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_server_does_arrives_and_cursors_are_good_everywhere() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let sibling = app.sibling().await;
    let elsewhere = sibling.client_of(&ada);
    let chat = ada.chat("scripted:words=3,first=0,delay=0").await;
    let (mut here, mut there) = (follow(&ada, None).await, follow(&elsewhere, None).await);
    mark(&elsewhere, "from there").await;
    let heard = until_title(&mut here, "from there").await;
    until_title(&mut there, "from there").await;
    let generation = ada.send(&chat, "Hello").await;
    ada.generation_events(&generation, None).await.rest().await;
    mark(&ada, "from here").await;
    let rest = until_title(&mut there, "from here").await;
    assert_eq!(rest.len(), 6, "{rest:#?}");
    let resumed = until_title(&mut follow(&elsewhere, Some(cursor(&heard[0]))).await, "from here").await;
    assert_eq!(resumed.len(), 6, "{resumed:#?}");
}
