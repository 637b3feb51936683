//! The conversations that are open: one for each server and person, as many as are needed and no more than there may be.
//!
//! Nobody ever gets a conversation that was opened for somebody else. One that is not used for a while is closed; when
//! there are too many, the one that was not used for longest gives way, and when all are in use the call fails.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::connection::{Connection, Trouble};
use super::listing::Listing;
use super::outcome::Outcome;
use super::server::{StoredServer, ToolTransport};
use super::spec::Spec;
use super::{ARGUMENT_BYTES, MOST_CHILDREN, MOST_CONNECTIONS};
use crate::app::App;
use crate::db::schema::tool_servers;
use crate::id::{ToolServerId, UserId};

/// Speaks to tool servers. A cheap handle.
#[derive(Debug, Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    idle: Duration,
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
}

/// Whose conversation with which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    server: ToolServerId,
    user: UserId,
}

/// The place of a conversation, which may be about to begin.
#[derive(Debug)]
struct Slot {
    revision: i32,
    is_process: bool,
    connection: tokio::sync::Mutex<Option<Arc<Connection>>>,
    usage: Mutex<Usage>,
}

#[derive(Debug)]
struct Usage {
    calls: usize,
    last: Instant,
}

/// A call in progress: its conversation is in use as long as this lives.
struct InUse(Arc<Slot>);

impl InUse {
    fn new(slot: Arc<Slot>) -> Self {
        slot.usage().calls += 1;
        InUse(slot)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut usage = self.0.usage();
        usage.calls -= 1;
        usage.last = Instant::now();
    }
}

impl Slot {
    fn usage(&self) -> std::sync::MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when it is idle; none while it is in use.
    fn idle_since(&self) -> Option<Instant> {
        let usage = self.usage();
        (usage.calls == 0).then_some(usage.last)
    }
}

impl Pool {
    /// A pool that closes conversations which nobody used for this long.
    pub fn closing_after(idle: Duration) -> Self {
        Pool {
            inner: Arc::new(Inner {
                idle,
                slots: Mutex::default(),
            }),
        }
    }

    /// Calls a tool on behalf of a person. Whatever goes wrong is an outcome, for the model to hear.
    pub async fn call(
        &self,
        app: &App,
        server: &StoredServer,
        user_id: UserId,
        name: &str,
        arguments: &str,
    ) -> Outcome {
        let arguments = match read_arguments(arguments) {
            Ok(arguments) => arguments,
            Err(complaint) => return Outcome::failed(complaint),
        };
        let patience = Duration::from_secs(app.config().settings.tool_seconds);
        let called = async {
            let slot = self.slot(server, user_id)?;
            let in_use = InUse::new(slot);
            let connection = connect(app, &in_use.0, server, user_id).await?;
            connection.call(name, arguments, patience).await
        };
        match called.await {
            Ok(outcome) => outcome,
            Err(trouble) => {
                if trouble != Trouble::Busy {
                    note(app, server, &trouble).await;
                }
                Outcome::failed(&trouble.to_string())
            }
        }
    }

    /// Speaks to a server that is not stored yet, and says what it can do.
    pub(super) async fn try_out(app: &App, spec: &Spec, user_id: UserId) -> Result<Listing, Trouble> {
        let connection = Connection::open(app, spec, user_id).await?;
        let listing = connection.list().await;
        connection.close().await;
        listing
    }

    /// How many conversations are open or about to be.
    pub fn open(&self) -> usize {
        self.lock().len()
    }

    /// Closes what nobody uses, until the server stops; then everything.
    pub async fn run(self, app: App) {
        let mut tick = tokio::time::interval((self.inner.idle / 2).min(Duration::from_secs(30)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => self.close_idle().await,
                () = app.stopped().cancelled() => break,
            }
        }
        let all: Vec<Arc<Slot>> = self.lock().drain().map(|(_, slot)| slot).collect();
        futures_util::future::join_all(all.iter().map(|slot| close(slot))).await;
    }

