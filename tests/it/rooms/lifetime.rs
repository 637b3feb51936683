//! Messages that disappear: who may say so, that nobody reads what is too old however late a sweep is, and that every device
//! ends with the same.

use parlor::chat::lifetime::sweep;
use serde_json::{Value, json};

use super::{direct, done, group, notes, people, say, texts, unread};
use crate::harness::app::{Client, TestApp, User, new_key, uuid};
use crate::harness::dice::Dice;
use crate::harness::law::Device;
use crate::titles::until_jobs;

/// Makes the first messages of a chat older than they are, by so many seconds; of one whose messages stay, nothing: what they
/// were told of their age would not be true any more.
async fn age(app: &TestApp, chat: &str, through: i64, seconds: i64) {
    let query = format!(
        "UPDATE messages SET created_at = created_at - make_interval(secs => {seconds}) WHERE chat_id = '{}' AND sequence <= {through} \
         AND EXISTS (SELECT FROM chat_lifetimes AS life WHERE life.chat_id = messages.chat_id AND seconds IS NOT NULL)",
        uuid(chat)
    );
    app.sql().await.batch_execute(&query).await.expect("rows");
}

/// Has everything be due, and swept.
async fn swept(app: &TestApp) {
    app.sql()
        .await
        .batch_execute("UPDATE chat_lifetimes SET due_at = now()")
        .await
        .expect("rows");
    sweep::due(&app.app).await.expect("swept");
}

async fn count(app: &TestApp, what: &str) -> i64 {
    let query = format!("SELECT count(*) FROM {what}");
    app.sql().await.query_one(&query, &[]).await.expect("a row").get(0)
}

/// How many messages mention a member that they have not read.
async fn mentions(client: &Client, chat: &str) -> Option<i64> {
    let query = "query ($id: ID!) { chat(id: $id) { viewerState { mentionCount } } }";
    client.ok(query, json!({ "id": chat })).await["chat"]["viewerState"]["mentionCount"].as_i64()
}

