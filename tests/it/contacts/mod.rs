//! Contacts: found, kept, blocked; told on all devices of whoever does it and to nobody else.

mod block;
mod book;
mod find;
mod law;

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, User, uuid};

/// Does something to a person that is not refused.
async fn act(client: &Client, mutation: &str, user: &User) -> Value {
    let fields = if mutation == "addContact" {
        "contact { version user { id isContact isBlocked } }"
    } else {
        "user { id isContact isBlocked }"
    };
    let payload = client.mutate(mutation, json!({ "userId": user.id }), fields).await;
    assert_eq!(payload["errors"], json!([]), "{mutation}");
    payload
}

/// The user names in the address book, and of those who are blocked.
async fn look(client: &Client) -> (Vec<String>, Vec<String>) {
    let query = "{ viewer { contacts { nodes { user { username isContact isBlocked } } } blockedUsers { username isContact isBlocked } } }";
    let viewer = client.ok(query, json!({})).await["viewer"].take();
    let mut names = (Vec::new(), Vec::new());
    for contact in viewer["contacts"]["nodes"].as_array().expect("contacts") {
        let user = &contact["user"];
        assert_eq!((&user["isContact"], &user["isBlocked"]), (&json!(true), &json!(false)));
        names.0.push(user["username"].as_str().expect("a name").to_owned());
    }
    for user in viewer["blockedUsers"].as_array().expect("people") {
        assert_eq!((&user["isContact"], &user["isBlocked"]), (&json!(false), &json!(true)));
        names.1.push(user["username"].as_str().expect("a name").to_owned());
    }
    names
}

/// The user names that a search finds on its first page.
async fn found(client: &Client, query: &str) -> Vec<String> {
    let search = "query ($query: String!) { findUsers(query: $query) { nodes { username } } }";
    let answer = client.ok(search, json!({ "query": query })).await;
    let nodes = answer["findUsers"]["nodes"].as_array().expect("people").clone();
    let names = nodes
        .iter()
        .map(|node| node["username"].as_str().expect("a name").to_owned());
    names.collect()
}

/// Makes so many accounts named `p0001` and on; the first of them are contacts or blocked already.
async fn crowd(app: &TestApp, table: &str, column: &str, owner: &User, count: i64) {
    let sql = format!(
        "WITH people AS (INSERT INTO users (id, username, email, display_name, password_hash) \
           SELECT gen_random_uuid(), name, name || '@example.com', name, '' \
           FROM generate_series(1, {count}) AS n, LATERAL (SELECT 'p' || lpad(n::text, 4, '0') AS name) AS named RETURNING id), \
         book AS (INSERT INTO contact_books (user_id, version) VALUES ('{owner}', {count}) \
           ON CONFLICT (user_id) DO UPDATE SET version = {count}) \
         INSERT INTO {table} (user_id, {column}, version) SELECT '{owner}', id, row_number() OVER () FROM people",
        owner = uuid(&owner.id)
    );
    app.sql().await.batch_execute(&sql).await.expect("a crowd");
}
