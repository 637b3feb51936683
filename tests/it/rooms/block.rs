//! Blocks in rooms: whoever is blocked notices nothing, and whoever blocks hears nothing.

use serde_json::{Value, json};

use super::{direct, done, group, id, people, roster, say, texts, unread};
use crate::harness::app::{Client, TestApp, User, new_key};

async fn block(one: &User, other: &User) {
    done(one, "blockUser", json!({ "userId": other.id })).await;
}

async fn unblock(one: &User, other: &User) {
    done(one, "unblockUser", json!({ "userId": other.id })).await;
}

/// Ada and Bob, who have talked, and Bob blocks Ada; with their chat.
async fn fallen_out(app: &TestApp) -> ([User; 2], String) {
    let [ada, bob] = people(app, ["ada", "bob"]).await;
    let chat = direct(&ada, &bob).await;
    say(&ada, &chat, "hello before").await;
    say(&bob, &chat, "hello yourself").await;
    block(&bob, &ada).await;
    ([ada, bob], chat)
}

/// All that somebody can learn of a chat without being told.
async fn look(client: &Client, chat: &str) -> Value {
    let query = "query ($id: ID!) { chat(id: $id) { version updatedAt lastActivityAt lastMessage { content } \
        viewerState { unreadCount lastReadSequence } pinnedMessages { nodes { content } } messages { nodes { content sequence version } } } \
        viewer { chats { nodes { id } } } search(query: \"hello\") { nodes { message { content } } } }";
    client.ok(query, json!({ "id": chat })).await
}

/// The events that somebody gets until they pin a chat of their own.
async fn heard(client: &Client, from: &Value) -> Vec<String> {
    let marker = client.chat("scripted").await;
    let query =
        "subscription ($after: String) { events(after: $after) { __typename ... on ChatUpserted { chat { id } } } }";
    let mut stream = client.subscribe(query, json!({ "after": from })).await;
    let mut names = Vec::new();
    loop {
        let event = stream.next().await.expect("an event");
        if event["chat"]["id"] == marker.as_str() {
            return names;
        }
        names.push(id(&event["__typename"]));
    }
}

