//! Following the log live: one reader per server, which hands each new event to the streams it is for.
//!
//! A stream registers and learns, under the same lock, which snapshot the reader has reached. It then reads from the
//! log what lies between its own cursor and that snapshot, and goes on with what it is handed: no gap, no overlap.
//! Its queue is bounded; when it overflows the stream is cut off and starts over from its cursor by reading the log.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use tokio::sync::{Notify, mpsc, watch};
use uuid::Uuid;

use super::cursor::{Position, Snapshot};
use super::log::{self, Audience, LoggedEvent};
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::chat_members;
use crate::error::Result;
use crate::id::{ChatId, UserId};

/// How long other processes' events wait at most: what this process writes wakes the reader at once.
const EVERY: Duration = Duration::from_secs(1);
/// The most events handed out of one read; after a larger burst every stream reads the log by itself.
const BURST: i32 = 1000;
/// How many events may wait for one stream before it is cut off.
const QUEUE: usize = 256;

/// The live end of the log. A cheap handle.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    epoch: Uuid,
    wake: Notify,
    written: Notify,
    state: Mutex<State>,
    reached: watch::Sender<Snapshot>,
    waiting: AtomicUsize,
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

#[derive(Debug)]
struct State {
    reached: Snapshot,
    streams: HashMap<UserId, HashMap<u64, mpsc::Sender<Delivery>>>,
    next: u64,
}

/// An event and the position of a reader that has had it.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The event.
    pub event: Arc<LoggedEvent>,
    /// Where its reader stands then.
    pub position: Position,
}

/// One stream's live feed; unregisters on drop.
#[derive(Debug)]
pub struct Feed {
    /// What the log's reader had reached when this feed began: it brings everything after that.
    pub reached: Snapshot,
    deliveries: mpsc::Receiver<Delivery>,
    user_id: UserId,
    id: u64,
    log: Log,
}

