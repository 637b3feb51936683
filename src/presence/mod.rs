//! Who is here, who types, what assistants do: what is told at once and never kept in the log.
//!
//! Somebody is *here* as long as a device of theirs has a live `events`, `chatEvents` or `presenceEvents` stream. A
//! *device* is a session; each says whether somebody is in front of it. Over all devices on all servers a person is
//! ONLINE when one of them is in use, AWAY when none is, OFFLINE when there is none.
//!
//! Each server writes who is here into `people_here`, one row for each person, and holds one lease for them all: a
//! server that was killed is buried by another one, and its people with it. The slowest way to be gone:
//!
//! ```text
//! cable pulled ─ at most 26 s: two pings unanswered ─ 2 s: may be a reload ─ half a second: told
//! server killed ─ at most 15 s: its lease runs out ─ at most 5 s: another server looks ─ told
//! ```
//!
//! News travel between servers by NOTIFY ([`wire`]), many in one; each server then tells those of its own streams whom
//! it concerns ([`run`]). What a piece of news costs does not depend on how many are in a room: one notification, one query
//! for all the news of a moment, and the room's members from memory ([`crate::event::Circle`]).
//!
//! A person is seen by those whom they have among their contacts and by those with whom they share a room, but never by
//! somebody whom they block or who blocks them, and by nobody while they are invisible. To everybody else they look
//! OFFLINE, and have never been seen.

pub mod api;
pub mod circle;
pub mod here;
pub mod lease;
pub mod run;
pub mod seen;
pub mod typing;
pub mod wire;

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use diesel::QueryResult;
use tokio::sync::Notify;
use uuid::Uuid;

use self::here::{Attending, Here};
use self::seen::Sight;
use self::typing::Typists;
use self::wire::{Item, News};
use crate::account::viewer::SignedIn;
use crate::db::Connection;
use crate::id::{ChatId, SessionId, UserId};

/// Knows who is here. A cheap handle.
#[derive(Debug, Clone)]
pub struct Presences {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    node: Uuid,
    here: Mutex<Here>,
    /// What happened here and was not told to anybody yet.
    outgoing: Mutex<News>,
    /// What the other servers said and was not told to anybody here yet.
    incoming: Mutex<News>,
    typists: Mutex<Typists>,
    /// Whether no other server is alive that could hear.
    alone: AtomicBool,
    /// How many servers have said that they are there.
    hellos: AtomicU64,
    wake: Notify,
}

impl Default for Presences {
    fn default() -> Self {
        Presences {
            inner: Arc::new(Inner {
                node: Uuid::now_v7(),
                here: Mutex::default(),
                outgoing: Mutex::default(),
                incoming: Mutex::default(),
                typists: Mutex::default(),
                alone: AtomicBool::new(false),
                hellos: AtomicU64::new(0),
                wake: Notify::new(),
            }),
        }
    }
}

impl Presences {
    /// The name of this server among those on the database.
    pub fn node(&self) -> Uuid {
        self.inner.node
    }

    /// Says that a stream of this session is live, until what is returned is dropped.
    pub fn attend(&self, who: &SignedIn) -> Attending {
        lock(&self.inner.here).arrive(who.user_id, who.session_id);
        self.inner.wake.notify_one();
        Attending::new(self.clone(), who)
    }

    /// Says whether somebody is in front of a device, wherever its streams are.
    pub fn set_away(&self, user_id: UserId, session_id: SessionId, away: bool) {
        self.say(Item::Device(user_id, session_id, away));
    }

    /// Says that somebody shows or hides themselves.
    pub fn shown(&self, user_id: UserId, hid: bool) {
        if hid {
            lock(&self.inner.outgoing).end_typing_of(user_id);
            lock(&self.inner.incoming).end_typing_of(user_id);
            let rooms = lock(&self.inner.typists).rooms_of(user_id);
            rooms.into_iter().for_each(|chat_id| self.left(chat_id, user_id));
        }
        self.say(if hid { Item::Hid(user_id) } else { Item::Person(user_id) });
    }

    /// What two people see of each other, before something changes between them in this transaction.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn sight(&self, connection: &mut Connection, one: UserId, other: UserId) -> QueryResult<Sight> {
        Sight::of(connection, one, other).await
    }

    /// Says that what two people are to each other changed, and with it what they see of each other.
    pub fn between(&self, sight: Sight) {
        sight
            .told()
            .for_each(|(viewer, other)| self.say(Item::Pair(viewer, other)));
    }

    /// Says that somebody types in a room, or does no more. Repeated too soon, it is not told again.
    pub fn typing(&self, chat_id: ChatId, user_id: UserId, on: bool) {
        if lock(&self.inner.typists).is_news(chat_id, user_id, on, Instant::now()) {
            self.say(Item::Typing(chat_id, user_id, on));
        }
    }

    /// Says that somebody is in a room no more, and so types there no more, also when it was not told yet that they do.
    pub fn left(&self, chat_id: ChatId, user_id: UserId) {
        self.say(Item::Typing(chat_id, user_id, false));
    }

    /// Who types in a room, those first who began first.
    pub fn typists(&self, chat_id: ChatId) -> Vec<UserId> {
        lock(&self.inner.typists).of(chat_id, Instant::now())
    }

    fn say(&self, item: Item) {
        lock(&self.inner.outgoing).add(item);
        self.inner.wake.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