async fn set(client: &Client, chat: &str, seconds: i32) -> Value {
    let input = json!({ "chatId": chat, "messageLifetimeSeconds": seconds });
    client
        .mutate("updateChat", input, "chat { messageLifetimeSeconds }")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_may_change_a_chat_set_it_and_all_are_told() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let room = group(&ada, &[&bob]).await;
    assert_eq!(set(&bob, &room, 3600).await["errors"][0]["code"], "FORBIDDEN");
    for wrong in [59, -1, 31_536_001] {
        let error = set(&ada, &room, wrong).await["errors"][0].take();
        assert_eq!(error["code"], "INVALID");
        assert_eq!(error["field"], json!(["input", "messageLifetimeSeconds"]));
    }
    assert_eq!(
        set(&ada, &room, 3600).await["chat"],
        json!({ "messageLifetimeSeconds": 3600 })
    );
    let told = notes(&bob, &room).await.pop().expect("a note");
    assert_eq!(told["content"], "ada changed the message lifetime.");
    assert_eq!(told["system"]["details"], json!(["MESSAGE_LIFETIME"]));
    assert_eq!(
        set(&ada, &room, 0).await["chat"],
        json!({ "messageLifetimeSeconds": null })
    );
    swept(&app).await;
    assert_eq!(count(&app, "chat_lifetimes").await, 0, "nothing is left to look after");

    // Each of two may, and so may the one person of a chat with an assistant.
    let pair = direct(&ada, &bob).await;
    say(&ada, &pair, "Hello.").await;
    assert_eq!(
        set(&bob, &pair, 60).await["chat"],
        json!({ "messageLifetimeSeconds": 60 })
    );
    let told = notes(&ada, &pair).await.pop().expect("a note");
    assert_eq!(told["author"], json!({ "username": "bob" }));
    let own = ada.chat("scripted").await;
    assert_eq!(set(&ada, &own, 60).await["errors"], json!([]));
    assert_eq!(set(&bob, &own, 60).await["errors"][0]["code"], "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_is_gone_before_any_sweep() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let room = group(&ada, &[&bob]).await;
    let old = say(&ada, &room, "An old pomegranate.").await;
    say(&ada, &room, "Another pomegranate, @bob.").await;
    say(&ada, &room, "A fresh pomegranate.").await;
    assert_eq!((unread(&bob, &room).await, mentions(&bob, &room).await), (3, Some(1)));
    assert_eq!(set(&ada, &room, 3600).await["errors"], json!([]));
    // As it is before a sweep: only time has passed.
    age(&app, &room, 3, 7200).await;
    assert_eq!(
        texts(&bob, &room).await.expect("the room"),
        ["A fresh pomegranate.", "ada changed the message lifetime."]
    );
    assert_eq!((unread(&bob, &room).await, mentions(&bob, &room).await), (1, Some(0)));
    let query = "query ($chat: ID!, $old: ID!) { message(id: $old) { content } node(id: $old) { id } \
        chat(id: $chat) { first: messages(first: 1) { nodes { content parent { id } } } } \
        search(query: \"pomegranate\") { nodes { message { content } } } }";
    let seen = bob.ok(query, json!({ "chat": room, "old": old })).await;
    assert_eq!(
        seen,
        json!({
            "message": null, "node": null,
            "chat": { "first": { "nodes": [{ "content": "A fresh pomegranate.", "parent": null }] } },
            "search": { "nodes": [{ "message": { "content": "A fresh pomegranate." } }] },
        })
    );
    let read = bob
        .mutate("markRead", json!({ "chatId": room, "messageId": old }), "")
        .await;
    assert_eq!(read["errors"][0]["code"], "NOT_FOUND");
    // The sweep changes nothing of this; it only takes the rows away, with what was found by them.
    swept(&app).await;
    assert_eq!(bob.ok(query, json!({ "chat": room, "old": old })).await, seen);
    assert_eq!((count(&app, "messages").await, unread(&bob, &room).await), (2, 1));
    assert_eq!(count(&app, "message_words").await, 2);
    // Once more does nothing.
    let before = count(&app, "events").await;
    swept(&app).await;
    assert_eq!(count(&app, "events").await, before);
    // What was gone stays so when the rule is lifted; what is not, stays.
    age(&app, &room, 4, 7200).await;
    assert_eq!(set(&ada, &room, 0).await["errors"], json!([]));
    assert_eq!(
        texts(&bob, &room).await.expect("the room"),
        ["ada changed the message lifetime.", "ada changed the message lifetime."]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_not_shown_what_has_disappeared() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=4,first=0,delay=0").await;
    for text in ["The password is swordfish.", "And now?"] {
        let generation = ada.send(&chat, text).await;
        ada.generation_events(&generation, None).await.rest().await;
    }
    let summary = "INSERT INTO chat_summaries (id, chat_id, through_message_id, through_sequence, through_octets, content, tokens, provider, model) \
        SELECT gen_random_uuid(), chat_id, id, sequence, octet_length(content), 'A swordfish.', 4, 'scripted', 'scripted' FROM messages WHERE sequence = 3";
    app.sql().await.batch_execute(summary).await.expect("a summary");
    let mut device = Device::open(ada.client.clone(), 5).await;
    assert_eq!(set(&ada, &chat, 3600).await["errors"], json!([]));
    age(&app, &chat, 2, 7200).await;
    let history = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } }";
    let left = ada.ok(history, json!({ "id": chat })).await["chat"]["messages"]["nodes"].take();
    let left: Vec<&Value> = left
        .as_array()
        .expect("messages")
        .iter()
        .map(|node| &node["id"])
        .collect();
    assert_eq!(left.len(), 2);
    let input = json!({ "chatId": chat, "content": "What was it?" });
    let plan = "query ($input: GenerationPlanInput!) { generationPlan(input: $input) { lanes { messageIds } } }";
    let planned = || async {
        let mut planned = ada.ok(plan, json!({ "input": input })).await;
        planned["generationPlan"]["lanes"][0]["messageIds"].take()
    };
    let before = planned().await;
    assert!(
        before
            .as_array()
            .is_some_and(|ids| ids.iter().all(|id| left.contains(&id))),
        "{before}"
    );
    swept(&app).await;
    // The summary told of what is gone, too.
    let seen = ada
        .ok("query ($id: ID!) { chat(id: $id) { summaries { content } messages { nodes { sequence siblings { id } parent { id } } } } }", json!({ "id": chat }))
        .await;
    assert_eq!(seen["chat"]["summaries"], json!([]));
    assert_eq!(seen["chat"]["messages"]["nodes"].as_array().map(Vec::len), Some(2));
    assert_eq!(count(&app, "chat_summaries WHERE content <> ''").await, 0);
    assert_eq!(
        planned().await,
        json!(left),
        "without a summary all that is left is told"
    );
    done(&ada, "createChat", json!({ "title": "the end" })).await;
    device.follow(|event| event["chat"]["title"] == "the end").await;
    device.obeys().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_an_assistant_of_a_group() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let room = group(&ada, &[]).await;
    let clio = json!({ "displayName": "Clio", "model": "scripted:words=1,first=0,delay=0" });
    let clio = ada.mutate("createAssistant", clio, "assistant { id }").await["assistant"]["id"].take();
    done(&ada, "addAssistants", json!({ "chatId": room, "assistantIds": [clio] })).await;
    say(&ada, &room, "The password is swordfish.").await;
    let fresh = say(&ada, &room, "Good morning.").await;
    assert_eq!(set(&ada, &room, 3600).await["errors"], json!([]));
    age(&app, &room, 3, 7200).await;
    let plan = "query ($input: GenerationPlanInput!) { generationPlan(input: $input) { lanes { messageIds } } }";
    let input = json!({ "chatId": room, "content": "@Clio, what was it?" });
    let planned = ada.ok(plan, json!({ "input": input })).await;
    assert_eq!(planned["generationPlan"]["lanes"], json!([{ "messageIds": [fresh] }]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_still_written_goes_with_its_message() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=100000,first=0,delay=5").await;
    let generation = ada.send(&chat, "Go on for ever.").await;
    let mut stream = ada.generation_events(&generation, None).await;
    stream.until("GenerationDelta").await;
    assert_eq!(set(&ada, &chat, 60).await["errors"], json!([]));
    age(&app, &chat, 2, 120).await;
    swept(&app).await;
    assert_eq!(
        (count(&app, "messages").await, count(&app, "generations").await),
        (0, 0)
    );
    // What it has cost is known.
    let wait = async {
        while count(&app, "attempts WHERE ended_at IS NULL").await > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), wait)
        .await
        .expect("an end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_keeps_nothing_longer_than_it_says() {
    let app = TestApp::with(&["--retention-days=30"]).await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let room = group(&ada, &[&bob]).await;
    for number in 0..7 {
        say(&ada, &room, &format!("line {number}")).await;
    }
    let mut device = Device::open(bob.client.clone(), 9).await;
    // Ids are made in time's order: of a month ago they are lower.
    let aged = format!(
        "UPDATE messages SET created_at = created_at - interval '31 days', id = ('00000000-0000-7000-8000-' || lpad(sequence::text, 12, '0'))::uuid \
         WHERE chat_id = '{}' AND sequence <= 5 AND role = 'USER'; \
         UPDATE messages SET created_at = created_at - interval '31 days' WHERE sequence = 1",
        uuid(&room)
    );
    app.sql()
        .await
        .batch_execute("ALTER TABLE messages DISABLE TRIGGER ALL")
        .await
        .expect("a setting");
    app.sql().await.batch_execute(&aged).await.expect("rows");
    let chain = "UPDATE messages SET parent_id = (SELECT id FROM messages AS before WHERE before.sequence = messages.sequence - 1); \
        ALTER TABLE messages ENABLE TRIGGER ALL; DELETE FROM message_words WHERE message_id NOT IN (SELECT id FROM messages)";
    app.sql().await.batch_execute(chain).await.expect("rows");
    sweep::retain(&app.app).await.expect("swept");
    assert_eq!(
        texts(&bob, &room).await.expect("the room"),
        ["line 4", "line 5", "line 6"]
    );
    assert_eq!(
        (count(&app, "messages").await, count(&app, "chat_lifetimes").await),
        (3, 0)
    );
    done(&bob, "createChat", json!({ "title": "the end" })).await;
    device.follow(|event| event["chat"]["title"] == "the end").await;
    device.obeys().await;
}

/// Sends, branches, reads and lets time pass at random, in a room and in a chat with an assistant.
async fn obeyed(seed: u64) {
    let app = TestApp::with(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let room = group(&ada, &[&bob]).await;
    let own = ada.chat("scripted:words=3,first=0,delay=0").await;
    let mut dice = Dice::new(seed);
    let mut devices = [
        Device::open(ada.client.clone(), seed ^ 1).await,
        Device::open(bob.client.clone(), seed ^ 2).await,
    ];
    let acting = async {
        for _ in 0..50 {
            let one = if dice.below(2) == 0 { &ada } else { &bob };
            match dice.below(10) {
                0 => drop(set(&ada, &room, *dice.pick(&[0, 60, 3600]).expect("one")).await),
                1 => drop(set(&ada, &own, *dice.pick(&[0, 60, 3600]).expect("one")).await),
                2 | 3 => {
                    let chat = if dice.below(2) == 0 { &room } else { &own };
                    // Whatever has become too old hides at once; nothing of it comes back when it is swept.
                    age(&app, chat, i64::try_from(dice.below(25)).expect("few"), 4000).await;
                    swept(&app).await;
                }
                4 | 5 => {
                    let query = "query ($id: ID!) { chat(id: $id) { messages(last: 6) { nodes { id role } } } }";
                    let seen = ada.ok(query, json!({ "id": own })).await;
                    let nodes = seen["chat"]["messages"]["nodes"].as_array().expect("messages").clone();
                    let Some(message) = dice.pick(&nodes) else { continue };
                    let mut input = json!({ "messageId": message["id"], "idempotencyKey": new_key() });
                    if message["role"] == "USER" {
                        input["content"] = json!("Other words.");
                        ada.mutate("editMessage", input, "").await;
                    } else {
                        ada.mutate("regenerateMessage", input, "").await;
                    }
                }
                6 => {
                    let input = json!({ "chatId": own, "content": "Hello?", "idempotencyKey": new_key() });
                    ada.mutate("sendMessage", input, "").await;
                }
                7 => {
                    let query = "query ($id: ID!) { chat(id: $id) { lastMessage { id } } }";
                    let seen = one.ok(query, json!({ "id": room })).await;
                    let input = json!({ "chatId": room, "messageId": seen["chat"]["lastMessage"]["id"] });
                    if !input["messageId"].is_null() {
                        one.mutate("markRead", input, "").await;
                    }
                }
                _ => drop(say(one, &room, "Hello.").await),
            }
        }
        // Answers that are being written end by themselves; then everything is told.
        let running = "SELECT count(*) = 0 FROM generations WHERE finished_at IS NULL";
        while !app
            .sql()
            .await
            .query_one(running, &[])
            .await
            .expect("a row")
            .get::<_, bool>(0)
        {
            tokio::task::yield_now().await;
        }
        until_jobs(&app, "count = 0").await;
        swept(&app).await;
        for one in [&ada, &bob] {
            done(one, "createChat", json!({ "title": "the end" })).await;
        }
    };
    let the_end = |event: &Value| event["chat"]["title"] == "the end";
    let [first, second] = &mut devices;
    tokio::join!(acting, first.follow(the_end), second.follow(the_end));
    for device in &mut devices {
        device.obeys().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_device_ends_with_what_is_left_1() {
    obeyed(21).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_device_ends_with_what_is_left_2() {
    obeyed(22).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_device_ends_with_what_is_left_3() {
    obeyed(23).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_is_made_again_with_the_same_key_is_found_when_all_in_it_has_disappeared() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let input = json!({ "kind": "GROUP", "title": "Painters", "memberIds": [bob.id], "idempotencyKey": new_key() });
    let made = ada.mutate("createChat", input.clone(), "chat { id }").await;
    let room = super::id(&made["chat"]["id"]);
    assert_eq!(set(&ada, &room, 60).await["errors"], json!([]));
    age(&app, &room, 2, 3600).await;
    assert_eq!(ada.mutate("createChat", input.clone(), "chat { id }").await, made);
    swept(&app).await;
    assert_eq!(ada.mutate("createChat", input.clone(), "chat { id }").await, made);
    let mut other = input.clone();
    other["title"] = json!("Sculptors");
    let error = ada.mutate("createChat", other, "").await["errors"][0].take();
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!("CONFLICT"), &json!(["input", "idempotencyKey"]))
    );
    done(&ada, "leaveChat", json!({ "chatId": room })).await;
    let error = ada.mutate("createChat", input, "").await["errors"][0].take();
    assert_eq!(
        (&error["code"], &error["field"]),
        (&json!("NOT_FOUND"), &json!(["input", "idempotencyKey"]))
    );
}
