//! Following the log live: one reader per server, which hands each new event to the streams it is for.
//!
//! A stream registers and learns, under the same lock, which snapshot the reader has reached. It then reads from the
//! log what lies between its own cursor and that snapshot, and goes on with what it is handed: no gap, no overlap.
//! Its queue is bounded; when it overflows the stream is cut off, and goes on from where it stands with what was handed out
//! lately, or, if that is not enough, by reading the log.
//!
//! The same task hands out signals, so that they never go to somebody of whom it has read that they left.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::cursor::{Cursor, Snapshot};
use super::feed::{Behind, Feed, State};
use super::home;
use super::log::{self, Audience, LoggedEvent};
use super::made::Made;
use super::recent;
use super::roster::{self, Rosters};
use super::signal::{Circle, Ear, Signal, Slot, Subject};
use crate::app::App;
use crate::db::Connection;
use crate::error::Result;
use crate::id::{ChatId, UserId};

/// How long other processes' events wait at most: what this process writes wakes the reader at once.
const EVERY: Duration = Duration::from_secs(1);
/// The most events that are looked for at once: mostly it is a few.
const READ: i32 = 1000;
/// The most that are handed out of one reading; after a larger burst every stream reads the log by itself.
const BURST: usize = recent::MOST;
/// How many signals may wait to be handed out; further ones are not told.
const MOST_SIGNALS: usize = 16_384;
/// How many of them are handed out in one go.
const SIGNALS_AT_ONCE: usize = 256;

/// The live end of the log. A cheap handle.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    wake: Notify,
    written: Notify,
    state: Mutex<State>,
    reached: watch::Sender<Reached>,
    waiting: AtomicUsize,
    signals: Mutex<Vec<(Circle, Arc<Signal>)>>,
    signalled: Notify,
    told: Notify,
    numbers: AtomicU64,
}

/// How far the reader has come, and in which log.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub(super) epoch: Uuid,
    pub(super) snapshot: Snapshot,
}

impl From<Cursor> for Reached {
    fn from(end: Cursor) -> Self {
        Reached {
            epoch: end.epoch,
            snapshot: end.position.seen,
        }
    }
}

