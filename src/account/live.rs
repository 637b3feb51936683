//! Which sessions have live streams on this server, so that a revoked one hears of it.
//!
//! What ends here is told at once; what another process does (another server, the command line) is found by a
//! look at the database every two seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use tokio_util::sync::CancellationToken;

use super::user::Role;
use super::viewer::SignedIn;
use crate::app::App;
use crate::db::schema::{sessions, users};
use crate::error::Result;
use crate::id::{SessionId, UserId};

/// How often the database is asked which sessions are over.
const EVERY: Duration = Duration::from_secs(2);

/// The sessions with live streams here. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct LiveSessions {
    sessions: Arc<Mutex<HashMap<SessionId, Entry>>>,
}

#[derive(Debug)]
struct Entry {
    user_id: UserId,
    role: Role,
    streams: usize,
    over: CancellationToken,
}

/// One live stream's place among the live sessions; leaves on drop.
#[derive(Debug)]
pub struct LiveSession {
    id: SessionId,
    over: CancellationToken,
    all: LiveSessions,
}

impl LiveSessions {
    /// Registers a stream of this session.
    pub fn join(&self, signed_in: &SignedIn) -> LiveSession {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = sessions.entry(signed_in.session_id).or_insert_with(|| Entry {
            user_id: signed_in.user_id,
            role: signed_in.role,
            streams: 0,
            over: CancellationToken::new(),
        });
        entry.streams += 1;
        LiveSession {
            id: signed_in.session_id,
            over: entry.over.clone(),
            all: self.clone(),
        }
    }

    /// Whether a person has a stream here.
    pub fn has(&self, user_id: UserId) -> bool {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.values().any(|entry| entry.user_id == user_id)
    }

    /// Whether a session has a stream here.
    pub fn has_session(&self, id: SessionId) -> bool {
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&id)
    }

    /// Ends the streams of one session.
    pub fn end(&self, id: SessionId) {
        if let Some(entry) = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&id) {
            entry.over.cancel();
        }
    }

    /// Ends the streams of all sessions of a person.
    pub fn end_user(&self, user_id: UserId) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, entry| {
            if entry.user_id == user_id {
                entry.over.cancel();
            }
            entry.user_id != user_id
        });
    }

    /// Looks for sessions that ended elsewhere until the server stops.
    pub async fn watch(self, app: App) {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = app.shutdown().cancelled() => return,
            }
            if let Err(error) = self.look(&app).await {
                tracing::warn!(%error, "cannot check the live sessions");
            }
        }
    }

    async fn look(&self, app: &App) -> Result<()> {
        let here: Vec<SessionId> = self
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .keys()
            .copied()
            .collect();
        if here.is_empty() {
            return Ok(());
        }
        let mut connection = app.upkeep_connection().await?;
        let living: HashMap<SessionId, Role> = sessions::table
            .inner_join(users::table)
            .filter(sessions::id.eq_any(&here))
            .filter(sessions::revoked_at.is_null())
            .filter(sessions::expires_at.gt(diesel::dsl::now))
            .filter(users::deactivated_at.is_null())
            .select((sessions::id, users::role))
            .load::<(SessionId, Role)>(&mut connection)
            .await?
            .into_iter()
            .collect();
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        for id in here {
            let role_here = sessions.get(&id).map(|entry| entry.role);
            // A changed role ends the stream too: it was opened with rights that may be gone.
            if role_here.is_some()
                && living.get(&id).copied() != role_here
                && let Some(entry) = sessions.remove(&id)
            {
                entry.over.cancel();
            }
        }
        Ok(())
    }
}

impl LiveSession {
    /// Waits until the session is over.
    pub async fn ended(&self) {
        self.over.cancelled().await;
    }
}

impl Drop for LiveSession {
    fn drop(&mut self) {
        let mut sessions = self.all.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        // An entry whose end was told is gone already; one under the same id is another's.
        if self.over.is_cancelled() {
            return;
        }
        if let Some(entry) = sessions.get_mut(&self.id) {
            entry.streams -= 1;
            if entry.streams == 0 {
                sessions.remove(&self.id);
            }
        }
    }
}
