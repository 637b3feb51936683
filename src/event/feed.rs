//! Who follows the log here, and handing out to them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::cursor::{Position, Snapshot};
use super::log::{Audience, LoggedEvent};
use super::made::Made;
use super::recent::Recent;
use super::roster::{Roster, Rosters};
use super::signal::{Circle, Signal, Slot};
use super::tail::{Log, Reached};
use crate::id::{ChatId, UserId};

/// How many events may wait for one stream before it is cut off.
const QUEUE: usize = 256;

/// An event that was handed out, and the position of a reader that has had it.
#[derive(Debug)]
pub struct Handed {
    /// The event.
    pub event: LoggedEvent,
    /// Where its reader stands then.
    pub position: Position,
    /// For an event of a room: how many its members are.
    pub members: usize,
    /// What was made of it for all.
    pub made: Made,
}

/// An event for one stream.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The event, the same for all streams.
    pub handed: Arc<Handed>,
    /// For an event of a room: the reader is a member of it, and the messages after this number are theirs to see.
    pub history_after: Option<i64>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) reached: Reached,
    pub(super) streams: HashMap<UserId, HashMap<u64, Stream>>,
    pub(super) ears: HashMap<UserId, Vec<Arc<Slot>>>,
    pub(super) recent: Recent,
    next: u64,
}

/// What a stream does when it was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// It goes on with what is kept for it.
    Recovers,
    /// It ends.
    Ends,
}

/// What is not told any more of what waits for a stream, or is in its hands.
#[derive(Debug, Default)]
struct Withheld {
    /// Everything: who left which room was not looked at.
    everything: bool,
    /// What is of the rooms that the reader has left, from before the event that will say so.
    rooms: Vec<(ChatId, i64)>,
}

/// One stream, also when it was cut off, until it is gone or begins anew: what waits for it may have to be taken back.
#[derive(Debug)]
pub(super) struct Stream {
    /// None when it was cut off.
    sender: Option<mpsc::Sender<Delivery>>,
    behind: Behind,
    withheld: Arc<Mutex<Withheld>>,
}

/// One stream's live feed; unregisters on drop.
#[derive(Debug)]
pub struct Feed {
    /// What the log's reader had reached when this feed began: it brings everything after that.
    pub reached: Snapshot,
    deliveries: mpsc::Receiver<Delivery>,
    withheld: Arc<Mutex<Withheld>>,
    user_id: UserId,
    id: u64,
    log: Log,
}

impl State {
    pub(super) fn new(reached: Reached) -> Self {
        State {
            reached,
            streams: HashMap::new(),
            ears: HashMap::new(),
            recent: Recent::default(),
            next: 0,
        }
    }

    /// Registers a stream.
    pub(super) fn follow(&mut self, user_id: UserId, log: &Log, behind: Behind) -> Feed {
        let (sender, deliveries) = mpsc::channel(QUEUE);
        let withheld = Arc::<Mutex<Withheld>>::default();
        let id = self.next;
        self.next += 1;
        let stream = Stream {
            sender: Some(sender),
            behind,
            withheld: Arc::clone(&withheld),
        };
        self.streams.entry(user_id).or_default().insert(id, stream);
        // What was committed while nobody listened was not read.
        log.wake();
        Feed {
            reached: self.reached.snapshot.clone(),
            deliveries,
            withheld,
            user_id,
            id,
            log: log.clone(),
        }
    }

    /// Whether nobody here would hear anything.
    pub(super) fn is_unheard(&self) -> bool {
        self.streams.is_empty() && self.ears.is_empty() && !self.recent.is_wanted()
    }

    /// Has every stream read the log by itself, and takes back what waits for it: who left which room was not looked at.
    pub(super) fn cut_off(&mut self) {
        for stream in self.streams.values_mut().flat_map(HashMap::values_mut) {
            stream.sender = None;
            lock(&stream.withheld).everything = true;
        }
        self.recent.clear();
        self.ears.values().flatten().for_each(|slot| slot.withdraw_all());
    }

    /// Hands out the events on the way from `seen` to `now`.
    pub(super) fn hand_out(
        &mut self,
        rows: Vec<LoggedEvent>,
        rooms: &HashMap<ChatId, Arc<Roster>>,
        seen: &Snapshot,
        now: &Snapshot,
    ) {
        let last = rows.last().map(|row| row.id);
        let (mut given, mut cut) = (Vec::with_capacity(rows.len()), Vec::new());
        for event in rows {
            let position = if Some(event.id) == last {
                Position::at(now.clone())
            } else {
                Position {
                    seen: seen.clone(),
                    then: Some((now.clone(), event.id)),
                }
            };
            let audience = event.audience();
            let roster = match audience {
                Audience::Chat(chat_id) => rooms.get(&chat_id),
                Audience::User(_) | Audience::Everybody => None,
            };
            let handed = Arc::new(Handed {
                event,
                position,
                members: roster.map_or(0, |roster| roster.len()),
                made: Made::default(),
            });
            match audience {
                Audience::User(user_id) => {
                    if let Some(chat_id) = handed.event.left_chat() {
                        self.withdraw(user_id, chat_id, handed.event.id);
                    }
                    self.give(user_id, &handed, None, &mut cut);
                }
                Audience::Chat(_) => {
                    let Some(roster) = roster else { continue };
                    for user_id in here(roster, &self.streams) {
                        self.give(user_id, &handed, roster.get(&user_id).copied(), &mut cut);
                    }
                }
                Audience::Everybody => {
                    let everybody: Vec<UserId> = self.streams.keys().copied().collect();
                    for user_id in everybody {
                        self.give(user_id, &handed, None, &mut cut);
                    }
                }
            }
            given.push((handed, roster.cloned()));
        }
        self.recent.keep(given, cut);
    }

