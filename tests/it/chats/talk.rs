//! What messages do to a chat: its title, what is unread, and how all of it goes away.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::{QUICK, answered, look, made, refusal, refused};
use crate::harness::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_message_gives_a_title_at_once() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let send = async |chat: &str, content: &str| {
        ada.send(chat, content).await;
        look(&ada, chat).await["title"].clone()
    };
    let chat = ada.chat(QUICK).await;
    assert_eq!(look(&ada, &chat).await["title"], Value::Null);
    assert_eq!(
        send(&chat, "## How do I boil an egg? I have never done it.").await,
        "How do I boil an egg?"
    );
    assert_eq!(send(&chat, "And a potato?").await, "How do I boil an egg?");

    let own = made(&ada, json!({ "title": "Mine", "model": QUICK })).await;
    assert_eq!(send(own["id"].as_str().expect("an id"), "Hello there").await, "Mine");

    let untitled = ada.chat(QUICK).await;
    send(&untitled, "First words").await;
    let removed = json!({ "chatId": untitled, "title": null });
    let payload = ada.mutate("updateChat", removed, "chat { title }").await;
    assert_eq!(payload["chat"]["title"], Value::Null);
    assert_eq!(
        send(&untitled, "Second words").await,
        Value::Null,
        "a removed title stays away"
    );

    let long = ada.chat(QUICK).await;
    let title = send(&long, &"👩‍🚀 pneumonoultramicroscopic ".repeat(9)).await;
    let title = title.as_str().expect("a title");
    assert!(title.ends_with('…') && title.chars().count() <= 60, "{title}");
    let signs = ada.chat(QUICK).await;
    assert_eq!(send(&signs, "?!").await, Value::Null, "signs are no title");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_messages_are_counted_until_they_are_read() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    answered(&ada, &chat, "one").await;
    let shown = look(&ada, &chat).await;
    let ids: Vec<&str> = shown["messages"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    assert_eq!(shown["viewerState"]["unreadCount"], 1);
    assert_eq!(shown["viewerState"]["lastReadSequence"], 1);
    assert_eq!(shown["lastMessage"]["role"], "ASSISTANT");

    let read = async |message: &str| {
        let input = json!({ "chatId": chat, "messageId": message });
        let payload = ada
            .mutate(
                "markRead",
                input,
                "chat { viewerState { unreadCount lastReadSequence } }",
            )
            .await;
        (payload["chat"]["viewerState"].clone(), payload["errors"].clone())
    };
    let all_read = (json!({ "unreadCount": 0, "lastReadSequence": 2 }), json!([]));
    assert_eq!(read(ids[1]).await, all_read);
    assert_eq!(read(ids[0]).await, all_read, "it never goes back");
    assert_eq!(read(ids[1]).await, all_read);
    answered(&ada, &chat, "two").await;
    assert_eq!(look(&ada, &chat).await["viewerState"]["unreadCount"], 1);
    let reply = look(&ada, &chat).await["messages"]["nodes"][3]["id"].clone();

    let elsewhere = ada.chat(QUICK).await;
    let message = "This message does not exist, or you have no access to it.";
    let strange = json!({ "chatId": elsewhere, "messageId": reply });
    assert_eq!(
        refused(&ada, "markRead", strange).await,
        refusal("NOT_FOUND", "input.messageId", message)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cleared_and_deleted_is_gone() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    answered(&ada, &chat, "Remember the milk").await;
    let cleared = ada
        .mutate(
            "clearHistory",
            json!({ "chatId": chat }),
            "chat { title lastMessage { id } viewerState { unreadCount } messages { nodes { id } } }",
        )
        .await;
    assert_json_snapshot!(cleared, @r#"
    {
      "chat": {
        "lastMessage": null,
        "messages": {
          "nodes": []
        },
        "title": "Remember the milk",
        "viewerState": {
          "unreadCount": 0
        }
      },
      "errors": []
    }
    "#);
    answered(&ada, &chat, "again").await;
    let sequences: Vec<_> = look(&ada, &chat).await["messages"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .map(|node| node["sequence"].clone())
        .collect();
    assert_eq!(sequences, [3, 4], "numbers are not given twice");

    let deleted = ada
        .mutate("deleteChat", json!({ "chatId": chat }), "deletedChatId")
        .await;
    assert_eq!(deleted["deletedChatId"], json!(chat));
    assert_eq!(look(&ada, &chat).await, Value::Null);
    let sql = app.sql().await;
    for table in ["chats", "messages", "generations", "chat_members"] {
        let row = sql
            .query_one(&format!("SELECT count(*) FROM {table}"), &[])
            .await
            .expect(table);
        assert_eq!(row.get::<_, i64>(0), 0, "{table}");
    }
}
