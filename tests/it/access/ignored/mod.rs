//! Who is blocked gets what the ignored get: two worlds in which the same is done, with and without a block, and every
//! answer and every event compared.
//!
//! ```text
//! ignored   Bob hides, lets nobody add him, and answers nothing.
//! blocked   Bob blocks Ada, and is there: he reads, he types, he looks at what she has written.
//! ```

mod acts;
mod world;

use serde_json::{Value, json};

use self::acts::{ACTS, LOOK, whole};
use self::world::{World, heard};
use crate::harness::app::{Client, TestApp};
use crate::harness::stream::Subscription;
use crate::rooms::done;

async fn follow(client: &Client, after: &Value) -> Subscription {
    let query = "subscription ($after: String) { events(after: $after) { __typename ... on ChatUpserted { chat { id title } } ... on ChatRemoved { chatId } \
        ... on MessageCreated { message { id content } } ... on MessageUpdated { changed message { id content version } } ... on HistoryCleared { chatId throughSequence } \
        ... on TypingChanged { chatId userId isTyping } ... on PresenceChanged { presence { userId status } } ... on ContactChanged { user { id } isBlocked version } \
        ... on ScheduledMessageChanged { scheduledMessage { id } } } }";
    client.subscribe(query, json!({ "after": after })).await
}

/// What Bob does while Ada does all that.
async fn be_there(world: &World, chat: Option<&str>) -> Subscription {
    let bob = &world.bob;
    let mut here = bob.subscribe("subscription { events { __typename } }", json!({})).await;
    here.until("StreamReady").await;
    done(bob, "setPresence", json!({ "away": false })).await;
    if let Some(chat) = chat {
        let read = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } }";
        let read = bob.ok(read, json!({ "id": chat })).await;
        let last = read["chat"]["messages"]["nodes"]
            .as_array()
            .and_then(|nodes| nodes.last());
        let last = last.expect("a message")["id"].clone();
        done(bob, "markRead", json!({ "chatId": chat, "messageId": last })).await;
        done(bob, "setTyping", json!({ "chatId": chat, "isTyping": true })).await;
        done(
            bob,
            "saveDraft",
            json!({ "chatId": chat, "text": "I would rather not" }),
        )
        .await;
    }
    here
}

/// What is told of one who types or comes and goes.
fn of_bob(events: &[Value]) -> Vec<&Value> {
    let ephemeral = ["TypingChanged", "PresenceChanged"];
    let is_one = |event: &&Value| ephemeral.iter().any(|name| event["__typename"] == *name);
    let others = |event: &&Value| event["presence"]["userId"] != "user 0";
    events.iter().filter(is_one).filter(others).collect()
}

/// Does it all in a world with a block and in one without; the two may have met before.
async fn compare(have_met: bool) {
    let app = TestApp::with(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    let mut worlds = [World::new(&app, ".ignored").await, World::new(&app, ".blocked").await];
    let (mut live, mut before, mut here) = (Vec::new(), Vec::new(), Vec::new());
    for (at, world) in worlds.iter_mut().enumerate() {
        let is_blocked = at == 1;
        let (ada, bob) = (world.ada.client.clone(), world.bob.client.clone());
        // Herself first, so that she is called the same.
        world.told(json!(world.ada.id.clone()));
        if !is_blocked {
            done(&bob, "setPresence", json!({ "invisible": true })).await;
            done(&bob, "updatePreferences", json!({ "addableBy": "NOBODY" })).await;
        }
        done(&world.cyd, "addContact", json!({ "userId": world.bob.id })).await;
        if have_met {
            let open = "mutation { createChat(input: { kind: DIRECT, memberIds: [\"<bob>\"] }) { chat { id } } }";
            world.run(&ada, open, "<chat>").await;
            let say = "mutation { sendMessage(input: { chatId: \"<chat>\", content: \"hello before\", idempotencyKey: \"before\" }) { message { id } } }";
            world.run(&ada, say, "<before>").await;
            world.run(&bob, &say.replace("before\"", "yourself\""), "<his>").await;
        }
        let cursor = ada.ok("{ viewer { syncCursor } }", json!({})).await["viewer"]["syncCursor"].take();
        let mut stream = follow(&ada, &Value::Null).await;
        stream.until("StreamReady").await;
        live.push(stream);
        before.push(cursor);
        if is_blocked {
            done(&bob, "blockUser", json!({ "userId": world.ada.id })).await;
            let chat = have_met.then(|| world.known("<chat>").to_owned());
            here.push(be_there(world, chat.as_deref()).await);
            // Once more, and undone and done again: nothing of it is to be noticed.
            done(&bob, "blockUser", json!({ "userId": world.ada.id })).await;
        }
    }
    for (name, act) in ACTS {
        if !have_met && act.contains("generationPlan") {
            continue;
        }
        let mut answers = Vec::new();
        for world in &mut worlds {
            let ada = world.ada.client.clone();
            let answer = world.run(&ada, &whole(act), name).await;
            app.app.receipts().flush(&app.app).await.expect("stored");
            let look = world.run(&ada, &whole(LOOK), "").await;
            assert!(look.get("errors").is_none(), "{look}");
            answers.push((answer, look));
        }
        let [ignored, blocked] = answers.try_into().expect("two worlds");
        similar(&ignored.0, &blocked.0, act);
        similar(&ignored.1, &blocked.1, act);
    }
    let mut told = Vec::new();
    for ((world, live), before) in worlds.iter_mut().zip(&mut live).zip(&before) {
        let ada = world.ada.client.clone();
        done(&ada, "createChat", json!({ "title": "the end" })).await;
        let mut again = follow(&ada, before).await;
        let events = heard(&mut again, "the end").await;
        let live = heard(live, "the end").await;
        let (events, live) = (world.told(json!(events)), world.told(json!(live)));
        let live = of_bob(live.as_array().expect("events"))
            .into_iter()
            .cloned()
            .collect::<Vec<_>>();
        told.push((events, live));
    }
    assert_eq!(told[0].1, Vec::<Value>::new(), "of the one who ignores her");
    assert_eq!(told[1].1, Vec::<Value>::new(), "of the one who blocks her");
    similar(&told[0].0, &told[1].0, "events");
}

/// Fails on the first thing that differs.
fn similar(ignored: &Value, blocked: &Value, act: &str) {
    let differing = difference(ignored, blocked, "");
    assert!(differing.is_none(), "{act}\n{}", differing.unwrap_or_default());
}

fn difference(ignored: &Value, blocked: &Value, path: &str) -> Option<String> {
    match (ignored, blocked) {
        (Value::Object(one), Value::Object(other)) if one.len() == other.len() => {
            let mut pairs = one.iter();
            pairs.find_map(|(name, value)| {
                difference(
                    value,
                    other.get(name).unwrap_or(&Value::Null),
                    &format!("{path}.{name}"),
                )
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(at, (one, other))| difference(one, other, &format!("{path}[{at}]")))
        }
        _ if ignored == blocked => None,
        _ => Some(format!("{path}:\nignored {ignored}\nblocked {blocked}")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blocked_notices_nothing_in_a_chat_that_there_was() {
    compare(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blocked_notices_nothing_in_a_chat_that_is_new() {
    compare(false).await;
}
