//! Receipts: who was handed what and who has read it, told to those in the room, and never back.

use serde_json::{Value, json};

use super::{direct, done, group, people, say, unread};
use crate::harness::app::{Client, TestApp, User, uuid};
use crate::harness::stream::Subscription;

/// Stores and tells what was gathered.
async fn flush(app: &TestApp) {
    app.app.receipts().flush(&app.app).await.expect("receipts");
}

/// How far a message has come, and with whom, as somebody sees it.
async fn status(client: &Client, message: &str) -> (Value, Vec<String>) {
    let query = "query ($id: ID!) { message(id: $id) { status receipts { nodes { status user { username } } } } }";
    let mut seen = client.ok(query, json!({ "id": message })).await["message"].take();
    let nodes = seen["receipts"]["nodes"].as_array().expect("receipts");
    let line = |node: &Value| {
        format!(
            "{} {}",
            super::id(&node["user"]["username"]),
            super::id(&node["status"])
        )
    };
    let receipts = nodes.iter().map(line).collect();
    (seen["status"].take(), receipts)
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

/// Reads the newest page of a chat, as a device does.
async fn look(client: &Client, chat: &str) {
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } }";
    client.ok(query, json!({ "id": chat })).await;
}

async fn read(client: &Client, chat: &str, message: &str) {
    done(client, "markRead", json!({ "chatId": chat, "messageId": message })).await;
}