impl Log {
    /// Begins at the log's present end.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn open(connection: &mut Connection) -> Result<Self> {
        let now = log::current(connection).await?;
        let reached = now.position.seen;
        let state = State {
            reached: reached.clone(),
            streams: HashMap::new(),
            next: 0,
        };
        let inner = Inner {
            epoch: now.epoch,
            wake: Notify::new(),
            written: Notify::new(),
            state: Mutex::new(state),
            reached: watch::Sender::new(reached),
            waiting: AtomicUsize::new(0),
        };
        Ok(Log { inner: Arc::new(inner) })
    }

    /// Which log this is.
    pub fn epoch(&self) -> Uuid {
        self.inner.epoch
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

    /// Registers a stream of `user_id`, once the reader has reached at least `snapshot`.
    pub async fn follow(&self, user_id: UserId, snapshot: &Snapshot) -> Feed {
        let mut reached = self.inner.reached.subscribe();
        if !reached.borrow().covers(snapshot) {
            let _waiting = Waiting::new(&self.inner.waiting);
            self.wake();
            // The sender lives in `self`, so this ends only by reaching the snapshot.
            drop(reached.wait_for(|reached| reached.covers(snapshot)).await);
        }
        let (sender, deliveries) = mpsc::channel(QUEUE);
        let mut state = self.lock();
        let id = state.next;
        state.next += 1;
        state.streams.entry(user_id).or_default().insert(id, sender);
        // What was committed while nobody listened was not read.
        self.wake();
        Feed {
            reached: state.reached.clone(),
            deliveries,
            user_id,
            id,
            log: self.clone(),
        }
    }

    /// Reads the log's end and hands it out until the server stops.
    pub async fn run(self, app: App) {
        loop {
            tokio::select! {
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
                () = app.stopped().cancelled() => return,
            }
            if let Err(error) = self.advance(&app).await {
                tracing::warn!(%error, "cannot read the event log");
                tokio::time::sleep(Duration::from_millis(200)).await;
                self.wake();
            }
        }
    }

    async fn advance(&self, app: &App) -> Result<()> {
        let (seen, unheard) = {
            let state = self.lock();
            (state.reached.clone(), state.streams.is_empty())
        };
        // Nobody listens: whoever comes next has it read then.
        if unheard && AtomicUsize::load(&self.inner.waiting, Ordering::SeqCst) == 0 {
            return Ok(());
        }
        let mut connection = app.upkeep_connection().await?;
        let (now, rows) = log::read_all(&mut connection, &seen, BURST).await?;
        let here: HashSet<UserId> = self.lock().streams.keys().copied().collect();
        let members = members(&mut connection, &rows, &here).await?;
        drop(connection);
        let overflow = rows.len() >= usize::try_from(BURST).unwrap_or(usize::MAX);
        let mut state = self.lock();
        state.reached = now.clone();
        if overflow {
            state.streams.clear();
        } else {
            if !rows.is_empty() {
                // Whoever came since then was not looked up: they begin anew, from the log.
                state.streams.retain(|user_id, _| here.contains(user_id));
            }
            state.hand_out(rows, &members, &seen, &now);
        }
        drop(state);
        self.inner.reached.send_replace(now);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who of the people `here` is a member of the chats that the events are for.
async fn members(
    connection: &mut Connection,
    rows: &[LoggedEvent],
    here: &HashSet<UserId>,
) -> Result<HashMap<ChatId, Vec<UserId>>> {
    let chats: HashSet<ChatId> = rows
        .iter()
        .filter_map(|row| {
            if let Audience::Chat(id) = row.audience() {
                Some(id)
            } else {
                None
            }
        })
        .collect();
    if here.is_empty() || chats.is_empty() {
        return Ok(HashMap::new());
    }
    let chats: Vec<ChatId> = chats.into_iter().collect();
    let pairs: Vec<(ChatId, UserId)> = chat_members::table
        .filter(chat_members::chat_id.eq_any(&chats))
        .select((chat_members::chat_id, chat_members::user_id))
        .load(connection)
        .await?;
    let mut members: HashMap<ChatId, Vec<UserId>> = HashMap::new();
    for (chat_id, user_id) in pairs.into_iter().filter(|(_, user_id)| here.contains(user_id)) {
        members.entry(chat_id).or_default().push(user_id);
    }
    Ok(members)
}

impl State {
    fn hand_out(
        &mut self,
        rows: Vec<LoggedEvent>,
        members: &HashMap<ChatId, Vec<UserId>>,
        seen: &Snapshot,
        now: &Snapshot,
    ) {
        let last = rows.last().map(|row| row.id);
        for row in rows {
            let position = if Some(row.id) == last {
                Position::at(now.clone())
            } else {
                Position {
                    seen: seen.clone(),
                    then: Some((now.clone(), row.id)),
                }
            };
            let audience = match row.audience() {
                Audience::User(user_id) => vec![user_id],
                Audience::Chat(chat_id) => members.get(&chat_id).cloned().unwrap_or_default(),
                Audience::Everybody => self.streams.keys().copied().collect(),
            };
            let delivery = Delivery {
                event: Arc::new(row),
                position,
            };
            for user_id in audience {
                if let Some(streams) = self.streams.get_mut(&user_id) {
                    // A full queue is a slow reader: it is cut off, and reads the log from where it stands.
                    streams.retain(|_, sender| sender.try_send(delivery.clone()).is_ok());
                }
            }
        }
    }
}

impl Feed {
    /// The next events, as many as have come; none when this feed was cut off and the log has to be read instead.
    pub async fn next(&mut self) -> Vec<Delivery> {
        let mut waiting = Vec::new();
        self.deliveries.recv_many(&mut waiting, QUEUE).await;
        waiting
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut state = self.log.lock();
        if let Some(streams) = state.streams.get_mut(&self.user_id) {
            streams.remove(&self.id);
            if streams.is_empty() {
                state.streams.remove(&self.user_id);
            }
        }
    }
}
