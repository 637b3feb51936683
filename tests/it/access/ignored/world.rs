//! Two people in a world of their own, and what one of them is told, in words that are the same in every world.

use std::collections::HashMap;

use chrono::DateTime;
use serde_json::{Map, Value, json};

use crate::harness::app::{Client, TestApp, User};
use crate::harness::stream::Subscription;
use crate::rooms::done;

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
    /// What Ada was told at its moment, of others.
    pub(super) overheard: Vec<Value>,
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
            overheard: Vec::new(),
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

    /// Has Ada's streams say that all before this has come, by something that nothing else looks at.
    pub(super) async fn mark(&self, mark: &str) {
        done(&self.ada, "addMemory", json!({ "content": mark })).await;
    }

    /// What a stream of Ada's tells up to this mark, in words of every world.
    pub(super) async fn heard(&mut self, stream: &mut Subscription, mark: &str) -> Value {
        let events = hears(stream, |event| event["memory"]["content"] == mark).await;
        let events = self.overhear(events);
        self.told(events)
    }

    /// Puts aside what is kept nowhere, which comes at a moment of its own: who types, who comes and goes. Gives the other events.
    pub(super) fn overhear(&mut self, events: Vec<Value>) -> Value {
        let is_signal = |event: &Value| {
            ["TypingChanged", "PresenceChanged"]
                .iter()
                .any(|name| event["__typename"] == *name)
        };
        let (signals, events): (Vec<Value>, Vec<Value>) = events.into_iter().partition(is_signal);
        let of_others = |event: &Value| event["presence"]["userId"] != self.ada.id;
        self.overheard.extend(signals.into_iter().filter(of_others));
        json!(events)
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

/// Follows all that somebody is told.
pub(super) async fn follow(client: &Client, after: &Value) -> Subscription {
    let query = "subscription ($after: String) { events(after: $after) { __typename ... on ChatUpserted { chat { id title } } ... on ChatRemoved { chatId } \
        ... on MessageCreated { message { id content } } ... on MessageUpdated { changed message { id content version } } ... on HistoryCleared { chatId throughSequence } \
        ... on ReceiptsUpdated { chatId } ... on TypingChanged { chatId userId isTyping } ... on PresenceChanged { presence { userId status } } \
        ... on ContactChanged { user { id } isBlocked version } ... on ScheduledMessageChanged { scheduledMessage { id } } ... on MemoryUpserted { memory { content } } } }";
    client.subscribe(query, json!({ "after": after })).await
}

/// Reads a stream up to such an event; gives those before it.
pub(super) async fn hears(stream: &mut Subscription, such: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let event = stream.next().await.expect("an event");
        if such(&event) {
            return events;
        }
        events.push(event);
    }
}
