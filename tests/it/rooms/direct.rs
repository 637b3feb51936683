//! Chats of two: one for each two, seen by the other with its first message.

use serde_json::{Value, json};

use super::{direct, done, people, roster, say, texts, unread};
use crate::harness::app::{Client, TestApp, new_key};

/// The ids of somebody's direct chats.
async fn list(client: &Client) -> Value {
    let query = "{ viewer { chats(filter: { kinds: [DIRECT] }) { nodes { id } } } }";
    client.ok(query, json!({})).await["viewer"]["chats"]["nodes"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_one_however_many_open_it_at_once() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let opened = futures_util::future::join_all((0..12).map(|turn| {
        let (one, other) = if turn % 2 == 0 { (&ada, &bob) } else { (&bob, &ada) };
        direct(&one.client, other)
    }));
    let opened = opened.await;
    assert!(opened.iter().all(|chat| *chat == opened[0]), "{opened:?}");
    assert_eq!(list(&ada.client).await, json!([{ "id": opened[0] }]));
    assert_eq!(list(&bob.client).await, json!([{ "id": opened[0] }]));
    let sql = app.sql().await;
    let row = sql.query_one("SELECT count(*) FROM chats WHERE kind = 'DIRECT'", &[]);
    assert_eq!(row.await.expect("a count").get::<_, i64>(0), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_sees_it_with_its_first_message() {
    let app = TestApp::start().await;
    let [ada, bob, eve] = people(&app, ["ada", "bob", "eve"]).await;
    let chat = direct(&ada, &bob).await;
    assert_eq!(texts(&bob, &chat).await, None, "nobody gets an empty room");
    assert_eq!(roster(&ada, &chat).await, ["ada MEMBER", "bob MEMBER"]);
    say(&ada, &chat, "Hello, Bob.").await;
    assert_eq!(texts(&bob, &chat).await, Some(vec!["Hello, Bob.".to_owned()]));
    say(&bob, &chat, "Hello, Ada.").await;
    assert_eq!((unread(&ada, &chat).await, unread(&bob, &chat).await), (1, 1));
    let query = "query ($id: ID!) { chat(id: $id) { kind title memberCount permissions { post } history assistants { id } lastMessage { content } \
        viewerState { role permissions } } }";
    insta::assert_json_snapshot!(bob.ok(query, json!({ "id": chat })).await["chat"], @r#"
    {
      "assistants": [],
      "history": null,
      "kind": "DIRECT",
      "lastMessage": {
        "content": "Hello, Ada."
      },
      "memberCount": 2,
      "permissions": null,
      "title": null,
      "viewerState": {
        "permissions": [
          "POST",
          "PIN"
        ],
        "role": "MEMBER"
      }
    }
    "#);
    assert_eq!(direct(&bob, &ada).await, chat);
    assert_eq!(texts(&eve, &chat).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_found_by_the_others_name() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    let (with_bob, with_cyd) = (direct(&ada, &bob).await, direct(&ada, &cyd).await);
    let profile = json!({ "displayName": "Robert the 50%" });
    done(&bob, "updateProfile", profile).await;
    let found = async |client: &Client, text: &str| {
        let query = "query ($text: String!) { viewer { chats(filter: { query: $text }) { nodes { id } } } }";
        client.ok(query, json!({ "text": text })).await["viewer"]["chats"]["nodes"].take()
    };
    assert_eq!(found(&ada, "robert").await, json!([{ "id": with_bob }]));
    assert_eq!(found(&ada, "50%").await, json!([{ "id": with_bob }]));
    assert_eq!(found(&ada, "CYD").await, json!([{ "id": with_cyd }]));
    assert_eq!(found(&ada, "ada").await, json!([]), "not by one's own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_send_counts_once() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let chat = direct(&ada, &bob).await;
    let input = json!({ "chatId": chat, "content": "Once.", "idempotencyKey": new_key() });
    let fields = "message { id idempotencyKey } generation { id } generations { id } cursor";
    let sent = futures_util::future::join_all((0..8).map(|_| ada.mutate("sendMessage", input.clone(), fields)));
    let sent = sent.await;
    assert!(
        sent.iter().all(|payload| payload["message"] == sent[0]["message"]),
        "{sent:?}"
    );
    assert_eq!(sent[0]["generations"], json!([]));
    assert!(sent[0]["cursor"].is_string());
    assert_eq!(texts(&bob, &chat).await, Some(vec!["Once.".to_owned()]));
    let query = "query ($id: ID!) { message(id: $id) { idempotencyKey } }";
    let seen = bob.ok(query, json!({ "id": sent[0]["message"]["id"] })).await;
    assert_eq!(seen["message"]["idempotencyKey"], Value::Null, "the sender's alone");
    let mut other = input.clone();
    other["content"] = json!("Twice.");
    let refused = ada.mutate("sendMessage", other, "message { id }").await;
    assert_eq!(refused["errors"][0]["code"], "CONFLICT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_deletes_it_gets_it_back_empty() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let chat = direct(&ada, &bob).await;
    say(&ada, &chat, "one").await;
    say(&bob, &chat, "two").await;
    let deleted = ada
        .mutate("deleteChat", json!({ "chatId": chat }), "deletedChatId")
        .await;
    assert_eq!(deleted["deletedChatId"], chat.as_str());
    assert_eq!((texts(&ada, &chat).await, list(&ada).await), (None, json!([])));
    let both = vec!["one".to_owned(), "two".to_owned()];
    assert_eq!(texts(&bob, &chat).await, Some(both.clone()), "it is Bob's still");
    assert_eq!(roster(&bob, &chat).await, ["ada MEMBER", "bob MEMBER"]);
    say(&bob, &chat, "three").await;
    assert_eq!(texts(&ada, &chat).await, Some(vec!["three".to_owned()]));
    assert_eq!(unread(&ada, &chat).await, 1);
    // One who clears it keeps it.
    done(&bob, "clearHistory", json!({ "chatId": chat })).await;
    assert_eq!((texts(&bob, &chat).await, unread(&bob, &chat).await), (Some(vec![]), 0));
    assert_eq!(texts(&ada, &chat).await, Some(vec!["three".to_owned()]));
    // With the last who leaves it is gone, and the next one is another.
    done(&ada, "leaveChat", json!({ "chatId": chat })).await;
    assert_eq!(direct(&ada, &bob).await, chat);
    assert_eq!(texts(&ada, &chat).await, Some(vec![]), "opened again, it begins anew");
    done(&ada, "leaveChat", json!({ "chatId": chat })).await;
    done(&bob, "deleteChat", json!({ "chatId": chat })).await;
    assert_ne!(direct(&bob, &ada).await, chat);
}