async fn follow(client: &Client) -> Subscription {
    let query = "subscription { events { __typename ... on MessageCreated { message { id } } ... on ReceiptsUpdated { cursor chatId \
        receipts { deliveredSequence readSequence user { username } } } } }";
    let mut stream = client.subscribe(query, json!({})).await;
    assert_eq!(stream.next().await.expect("an event")["__typename"], "StreamReady");
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_sent_then_delivered_then_read() {
    let app = TestApp::start().await;
    let [ada, bob, cyd]: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob, &cyd]).await;
    let mut hers = follow(&ada).await;
    let message = say(&ada, &chat, "Who is there?").await;
    assert_eq!(status(&ada, &message).await, (json!("SENT"), vec![]));
    look(&bob, &chat).await;
    flush(&app).await;
    assert_eq!(
        status(&ada, &message).await,
        (json!("SENT"), lines(&["bob DELIVERED"])),
        "not with all"
    );
    let told = hers.until("ReceiptsUpdated").await;
    let mark = json!({ "deliveredSequence": 2, "readSequence": 0, "user": { "username": "bob" } });
    assert_eq!((&told["chatId"], &told["receipts"]), (&json!(chat), &json!([mark])));
    assert!(told["cursor"].is_string(), "it can be caught up with");
    look(&cyd, &chat).await;
    flush(&app).await;
    let both = lines(&["bob DELIVERED", "cyd DELIVERED"]);
    assert_eq!(status(&ada, &message).await, (json!("DELIVERED"), both));
    read(&bob, &chat, &message).await;
    let one = lines(&["bob READ", "cyd DELIVERED"]);
    assert_eq!(status(&ada, &message).await, (json!("DELIVERED"), one.clone()));
    assert_eq!(status(&bob, &message).await, (Value::Null, one), "it is not his");
    read(&cyd, &chat, &message).await;
    assert_eq!(
        status(&ada, &message).await,
        (json!("READ"), lines(&["bob READ", "cyd READ"]))
    );
    // Those who come later are not waited for, and have read nothing of it; who leaves is not shown.
    let dan = app.user("dan").await;
    done(&ada, "updateChat", json!({ "chatId": chat, "history": "FROM_START" })).await;
    done(&ada, "addMembers", json!({ "chatId": chat, "userIds": [dan.id] })).await;
    look(&dan, &chat).await;
    flush(&app).await;
    assert_eq!(
        status(&ada, &message).await,
        (json!("READ"), lines(&["bob READ", "cyd READ"]))
    );
    done(&bob, "leaveChat", json!({ "chatId": chat })).await;
    assert_eq!(status(&ada, &message).await, (json!("READ"), lines(&["cyd READ"])));
    let next = say(&ada, &chat, "And now?").await;
    read(&cyd, &chat, &next).await;
    assert_eq!(status(&ada, &next).await.0, "SENT", "Dan is there now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_hands_it_out_delivers_it_and_many_marks_are_one_event() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    look(&bob, &chat).await;
    flush(&app).await;
    let mut his = follow(&bob).await;
    let mut messages = Vec::new();
    for number in 0..3 {
        messages.push(say(&ada, &chat, &number.to_string()).await);
        assert_eq!(his.until("MessageCreated").await["message"]["id"], messages[number]);
    }
    // By itself, in less than no time.
    let mut hers = follow(&ada).await;
    let last = say(&ada, &chat, "last").await;
    assert_eq!(his.until("MessageCreated").await["message"]["id"], last);
    loop {
        let told = hers.until("ReceiptsUpdated").await;
        let marks = told["receipts"].as_array().expect("marks");
        if marks
            .iter()
            .any(|mark| mark["user"]["username"] == "bob" && mark["deliveredSequence"] == 5)
        {
            break;
        }
    }
    for message in messages.iter().chain([&last]) {
        assert_eq!(status(&ada, message).await.0, "DELIVERED");
    }
    // Never back: an older page, an older message.
    read(&bob, &chat, &last).await;
    read(&bob, &chat, &messages[0]).await;
    let query = "query ($id: ID!) { chat(id: $id) { messages(first: 1) { nodes { id } } members { nodes { deliveredSequence readSequence user { username } } } } }";
    let seen = bob.ok(query, json!({ "id": chat })).await["chat"]["members"]["nodes"][1].take();
    assert_eq!(
        seen,
        json!({ "deliveredSequence": 5, "readSequence": 5, "user": { "username": "bob" } })
    );
    flush(&app).await;
    let before = "SELECT count(*) FROM events WHERE kind = 'receipts.updated'";
    let sql = app.sql().await;
    let count: i64 = sql.query_one(before, &[]).await.expect("a count").get(0);
    let words = say(&ada, &chat, "more").await;
    for _ in 0..5 {
        look(&bob, &chat).await;
        read(&bob, &chat, &words).await;
    }
    flush(&app).await;
    let after: i64 = sql.query_one(before, &[]).await.expect("a count").get(0);
    assert!(
        after - count <= 2,
        "{count} and then {after}: what is no news is not told"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_left_untold_is_told_by_another() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let message = say(&ada, &chat, "Well?").await;
    let mut hers = follow(&ada).await;
    read(&bob, &chat, &message).await;
    // As it is when it was stored, and nobody came to tell it.
    let untold = "UPDATE receipts SET untold = true WHERE user_id = (SELECT id FROM users WHERE username = 'bob')";
    app.sql().await.execute(untold, &[]).await.expect("a mark");
    let sibling = app.sibling().await;
    sibling.app.receipts().flush(&sibling.app).await.expect("receipts");
    let told = hers.until("ReceiptsUpdated").await;
    assert_eq!(told["receipts"][0]["readSequence"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_other_does_with_a_direct_chat_is_not_seen() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = direct(&ada, &bob).await;
    let first = say(&ada, &chat, "Hello.").await;
    read(&bob, &chat, &first).await;
    assert_eq!(status(&ada, &first).await, (json!("READ"), lines(&["bob READ"])));
    let second = say(&ada, &chat, "Are you there?").await;
    done(&bob, "deleteChat", json!({ "chatId": chat })).await;
    assert_eq!(status(&ada, &first).await.0, "READ", "as before");
    assert_eq!(status(&ada, &second).await.0, "SENT");
    // The chat is there again with the next one, and what he has never seen is not read.
    let third = say(&ada, &chat, "Hello?").await;
    assert_eq!(status(&ada, &second).await.0, "SENT");
    done(&bob, "blockUser", json!({ "userId": ada.id })).await;
    look(&bob, &chat).await;
    read(&bob, &chat, &third).await;
    flush(&app).await;
    assert_eq!(
        status(&ada, &third).await,
        (json!("SENT"), vec![]),
        "like somebody who does not look"
    );
    let withheld = say(&ada, &chat, "Did you see this?").await;
    done(&bob, "unblockUser", json!({ "userId": ada.id })).await;
    read(&bob, &chat, &third).await;
    assert_eq!(status(&ada, &third).await.0, "READ");
    let fourth = say(&ada, &chat, "And this?").await;
    read(&bob, &chat, &fourth).await;
    assert_eq!(status(&ada, &fourth).await.0, "READ");
    assert_eq!(
        status(&ada, &withheld).await,
        (json!("READ"), lines(&["bob READ"])),
        "like what was said to somebody who did not look for a while, though he has never seen it"
    );
    // With an assistant there is nobody whom it could reach.
    let own = ada.chat("scripted:words=1,first=0,delay=0").await;
    let sent = json!({ "chatId": own, "content": "Hi.", "idempotencyKey": "own" });
    let sent = ada.mutate("sendMessage", sent, "message { id }").await["message"]["id"].take();
    assert_eq!(status(&ada, sent.as_str().expect("an id")).await, (Value::Null, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_is_exact_while_some_write_and_others_read() {
    let app = TestApp::with(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    let [ada, bob, cyd]: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob, &cyd]).await;
    let writing = |user: &User| {
        let (client, chat) = (user.client.clone(), chat.clone());
        async move {
            for number in 0..15 {
                say(&client, &chat, &number.to_string()).await;
            }
        }
    };
    let reading = |user: &User| {
        let (client, chat) = (user.client.clone(), chat.clone());
        async move {
            let query = "query ($id: ID!) { chat(id: $id) { lastMessage { id } } }";
            for _ in 0..15 {
                let seen = client.ok(query, json!({ "id": chat })).await;
                read(
                    &client,
                    &chat,
                    seen["chat"]["lastMessage"]["id"].as_str().expect("an id"),
                )
                .await;
            }
        }
    };
    tokio::join!(
        writing(&ada),
        writing(&bob),
        reading(&bob),
        reading(&cyd),
        reading(&cyd)
    );
    let query = "query ($id: ID!) { chat(id: $id) { viewerState { lastReadSequence } messages(last: 100) { nodes { sequence role author { id } } } } }";
    for user in [&ada, &bob, &cyd] {
        let seen = user.ok(query, json!({ "id": chat })).await["chat"].take();
        let read = seen["viewerState"]["lastReadSequence"].as_i64().expect("a number");
        let nodes = seen["messages"]["nodes"].as_array().expect("messages");
        assert_eq!(nodes.len(), 31);
        let behind = nodes.iter().filter(|node| {
            node["sequence"].as_i64() > Some(read) && node["role"] == "USER" && node["author"]["id"] != user.id
        });
        let behind = i64::try_from(behind.count()).expect("few");
        assert_eq!(unread(user, &chat).await, behind);
        read_all(user, &chat).await;
        assert_eq!(unread(user, &chat).await, 0);
    }
}

async fn read_all(client: &Client, chat: &str) {
    let query = "query ($id: ID!) { chat(id: $id) { lastMessage { id } } }";
    let seen = client.ok(query, json!({ "id": chat })).await;
    read(client, chat, seen["chat"]["lastMessage"]["id"].as_str().expect("an id")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_and_goes_changes_what_has_come_to_all_and_that_is_told() {
    let app = TestApp::start().await;
    let [ada, bob, cyd, dan]: [User; 4] = people(&app, ["ada", "bob", "cyd", "dan"]).await;
    let chat = group(&ada, &[&bob, &cyd, &dan]).await;
    let message = say(&ada, &chat, "Ready?").await;
    read(&bob, &chat, &message).await;
    flush(&app).await;
    let mut hers = follow(&ada).await;
    // She is told of herself, too: her device is handed what happens.
    let marks_of = async |hers: &mut Subscription, name: &str| loop {
        let told = hers.until("ReceiptsUpdated").await["receipts"].take();
        if told[0]["user"]["username"] == name {
            return told;
        }
    };
    let sql = app.sql().await;
    let told_of_bob = async || {
        let told =
            "SELECT count(*) FROM events WHERE kind = 'receipts.updated' AND payload->'userIds' ? $1::text::uuid::text";
        let told = sql.query_one(told, &[&uuid(&bob.id)]).await;
        told.expect("a count").get::<_, i64>(0)
    };
    assert_eq!(told_of_bob().await, 1);
    done(&dan, "leaveChat", json!({ "chatId": chat })).await;
    let waiting = (status(&ada, &message).await.0, told_of_bob().await);
    assert_eq!(waiting, (json!("SENT"), 1), "Cyd has not read it either");
    done(&ada, "removeMember", json!({ "chatId": chat, "userId": cyd.id })).await;
    assert_eq!(told_of_bob().await, 2);
    let his = json!([{ "deliveredSequence": 2, "readSequence": 2, "user": { "username": "bob" } }]);
    assert_eq!(marks_of(&mut hers, "bob").await, his);
    assert_eq!(status(&ada, &message).await.0, "READ");
    done(&bob, "leaveChat", json!({ "chatId": chat })).await;
    assert_eq!(status(&ada, &message).await.0, "SENT", "nobody else is there");
    done(&ada, "addMembers", json!({ "chatId": chat, "userIds": [dan.id] })).await;
    assert_eq!(marks_of(&mut hers, "dan").await.as_array().map(Vec::len), Some(1));
    assert_eq!(status(&ada, &message).await.0, "READ");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_large_groups_nobody_comes_further() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let first = say(&ada, &chat, "Few of us").await;
    read(&bob, &chat, &first).await;
    let sql = app.sql().await;
    let many = "INSERT INTO users (id, username, email, display_name, password_hash) \
        SELECT gen_random_uuid(), 'u' || n, 'u' || n || '@example.com', 'u' || n, 'x' FROM generate_series(1, 99) AS n";
    sql.batch_execute(many).await.expect("people");
    let rows = sql.query(
        "SELECT 'user_' || replace(id::text, '-', '') FROM users WHERE username LIKE 'u%' AND password_hash = 'x'",
        &[],
    );
    let ids: Vec<String> = rows.await.expect("ids").iter().map(|row| row.get(0)).collect();
    done(&ada, "addMembers", json!({ "chatId": chat, "userIds": ids })).await;
    assert_eq!(status(&ada, &first).await.0, "READ", "it stays so");
    let second = say(&ada, &chat, "Many of us").await;
    read(&bob, &chat, &second).await;
    look(&bob, &chat).await;
    flush(&app).await;
    assert_eq!(status(&ada, &second).await, (json!("SENT"), vec![]));
}
