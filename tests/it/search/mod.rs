//! Search: what is found, what is not, and in which order.

mod live;
mod pages;
mod plan;
mod refuse;
mod scope;
mod words;

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, uuid};
use crate::tree;

/// Answers at once, with the question.
pub(super) const ECHO: &str = "scripted:echo,first=0,delay=0";

const QUERY: &str = "query ($query: String!, $filter: SearchFilter, $first: Int! = 20, $after: String) { \
    search(query: $query, filter: $filter, first: $first, after: $after) { complete corrections { word meant } \
      pageInfo { hasNextPage endCursor } edges { cursor } \
      nodes { rank message { id content chat { id } } fragments { text start matches { start length } } } } }";

/// The whole answer to a search.
pub(super) async fn searched(client: &Client, variables: Value) -> Value {
    client.ok(QUERY, variables).await["search"].take()
}

/// What people wrote that is found, the best first.
pub(super) async fn found(client: &Client, query: &str) -> Vec<String> {
    narrowed(client, query, json!({ "roles": ["USER"] })).await
}

/// What is found with a filter, the best first.
pub(super) async fn narrowed(client: &Client, query: &str, filter: Value) -> Vec<String> {
    let answer = searched(client, json!({ "query": query, "filter": filter })).await;
    contents(&answer)
}

/// The texts of the hits.
pub(super) fn contents(answer: &Value) -> Vec<String> {
    let nodes = answer["nodes"].as_array().expect("nodes");
    let texts = nodes.iter().map(|node| node["message"]["content"].as_str());
    texts.map(|text| text.expect("a text").to_owned()).collect()
}

/// Says something in a chat, and waits for the answer: the ids of both messages.
pub(super) async fn said(client: &Client, chat: &str, content: &str) -> (String, String) {
    tree::sent(client, chat, content).await
}

/// Somebody who has said these things.
pub(super) async fn speaker(texts: &[&str]) -> (TestApp, Client, String) {
    let app = TestApp::start().await;
    let ada = app.user("ada").await.client;
    let chat = ada.chat(ECHO).await;
    for text in texts {
        said(&ada, &chat, text).await;
    }
    (app, ada, chat)
}

/// Puts messages into a chat, as many as `count`, with these words and the number of each.
pub(super) async fn fill(app: &TestApp, chat: &str, count: i64, words: &str) {
    let sql = app.sql().await;
    let insert = "INSERT INTO messages (id, chat_id, sequence, role, content, created_at) \
        SELECT gen_random_uuid(), $1::text::uuid, last_sequence + n, 'USER', $3 || ' ' || n, now() - make_interval(mins => $2::int - n) \
        FROM chats, generate_series(1, $2::int) AS n WHERE chats.id = $1::text::uuid";
    let count = i32::try_from(count).expect("not too many");
    sql.execute(insert, &[&uuid(chat), &count, &words])
        .await
        .expect("messages");
    let update = "UPDATE chats SET last_sequence = last_sequence + $2 WHERE id = $1::text::uuid";
    sql.execute(update, &[&uuid(chat), &i64::from(count)])
        .await
        .expect("the chat");
}