async fn cursor(client: &Client) -> Value {
    client.ok("{ viewer { syncCursor } }", json!({})).await["viewer"]["syncCursor"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_blocked_write_reaches_nobody_now_or_later() {
    let app = TestApp::start().await;
    let ([ada, bob], chat) = fallen_out(&app).await;
    let (before, from) = (look(&bob, &chat).await, cursor(&bob).await);
    let mine = cursor(&ada).await;
    let other = ada.chat("scripted").await;
    say(&ada, &chat, "hello?").await;
    say(&ada, &chat, "hello, are you there?").await;
    assert_eq!(look(&bob, &chat).await, before, "nothing has changed");
    assert_eq!(heard(&bob.client, &from).await, ["StreamReady"]);

    let seen = look(&ada, &chat).await;
    assert_eq!(seen["chat"]["messages"]["nodes"].as_array().map(Vec::len), Some(4));
    assert_eq!(seen["chat"]["lastMessage"]["content"], "hello, are you there?");
    assert_eq!(
        seen["viewer"]["chats"]["nodes"][0]["id"],
        chat.as_str(),
        "it is the latest"
    );
    assert_eq!(seen["viewer"]["chats"]["nodes"][1]["id"], other.as_str());
    assert_eq!(seen["search"]["nodes"].as_array().map(Vec::len), Some(4));
    let told = ["MessageCreated", "ChatUpserted"].repeat(2);
    assert_eq!(
        heard(&ada.client, &mine).await,
        [&["StreamReady", "ChatUpserted"][..], &told].concat()
    );

    let refusal = bob
        .mutate(
            "sendMessage",
            json!({ "chatId": chat, "content": "no", "idempotencyKey": new_key() }),
            "",
        )
        .await;
    assert_eq!(
        refusal["errors"][0],
        json!({ "code": "INVALID_STATE", "field": ["input", "chatId"], "retryAfterSeconds": null,
            "message": "You have blocked this person. Unblock them first." })
    );

    unblock(&bob, &ada).await;
    assert_eq!(
        texts(&bob, &chat).await.expect("a chat"),
        ["hello before", "hello yourself"],
        "what was withheld stays so"
    );
    assert_eq!(unread(&bob, &chat).await, 1, "the first one");
    say(&ada, &chat, "hello again").await;
    assert_eq!(
        texts(&bob, &chat).await.expect("a chat"),
        ["hello before", "hello yourself", "hello again"]
    );
    assert_eq!(unread(&bob, &chat).await, 2);
    say(&bob, &chat, "oh, hello").await;
    assert_eq!(unread(&ada, &chat).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_what_the_blocked_do_with_it() {
    let app = TestApp::start().await;
    let ([ada, bob], chat) = fallen_out(&app).await;
    let (before, from) = (look(&bob, &chat).await, cursor(&bob).await);
    let message = say(&ada, &chat, "hello?").await;
    for what in ["pinMessage", "unpinMessage", "pinMessage", "deleteMessage"] {
        let mine = cursor(&ada).await;
        done(&ada, what, json!({ "messageId": message })).await;
        assert_eq!(
            heard(&ada.client, &mine).await,
            ["StreamReady", "MessageUpdated", "ChatUpserted"],
            "{what}"
        );
    }
    assert_eq!(look(&bob, &chat).await, before, "nothing has changed");
    assert_eq!(heard(&bob.client, &from).await, ["StreamReady"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_messages_stay_the_blocked_decide_for_themselves_alone() {
    let app = TestApp::start().await;
    let ([ada, bob], chat) = fallen_out(&app).await;
    let age = "UPDATE messages SET created_at = created_at - interval '2 minutes'";
    let sql = app.sql().await;
    sql.execute(age, &[]).await.expect("older messages");
    let (before, from) = (look(&bob, &chat).await, cursor(&bob).await);
    let seconds = async |client: &Client| {
        let query = "query ($id: ID!) { chat(id: $id) { messageLifetimeSeconds } }";
        client.ok(query, json!({ "id": chat })).await["chat"]["messageLifetimeSeconds"].take()
    };
    let mine = cursor(&ada).await;
    let minute = json!({ "chatId": chat, "messageLifetimeSeconds": 60 });
    done(&ada, "updateChat", minute.clone()).await;
    assert_eq!(seconds(&ada).await, 60);
    assert_eq!(texts(&ada, &chat).await.expect("a chat").len(), 1, "what tells of it");
    assert!(heard(&ada.client, &mine).await.contains(&"HistoryCleared".to_owned()));
    say(&ada, &chat, "hello?").await;
    sql.execute(age, &[]).await.expect("older messages");
    parlor::chat::lifetime::own::due(&app.app).await.expect("a sweep");
    assert!(texts(&ada, &chat).await.expect("a chat").is_empty());
    assert_eq!(look(&bob, &chat).await, before, "nothing has changed");
    assert_eq!(seconds(&bob).await, Value::Null);
    assert_eq!(heard(&bob.client, &from).await, ["StreamReady"]);
    // What the other says holds for both.
    let hour = json!({ "chatId": chat, "messageLifetimeSeconds": 3600 });
    done(&bob, "updateChat", hour).await;
    assert_eq!((seconds(&ada).await, seconds(&bob).await), (json!(3600), json!(3600)));
    unblock(&bob, &ada).await;
    done(&ada, "updateChat", minute).await;
    assert_eq!((seconds(&ada).await, seconds(&bob).await), (json!(60), json!(60)));
    let left = texts(&bob, &chat).await.expect("a chat");
    assert!(!left.contains(&"hello yourself".to_owned()), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_room_comes_from_the_blocked() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    block(&bob, &ada).await;
    let chat = direct(&ada, &bob).await;
    say(&ada, &chat, "hello?").await;
    assert_eq!(roster(&ada, &chat).await, ["ada MEMBER", "bob MEMBER"], "as ever");
    assert_eq!(texts(&bob, &chat).await, None);
    let refusal = bob
        .mutate("createChat", json!({ "kind": "DIRECT", "memberIds": [ada.id] }), "")
        .await;
    assert_eq!(
        (&refusal["errors"][0]["code"], &refusal["errors"][0]["field"]),
        (&json!("INVALID_STATE"), &json!(["input", "memberIds"]))
    );
    unblock(&bob, &ada).await;
    assert_eq!(texts(&bob, &chat).await, None);
    say(&ada, &chat, "hello again").await;
    assert_eq!(texts(&bob, &chat).await.expect("a chat"), ["hello again"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_learns_from_a_group_that_they_are_blocked() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    let room = group(&ada, &[]).await;
    let attempts = async || {
        let input = json!({ "chatId": room, "userIds": [bob.id] });
        let added = ada.mutate("addMembers", input, "").await;
        let input = json!({ "kind": "GROUP", "memberIds": [bob.id, cyd.id] });
        (
            added["errors"].clone(),
            ada.mutate("createChat", input, "").await["errors"].clone(),
        )
    };
    done(&bob, "updatePreferences", json!({ "addableBy": "NOBODY" })).await;
    let unwilling = attempts().await;
    assert_eq!(
        (&unwilling.0[0]["code"], &unwilling.0[0]["field"]),
        (&json!("FORBIDDEN"), &json!(["input", "userIds"]))
    );
    assert_eq!(unwilling.1[0]["field"], json!(["input", "memberIds"]));
    done(&bob, "updatePreferences", json!({ "addableBy": "CONTACTS" })).await;
    assert_eq!(attempts().await, unwilling, "she is none");
    done(&bob, "updatePreferences", json!({ "addableBy": "EVERYBODY" })).await;
    block(&bob, &ada).await;
    assert_eq!(attempts().await, unwilling, "being blocked looks the same");
    assert_eq!(roster(&ada, &room).await, ["ada OWNER"]);

    let input = json!({ "kind": "GROUP", "memberIds": [ada.id] });
    let refusal = bob.mutate("createChat", input, "").await;
    assert_eq!(
        refusal["errors"][0]["code"], "INVALID_STATE",
        "who blocks is told what to do"
    );

    // Whoever brings both together has both read each other.
    let shared = group(&cyd, &[&ada, &bob]).await;
    say(&ada, &shared, "hello, all").await;
    assert_eq!(
        texts(&bob, &shared).await.expect("a group").last().expect("a text"),
        "hello, all"
    );
    unblock(&bob, &ada).await;
    done(&bob, "addContact", json!({ "userId": ada.id })).await;
    done(&bob, "updatePreferences", json!({ "addableBy": "CONTACTS" })).await;
    done(&ada, "addMembers", json!({ "chatId": room, "userIds": [bob.id] })).await;
    assert_eq!(roster(&ada, &room).await, ["ada OWNER", "bob MEMBER"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_that_the_blocked_delete_is_the_same_when_it_comes_back() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    block(&bob, &ada).await;
    // Whoever is not blocked, and whoever is.
    for other in [&cyd, &bob] {
        let chat = direct(&ada, other).await;
        say(&ada, &chat, "hello?").await;
        for _ in 0..2 {
            done(&ada, "leaveChat", json!({ "chatId": chat })).await;
            assert_eq!(texts(&ada, &chat).await, None);
            assert_eq!(direct(&ada, other).await, chat);
            assert_eq!(texts(&ada, &chat).await.expect("a chat"), [""; 0]);
        }
    }
    let stored: i64 = app
        .sql()
        .await
        .query_one("SELECT count(*) FROM messages WHERE content <> ''", &[])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(stored, 1, "what nobody reads any more is not kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_blocked_do_to_a_chat_is_not_told_in_it() {
    let app = TestApp::start().await;
    let ([ada, bob], chat) = fallen_out(&app).await;
    let (before, from) = (texts(&bob, &chat).await, cursor(&bob).await);
    done(&ada, "updateProfile", json!({ "displayName": "Read this, Bob!" })).await;
    let change = json!({ "chatId": chat, "messageLifetimeSeconds": 3600 });
    done(&ada, "updateChat", change).await;
    assert_eq!(texts(&bob, &chat).await, before);
    assert_eq!(heard(&bob.client, &from).await, ["StreamReady"]);
    let told = texts(&ada, &chat).await.expect("a chat");
    assert_eq!(
        told.last().map(String::as_str),
        Some("Read this, Bob! changed the message lifetime.")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_blocked_pin_takes_no_room() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let chat = direct(&ada, &bob).await;
    let hello = say(&ada, &chat, "hello").await;
    block(&bob, &ada).await;
    for number in 0..50 {
        let message = say(&ada, &chat, &number.to_string()).await;
        done(&ada, "pinMessage", json!({ "messageId": message })).await;
    }
    let refused = ada.mutate("pinMessage", json!({ "messageId": hello }), "").await;
    assert_eq!(refused["errors"][0]["code"], "LIMIT_REACHED");
    done(&bob, "pinMessage", json!({ "messageId": hello })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_are_those_of_somebody_who_did_not_look() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    let mut seen = Vec::new();
    for other in [&cyd, &bob] {
        let chat = direct(&ada, other).await;
        let first = say(&ada, &chat, "hello").await;
        done(other, "markRead", json!({ "chatId": chat, "messageId": first })).await;
        if other.id == bob.id {
            block(&bob, &ada).await;
        }
        let meanwhile = say(&ada, &chat, "hello?").await;
        let query = "query ($id: ID!) { message(id: $id) { status receipts { nodes { status } } } }";
        let before = ada.ok(query, json!({ "id": meanwhile })).await;
        if other.id == bob.id {
            unblock(&bob, &ada).await;
        }
        let last = say(&ada, &chat, "hello again").await;
        done(other, "markRead", json!({ "chatId": chat, "messageId": last })).await;
        seen.push((before, ada.ok(query, json!({ "id": meanwhile })).await));
    }
    assert_eq!(seen[0].1["message"]["status"], "READ");
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_that_only_the_blocked_were_in_is_found_again_and_empty() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    block(&bob, &ada).await;
    let chat = direct(&ada, &bob).await;
    say(&ada, &chat, "hello?").await;
    done(&ada, "deleteChat", json!({ "chatId": chat })).await;
    let left = "SELECT count(*) FROM messages WHERE content <> ''";
    let left = app.sql().await.query_one(left, &[]).await.expect("a count");
    assert_eq!(left.get::<_, i64>(0), 0, "nothing of what was said");
    assert_eq!(direct(&ada, &bob).await, chat, "as if he had it");
    assert_eq!(texts(&ada, &chat).await, Some(Vec::new()));
    unblock(&bob, &ada).await;
    say(&ada, &chat, "hello again").await;
    assert_eq!(texts(&bob, &chat).await.expect("a chat"), ["hello again"]);
}