    async fn close_idle(&self) {
        let idle: Vec<Arc<Slot>> = {
            let mut slots = self.lock();
            let is_idle = |slot: &Slot| {
                slot.idle_since()
                    .is_some_and(|since| since.elapsed() >= self.inner.idle)
            };
            slots
                .extract_if(|_, slot| is_idle(slot))
                .map(|(_, slot)| slot)
                .collect()
        };
        futures_util::future::join_all(idle.iter().map(|slot| close(slot))).await;
    }

    /// The place of this person's conversation with a server.
    fn slot(&self, server: &StoredServer, user_id: UserId) -> Result<Arc<Slot>, Trouble> {
        let key = Key {
            server: server.id,
            user: user_id,
        };
        let is_process = server.transport == ToolTransport::Stdio;
        let mut slots = self.lock();
        if let Some(slot) = slots.get(&key).filter(|slot| slot.revision == server.revision) {
            return Ok(Arc::clone(slot));
        }
        // Calls that still run in a former revision's conversation keep it alive until they are done.
        slots.remove(&key);
        if slots.len() >= MOST_CONNECTIONS {
            give_way(&mut slots, |_| true)?;
        }
        if is_process && slots.values().filter(|slot| slot.is_process).count() >= MOST_CHILDREN {
            give_way(&mut slots, |slot| slot.is_process)?;
        }
        let slot = Arc::new(Slot {
            revision: server.revision,
            is_process,
            connection: tokio::sync::Mutex::default(),
            usage: Mutex::new(Usage {
                calls: 0,
                last: Instant::now(),
            }),
        });
        slots.insert(key, Arc::clone(&slot));
        Ok(slot)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Slot>>> {
        self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the conversation that was not used for longest, of those that may have to go.
fn give_way(slots: &mut HashMap<Key, Arc<Slot>>, may_go: impl Fn(&Slot) -> bool) -> Result<(), Trouble> {
    let idle = slots.iter().filter(|(_, slot)| may_go(slot));
    let idle = idle.filter_map(|(key, slot)| Some((slot.idle_since()?, *key)));
    let (_, oldest) = idle.min_by_key(|(since, _)| *since).ok_or(Trouble::Busy)?;
    slots.remove(&oldest);
    Ok(())
}

/// The conversation in this place; a new one when there is none yet or it broke off. Others who want it wait here.
async fn connect(app: &App, slot: &Slot, server: &StoredServer, user_id: UserId) -> Result<Arc<Connection>, Trouble> {
    let mut place = slot.connection.lock().await;
    if let Some(connection) = place.as_ref().filter(|connection| connection.is_open()) {
        return Ok(Arc::clone(connection));
    }
    let spec = Spec::of(app, server).map_err(|error| {
        tracing::error!(%error, server = %server.id, "cannot read a tool server");
        Trouble::Ours
    })?;
    let connection = Arc::new(Connection::open(app, &spec, user_id).await?);
    *place = Some(Arc::clone(&connection));
    Ok(connection)
}

async fn close(slot: &Slot) {
    if let Some(connection) = slot.connection.lock().await.take() {
        connection.close().await;
    }
}

/// Remembers what is wrong with a server, for those who keep it.
async fn note(app: &App, server: &StoredServer, trouble: &Trouble) {
    use diesel::prelude::*;
    use diesel_async::RunQueryDsl;

    let noted = async {
        let mut connection = app.connection().await?;
        let row = tool_servers::table
            .find(server.id)
            .filter(tool_servers::revision.eq(server.revision));
        let change = (
            tool_servers::last_error.eq(trouble.to_string()),
            tool_servers::last_error_at.eq(diesel::dsl::now),
        );
        diesel::update(row).set(change).execute(&mut connection).await?;
        Ok::<(), crate::error::Error>(())
    };
    if let Err(error) = noted.await {
        tracing::warn!(%error, "cannot note what is wrong with a tool server");
    }
}

/// A model's arguments: an object, or nothing at all.
pub(super) fn read_arguments(text: &str) -> Result<serde_json::Map<String, serde_json::Value>, &'static str> {
    if text.len() > ARGUMENT_BYTES {
        return Err("The arguments are too long. Call the tool again with shorter ones.");
    }
    if text.trim().is_empty() {
        return Ok(serde_json::Map::new());
    }
    serde_json::from_str(text).map_err(|_| "The arguments are no JSON object. Call the tool again with one.")
}
