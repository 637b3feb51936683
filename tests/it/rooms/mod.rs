//! Rooms of people: direct chats and groups, as their members see them and as others do not.

mod amend;
mod assistant;
mod block;
mod direct;
mod draft;
mod group;
mod history;
mod law;
mod leave;
mod lifetime;
mod live;
mod meanwhile;
mod member;
mod mention;
mod outage;
mod paying;
mod pin;
mod reaction;
mod receipt;
mod refuse;
mod tombstone;
mod unread;

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, User, new_key, uuid};
use crate::harness::database::blocked;

/// People with these names.
pub(crate) async fn people<const N: usize>(app: &TestApp, names: [&str; N]) -> [User; N] {
    let mut people = Vec::new();
    for name in names {
        people.push(app.user(name).await);
    }
    people
        .try_into()
        .unwrap_or_else(|_| panic!("as many as there are names"))
}

/// The direct chat of a client's person and somebody else.
pub(crate) async fn direct(client: &Client, other: &User) -> String {
    let input = json!({ "kind": "DIRECT", "memberIds": [other.id] });
    id(&client.mutate("createChat", input, "chat { id }").await["chat"]["id"])
}

/// A group of a client's person and others.
pub(crate) async fn group(client: &Client, others: &[&User]) -> String {
    let ids: Vec<&str> = others.iter().map(|user| user.id.as_str()).collect();
    let input = json!({ "kind": "GROUP", "title": "Painters", "memberIds": ids });
    id(&client.mutate("createChat", input, "chat { id }").await["chat"]["id"])
}

fn id(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no id: {value}")).to_owned()
}

/// Sends a message; gives its id.
pub(crate) async fn say(client: &Client, chat: &str, content: &str) -> String {
    let input = json!({ "chatId": chat, "content": content, "idempotencyKey": new_key() });
    let payload = client
        .mutate("sendMessage", input, "message { id } generation { id }")
        .await;
    assert_eq!((&payload["errors"], &payload["generation"]), (&json!([]), &Value::Null));
    id(&payload["message"]["id"])
}

/// Does something that is not refused.
pub(crate) async fn done(client: &Client, mutation: &str, input: Value) {
    assert_eq!(
        client.mutate(mutation, input, "").await["errors"],
        json!([]),
        "{mutation}"
    );
}

/// Holds the row of a chat as whoever writes in it does, until the end of the transaction.
async fn hold(holding: &tokio_postgres::Transaction<'_>, chat: &str) {
    let hold = "SELECT FROM chats WHERE id = $1::text::uuid FOR NO KEY UPDATE";
    holding.query(hold, &[&uuid(chat)]).await.expect("the chat");
}

/// Does one thing in a chat and then another, which has read all that it reads beforehand while the first was not done.
async fn in_turn<A, B>(
    app: &TestApp,
    chat: &str,
    one: impl Future<Output = A>,
    other: impl Future<Output = B>,
) -> (A, B) {
    let (mut sql, watch) = (app.sql().await, app.sql().await);
    let holding = sql.transaction().await.expect("a transaction");
    hold(&holding, chat).await;
    let second = async {
        blocked(&watch, 1, &[]).await;
        let freeing = async {
            blocked(&watch, 2, &[]).await;
            holding.commit().await.expect("an end");
        };
        tokio::join!(other, freeing).0
    };
    tokio::join!(one, second)
}

/// The texts that somebody sees in a chat; none when they see no such chat.
async fn texts(client: &Client, chat: &str) -> Option<Vec<String>> {
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { content } } } }";
    let seen = client.ok(query, json!({ "id": chat })).await;
    let nodes = seen["chat"]["messages"]["nodes"].as_array()?;
    Some(nodes.iter().map(|node| id(&node["content"])).collect())
}

/// How many messages are unread for somebody.
async fn unread(client: &Client, chat: &str) -> i64 {
    let query = "query ($id: ID!) { chat(id: $id) { viewerState { unreadCount } } }";
    let seen = client.ok(query, json!({ "id": chat })).await;
    seen["chat"]["viewerState"]["unreadCount"].as_i64().expect("a number")
}

/// The names of a room's members with their roles, in order.
async fn roster(client: &Client, chat: &str) -> Vec<String> {
    let query = "query ($id: ID!) { chat(id: $id) { members { nodes { role user { username } } } } }";
    let seen = client.ok(query, json!({ "id": chat })).await;
    let nodes = seen["chat"]["members"]["nodes"].as_array().expect("members").clone();
    let line = |node: &Value| format!("{} {}", id(&node["user"]["username"]), id(&node["role"]));
    nodes.iter().map(line).collect()
}

/// The newest system message of a room.
pub(crate) async fn newest_note(client: &Client, chat: &str) -> String {
    let query = "query ($id: ID!) { chat(id: $id) { messages(last: 100) { nodes { id role } } } }";
    let seen = client.ok(query, json!({ "id": chat })).await;
    let nodes = seen["chat"]["messages"]["nodes"].as_array().expect("messages").clone();
    let newest = nodes.iter().rfind(|node| node["role"] == "SYSTEM");
    id(&newest.expect("a system message")["id"])
}

/// What the system messages of a room tell, as somebody sees them.
async fn notes(client: &Client, chat: &str) -> Vec<Value> {
    let query = "query ($id: ID!) { chat(id: $id) { messages(last: 100) { nodes { role content author { ... on User { username } } \
        system { kind subject { username } role details } } } } }";
    let seen = client.ok(query, json!({ "id": chat })).await;
    let nodes = seen["chat"]["messages"]["nodes"].as_array().expect("messages").clone();
    nodes.into_iter().filter(|node| node["role"] == "SYSTEM").collect()
}
