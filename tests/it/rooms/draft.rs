//! Drafts: on all devices of one person, for nobody else, until they are sent.

use serde_json::{Value, json};

use super::{done, group, hold, people, say, unread};
use crate::chats::refused;
use crate::generation::soon;
use crate::harness::app::{Client, TestApp, User};
use crate::tree;

const QUICK: &str = "scripted:words=1,first=0,delay=0";

/// What somebody has begun to write in a chat, and its version.
async fn draft(client: &Client, chat: &str) -> (Value, i64) {
    let query = "query ($id: ID!) { chat(id: $id) { viewerState { draftVersion draft { text replyTo { id } } } } }";
    let mut seen = client.ok(query, json!({ "id": chat })).await;
    let state = seen["chat"]["viewerState"].take();
    (
        state["draft"].clone(),
        state["draftVersion"].as_i64().expect("a number"),
    )
}

fn text(text: &str) -> Value {
    json!({ "text": text, "replyTo": null })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_is_on_every_device_of_its_writer_alone() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let phone = app.anonymous().second_device("ada").await;
    let chat = group(&ada, &[&bob]).await;
    let question = say(&bob, &chat, "When?").await;
    let query = "subscription { events { __typename ... on ChatUpserted { chat { viewerState { draft { text replyTo { id } } } } } } }";
    let (mut hers, mut his) = (
        phone.subscribe(query, json!({})).await,
        bob.subscribe(query, json!({})).await,
    );
    for stream in [&mut hers, &mut his] {
        assert_eq!(stream.next().await.expect("an event")["__typename"], "StreamReady");
    }
    let input = json!({ "chatId": chat, "text": "At no", "replyToId": question });
    let fields = "chat { viewerState { draft { text updatedAt } } }";
    let saved = ada.mutate("saveDraft", input.clone(), fields).await;
    let again = ada.mutate("saveDraft", input, fields).await;
    assert_eq!(
        (&saved["errors"], &saved),
        (&json!([]), &again),
        "the same is no change"
    );
    let begun = json!({ "text": "At no", "replyTo": { "id": question } });
    assert_eq!(hers.until("ChatUpserted").await["chat"]["viewerState"]["draft"], begun);
    assert_eq!(draft(&phone, &chat).await, (begun, 1));
    assert_eq!(draft(&bob, &chat).await, (Value::Null, 1), "what he has sent counts");
    // The first that he is told of is what comes after it.
    done(&ada, "updateChat", json!({ "chatId": chat, "title": "Lunch" })).await;
    assert_eq!(
        his.until("ChatUpserted").await["chat"]["viewerState"]["draft"],
        Value::Null
    );
    done(&phone, "saveDraft", json!({ "chatId": chat, "text": " " })).await;
    assert_eq!(draft(&ada, &chat).await, (Value::Null, 2));
    done(
        &phone,
        "saveDraft",
        json!({ "chatId": chat, "text": "", "replyToId": question }),
    )
    .await;
    done(&bob, "deleteMessage", json!({ "messageId": question })).await;
    assert_eq!(
        draft(&ada, &chat).await.0["replyTo"]["id"],
        question,
        "it leads to the tombstone"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sending_ends_it_and_nothing_brings_it_back() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let room = group(&ada, &[&bob]).await;
    done(&ada, "saveDraft", json!({ "chatId": room, "text": "At noo" })).await;
    say(&bob, &room, "Well?").await;
    done(&ada, "updateChat", json!({ "chatId": room, "title": "Lunch" })).await;
    assert_eq!(
        draft(&ada, &room).await,
        (text("At noo"), 1),
        "what else happens leaves it"
    );
    say(&ada, &room, "At noon.").await;
    assert_eq!(draft(&ada, &room).await, (Value::Null, 2));
    // The other device was about to save it, and goes on from what it has seen.
    let late = json!({ "chatId": room, "text": "At noon", "version": 1 });
    let refusals = refused(&ada, "saveDraft", late).await;
    assert_eq!(
        (refusals[0].0.as_str(), refusals[0].1.as_str()),
        ("CONFLICT", "input.version")
    );
    assert_eq!(draft(&ada, &room).await, (Value::Null, 2));
    done(&ada, "saveDraft", json!({ "chatId": room, "text": "Or", "version": 2 })).await;
    done(&ada, "saveDraft", json!({ "chatId": room, "text": "Or one" })).await;
    assert_eq!(draft(&ada, &room).await, (text("Or one"), 4));
    // With an assistant: a question ends it, another answer does not.
    let own = ada.chat(QUICK).await;
    done(&ada, "saveDraft", json!({ "chatId": own, "text": "Why" })).await;
    let (_, answer) = tree::sent(&ada, &own, "Why not?").await;
    assert_eq!(draft(&ada, &own).await, (Value::Null, 2));
    done(&ada, "saveDraft", json!({ "chatId": own, "text": "But" })).await;
    tree::regenerated(&ada, &answer, None).await;
    assert_eq!(draft(&ada, &own).await, (text("But"), 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_of_many_devices_wins_and_of_those_that_say_a_version_one() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let room = group(&ada, &[&bob]).await;
    let save = |device: usize, version: Option<i64>| {
        let input = json!({ "chatId": room, "text": format!("device {device}"), "version": version });
        let client = &ada.client;
        async move { client.mutate("saveDraft", input, "").await["errors"].take() }
    };
    let saves = futures_util::future::join_all((0..8).map(|device| save(device, Some(0)))).await;
    assert_eq!(saves.iter().filter(|errors| **errors == json!([])).count(), 1);
    let saves = futures_util::future::join_all((10..18).map(|device| save(device, None))).await;
    assert!(saves.iter().all(|errors| *errors == json!([])));
    assert_eq!(draft(&ada, &room).await.1, 9, "every one a change");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_draft() {
    let app = TestApp::with(&["--message-characters=10"]).await;
    let [ada, bob, eve]: [User; 3] = people(&app, ["ada", "bob", "eve"]).await;
    let room = group(&ada, &[&bob]).await;
    let other = group(&ada, &[&bob]).await;
    let elsewhere = say(&bob, &other, "Elsewhere.").await;
    for (client, input, expected) in [
        (
            &ada,
            json!({ "chatId": room, "text": "x".repeat(11) }),
            ("TOO_LONG", "input.text"),
        ),
        (
            &ada,
            json!({ "chatId": room, "text": "x", "replyToId": elsewhere }),
            ("NOT_FOUND", "input.replyToId"),
        ),
        (
            &eve,
            json!({ "chatId": room, "text": "x" }),
            ("NOT_FOUND", "input.chatId"),
        ),
    ] {
        let refusals = refused(client, "saveDraft", input).await;
        assert_eq!((refusals[0].0.as_str(), refusals[0].1.as_str()), expected);
    }
    assert_eq!(draft(&ada, &room).await, (Value::Null, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ones_own_alone_waits_for_nobody_who_writes() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let message = say(&ada, &chat, "Hello").await;
    let query = "subscription { events { __typename ... on ChatUpserted { chat { version viewerState { unreadCount draft { text } } } } } }";
    let mut his = bob.subscribe(query, json!({})).await;
    assert_eq!(his.next().await.expect("an event")["__typename"], "StreamReady");
    let mut sql = app.sql().await;
    let holding = sql.transaction().await.expect("a transaction");
    hold(&holding, &chat).await;
    let read = done(&bob, "markRead", json!({ "chatId": chat, "messageId": message }));
    soon(read).await;
    soon(done(&bob, "saveDraft", json!({ "chatId": chat, "text": "Hi" }))).await;
    assert_eq!((unread(&bob, &chat).await, draft(&bob, &chat).await.0), (0, text("Hi")));
    let [first, second] = [his.until("ChatUpserted").await, his.until("ChatUpserted").await];
    assert_eq!(first["chat"]["viewerState"]["unreadCount"], 0);
    assert_eq!(second["chat"]["viewerState"]["draft"], json!({ "text": "Hi" }));
    assert!(first["chat"]["version"].as_i64() <= second["chat"]["version"].as_i64());
    holding.commit().await.expect("an end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_gone_saves_nothing() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let message = say(&ada, &chat, "Hello").await;
    let gone = |payload: &Value| payload["errors"][0]["code"] == "NOT_FOUND";
    // Removed at the moment at which he does it: one of both comes first.
    let input = json!({ "chatId": chat, "text": "Hi" });
    let removing = done(&ada, "removeMember", json!({ "chatId": chat, "userId": bob.id }));
    let reading = bob.mutate("markRead", json!({ "chatId": chat, "messageId": message }), "");
    let ((), read, saved) = tokio::join!(removing, reading, bob.mutate("saveDraft", input.clone(), ""));
    for payload in [read, saved] {
        assert!(payload["errors"] == json!([]) || gone(&payload), "{payload}");
    }
    assert!(gone(&bob.mutate("saveDraft", input, "").await));
}
