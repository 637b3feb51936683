//! Two people in a world of their own, and what one of them is told, in words that are the same in every world.

use std::collections::HashMap;

use chrono::DateTime;
use serde_json::{Map, Value, json};

use crate::harness::app::{Client, TestApp, User};
use crate::harness::stream::Subscription;

/// Two people, a friend of both, and what has happened between them.
pub(super) struct World {
    /// What its people's names end in.
    suffix: &'static str,
    /// Who writes to somebody who does not want to hear it.
    pub(super) ada: User,
    /// Who does not want to hear it.
    pub(super) bob: User,
    pub(super) cyd: User,
    /// What is called how in the acts.
    known: HashMap<String, String>,
    /// Ids and moments as they are called in every world, by the order in which they are first told.
    words: HashMap<String, String>,
}

impl World {
    pub(super) async fn new(app: &TestApp, suffix: &'static str) -> World {
        let (ada, bob, cyd) = (
            app.user(&format!("ada{suffix}")).await,
            app.user(&format!("bob{suffix}")).await,
            app.user(&format!("cyd{suffix}")).await,
        );
        let known = [
            ("<bob>", bob.id.clone()),
            ("<cyd>", cyd.id.clone()),
            ("<bobs name>", format!("bob{suffix}")),
        ];
        World {
            suffix,
            known: known.map(|(name, id)| (name.to_owned(), id)).into(),
            words: HashMap::new(),
            ada,
            bob,
            cyd,
        }
    }

    /// Runs an operation with the names of this world in it; gives the answer in words of every world. What it makes is
    /// called `name` from then on.
    pub(super) async fn run(&mut self, client: &Client, operation: &str, name: &str) -> Value {
        let mut document = operation.to_owned();
        for (name, id) in &self.known {
            document = document.replace(name, id);
        }
        let answer = client.run(&document, json!({})).await;
        if !name.is_empty() {
            let id = found(&answer["data"]).unwrap_or_else(|| panic!("{document}\n{answer}"));
            self.known.insert(name.to_owned(), id.to_owned());
        }
        self.told(answer)
    }

    /// What is called so.
    pub(super) fn known(&self, name: &str) -> &str {
        &self.known[name]
    }

    /// A value in words of every world.
    pub(super) fn told(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.word(text)),
            Value::Array(values) => values.into_iter().map(|value| self.told(value)).collect(),
            Value::Object(fields) => {
                let told: Map<String, Value> = fields
                    .into_iter()
                    .map(|(name, value)| (name, self.told(value)))
                    .collect();
                Value::Object(told)
            }
            other => other,
        }
    }

    fn word(&mut self, text: String) -> String {
        let id = text
            .split_once('_')
            .filter(|(_, id)| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let kind = match id {
            Some((prefix, _)) => prefix,
            None if DateTime::parse_from_rfc3339(&text).is_ok() => "moment",
            None => return text.replace(self.suffix, ""),
        };
        let word = format!("{kind} {}", self.words.len());
        self.words.entry(text).or_insert(word).clone()
    }
}

/// The first id of an object in an answer.
fn found(answer: &Value) -> Option<&str> {
    match answer {
        Value::Object(fields) => match fields.get("id") {
            Some(id) => id.as_str(),
            None => fields.values().find_map(found),
        },
        Value::Array(values) => values.iter().find_map(found),
        _ => None,
    }
}

/// The events of a stream up to the chat with this title. How far people have come is told when it is stored: it is read,
/// and not waited for.
pub(super) async fn heard(stream: &mut Subscription, end: &str) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let event = stream.next().await.expect("an event");
        if event["chat"]["title"] == end {
            return events;
        }
        if event["__typename"] != "ReceiptsUpdated" {
            events.push(event);
        }
    }
}
