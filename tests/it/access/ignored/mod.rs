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
use self::world::{World, follow, hears};
use crate::harness::app::TestApp;
use crate::harness::stream::Subscription;
use crate::rooms::done;

/// What Bob does while Ada does all that.
async fn be_there(world: &World, chat: Option<&str>) -> [Subscription; 2] {
    let bob = &world.bob;
    let query = "subscription ($id: ID!) { presenceEvents(userIds: [$id]) { status } }";
    let mut friend = world.cyd.subscribe(query, json!({ "id": bob.id })).await;
    let first = friend.next().await;
    assert_eq!(first, Some(json!({ "status": "OFFLINE" })));
    let mut here = bob.subscribe("subscription { events { __typename } }", json!({})).await;
    here.until("StreamReady").await;
    done(bob, "setPresence", json!({ "away": false })).await;
    // Who may know it is told so: whatever there was to tell Ada of it is on its way to her.
    hears(&mut friend, |presence| presence["status"] == "ONLINE").await;
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
    [here, friend]
}

/// Stores and tells how far people have come: nobody else does while these worlds are compared.
async fn come_so_far(app: &TestApp) {
    app.app.receipts().flush(&app.app).await.expect("stored");
}

/// Does it all in a world with a block and in one without; the two may have met before.
async fn compare(have_met: bool) {
    let app = TestApp::unattended(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    // Of all that runs beside the requests only what tells people of things.
    tokio::spawn(app.app.log().clone().run(app.app.clone()));
    tokio::spawn(app.app.presence().clone().run(app.app.clone()));
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
        done(&bob, "addContact", json!({ "userId": world.cyd.id })).await;
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
    for (number, (name, act)) in ACTS.iter().enumerate() {
        if !have_met && act.contains("generationPlan") {
            continue;
        }
        let mut outcomes = Vec::new();
        for (world, live) in worlds.iter_mut().zip(&mut live) {
            let ada = world.ada.client.clone();
            let answer = world.run(&ada, &whole(act), name).await;
            come_so_far(&app).await;
            let look = world.run(&ada, &whole(LOOK), "").await;
            assert!(look.get("errors").is_none(), "{look}");
            come_so_far(&app).await;
            let mark = format!("after act {number}");
            world.mark(&mark).await;
            let events = world.heard(live, &mark).await;
            outcomes.push(json!({ "answer": answer, "look": look, "events": events }));
        }
        similar(&outcomes[0], &outcomes[1], act);
    }
    let mut again = Vec::new();
    for ((world, live), before) in worlds.iter_mut().zip(&mut live).zip(&before) {
        // What was told before somebody types is heard before it, too.
        let typing = json!({ "chatId": world.known("<group>"), "isTyping": true });
        done(&world.cyd, "setTyping", typing).await;
        let cyd = world.cyd.id.clone();
        let rest = hears(live, |event| event["userId"] == *cyd).await;
        assert_eq!(world.overhear(rest), json!([]));
        assert_eq!(
            world.overheard,
            Vec::<Value>::new(),
            "of those who do not want her to know"
        );
        // And as a device hears it that was away all the time.
        world.mark("the end").await;
        let mut stream = follow(&world.ada, before).await;
        again.push(world.heard(&mut stream, "the end").await);
    }
    similar(&again[0], &again[1], "events");
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
