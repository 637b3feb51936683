//! Whose events: one's own, of the chats that were asked for.

use serde_json::{Value, json};

use super::{EVENT, follow, rename, sync_cursor, until_title};
use crate::harness::app::{Client, TestApp};
use crate::harness::stream::Subscription;

async fn chat_events(client: &Client, chat: &str, after: Option<&str>) -> Subscription {
    let query = format!(
        "subscription ($chat: ID!, $after: String) {{ chatEvents(chatId: $chat, after: $after, ephemeral: false) {{ {EVENT} }} }}"
    );
    client.subscribe(&query, json!({ "chat": chat, "after": after })).await
}

async fn narrowed(client: &Client, chats: &[&str]) -> Subscription {
    let query = format!("subscription ($chats: [ID!]) {{ events(chatIds: $chats, ephemeral: false) {{ {EVENT} }} }}");
    client.subscribe(&query, json!({ "chats": chats })).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chats_stream_is_of_that_chat_alone() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let (one, other) = (
        ada.chat("scripted:words=2,first=0,delay=0").await,
        ada.chat("scripted:words=2,first=0,delay=0").await,
    );
    let start = sync_cursor(&ada).await;
    let mut streams = [
        chat_events(&ada, &one, None).await,
        narrowed(&ada, &[&one]).await,
        chat_events(&ada, &one, Some(&start)).await,
    ];
    for stream in &mut streams {
        assert_eq!(stream.next().await.expect("a beginning")["__typename"], "StreamReady");
    }
    rename(&ada, &other, "not this one").await;
    ada.mutate("updateChat", json!({ "chatId": other, "pinned": true }), "")
        .await;
    let generation = ada.send(&one, "Hello").await;
    ada.generation_events(&generation, None).await.rest().await;
    ada.mutate("updateChat", json!({ "chatId": one, "pinned": true }), "")
        .await;
    ada.mutate("clearHistory", json!({ "chatId": one }), "").await;
    ada.mutate("deleteChat", json!({ "chatId": other }), "").await;
    ada.mutate("deleteChat", json!({ "chatId": one }), "").await;
    for stream in &mut streams {
        let mut about = Vec::new();
        loop {
            let event = stream.next().await.expect("an event");
            let removed = event["__typename"] == "ChatRemoved";
            about.extend(
                [&event["chat"]["id"], &event["chatId"]]
                    .into_iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned),
            );
            if removed {
                break;
            }
        }
        assert!(!about.is_empty() && about.iter().all(|chat| *chat == one), "{about:?}");
    }
    // What is gone can still be caught up with.
    let mut late = chat_events(&ada, &one, Some(&start)).await;
    assert_eq!(late.next().await.expect("a beginning")["__typename"], "StreamReady");
    assert_eq!(late.until("ChatRemoved").await["chatId"], one);
    // What was never one's own, or was gone before, is not waited for.
    let foreign = app.user("bob").await.chat("scripted").await;
    let end = sync_cursor(&ada).await;
    for chat in [&foreign, &one] {
        let mut none = chat_events(&ada, chat, Some(&end)).await;
        assert_eq!(none.next().await.expect("a beginning")["__typename"], "StreamReady");
        let answer = none.result().await.expect("an answer");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND", "{answer}");
        assert_eq!(none.result().await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_hears_of_anothers_chats() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let hers = ada.chat("scripted:words=2,first=0,delay=0").await;
    let his = bob.chat("scripted").await;
    let start = sync_cursor(&bob).await;
    let mut live = follow(&bob, None).await;
    let mut narrow = narrowed(&bob, &[&hers, &his]).await;
    narrow.next().await.expect("a beginning");
    let unknown = "chat_0192f3a0000070008000000000000000";
    let mut answers = Vec::new();
    for chat in [hers.as_str(), unknown, "x"] {
        answers.push(chat_events(&bob, chat, None).await.result().await.expect("an answer"));
    }
    assert_eq!(answers[0]["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    let mut spying = chat_events(&bob, &hers, Some(&start)).await;
    assert_eq!(spying.next().await.expect("a beginning")["__typename"], "StreamReady");

    let generation = ada.send(&hers, "secret").await;
    ada.generation_events(&generation, None).await.rest().await;
    ada.mutate("deleteChat", json!({ "chatId": hers }), "").await;
    rename(&bob, &his, "marker").await;
    for stream in [&mut live, &mut narrow, &mut follow(&bob, Some(&start)).await] {
        assert_eq!(until_title(stream, "marker").await.len(), 1, "his own event alone");
    }
    let ended = spying.result().await.expect("an answer");
    assert_eq!(ended["errors"][0]["extensions"]["code"], "NOT_FOUND", "{ended}");
    assert_eq!(spying.result().await, None);

    let anonymous = app.anonymous();
    let answer = super::subscribe(&anonymous, None)
        .await
        .result()
        .await
        .expect("an answer");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let many: Vec<&str> = vec![unknown; 101];
    let answer = narrowed(&ada, &many).await.result().await.expect("an answer");
    assert_eq!(
        answer["errors"][0]["message"],
        "Name at most 100 chats, or none for all."
    );
}
