//! Who types.

use serde_json::{Value, json};

use super::{come, set};
use crate::harness::app::{Client, TestApp, User};
use crate::harness::stream::Subscription;
use crate::rooms::{done, group, people, say};

async fn types(client: &Client, chat: &str, on: bool) {
    done(client, "setTyping", json!({ "chatId": chat, "isTyping": on })).await;
}

/// The next that is told of somebody's typing.
async fn told(stream: &mut Subscription) -> (String, bool) {
    let event = stream.until("TypingChanged").await;
    assert_eq!(event["cursor"], Value::Null, "it is not replayed");
    assert_eq!(event["expiresAt"].is_string(), event["isTyping"] == true);
    let name = event["user"]["username"].as_str().expect("a name").to_owned();
    (name, event["isTyping"] == true)
}

async fn typing(client: &Client, chat: &str) -> Value {
    let query = "query ($id: ID!) { chat(id: $id) { typing { username } } }";
    client.ok(query, json!({ "id": chat })).await["chat"]["typing"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_are_told_who_types_until_they_stop_or_send() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let mut stream = come(&bob).await;
    types(&ada, &chat, true).await;
    assert_eq!(told(&mut stream).await, ("ada".into(), true));
    assert_eq!(typing(&bob, &chat).await, json!([{ "username": "ada" }]));
    assert_eq!(typing(&ada, &chat).await, json!([]), "one knows it of oneself");
    types(&ada, &chat, false).await;
    assert_eq!(told(&mut stream).await, ("ada".into(), false));
    types(&ada, &chat, true).await;
    assert_eq!(told(&mut stream).await, ("ada".into(), true));
    say(&ada, &chat, "Done.").await;
    assert_eq!(told(&mut stream).await, ("ada".into(), false));
    assert_eq!(typing(&bob, &chat).await, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typing_is_over_by_itself() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let query = "subscription ($id: ID!) { chatEvents(chatId: $id) { __typename cursor ... on TypingChanged { isTyping expiresAt user { username } } } }";
    let mut stream = bob.subscribe(query, json!({ "id": chat })).await;
    stream.until("StreamReady").await;
    types(&ada, &chat, true).await;
    assert_eq!(told(&mut stream).await, ("ada".into(), true));
    assert_eq!(told(&mut stream).await, ("ada".into(), false));
    assert_eq!(typing(&bob, &chat).await, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_the_blocked_nor_the_invisible_are_told_of() {
    let app = TestApp::start().await;
    let [ada, bob, cyd, dan]: [User; 4] = people(&app, ["ada", "bob", "cyd", "dan"]).await;
    let chat = group(&ada, &[&bob, &cyd, &dan]).await;
    done(&ada, "blockUser", json!({ "userId": bob.id })).await;
    set(&dan, json!({ "invisible": true })).await;
    let (mut hers, mut his, mut cyds) = (come(&ada).await, come(&bob).await, come(&cyd).await);
    types(&dan, &chat, true).await;
    types(&ada, &chat, true).await;
    assert_eq!(told(&mut cyds).await, ("ada".into(), true));
    types(&bob, &chat, true).await;
    assert_eq!(told(&mut cyds).await, ("bob".into(), true));
    types(&cyd, &chat, true).await;
    assert_eq!(told(&mut hers).await, ("cyd".into(), true), "not Bob, whom she blocks");
    assert_eq!(told(&mut his).await, ("cyd".into(), true), "not Ada, who blocks him");
    assert_eq!(typing(&bob, &chat).await, json!([{ "username": "cyd" }]));
    assert_eq!(typing(&ada, &chat).await, json!([{ "username": "cyd" }]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_is_told_nothing_more_and_who_comes_is_told_at_once() {
    let app = TestApp::start().await;
    let [ada, bob, cyd]: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob]).await;
    let (mut his, mut cyds) = (come(&bob).await, come(&cyd).await);
    types(&ada, &chat, true).await;
    assert_eq!(told(&mut his).await, ("ada".into(), true));
    done(&ada, "removeMember", json!({ "chatId": chat, "userId": bob.id })).await;
    his.until("ChatRemoved").await;
    done(&ada, "addMembers", json!({ "chatId": chat, "userIds": [cyd.id] })).await;
    cyds.until("MessageCreated").await;
    types(&ada, &chat, false).await;
    assert_eq!(told(&mut cyds).await, ("ada".into(), false));
    done(&bob, "createChat", json!({ "title": "the end" })).await;
    loop {
        let event = his.next().await.expect("an event");
        assert_ne!(event["__typename"], "TypingChanged", "{event}");
        if event["chat"]["title"] == "the end" {
            break;
        }
    }
    let query = "query ($id: ID!) { chat(id: $id) { typing { username } } }";
    assert_eq!(bob.ok(query, json!({ "id": chat })).await["chat"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_without_the_ephemeral_are_told_nothing_of_it() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let mut told_all = come(&bob).await;
    let query =
        "subscription { events(ephemeral: false) { __typename ... on MessageCreated { message { content } } } }";
    let mut stream = bob.subscribe(query, json!({})).await;
    stream.until("StreamReady").await;
    types(&ada, &chat, true).await;
    told(&mut told_all).await;
    say(&ada, &chat, "Hello.").await;
    let next = stream.next().await.expect("an event");
    assert_eq!(next["message"]["content"], "Hello.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_is_removed_or_hides_types_no_more() {
    let app = TestApp::start().await;
    let [ada, bob, cyd, dan, eve]: [User; 5] = people(&app, ["ada", "bob", "cyd", "dan", "eve"]).await;
    let chat = group(&ada, &[&bob, &cyd, &dan, &eve]).await;
    let mut stream = come(&ada).await;
    for one in [&bob, &cyd, &dan, &eve] {
        types(one, &chat, true).await;
        assert!(told(&mut stream).await.1);
    }
    done(&bob, "leaveChat", json!({ "chatId": chat })).await;
    done(&ada, "removeMember", json!({ "chatId": chat, "userId": cyd.id })).await;
    set(&dan, json!({ "invisible": true })).await;
    let mut ended = Vec::new();
    // What is told in one go has no order: what was said before the last of these was told with it at the latest.
    for on in [false, true] {
        types(&eve, &chat, on).await;
        loop {
            let (name, is_typing) = told(&mut stream).await;
            if !is_typing {
                ended.push(name.clone());
            }
            if name == "eve" && is_typing == on {
                break;
            }
        }
    }
    ended.sort_unstable();
    assert_eq!(ended, ["bob", "cyd", "dan", "eve"]);
}
