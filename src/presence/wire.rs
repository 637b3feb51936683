//! News between servers, by NOTIFY: collected, the newest of each kind and subject, and sent many at once.

use std::collections::HashMap;

use diesel::sql_types::{Array, Text};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::db::{Connection, prepared};
use crate::error::{Error, Result};
use crate::id::{ChatId, GenerationId, MessageId, SessionId, UserId};

/// How the channel is called.
pub const CHANNEL: &str = "parlor_news";
/// How many bytes one notification may have, safely: Postgres takes up to 8000.
const BYTES: usize = 7_500;
/// How much news may wait: who comes and goes is always kept, of the rest what came first.
const MOST: usize = 16_384;

/// A piece of news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// Somebody is here, or away, or gone: the database says which.
    #[serde(rename = "p")]
    Person(UserId),
    /// Somebody wants to be seen no more.
    #[serde(rename = "h")]
    Hid(UserId),
    /// The first of two people may see the other, or does no more.
    #[serde(rename = "b")]
    Pair(UserId, UserId),
    /// Somebody types in a room, or does no more.
    #[serde(rename = "t")]
    Typing(ChatId, UserId, bool),
    /// Whether nobody is in front of a device.
    #[serde(rename = "d")]
    Device(UserId, SessionId, bool),
    /// What the assistant that writes an answer does; none when it is done.
    #[serde(rename = "a")]
    Doing(ChatId, GenerationId, MessageId, Option<Doing>),
    /// Another server is there.
    #[serde(rename = "n")]
    Server(Uuid),
}

/// What an assistant does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, async_graphql::Enum)]
#[graphql(name = "AssistantActivityKind")]
pub enum Doing {
    /// It was asked, and no word of the answer has come yet.
    Thinking,
    /// It waits for a tool.
    UsingTool,
    /// It writes its answer.
    Writing,
    /// It wants to use a tool and waits for a person to let it.
    WaitingForApproval,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    Person(UserId),
    Pair(UserId, UserId),
    Typing(ChatId, UserId),
    Device(SessionId),
    Doing(GenerationId),
    Server(Uuid),
}

impl Item {
    /// Whether it would not be said again by itself.
    pub fn lasts(&self) -> bool {
        matches!(self, Item::Person(_) | Item::Hid(_) | Item::Pair(..))
    }

    fn key(&self) -> Key {
        match self {
            Item::Person(user_id) | Item::Hid(user_id) => Key::Person(*user_id),
            Item::Pair(one, other) => Key::Pair(*one, *other),
            Item::Typing(chat_id, user_id, _) => Key::Typing(*chat_id, *user_id),
            Item::Device(_, session_id, _) => Key::Device(*session_id),
            Item::Doing(_, generation_id, ..) => Key::Doing(*generation_id),
            Item::Server(node) => Key::Server(*node),
        }
    }
}

/// News that wait, the newest about each subject.
#[derive(Debug, Default)]
pub struct News {
    items: HashMap<Key, Item>,
}

impl News {
    /// Adds a piece.
    pub fn add(&mut self, item: Item) {
        let key = item.key();
        let passes = self.items.len() < MOST || matches!(key, Key::Person(_)) || self.items.contains_key(&key);
        // Whoever hid while they came or went has hidden.
        let hid = matches!((&item, self.items.get(&key)), (Item::Person(_), Some(Item::Hid(_))));
        if passes && !hid {
            self.items.insert(key, item);
        }
    }

    /// Has somebody who hides type nowhere, of whom it waits that they do.
    pub fn end_typing_of(&mut self, who: UserId) {
        for item in self.items.values_mut() {
            if let Item::Typing(_, user_id, on) = item
                && *user_id == who
            {
                *on = false;
            }
        }
    }

    /// Takes everything.
    pub fn take(&mut self) -> Vec<Item> {
        std::mem::take(&mut self.items).into_values().collect()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Letter<I> {
    from: Uuid,
    news: I,
}

/// Sends news to the other servers, in one statement.
///
/// # Errors
/// When Postgres fails.
pub async fn send(connection: &mut Connection, from: Uuid, items: &[Item]) -> Result<()> {
    let letters = letters(from, items)?;
    if letters.is_empty() {
        return Ok(());
    }
    let query = diesel::sql_query("SELECT pg_notify('parlor_news', letter) FROM unnest($1) AS letter");
    prepared(query.bind::<Array<Text>, _>(letters))
        .execute(connection)
        .await?;
    Ok(())
}

fn letters(from: Uuid, items: &[Item]) -> Result<Vec<String>> {
    let mut letters = Vec::new();
    let (mut news, mut bytes) = (Vec::new(), 0);
    let written = |news: &mut Vec<Box<serde_json::value::RawValue>>| {
        let news = std::mem::take(news);
        serde_json::to_string(&Letter { from, news }).map_err(Error::surprise)
    };
    for item in items {
        let text = serde_json::value::to_raw_value(item).map_err(Error::surprise)?;
        let more = text.get().len() + 1;
        if bytes + more > BYTES {
            letters.push(written(&mut news)?);
            bytes = 0;
        }
        bytes += more;
        news.push(text);
    }
    if !news.is_empty() {
        letters.push(written(&mut news)?);
    }
    Ok(letters)
}

/// What a letter of another server says; nothing for our own, and for what a newer version of Parlor says.
pub fn open(own: Uuid, letter: &str) -> Vec<Item> {
    let Ok(letter) = serde_json::from_str::<Letter<Vec<serde_json::Value>>>(letter) else {
        tracing::debug!("a notification that is no letter of a server");
        return Vec::new();
    };
    if letter.from == own {
        return Vec::new();
    }
    let items = letter.news.into_iter();
    items.filter_map(|item| serde_json::from_value(item).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_fit_and_say_everything() {
        let items: Vec<Item> = (0..1_000)
            .map(|_| {
                Item::Doing(
                    ChatId::new(),
                    GenerationId::new(),
                    MessageId::new(),
                    Some(Doing::WaitingForApproval),
                )
            })
            .collect();
        let (here, there) = (Uuid::now_v7(), Uuid::now_v7());
        let letters = letters(here, &items).expect("letters");
        assert!(letters.len() > 10 && letters.iter().all(|letter| letter.len() < 8_000));
        let read: Vec<Item> = letters.iter().flat_map(|letter| open(there, letter)).collect();
        assert_eq!(read, items);
        assert!(open(here, &letters[0]).is_empty(), "one's own");
        let foreign = format!(r#"{{"from":"{there}","news":[{{"new":1}},{{"p":"{there}"}}]}}"#);
        assert_eq!(open(here, &foreign), [Item::Person(UserId(there))]);
        assert!(open(here, "hello").is_empty());
    }

    #[test]
    fn the_newest_about_each_subject_waits() {
        let (chat, ada) = (ChatId::new(), UserId::new());
        let mut news = News::default();
        for on in [true, false, true] {
            news.add(Item::Typing(chat, ada, on));
        }
        assert_eq!(news.take(), [Item::Typing(chat, ada, true)]);
        news.add(Item::Hid(ada));
        news.add(Item::Person(ada));
        assert_eq!(news.take(), [Item::Hid(ada)]);
        for _ in 0..2 * MOST {
            news.add(Item::Typing(chat, UserId::new(), true));
        }
        news.add(Item::Person(ada));
        let taken = news.take();
        assert!(taken.len() == MOST + 1 && taken.contains(&Item::Person(ada)));
        assert!(news.take().is_empty());
    }
}