/// Somebody who waits for the reader to get further; counted as long as it is there.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Log {
    /// Begins at the log's present end.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn open(connection: &mut Connection) -> Result<Self> {
        let reached = Reached::from(log::current(connection).await?);
        let inner = Inner {
            wake: Notify::new(),
            written: Notify::new(),
            state: Mutex::new(State::new(reached.clone())),
            reached: watch::Sender::new(reached),
            waiting: AtomicUsize::new(0),
            signals: Mutex::default(),
            signalled: Notify::new(),
            told: Notify::new(),
            numbers: AtomicU64::new(0),
        };
        Ok(Log { inner: Arc::new(inner) })
    }

    /// Says that events were committed.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
        self.inner.written.notify_one();
    }

    /// Waits until this process has written events, if it has not since the last time; for one reader besides the log's own.
    pub async fn written(&self) {
        self.inner.written.notified().await;
    }

    /// Registers a stream of `user_id`, once the reader has reached at least this position. None when the reader is in
    /// another log: the position is of one that is no more, or the reader has not noticed yet that there is a new one.
    pub async fn follow(&self, user_id: UserId, from: &Cursor) -> Option<Feed> {
        let mut reached = self.inner.reached.subscribe();
        let decided =
            |reached: &Reached| reached.epoch != from.epoch || reached.snapshot.covers(from.position.reaches());
        if !decided(&reached.borrow()) {
            let _waiting = Waiting::new(&self.inner.waiting);
            self.wake();
            // The sender lives in `self`, so this ends only when it is decided.
            drop(reached.wait_for(decided).await);
        }
        let mut state = self.lock();
        (state.reached.epoch == from.epoch).then(|| state.follow(user_id, self, Behind::Recovers))
    }

    /// Registers a stream of `user_id` from wherever the reader is; once it is cut off, it is over.
    pub fn follow_on(&self, user_id: UserId) -> Feed {
        self.lock().follow(user_id, self, Behind::Ends)
    }

    /// Waits until the reader has looked at the log once more.
    pub async fn looked(&self) {
        let mut reached = self.inner.reached.subscribe();
        let _waiting = Waiting::new(&self.inner.waiting);
        self.wake();
        drop(reached.changed().await);
    }

    pub(super) fn unfollow(&self, user_id: UserId, id: u64) {
        let mut state = self.lock();
        if let Some(streams) = state.streams.get_mut(&user_id) {
            streams.remove(&id);
            if streams.is_empty() {
                state.streams.remove(&user_id);
            }
        }
        state.recent.leave(id);
    }

    /// Registers an ear of `user_id` for signals.
    pub fn listen(&self, user_id: UserId) -> Ear {
        let slot = Arc::new(Slot::default());
        self.lock().ears.entry(user_id).or_default().push(Arc::clone(&slot));
        Ear {
            slot,
            user_id,
            log: self.clone(),
        }
    }

    pub(super) fn deafen(&self, user_id: UserId, slot: &Arc<Slot>) {
        let mut state = self.lock();
        if let Some(ears) = state.ears.get_mut(&user_id) {
            ears.retain(|ear| !Arc::ptr_eq(ear, slot));
            if ears.is_empty() {
                state.ears.remove(&user_id);
            }
        }
    }

    /// Whether anybody here listens for signals.
    pub fn has_ears(&self) -> bool {
        !self.lock().ears.is_empty()
    }

    /// Whether this person listens for signals here.
    pub fn hears(&self, user_id: UserId) -> bool {
        self.lock().ears.contains_key(&user_id)
    }

    /// Tells those of a circle who listen here, and nobody elsewhere.
    pub fn tell(&self, circle: Circle, subject: Subject, payload: serde_json::Value) {
        let mut signals = self.signals();
        if signals.len() >= MOST_SIGNALS {
            return;
        }
        let signal = Signal {
            number: self.inner.numbers.fetch_add(1, Ordering::Relaxed),
            subject,
            payload,
            occurred_at: Utc::now(),
            made: Made::default(),
        };
        signals.push((circle, Arc::new(signal)));
        drop(signals);
        self.inner.signalled.notify_one();
    }

    /// Reads the log's end and hands it out until the server stops.
    pub async fn run(self, app: App) {
        let mut rosters = Rosters::default();
        loop {
            let signalled = tokio::select! {
                () = self.inner.wake.notified() => false,
                () = tokio::time::sleep(EVERY) => false,
                () = self.inner.signalled.notified() => true,
                () = app.stopped().cancelled() => return,
            };
            if signalled {
                if let Err(error) = self.signal(&app, &mut rosters).await {
                    tracing::warn!(%error, "cannot tell what happens now");
                }
            } else if let Err(error) = self.advance(&app, &mut rosters).await {
                tracing::warn!(%error, "cannot read the event log");
                tokio::time::sleep(Duration::from_millis(200)).await;
                self.wake();
            }
        }
    }

    async fn advance(&self, app: &App, rosters: &mut Rosters) -> Result<()> {
        let (at, unheard) = {
            let state = self.lock();
            (state.reached.clone(), state.is_unheard())
        };
        // Nobody listens: whoever comes next has it read then.
        if unheard && AtomicUsize::load(&self.inner.waiting, Ordering::SeqCst) == 0 {
            rosters.clear();
            return Ok(());
        }
        let mut connection = app.upkeep_connection().await?;
        let seen = &at.snapshot;
        let log::Reading {
            epoch,
            moved,
            now,
            mut rows,
        } = log::read_all(&mut connection, seen, READ).await?;
        // A crash may lose transactions that were seen to have ended, and give out their ids again.
        let went_back = epoch == at.epoch && !now.covers(seen);
        if moved || went_back {
            let astray = went_back.then_some(epoch);
            if home::adopt(&mut connection, astray).await? {
                tracing::warn!(
                    "another Postgres has taken over, or what this one did last is lost: clients will read everything anew"
                );
            }
        }
        if moved || went_back || epoch != at.epoch {
            // What was read with a snapshot of the old log means nothing in the new one.
            rosters.clear();
            self.reach(log::current(&mut connection).await?.into(), State::cut_off);
            return Ok(());
        }
        if rows.len() >= usize::try_from(READ).unwrap_or(usize::MAX) {
            let burst = i32::try_from(BURST).unwrap_or(i32::MAX);
            rows = log::read_everything(&mut connection, (seen, &now, 0), burst).await?;
        }
        let rooms = roster::read(&mut connection, &rooms_of(&rows)).await?;
        drop(connection);
        let overflow = rows.len() >= BURST;
        if overflow {
            rosters.clear();
        }
        rows.iter()
            .filter_map(LoggedEvent::left_chat)
            .for_each(|id| rosters.forget(id));
        rosters.keep(&rooms);
        let reached = Reached {
            epoch,
            snapshot: now.clone(),
        };
        self.reach(reached, |state| {
            if overflow {
                state.cut_off();
            } else {
                state.hand_out(rows, &rooms, seen, &now);
            }
        });
        Ok(())
    }

    /// Notes how far the reader has come, in one go with what comes of it.
    fn reach(&self, reached: Reached, then: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        state.reached = reached.clone();
        then(&mut state);
        drop(state);
        self.inner.reached.send_replace(reached);
    }

    /// Hands out the signals that wait, so many at a time that streams are not kept waiting. A room of a thousand is read as
    /// often as one of ten: when it is not known.
    async fn signal(&self, app: &App, rosters: &mut Rosters) -> Result<()> {
        let mut signals = std::mem::take(&mut *self.signals());
        self.inner.told.notify_waiters();
        while !signals.is_empty() {
            if !self.has_ears() {
                return Ok(());
            }
            let part = signals.len().min(SIGNALS_AT_ONCE);
            let rooms = signals[..part]
                .iter()
                .flat_map(|(circle, _)| circle.chats.iter().copied());
            let missing = rosters.missing(rooms);
            let read = async {
                if missing.is_empty() {
                    return Ok(HashMap::new());
                }
                Ok(roster::read(&mut *app.upkeep_connection().await?, &missing).await?)
            };
            let read = match read.await {
                Ok(read) => read,
                Err(error) => {
                    // They are tried again with the next ones.
                    self.signals().splice(..0, signals);
                    return Err(error);
                }
            };
            {
                let state = self.lock();
                for (circle, signal) in signals.drain(..part) {
                    state.tell(&circle, &signal, rosters, &read);
                }
            }
            // Only now: there may be more of them than are kept.
            rosters.keep(&read);
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Waits until there is room for signals that must not be left out.
    pub async fn told(&self) {
        loop {
            let told = self.inner.told.notified();
            if self.signals().len() <= MOST_SIGNALS / 2 {
                return;
            }
            told.await;
        }
    }

    fn signals(&self) -> MutexGuard<'_, Vec<(Circle, Arc<Signal>)>> {
        self.inner.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rooms that the events are for.
fn rooms_of(rows: &[LoggedEvent]) -> Vec<ChatId> {
    let chats: HashSet<ChatId> = rows
        .iter()
        .filter_map(|row| match row.audience() {
            Audience::Chat(id) => Some(id),
            Audience::User(_) | Audience::Everybody => None,
        })
        .collect();
    chats.into_iter().collect()
}
