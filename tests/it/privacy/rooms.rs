//! What others keep of somebody who is gone: groups go on, what was said stays, and no name is left in it.

use serde_json::{Value, json};

use super::{count, deleted};
use crate::harness::app::{Client, TestApp, uuid};
use crate::harness::law::Device;
use crate::rooms::{done, group, say};

const MESSAGES: &str = "query ($id: ID!) { chat(id: $id) { memberCount members { nodes { role user { displayName isDeleted } } } \
    messages { nodes { role content author { displayName ... on User { isDeleted } } } } } }";

async fn lines(client: &Client, chat: &str) -> (Vec<String>, Value) {
    let mut seen = client.ok(MESSAGES, json!({ "id": chat })).await["chat"].take();
    let nodes = seen["messages"]["nodes"].as_array().expect("messages").clone();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |node: &Value| format!("{}: {}", text(&node["author"]["displayName"]), text(&node["content"]));
    (nodes.iter().map(line).collect(), seen["members"]["nodes"].take())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_goes_on_without_them() {
    let app = TestApp::start().await;
    let (ada, bob, cyd) = (app.user("ada").await, app.user("bob").await, app.user("cyd").await);
    let chat = group(&ada, &[&bob]).await;
    done(&ada, "addMembers", json!({ "chatId": chat, "userIds": [cyd.id] })).await;
    done(
        &ada,
        "setMemberRole",
        json!({ "chatId": chat, "userId": cyd.id, "role": "MODERATOR" }),
    )
    .await;
    say(&ada, &chat, "Watercolours on Monday.").await;
    say(&bob, &chat, "Fine.").await;
    let mut device = Device::open(bob.client.clone(), 7).await;
    deleted(&app, &ada).await;
    let (lines, members) = lines(&bob, &chat).await;
    assert_eq!(
        lines,
        [
            "Deleted account: Deleted account created the group.",
            "Deleted account: Deleted account added cyd.",
            "Deleted account: Deleted account made cyd a moderator.",
            "Deleted account: Watercolours on Monday.",
            "bob: Fine.",
            "Deleted account: Deleted account left.",
            "Deleted account: Deleted account made cyd the owner.",
        ]
    );
    assert_eq!(
        members,
        json!([
            { "role": "MEMBER", "user": { "displayName": "bob", "isDeleted": false } },
            { "role": "OWNER", "user": { "displayName": "cyd", "isDeleted": false } },
        ])
    );
    done(&bob, "createChat", json!({ "title": "the end" })).await;
    device.follow(|event| event["chat"]["title"] == "the end").await;
    device.obeys().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_of_two_keeps_what_was_said() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let input = json!({ "kind": "DIRECT", "memberIds": [bob.id] });
    let chat = ada.mutate("createChat", input, "chat { id }").await["chat"]["id"].take();
    let chat = chat.as_str().expect("an id");
    say(&ada, chat, "The key is under the mat.").await;
    say(&bob, chat, "Thanks.").await;
    let mut stream = bob
        .subscribe(
            "subscription ($id: ID!) { chatEvents(chatId: $id) { __typename ... on ChatUpserted { chat { members { nodes { user { displayName } } } } } } }",
            json!({ "id": chat }),
        )
        .await;
    stream.next().await.expect("a beginning");
    deleted(&app, &ada).await;
    // Who has the chat before them is told that the other has another name now.
    let event = stream.until("ChatUpserted").await;
    assert!(event.to_string().contains("Deleted account"), "{event}");
    say(&bob, chat, "Are you there?").await;
    let (lines, members) = lines(&bob, chat).await;
    assert_eq!(
        lines,
        [
            "Deleted account: The key is under the mat.",
            "bob: Thanks.",
            "bob: Are you there?"
        ]
    );
    assert!(members.to_string().contains("\"isDeleted\":true"), "{members}");
    // Nobody lets in who is gone.
    let here = "SELECT count(*) FROM chat_members WHERE user_id = $1::text::uuid";
    let row = app.sql().await.query_one(here, &[&uuid(&ada.id)]).await.expect("a row");
    assert_eq!(row.get::<_, i64>(0), 0);
    let found = bob
        .ok(
            "{ search(query: \"mat\") { nodes { message { content } } } }",
            json!({}),
        )
        .await;
    assert_eq!(found["search"]["nodes"].as_array().map(Vec::len), Some(1));
    // The last one takes the room along.
    deleted(&app, &bob).await;
    let left = "SELECT (SELECT count(*) FROM chats) + (SELECT count(*) FROM messages)";
    assert_eq!(count(&app, left).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chats_with_a_shared_assistant_go_on_with_the_default_one() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let clio = json!({ "displayName": "Clio", "instructions": "Sing of ada.", "description": "By ada", "visibility": "SHARED" });
    let clio = ada.mutate("createAssistant", clio, "assistant { id }").await["assistant"]["id"].take();
    let input = json!({ "assistantIds": [clio], "model": "scripted:words=2,first=0,delay=0" });
    let chat = bob.mutate("createChat", input, "chat { id }").await["chat"]["id"].take();
    let chat = chat.as_str().expect("an id");
    let generation = bob.send(chat, "Sing.").await;
    bob.generation_events(&generation, None).await.rest().await;
    deleted(&app, &ada).await;
    let generation = bob.send(chat, "Sing on.").await;
    bob.generation_events(&generation, None).await.rest().await;
    let query = "query ($id: ID!) { chat(id: $id) { assistants { displayName available instructions } messages { nodes { author { displayName } } } } }";
    let seen = bob.ok(query, json!({ "id": chat })).await["chat"].take();
    assert_eq!(
        seen,
        json!({
            "assistants": [{ "displayName": "Clio", "available": false, "instructions": null }],
            "messages": { "nodes": [
                { "author": { "displayName": "bob" } }, { "author": { "displayName": "Clio" } },
                { "author": { "displayName": "bob" } }, { "author": { "displayName": "Assistant" } },
            ] },
        })
    );
}
