//! What is read and written once for all who follow a room is still each one's own where it has to be.

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, User, new_key};
use crate::harness::stream::Subscription;
use crate::rooms::{done, group, people, say};

const SELECTED: &str = "__typename cursor ... on MessageCreated { message { id content author { id displayName } } } \
    ... on ChatUpserted { chat { id title } }";
const OWN: &str = "__typename cursor ... on MessageCreated { message { content idempotencyKey } } \
    ... on ChatUpserted { chat { id version viewerState { unreadCount } } }";

async fn follow(client: &Client, fields: &str) -> Subscription {
    let query = format!("subscription {{ events(ephemeral: false) {{ {fields} }} }}");
    let mut stream = client.subscribe(&query, json!({})).await;
    stream.until("StreamReady").await;
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_select_the_same_are_told_the_same() {
    let app = TestApp::start().await;
    let [ada, bob, cyd]: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob, &cyd]).await;
    let mut streams = Vec::new();
    for client in [&ada, &bob, &cyd, &bob, &cyd] {
        streams.push(follow(client, SELECTED).await);
    }
    // The same in other words, and less of it.
    let spread = "... on ChatUpserted { chat { id title } } __typename cursor ... on MessageCreated { message { id content author { id displayName } } }";
    streams.push(follow(&bob, spread).await);
    let mut less = follow(&cyd, "__typename ... on MessageCreated { message { content } }").await;
    let id = say(&ada, &chat, "Hello, \"all\" of you\u{2028}.").await;
    let mut told = Vec::new();
    for stream in &mut streams {
        told.push(stream.until("MessageCreated").await);
    }
    let message = json!({ "id": id, "content": "Hello, \"all\" of you\u{2028}.", "author": { "id": ada.id, "displayName": "ada" } });
    assert_eq!(told[0]["message"], message);
    assert!(told[0]["cursor"].is_string());
    assert!(told.iter().all(|event| *event == told[0]), "{told:#?}");
    let event = less.until("MessageCreated").await;
    assert_eq!(
        event,
        json!({ "__typename": "MessageCreated", "message": { "content": message["content"] } })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ones_own_is_not_shared() {
    let app = TestApp::start().await;
    let [ada, bob, cyd]: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob, &cyd]).await;
    let mut streams = [
        follow(&ada, OWN).await,
        follow(&bob, OWN).await,
        follow(&cyd, OWN).await,
    ];
    let key = new_key();
    let input = json!({ "chatId": chat, "content": "Hello.", "idempotencyKey": key });
    done(&ada, "sendMessage", input).await;
    let mut keys = Vec::new();
    let mut unread = Vec::new();
    for stream in &mut streams {
        keys.push(stream.until("MessageCreated").await["message"]["idempotencyKey"].take());
        unread.push(stream.until("ChatUpserted").await["chat"]["viewerState"]["unreadCount"].take());
    }
    assert_eq!(json!(keys), json!([key, null, null]), "seen by its sender alone");
    assert_eq!(json!(unread), json!([0, 1, 1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_before_is_kept_from_who_joined_later_though_others_are_told() {
    let app = TestApp::start().await;
    let [ada, bob, cyd]: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob]).await;
    let early = say(&ada, &chat, "A secret.").await;
    done(&ada, "addMembers", json!({ "chatId": chat, "userIds": [cyd.id] })).await;
    let (mut his, mut cyds) = (follow(&bob, SELECTED).await, follow(&cyd, SELECTED).await);
    // The message from before is told of once more, as after an edit.
    let changed = "INSERT INTO events (chat_id, kind, payload) SELECT chat_id, 'message.created', \
        jsonb_build_object('chatId', chat_id, 'messageId', id) FROM messages WHERE id = $1::text::uuid";
    let sql = app.sql().await;
    let id = crate::harness::app::uuid(&early);
    sql.execute(changed, &[&id]).await.expect("an event");
    let told = his.until("MessageCreated").await;
    assert_eq!(told["message"]["content"], "A secret.");
    say(&ada, &chat, "Welcome.").await;
    let told: Value = cyds.until("MessageCreated").await;
    assert_eq!(told["message"]["content"], "Welcome.");
}
