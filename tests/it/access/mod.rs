//! Who may do what, tried for real: every root field by everybody, every path and every id that leads to another's
//! things.

mod bad_input;
mod fields;
mod house;
mod ids;
mod ignored;
mod paths;
mod rooms;
mod roots;
mod table;

use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, uuid};

/// What comes of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Allowed,
    /// A list without anything in it.
    Empty,
    Null,
    NotFound,
    /// It is there, and there is no such thing to do with it.
    InvalidState,
    Unauthenticated,
    Forbidden,
}

/// A kind of operation, as it is written in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Query,
    Mutation,
    Subscription,
}

/// Something of somebody's to reach for.
struct Room {
    chat: String,
    question: String,
    answer: String,
    generation: String,
}

/// A chat with a question and its answer.
async fn furnish(client: &Client) -> Room {
    let chat = client.chat("scripted:words=1,finish=length,first=0,delay=0").await;
    let generation = client.send(&chat, "Who goes there?").await;
    client
        .generation_events(&generation, None)
        .await
        .until("GenerationFinished")
        .await;
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } }";
    let seen = client.ok(query, json!({ "id": chat })).await["chat"]["messages"]["nodes"].take();
    let id = |at: usize| seen[at]["id"].as_str().expect("an id").to_owned();
    Room {
        question: id(0),
        answer: id(1),
        chat,
        generation,
    }
}

/// A summary of that chat, which nobody had to wait for.
async fn summarised(app: &TestApp, room: &Room) -> String {
    let summary = "INSERT INTO chat_summaries (id, chat_id, through_message_id, through_sequence, through_octets, content, tokens, provider, model) \
        SELECT gen_random_uuid(), chat_id, id, sequence, octet_length(content), 'Somebody went there.', 4, 'scripted', 'scripted' FROM messages \
        WHERE id = $1::text::uuid RETURNING replace(id::text, '-', '')";
    let sql = app.sql().await;
    let row = sql.query_one(summary, &[&uuid(&room.answer)]).await.expect("a summary");
    format!("sum_{}", row.get::<_, String>(0))
}

/// The first answer to an operation of any kind.
async fn ask(client: &Client, kind: Kind, document: &str) -> Value {
    match kind {
        Kind::Query => client.run(&format!("query {{ {document} }}"), json!({})).await,
        Kind::Mutation => client.run(&format!("mutation {{ {document} }}"), json!({})).await,
        Kind::Subscription => {
            let mut stream = client
                .subscribe(&format!("subscription {{ {document} }}"), json!({}))
                .await;
            stream.result().await.expect("an answer")
        }
    }
}

/// Somebody of each sort.
async fn people(app: &TestApp) -> [crate::harness::app::User; 3] {
    [
        app.user("stranger").await,
        app.user("owner").await,
        app.admin("admin").await,
    ]
}
