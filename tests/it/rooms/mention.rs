//! Mentions: people and assistants of the room, named by id or in the text, counted until they are read.

use serde_json::{Value, json};

use super::{direct, done, group, id, people, say};
use crate::chats::refused;
use crate::harness::app::{Client, TestApp, new_key};

/// Whom a message mentions, as somebody sees it.
async fn mentions(client: &Client, message: &str) -> Vec<String> {
    let query = "query ($id: ID!) { message(id: $id) { mentions { ... on User { username } ... on Assistant { displayName } } } }";
    let seen = client.ok(query, json!({ "id": message })).await;
    let nodes = seen["message"]["mentions"].as_array().expect("a list").clone();
    nodes
        .iter()
        .map(|node| id(node.get("username").unwrap_or(&node["displayName"])))
        .collect()
}

/// How many unread messages there are for somebody, and how many of them mention them.
async fn counts(client: &Client, chat: &str) -> (i64, i64) {
    let query = "query ($id: ID!) { chat(id: $id) { viewerState { unreadCount mentionCount } } }";
    let state = client.ok(query, json!({ "id": chat })).await["chat"]["viewerState"].take();
    let number = |value: &Value| value.as_i64().expect("a number");
    (number(&state["unreadCount"]), number(&state["mentionCount"]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_read_from_the_text_and_counted_until_read() {
    let app = TestApp::start().await;
    let [ada, bob, cyd, eve] = people(&app, ["ada", "bob.b", "cyd", "eve"]).await;
    let room = group(&ada, &[&bob, &cyd]).await;
    let said = say(&ada, &room, "Hello @bob.b, @CYD. and @eve; not x@cyd.example or @bob").await;
    assert_eq!(mentions(&cyd, &said).await, ["bob.b", "cyd"], "only who is here");
    let to_all =
        json!({ "chatId": room, "content": "You, @ada!", "mentionIds": [cyd.id, ada.id], "idempotencyKey": new_key() });
    let payload = ada
        .mutate("sendMessage", to_all, "message { id mentions { id } }")
        .await;
    assert_eq!(
        payload["message"]["mentions"],
        json!([{ "id": cyd.id }, { "id": ada.id }])
    );
    assert_eq!(counts(&cyd, &room).await, (2, 2));
    assert_eq!(counts(&bob, &room).await, (2, 1));
    assert_eq!(counts(&ada, &room).await, (0, 0), "one's own count for nobody");
    done(&cyd, "markRead", json!({ "chatId": room, "messageId": said })).await;
    assert_eq!(counts(&cyd, &room).await, (1, 1));
    done(&cyd, "clearHistory", json!({ "chatId": room })).await;
    assert_eq!(counts(&cyd, &room).await, (0, 0));
    done(&eve, "blockUser", json!({ "userId": ada.id })).await;
    let pair = direct(&ada, &eve).await;
    let lost = say(&ada, &pair, "Hello @eve").await;
    assert_eq!(mentions(&ada, &lost).await, ["eve"], "as if she were listening");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_in_the_room_is_not_mentioned() {
    let app = TestApp::start().await;
    let [ada, bob, eve] = people(&app, ["ada", "bob", "eve"]).await;
    let (room, alone) = (group(&ada, &[&bob]).await, ada.chat("scripted").await);
    let many: Vec<&str> = std::iter::repeat_n(bob.id.as_str(), 51).collect();
    for (chat, named, expected) in [
        (&room, json!([eve.id]), "NOT_FOUND"),
        (&room, json!(["nonsense"]), "NOT_FOUND"),
        (&room, json!(["asst_00000000000070008000000000000001"]), "NOT_FOUND"),
        (&room, json!(many), "LIMIT_REACHED"),
        (&alone, json!([ada.id]), "INVALID_STATE"),
    ] {
        let input = json!({ "chatId": chat, "content": "Hello", "mentionIds": named, "idempotencyKey": new_key() });
        let refusals = refused(&ada, "sendMessage", input).await;
        assert_eq!(
            (refusals[0].0.as_str(), refusals[0].1.as_str()),
            (expected, "input.mentionIds")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_words_mention_others() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    let room = group(&ada, &[&bob, &cyd]).await;
    let input = json!({ "chatId": room, "content": "Hello @bob", "mentionIds": [ada.id], "idempotencyKey": new_key() });
    let said = id(&ada.mutate("sendMessage", input, "message { id }").await["message"]["id"]);
    assert_eq!(counts(&bob, &room).await, (1, 1));
    let edit = |content: &str| json!({ "messageId": said, "content": content, "idempotencyKey": new_key() });
    done(&ada, "editMessage", edit("Hello @cyd")).await;
    assert_eq!(mentions(&bob, &said).await, ["ada", "cyd"], "who was named by id stays");
    assert_eq!((counts(&bob, &room).await, counts(&cyd, &room).await), ((1, 0), (1, 1)));
    done(&ada, "deleteMessage", json!({ "messageId": said })).await;
    assert_eq!(mentions(&bob, &said).await, [""; 0]);
    assert_eq!(counts(&cyd, &room).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_words_forget_those_who_have_gone_too() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    let room = group(&ada, &[&bob, &cyd]).await;
    let clio = json!({ "displayName": "Clio", "model": "scripted:words=1,first=0,delay=0", "visibility": "SHARED" });
    let clio = id(&ada.mutate("createAssistant", clio, "assistant { id }").await["assistant"]["id"]);
    done(&ada, "addAssistants", json!({ "chatId": room, "assistantIds": [clio] })).await;
    let input = json!({ "chatId": room, "content": "Hello @bob and @Clio", "mentionIds": [cyd.id], "idempotencyKey": new_key() });
    let said = id(&ada.mutate("sendMessage", input, "message { id }").await["message"]["id"]);
    done(&ada, "removeMember", json!({ "chatId": room, "userId": bob.id })).await;
    done(&ada, "removeAssistant", json!({ "chatId": room, "assistantId": clio })).await;
    let edit = |content: &str| json!({ "messageId": said, "content": content, "idempotencyKey": new_key() });
    done(&ada, "editMessage", edit("Hello, @bob and @Clio!")).await;
    assert_eq!(
        mentions(&ada, &said).await,
        ["cyd", "bob", "Clio"],
        "who was mentioned and is still named stays so"
    );
    done(&ada, "editMessage", edit("Hello, @bob!")).await;
    assert_eq!(mentions(&ada, &said).await, ["cyd", "bob"]);
    done(&ada, "editMessage", edit("Hello!")).await;
    assert_eq!(mentions(&ada, &said).await, ["cyd"]);
    done(&ada, "editMessage", edit("Hello, @bob!")).await;
    assert_eq!(mentions(&ada, &said).await, ["cyd"], "he is not here");
}
