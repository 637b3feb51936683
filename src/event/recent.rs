//! What was handed out lately, for streams that were cut off since.
//!
//! More than waits for one stream may come at once, and a thousand followers of one room would each read it from the log.
//! So it is kept as it was handed out, with what was made of it, until each of them has it; and no longer: as long as
//! nobody is behind, nothing is kept.

use std::collections::HashSet;
use std::sync::Arc;

use super::cursor::Position;
use super::feed::{Delivery, Handed};
use super::log::Audience;
use super::roster::Roster;
use crate::id::{ChatId, UserId};

/// How many events are kept. Who is further behind reads the log.
pub(super) const MOST: usize = 2_048;
/// About how many bytes of what was made of them are kept.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// An event that was handed out, and, if it is of a room, to whom.
pub(super) type Given = (Arc<Handed>, Option<Arc<Roster>>);

/// What was handed out since the first of those was cut off who are behind.
#[derive(Debug, Default)]
pub(super) struct Recent {
    events: Vec<Given>,
    /// Who left which room meanwhile, and the event that says so.
    left: Vec<(UserId, ChatId, i64)>,
    behind: HashSet<u64>,
}

impl Recent {
    /// Whether somebody is behind.
    pub(super) fn is_wanted(&self) -> bool {
        !self.behind.is_empty()
    }

    /// Keeps what was just handed out, by which these streams were cut off; they have had everything before it.
    pub(super) fn keep(&mut self, given: Vec<Given>, cut: Vec<u64>) {
        self.behind.extend(cut);
        if !self.is_wanted() {
            return;
        }
        let bytes: usize = self.events.iter().map(|(handed, _)| handed.made.bytes()).sum();
        if self.events.len() + given.len() > MOST || bytes > MOST_BYTES {
            return self.clear();
        }
        let left = given.iter().filter_map(|(handed, _)| match handed.event.audience() {
            Audience::User(user_id) => Some((user_id, handed.event.left_chat()?, handed.event.id)),
            Audience::Chat(_) | Audience::Everybody => None,
        });
        self.left.extend(left);
        self.events.extend(given);
    }

    /// Forgets a stream that is behind no more.
    pub(super) fn leave(&mut self, id: u64) {
        if self.behind.remove(&id) && !self.is_wanted() {
            self.clear();
        }
    }

    /// Forgets everything: whoever is behind reads the log.
    pub(super) fn clear(&mut self) {
        *self = Recent::default();
    }

