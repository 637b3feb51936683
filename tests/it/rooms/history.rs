//! What those see who join later, and what is kept from them on every way.

use serde_json::{Value, json};

use super::{done, group, people, say, texts, unread};
use crate::harness::app::{TestApp, uuid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_sees_what_the_group_chose() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[]).await;
    let secret = say(&ada, &chat, "Before Bob.").await;
    done(&ada, "addMembers", json!({ "chatId": chat, "userIds": [bob.id] })).await;
    say(&ada, &chat, "After Bob.").await;
    let words = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    assert_eq!(texts(&bob, &chat).await, words(&["ada added bob.", "After Bob."]));
    assert_eq!(unread(&bob, &chat).await, 1);
    // On no other way either.
    let query = "query ($chat: ID!, $id: ID!) { message(id: $id) { content } node(id: $id) { id } \
        chat(id: $chat) { messages(first: 1) { nodes { content parent { content } siblings { content } } pageInfo { hasPreviousPage } } } }";
    let seen = bob.ok(query, json!({ "chat": chat, "id": secret })).await;
    assert_eq!((&seen["message"], &seen["node"]), (&Value::Null, &Value::Null));
    assert!(!seen.to_string().contains("Before"), "{seen}");
    assert_eq!(seen["chat"]["messages"]["pageInfo"]["hasPreviousPage"], false);
    let read = json!({ "chatId": chat, "messageId": secret });
    assert_eq!(bob.mutate("markRead", read, "").await["errors"][0]["code"], "NOT_FOUND");

    done(&ada, "updateChat", json!({ "chatId": chat, "history": "FROM_START" })).await;
    assert!(
        !texts(&bob, &chat)
            .await
            .expect("his")
            .contains(&"Before Bob.".to_owned()),
        "it is for who joins from now on"
    );
    done(&ada, "addMembers", json!({ "chatId": chat, "userIds": [cyd.id] })).await;
    let all = texts(&cyd, &chat).await.expect("hers");
    assert_eq!(all.first().map(String::as_str), Some("ada created the group."));
    assert!(all.contains(&"Before Bob.".to_owned()));
    assert_eq!(
        unread(&cyd, &chat).await,
        0,
        "what was said before is there to be read, and not unread"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_clears_is_gone_for_oneself() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    say(&ada, &chat, "one").await;
    let cleared = bob.mutate(
        "clearHistory",
        json!({ "chatId": chat }),
        "chat { lastMessage { id } messages { nodes { id } } viewerState { unreadCount } }",
    );
    assert_eq!(
        cleared.await["chat"],
        json!({ "lastMessage": null, "messages": { "nodes": [] }, "viewerState": { "unreadCount": 0 } })
    );
    say(&ada, &chat, "two").await;
    assert_eq!(texts(&bob, &chat).await, Some(vec!["two".to_owned()]));
    assert_eq!(texts(&ada, &chat).await.expect("hers").len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_see_all_of_it_and_it_is_written_down() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let admin = app.admin("root").await;
    let chat = group(&ada, &[&bob]).await;
    say(&ada, &chat, "Between us.").await;
    assert_eq!(
        texts(&admin, &chat).await,
        None,
        "as a person an administrator is a stranger"
    );
    let query = "query ($user: ID!) { admin { chats(userId: $user) { nodes { id version memberCount viewerState { role } messages { nodes { content } } } } } }";
    let seen = admin.ok(query, json!({ "user": bob.id })).await["admin"]["chats"]["nodes"][0].take();
    assert_eq!(
        (&seen["id"], &seen["viewerState"], &seen["memberCount"]),
        (&json!(chat), &Value::Null, &json!(2))
    );
    assert!(seen["messages"].to_string().contains("Between us."));
    let looked = "SELECT count(*) FROM audit_log WHERE action = 'admin.read_messages' AND target = $1";
    let target = format!("chat_{}", uuid(&chat));
    let count = app.sql().await.query_one(looked, &[&target]).await.expect("a count");
    assert_eq!(count.get::<_, i64>(0), 1);
}
