//! What is told at once and not kept: who is here, who types, what an assistant does.
//!
//! A signal has a subject, and only the newest about each subject waits for a stream: a slow reader misses what was in
//! between, and nothing queues up behind it. When there are too many subjects, the newest ones are not told: signals are
//! the first to go under pressure.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use uuid::Uuid;

use super::made::Made;
use super::tail::Log;
use crate::id::{ChatId, UserId};

/// About how many subjects something may wait for one stream.
const MOST_WAITING: usize = 1_024;

/// Whom a signal is for.
#[derive(Debug, Clone, Default)]
pub struct Circle {
    /// The members of these rooms.
    pub chats: Vec<ChatId>,
    /// These people.
    pub people: Vec<UserId>,
    /// But none of these.
    pub except: HashSet<UserId>,
}

impl Circle {
    /// The members of one room.
    pub fn room(chat_id: ChatId) -> Self {
        Circle {
            chats: vec![chat_id],
            ..Circle::default()
        }
    }

    /// One person.
    pub fn person(user_id: UserId) -> Self {
        Circle {
            people: vec![user_id],
            ..Circle::default()
        }
    }
}

/// What a signal is about: a newer one about the same takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject {
    /// What kind of signal it is.
    pub kind: &'static str,
    /// The room that it belongs to; none for what belongs to no room.
    pub chat_id: Option<ChatId>,
    /// Who or what it is about.
    pub about: Uuid,
}

/// Something that is told at once and not kept.
#[derive(Debug)]
pub struct Signal {
    /// Tells it from every other one of this process.
    pub number: u64,
    /// What it is about.
    pub subject: Subject,
    /// What it says.
    pub payload: serde_json::Value,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// What was made of it for all.
    pub made: Made,
}

/// The signals that wait for one stream.
#[derive(Debug, Default)]
pub(super) struct Slot {
    waiting: Mutex<HashMap<Subject, Arc<Signal>>>,
    filled: Notify,
}

impl Slot {
    pub(super) fn put(&self, signal: &Arc<Signal>) {
        let mut waiting = self.lock();
        if waiting.len() >= MOST_WAITING && !waiting.contains_key(&signal.subject) {
            return;
        }
        waiting.insert(signal.subject, Arc::clone(signal));
        drop(waiting);
        self.filled.notify_one();
    }

    /// Takes back what waits of a room.
    pub(super) fn withdraw(&self, chat_id: ChatId) {
        self.lock().retain(|subject, _| subject.chat_id != Some(chat_id));
    }

    /// Takes back what waits of any room.
    pub(super) fn withdraw_all(&self) {
        self.lock().retain(|subject, _| subject.chat_id.is_none());
    }

    fn take(&self) -> Vec<Arc<Signal>> {
        let mut taken: Vec<Arc<Signal>> = std::mem::take(&mut *self.lock()).into_values().collect();
        taken.sort_unstable_by_key(|signal| signal.number);
        taken
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Subject, Arc<Signal>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One stream's ear for signals; gone when it is dropped.
#[derive(Debug)]
pub struct Ear {
    pub(super) slot: Arc<Slot>,
    pub(super) user_id: UserId,
    pub(super) log: Log,
}

impl Ear {
    /// The next signals: the newest about each subject, in order.
    pub async fn next(&self) -> Vec<Arc<Signal>> {
        loop {
            let taken = self.slot.take();
            if !taken.is_empty() {
                return taken;
            }
            self.slot.filled.notified().await;
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.log.deafen(self.user_id, &self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(number: u64, about: u128) -> Arc<Signal> {
        Arc::new(Signal {
            number,
            subject: Subject {
                kind: "test",
                chat_id: Some(ChatId(Uuid::from_u128(about % 2))),
                about: Uuid::from_u128(about),
            },
            payload: serde_json::Value::Null,
            occurred_at: Utc::now(),
            made: Made::default(),
        })
    }

    #[test]
    fn the_newest_about_each_subject_waits_and_no_more_than_there_is_room_for() {
        let slot = Slot::default();
        for number in 0..10_000 {
            slot.put(&signal(number, u128::from(number % 3)));
        }
        let numbers: Vec<u64> = slot.take().iter().map(|signal| signal.number).collect();
        assert_eq!(numbers, [9_997, 9_998, 9_999]);
        for number in 0..10_000 {
            slot.put(&signal(number, u128::from(number)));
        }
        slot.put(&signal(10_000, 0));
        let taken = slot.take();
        assert_eq!(taken.len(), MOST_WAITING);
        assert_eq!(taken.last().map(|signal| signal.number), Some(10_000));
    }

    #[test]
    fn what_waits_of_a_room_can_be_taken_back() {
        let slot = Slot::default();
        (0..4).for_each(|number| slot.put(&signal(number, u128::from(number))));
        slot.withdraw(ChatId(Uuid::from_u128(1)));
        let numbers: Vec<u64> = slot.take().iter().map(|signal| signal.number).collect();
        assert_eq!(numbers, [0, 2]);
    }
}