    /// Takes back what waits for somebody of a room that they have left.
    fn withdraw(&self, user_id: UserId, chat_id: ChatId, event_id: i64) {
        let ears = self.ears.get(&user_id).into_iter().flatten();
        ears.for_each(|slot| slot.withdraw(chat_id));
        let streams = self.streams.get(&user_id).into_iter().flatten();
        streams.for_each(|(_, stream)| lock(&stream.withheld).rooms.push((chat_id, event_id)));
    }

    fn give(&mut self, user_id: UserId, handed: &Arc<Handed>, history_after: Option<i64>, cut: &mut Vec<u64>) {
        let Some(streams) = self.streams.get_mut(&user_id) else {
            return;
        };
        for (id, stream) in streams {
            let Some(sender) = &stream.sender else { continue };
            let delivery = Delivery {
                handed: Arc::clone(handed),
                history_after,
            };
            // A full queue is a slow reader, or a burst: it is cut off, and recovers from where it stands.
            if sender.try_send(delivery).is_err() {
                stream.sender = None;
                cut.extend((stream.behind == Behind::Recovers).then_some(*id));
            }
        }
    }

    /// Tells those of a circle who are here. What is not known of its rooms is left out.
    pub(super) fn tell(
        &self,
        circle: &Circle,
        signal: &Arc<Signal>,
        rosters: &mut Rosters,
        read: &HashMap<ChatId, Arc<Roster>>,
    ) {
        let mut told: HashSet<UserId> = HashSet::new();
        let people = circle.people.iter().copied().filter(|id| self.ears.contains_key(id));
        told.extend(people);
        let known = |id: &ChatId| read.get(id).cloned().or_else(|| rosters.get(*id));
        for roster in circle.chats.iter().filter_map(known) {
            told.extend(here(&roster, &self.ears));
        }
        for user_id in told.difference(&circle.except) {
            let ears = self.ears.get(user_id).into_iter().flatten();
            ears.for_each(|slot| slot.put(signal));
        }
    }
}

/// The members of a room who are here; looked for among the fewer.
fn here<T>(roster: &Roster, present: &HashMap<UserId, T>) -> Vec<UserId> {
    if roster.len() <= present.len() {
        roster.keys().copied().filter(|id| present.contains_key(id)).collect()
    } else {
        present.keys().copied().filter(|id| roster.contains_key(id)).collect()
    }
}

impl Feed {
    /// The next events, as many as have come; none when this feed was cut off.
    pub async fn next(&mut self) -> Vec<Delivery> {
        let mut waiting = Vec::new();
        while waiting.is_empty() && self.deliveries.recv_many(&mut waiting, QUEUE).await > 0 {
            self.leave_out(&mut waiting);
        }
        waiting
    }

    /// What comes next after a feed was cut off whose reader stands at this position, from what was handed out lately; the
    /// feed goes on behind the last of it. None when it is not there any more, and the log has to be read instead.
    pub fn recover(&mut self, position: &Position) -> Option<Vec<Delivery>> {
        let log = self.log.clone();
        let mut state = log.lock();
        let next = state.recent.next(self.id, self.user_id, position, QUEUE)?;
        if next.len() == QUEUE {
            return Some(next);
        }
        let again = state.follow(self.user_id, &log, Behind::Recovers);
        // The feed that was says itself that it is behind no more.
        drop(state);
        *self = again;
        Some(next)
    }

    /// Whether nothing more of it may be told, not even what it has given already: the log is to be read from where its
    /// reader stands.
    pub fn is_void(&self) -> bool {
        lock(&self.withheld).everything
    }

    /// Whether an event is not to be told any more: its reader has left the room that it is of.
    pub fn withholds(&self, event: &LoggedEvent) -> bool {
        lock(&self.withheld).of_room(event)
    }

    /// Whether nothing that is not kept is to be told of a room any more: its reader has left it, or may have.
    pub fn has_left(&self, chat_id: ChatId) -> bool {
        let withheld = lock(&self.withheld);
        withheld.everything || withheld.rooms.iter().any(|(left, _)| *left == chat_id)
    }

    fn leave_out(&self, waiting: &mut Vec<Delivery>) {
        let mut withheld = lock(&self.withheld);
        if withheld.everything {
            return waiting.clear();
        }
        if withheld.rooms.is_empty() {
            return;
        }
        waiting.retain(|delivery| {
            let event = &delivery.handed.event;
            let rooms = &mut withheld.rooms;
            rooms.retain(|(_, said)| *said != event.id || event.left_chat().is_none());
            !withheld.of_room(event)
        });
    }
}

impl Withheld {
    fn of_room(&self, event: &LoggedEvent) -> bool {
        let gone = |(chat_id, said): &(ChatId, i64)| event.audience() == Audience::Chat(*chat_id) && event.id < *said;
        self.rooms.iter().any(gone)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.log.unfollow(self.user_id, self.id);
    }
}