    /// The next events for a stream of this person that is behind and stands at this position, at most so many; none when
    /// they are not here any more.
    pub(super) fn next(&self, id: u64, user_id: UserId, position: &Position, most: usize) -> Option<Vec<Delivery>> {
        if !self.behind.contains(&id) {
            return None;
        }
        // What waits of a room from before somebody left it is not told any more.
        let left = self.left.iter().filter(|(who, ..)| *who == user_id);
        let left: Vec<(ChatId, i64)> = left.map(|(_, chat_id, said)| (*chat_id, *said)).collect();
        let own = self.events.iter().filter_map(|(handed, roster)| {
            let event = &handed.event;
            if event.is_before(position) {
                return None;
            }
            let history_after = match event.audience() {
                Audience::User(of) if of != user_id => return None,
                Audience::User(_) | Audience::Everybody => None,
                Audience::Chat(chat_id) => {
                    let after = roster.as_ref()?.get(&user_id)?;
                    let gone = left.iter().any(|(from, said)| *from == chat_id && event.id < *said);
                    Some(*after).filter(|_| !gone).map(Some)?
                }
            };
            Some(Delivery {
                handed: Arc::clone(handed),
                history_after,
            })
        });
        Some(own.take(most).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use chrono::Utc;
    use serde_json::json;

    use super::*;
    use crate::event::cursor::Snapshot;
    use crate::event::log::{CHAT_REMOVED, LoggedEvent};
    use crate::event::made::Made;

    const STREAM: u64 = 7;

    fn snapshot(xmax: u64) -> Snapshot {
        Snapshot {
            xmin: xmax,
            xmax,
            running: Vec::new(),
        }
    }

    /// An event of the transaction of the same number.
    fn given(id: i64, audience: Audience, members: &[UserId]) -> Given {
        let (user_id, chat_id) = match audience {
            Audience::User(id) => (Some(id), None),
            Audience::Chat(id) => (None, Some(id)),
            Audience::Everybody => (None, None),
        };
        let event = LoggedEvent {
            id,
            xid: id,
            user_id,
            chat_id,
            kind: "test".to_owned(),
            payload: json!({}),
            occurred_at: Utc::now(),
        };
        let handed = Handed {
            event,
            position: Position::at(snapshot(id.unsigned_abs() + 1)),
            members: members.len(),
            made: Made::default(),
        };
        let roster = chat_id.map(|_| Arc::new(members.iter().map(|id| (*id, 5)).collect::<HashMap<_, _>>()));
        (Arc::new(handed), roster)
    }

    fn left(id: i64, user_id: UserId, chat_id: ChatId) -> Given {
        let (mut given, roster) = given(id, Audience::User(user_id), &[]);
        let event = &mut Arc::get_mut(&mut given).expect("nobody else has it").event;
        (event.kind, event.payload) = (CHAT_REMOVED.to_owned(), json!({ "chatId": chat_id.0 }));
        (given, roster)
    }

    fn next(recent: &Recent, user_id: UserId, from: u64, most: usize) -> Option<Vec<(i64, Option<i64>)>> {
        let found = recent.next(STREAM, user_id, &Position::at(snapshot(from)), most)?;
        let told = found.iter().map(|told| (told.handed.event.id, told.history_after));
        Some(told.collect())
    }

    #[test]
    fn each_is_given_what_is_theirs_from_where_they_stand() {
        let (ada, bob, chat, other) = (UserId::new(), UserId::new(), ChatId::new(), ChatId::new());
        let mut recent = Recent::default();
        recent.keep(vec![given(1, Audience::Everybody, &[])], Vec::new());
        assert_eq!(next(&recent, ada, 0, 9), None, "nobody is behind");
        let events = vec![
            given(2, Audience::Chat(chat), &[ada, bob]),
            given(3, Audience::Chat(other), &[bob]),
            given(4, Audience::User(ada), &[]),
            given(5, Audience::User(bob), &[]),
            given(6, Audience::Everybody, &[]),
        ];
        recent.keep(events, vec![STREAM]);
        assert_eq!(next(&recent, ada, 0, 9), Some(vec![(2, Some(5)), (4, None), (6, None)]));
        assert_eq!(next(&recent, ada, 3, 9), Some(vec![(4, None), (6, None)]));
        assert_eq!(next(&recent, ada, 0, 2), Some(vec![(2, Some(5)), (4, None)]));
        recent.keep(vec![given(7, Audience::Chat(chat), &[bob])], Vec::new());
        assert_eq!(next(&recent, bob, 5, 9), Some(vec![(5, None), (6, None), (7, Some(5))]));
    }

    #[test]
    fn who_has_left_a_room_is_not_given_what_waited_of_it() {
        let (ada, chat, other) = (UserId::new(), ChatId::new(), ChatId::new());
        let mut recent = Recent::default();
        let events = vec![
            given(1, Audience::Chat(chat), &[ada]),
            given(2, Audience::Chat(other), &[ada]),
            left(3, ada, chat),
            given(4, Audience::Chat(chat), &[ada]),
        ];
        recent.keep(events, vec![STREAM]);
        assert_eq!(
            next(&recent, ada, 0, 9),
            Some(vec![(2, Some(5)), (3, None), (4, Some(5))])
        );
    }

    #[test]
    fn nothing_is_kept_when_nobody_is_behind_or_too_much_came() {
        let ada = UserId::new();
        let one = |id| given(id, Audience::User(ada), &[]);
        let mut recent = Recent::default();
        recent.keep(vec![one(1)], vec![STREAM, STREAM + 1]);
        recent.leave(STREAM + 1);
        assert_eq!(next(&recent, ada, 0, 9), Some(vec![(1, None)]));
        recent.leave(STREAM);
        assert!(recent.events.is_empty() && !recent.is_wanted());
        recent.keep((0..MOST as i64).map(one).collect(), vec![STREAM]);
        assert_eq!(next(&recent, ada, 0, MOST).map(|told| told.len()), Some(MOST));
        recent.keep(vec![one(1)], Vec::new());
        assert_eq!(next(&recent, ada, 0, 9), None);
        assert!(recent.events.is_empty() && !recent.is_wanted());
    }
}
