//! Membership takes effect on streams at once, both ways.

use serde_json::{Value, json};

use super::{direct, done, group, people, say};
use crate::harness::app::{Client, TestApp, User};
use crate::harness::stream::Subscription;

const EVENT: &str = "__typename cursor ... on ChatUpserted { chat { id title } } ... on ChatRemoved { chatId } ... on HistoryCleared { chatId } \
    ... on BranchChanged { afterSequence chat { id messages(last: 50) { nodes { content } } } } ... on MessageCreated { message { content } }";

/// Everything that somebody is told from now on.
async fn follow(client: &Client) -> Subscription {
    let mut stream = client
        .subscribe(
            &format!("subscription {{ events(ephemeral: false) {{ {EVENT} }} }}"),
            json!({}),
        )
        .await;
    stream.until("StreamReady").await;
    stream
}

/// One chat's events from now on.
async fn follow_chat(client: &Client, chat: &str, after: Value) -> Subscription {
    let query = format!(
        "subscription ($id: ID!, $after: String) {{ chatEvents(chatId: $id, after: $after, ephemeral: false) {{ {EVENT} }} }}"
    );
    let mut stream = client.subscribe(&query, json!({ "id": chat, "after": after })).await;
    stream.until("StreamReady").await;
    stream
}

/// What comes until somebody's own chat says that everything before it has come.
async fn rest(client: &Client, stream: &mut Subscription) -> Vec<Value> {
    done(client, "createChat", json!({ "title": "the end" })).await;
    let mut events = Vec::new();
    loop {
        let event = stream.next().await.expect("a stream without an end");
        if event["chat"]["title"] == "the end" {
            return events;
        }
        events.push(event);
    }
}

/// The kinds of events with what was said.
fn told(events: &[Value]) -> Vec<String> {
    let line = |event: &Value| {
        let said = event["message"]["content"].as_str().unwrap_or_default();
        format!("{} {said}", event["__typename"].as_str().expect("a name"))
            .trim()
            .to_owned()
    };
    events.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_added_is_told_at_once() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[]).await;
    say(&ada, &chat, "Before Bob.").await;
    let mut stream = follow(&bob).await;
    done(&ada, "addMembers", json!({ "chatId": chat, "userIds": [bob.id] })).await;
    say(&ada, &chat, "Hello, Bob.").await;
    let events = rest(&bob, &mut stream).await;
    assert_eq!(
        told(&events),
        [
            "ChatUpserted",
            "MessageCreated ada added bob.",
            "ReceiptsUpdated",
            "MessageCreated Hello, Bob.",
            "ChatUpserted"
        ]
    );
    assert!(!json!(events).to_string().contains("Before"), "{events:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_added_to_an_open_group_is_given_what_was_said() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[]).await;
    done(&ada, "updateChat", json!({ "chatId": chat, "history": "FROM_START" })).await;
    say(&ada, &chat, "Before Bob.").await;
    let mut stream = follow(&bob).await;
    done(&ada, "addMembers", json!({ "chatId": chat, "userIds": [bob.id] })).await;
    let events = rest(&bob, &mut stream).await;
    assert_eq!(
        told(&events),
        [
            "ChatUpserted",
            "BranchChanged",
            "MessageCreated ada added bob.",
            "ReceiptsUpdated"
        ]
    );
    assert_eq!(events[1]["afterSequence"], 0);
    assert!(events[1].to_string().contains("Before Bob."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_removed_is_told_that_and_nothing_after_it() {
    let app = TestApp::start().await;
    let [ada, bob, cyd]: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob, &cyd]).await;
    let cursor = bob.ok("{ viewer { syncCursor } }", json!({})).await["viewer"]["syncCursor"].take();
    let (mut all, mut one, mut stays) = (
        follow(&bob).await,
        follow_chat(&bob, &chat, Value::Null).await,
        follow(&cyd).await,
    );
    say(&ada, &chat, "Last words.").await;
    all.until("MessageCreated").await;
    all.until("ChatUpserted").await;
    done(&ada, "removeMember", json!({ "chatId": chat, "userId": bob.id })).await;
    say(&ada, &chat, "Now that he is gone:").await;
    done(&ada, "updateChat", json!({ "chatId": chat, "title": "Without Bob" })).await;
    assert_eq!(told(&rest(&bob, &mut all).await), ["ChatRemoved"]);
    let narrow = one.rest().await;
    assert_eq!(
        narrow.last().map(|event| event["chatId"].clone()),
        Some(json!(chat)),
        "the chat's own stream is over"
    );
    assert!(!json!(narrow).to_string().contains("gone"), "{narrow:?}");
    let seen = json!(rest(&cyd, &mut stays).await).to_string();
    assert!(seen.contains("Now that he is gone:") && seen.contains("Without Bob") && !seen.contains("ChatRemoved"));
    // Neither from an older cursor, nor anew.
    let mut again = follow_chat(&bob, &chat, cursor).await;
    assert_eq!(told(&again.rest().await), ["ChatRemoved"]);
    let query = "subscription ($id: ID!) { chatEvents(chatId: $id, ephemeral: false) { __typename } }";
    let refused = bob
        .subscribe(query, json!({ "id": chat }))
        .await
        .result()
        .await
        .expect("an answer");
    assert_eq!(refused["errors"][0]["extensions"]["code"], "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_of_a_send_tells_a_former_member_nothing() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let input = json!({ "chatId": chat, "content": "Mine.", "idempotencyKey": "bobs-own-key" });
    done(&bob, "sendMessage", input.clone()).await;
    done(&ada, "removeMember", json!({ "chatId": chat, "userId": bob.id })).await;
    done(&ada, "updateChat", json!({ "chatId": chat, "title": "Without Bob" })).await;
    let repeat = bob
        .mutate("sendMessage", input, "message { content chat { title } }")
        .await;
    assert_eq!(
        (&repeat["message"], &repeat["errors"][0]["code"]),
        (&Value::Null, &json!("NOT_FOUND"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_direct_chat_comes_with_its_first_message_and_goes_alone() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let mut stream = follow(&bob).await;
    let chat = direct(&ada, &bob).await;
    say(&ada, &chat, "Hello, Bob.").await;
    done(&ada, "deleteChat", json!({ "chatId": chat })).await;
    let events = rest(&bob, &mut stream).await;
    assert_eq!(told(&events), ["MessageCreated Hello, Bob.", "ChatUpserted"]);
    let mut hers = follow(&ada).await;
    say(&bob, &chat, "Hello, Ada.").await;
    assert_eq!(
        told(&rest(&ada, &mut hers).await),
        ["MessageCreated Hello, Ada.", "ChatUpserted"]
    );
}
