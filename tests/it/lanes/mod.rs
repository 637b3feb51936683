//! Several answers to one question: compared, raced, or one in the place of another.

mod compare;
mod crash;
mod fallback;
mod race;
mod refuse;

use serde_json::{Value, json};

use crate::harness::app::{Client, new_key};
use crate::tree::{list, message};

/// Three words at once.
pub(super) const QUICK: &str = "scripted:words=3,first=0,delay=0";
/// A word, and then nothing for good.
pub(super) const STALLED: &str = "scripted:words=9,stall,at=1,first=0,delay=0";
/// What is asked of whatever starts answers.
pub(super) const STARTED: &str = "message { id } generation { id } generations { id message { id } }";

/// What was started: the question, and of each lane its generation and its message.
pub(super) struct Started {
    pub question: String,
    pub generations: Vec<String>,
    pub answers: Vec<String>,
}

impl Started {
    pub fn of(payload: &Value) -> Self {
        assert_eq!(payload["errors"], json!([]), "{payload}");
        let generations = list(&payload["generations"]);
        assert_eq!(payload["generation"]["id"], json!(generations[0]), "the first of them");
        let all = payload["generations"].as_array().expect("generations");
        let answers = all
            .iter()
            .map(|one| one["message"]["id"].as_str().expect("an id").to_owned());
        Started {
            question: payload["message"]["id"].as_str().expect("an id").to_owned(),
            generations,
            answers: answers.collect(),
        }
    }
}

/// Asks these models at once.
pub(super) async fn asked(client: &Client, chat: &str, mode: &str, models: &[&str]) -> Started {
    let lanes: Vec<Value> = models.iter().map(|model| json!({ "model": model })).collect();
    let reply = json!({ "mode": mode, "lanes": lanes });
    let input = json!({ "chatId": chat, "content": "Which way?", "idempotencyKey": new_key(), "reply": reply });
    Started::of(&client.mutate("sendMessage", input, STARTED).await)
}

/// Everything that there is to say of a message that an answer is written into.
pub(super) async fn told(client: &Client, id: &str) -> Value {
    let fields = "active content deletedAt siblings { id } parent { id } generation { status text error { code } }";
    message(client, id, fields).await
}

/// Fails unless this lane has lost.
pub(super) async fn has_lost(client: &Client, id: &str) {
    let seen = told(client, id).await;
    assert!(seen["deletedAt"].is_string(), "{seen}");
    assert_eq!(
        (&seen["active"], &seen["content"]),
        (&json!(false), &json!("")),
        "{seen}"
    );
    assert!(seen["generation"]["status"] != "COMPLETED", "{seen}");
}
