//! Who is in which room, as far as the log's reader has had to know it.
//!
//! Whatever changes who is in a room writes an event of that room or of whoever left it, so what is kept here is put right
//! by the reader before it hands anything out: events of a room bring its members anew, and a room that somebody left is
//! forgotten.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use lru::LruCache;

use crate::db::Connection;
use crate::db::schema::chat_members;
use crate::id::{ChatId, UserId};

/// The members of a room, each with the number of the last message that is not theirs to see.
pub(super) type Roster = HashMap<UserId, i64>;

/// How many rooms are kept.
const ROOMS: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");
/// How many members of rooms are kept in all: some tens of megabytes at most.
const MOST: usize = 250_000;

/// The rooms that were asked for lately.
#[derive(Debug)]
pub(super) struct Rosters {
    rooms: LruCache<ChatId, Arc<Roster>>,
    members: usize,
}

impl Default for Rosters {
    fn default() -> Self {
        Rosters {
            rooms: LruCache::new(ROOMS),
            members: 0,
        }
    }
}

impl Rosters {
    /// The members of a room, if they are known.
    pub(super) fn get(&mut self, chat_id: ChatId) -> Option<Arc<Roster>> {
        self.rooms.get(&chat_id).cloned()
    }

    /// Those of these rooms whose members are not known.
    pub(super) fn missing(&self, chats: impl IntoIterator<Item = ChatId>) -> Vec<ChatId> {
        let mut missing: Vec<ChatId> = chats.into_iter().filter(|id| !self.rooms.contains(id)).collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Keeps what was just read, in the place of what was known.
    pub(super) fn keep(&mut self, read: &HashMap<ChatId, Arc<Roster>>) {
        for (chat_id, roster) in read {
            self.members += roster.len().max(1);
            if let Some((_, gone)) = self.rooms.push(*chat_id, Arc::clone(roster)) {
                self.members -= gone.len().max(1);
            }
        }
        while self.members > MOST
            && let Some((_, gone)) = self.rooms.pop_lru()
        {
            self.members -= gone.len().max(1);
        }
    }

    /// Forgets a room.
    pub(super) fn forget(&mut self, chat_id: ChatId) {
        if let Some(gone) = self.rooms.pop(&chat_id) {
            self.members -= gone.len().max(1);
        }
    }

    /// Forgets all rooms.
    pub(super) fn clear(&mut self) {
        self.rooms.clear();
        self.members = 0;
    }
}

/// The members of these rooms, in one query; a room that is gone has none.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn read(connection: &mut Connection, chats: &[ChatId]) -> QueryResult<HashMap<ChatId, Arc<Roster>>> {
    if chats.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(ChatId, UserId, i64)> = chat_members::table
        .filter(chat_members::chat_id.eq_any(chats))
        .select((
            chat_members::chat_id,
            chat_members::user_id,
            chat_members::history_after,
        ))
        .load(connection)
        .await?;
    let mut rooms: HashMap<ChatId, Roster> = chats.iter().map(|id| (*id, Roster::new())).collect();
    for (chat_id, user_id, history_after) in rows {
        rooms.entry(chat_id).or_default().insert(user_id, history_after);
    }
    Ok(rooms.into_iter().map(|(id, roster)| (id, Arc::new(roster))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(members: usize) -> Arc<Roster> {
        Arc::new((0..members).map(|_| (UserId::new(), 0)).collect())
    }

    #[test]
    fn what_is_kept_is_bounded_by_members() {
        let mut rosters = Rosters::default();
        let ids: Vec<ChatId> = (0..6).map(|_| ChatId::new()).collect();
        for id in &ids {
            rosters.keep(&HashMap::from([(*id, room(MOST / 5))]));
            rosters.keep(&HashMap::from([(*id, room(MOST / 5))]));
        }
        assert_eq!(rosters.missing(ids.iter().copied()), [ids[0]]);
        assert!(rosters.members <= MOST);
        ids.iter().for_each(|id| rosters.forget(*id));
        assert_eq!(rosters.members, 0);
    }
}
