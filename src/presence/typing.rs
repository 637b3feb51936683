//! Who types, everywhere: each server hears of all and forgets by itself those who say nothing more.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::id::{ChatId, UserId};

/// How long somebody types without saying so again.
pub const LASTS: Duration = Duration::from_secs(6);
/// How soon it is told again that somebody still types.
const AGAIN: Duration = Duration::from_secs(3);
/// How many people are told of in one room: nobody reads more names.
const MOST_IN_A_ROOM: usize = 20;
/// In how many rooms it is told.
const MOST_ROOMS: usize = 16_384;

/// Who types where.
#[derive(Debug, Default)]
pub struct Typists {
    rooms: HashMap<ChatId, Vec<Typist>>,
}

#[derive(Debug)]
struct Typist {
    user_id: UserId,
    told: Instant,
}

impl Typist {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.told) >= LASTS
    }
}

impl Typists {
    /// Whether this is worth telling.
    pub fn is_news(&self, chat_id: ChatId, user_id: UserId, on: bool, now: Instant) -> bool {
        let room = self.rooms.get(&chat_id);
        let typist = room.and_then(|room| room.iter().find(|typist| typist.user_id == user_id));
        match typist {
            Some(typist) => !on || now.duration_since(typist.told) >= AGAIN,
            None => on && self.has_place(chat_id),
        }
    }

    /// Takes note of what was told; gives whether it is to be told on.
    pub fn hear(&mut self, chat_id: ChatId, user_id: UserId, on: bool, now: Instant) -> bool {
        if !on {
            return self.remove(chat_id, user_id);
        }
        let has_place = self.has_place(chat_id);
        let room = self.rooms.entry(chat_id).or_default();
        if let Some(typist) = room.iter_mut().find(|typist| typist.user_id == user_id) {
            typist.told = now;
        } else if has_place {
            room.push(Typist { user_id, told: now });
        } else {
            if room.is_empty() {
                self.rooms.remove(&chat_id);
            }
            return false;
        }
        true
    }

    /// Takes somebody out of a room; gives whether they were typing.
    pub fn remove(&mut self, chat_id: ChatId, user_id: UserId) -> bool {
        let Some(room) = self.rooms.get_mut(&chat_id) else {
            return false;
        };
        let before = room.len();
        room.retain(|typist| typist.user_id != user_id);
        let was = room.len() < before;
        if room.is_empty() {
            self.rooms.remove(&chat_id);
        }
        was
    }

    /// The rooms that somebody types in.
    pub fn rooms_of(&self, user_id: UserId) -> Vec<ChatId> {
        let types = |room: &[Typist]| room.iter().any(|typist| typist.user_id == user_id);
        let rooms = self.rooms.iter().filter(|(_, room)| types(room));
        rooms.map(|(chat_id, _)| *chat_id).collect()
    }

    /// Those who have said nothing more for too long.
    pub fn over(&self, now: Instant) -> Vec<(ChatId, UserId)> {
        let rooms = self.rooms.iter();
        let over = rooms.flat_map(|(chat_id, room)| {
            let over = room.iter().filter(|typist| typist.is_over(now));
            over.map(|typist| (*chat_id, typist.user_id))
        });
        over.collect()
    }

    /// Who types in a room.
    pub fn of(&self, chat_id: ChatId, now: Instant) -> Vec<UserId> {
        let room = self.rooms.get(&chat_id).into_iter().flatten();
        room.filter(|typist| !typist.is_over(now))
            .map(|typist| typist.user_id)
            .collect()
    }

    fn has_place(&self, chat_id: ChatId) -> bool {
        match self.rooms.get(&chat_id) {
            Some(room) => room.len() < MOST_IN_A_ROOM,
            None => self.rooms.len() < MOST_ROOMS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_is_told_once_in_a_while_and_ends_by_itself() {
        let (chat, ada, bob) = (ChatId::new(), UserId::new(), UserId::new());
        let mut typists = Typists::default();
        let mut now = Instant::now();
        assert!(!typists.is_news(chat, ada, false, now), "who does not type cannot stop");
        assert!(typists.is_news(chat, ada, true, now) && typists.hear(chat, ada, true, now));
        assert!(!typists.is_news(chat, ada, true, now), "too soon");
        assert!(typists.is_news(chat, ada, false, now), "but the end is always news");
        now += AGAIN;
        assert!(typists.is_news(chat, ada, true, now) && typists.hear(chat, ada, true, now));
        assert!(typists.hear(chat, bob, true, now));
        assert_eq!(typists.of(chat, now), [ada, bob]);
        assert!(typists.hear(chat, bob, false, now) && !typists.hear(chat, bob, false, now));
        now += LASTS;
        assert!(typists.of(chat, now).is_empty());
        assert_eq!(typists.over(now), [(chat, ada)]);
        assert!(typists.hear(chat, ada, false, now) && typists.rooms.is_empty());
    }

    #[test]
    fn a_crowd_is_cut_off() {
        let (chat, now) = (ChatId::new(), Instant::now());
        let mut typists = Typists::default();
        let told = (0..1_000)
            .filter(|_| typists.hear(chat, UserId::new(), true, now))
            .count();
        assert_eq!((told, typists.of(chat, now).len()), (MOST_IN_A_ROOM, MOST_IN_A_ROOM));
        assert!(!typists.is_news(chat, UserId::new(), true, now));
        for _ in 0..2 * MOST_ROOMS {
            typists.hear(ChatId::new(), UserId::new(), true, now);
        }
        assert_eq!(typists.rooms.len(), MOST_ROOMS);
    }
}
