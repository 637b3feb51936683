//! Answers: how they are made, watched, stopped, and never lost.
//!
//! An answer belongs to nobody's request. [`Engine::start`] begins it after the message is committed, a task of its
//! own reads the model's stream into [`live::Live`], and everybody who watches reads from there. A keeper writes the
//! text of all running answers to Postgres every hundred milliseconds and renews their leases; the closing transaction
//! writes the whole text once more with the status and the event.

pub mod cache;
pub mod closing;
pub mod generation;
pub mod live;
pub mod payer;
pub mod replay;
pub mod steps;
pub mod watch;

mod activity;
mod fallback;
mod keeper;
mod race;
mod run;
mod running;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::closing::Outcome;
use self::generation::Generation;
use self::live::{Ending, Live};
use crate::app::App;
use crate::chat::member::Membership;
use crate::chat::plan::Plan;
use crate::chat::room::answer::check_command;
use crate::error::{Error, Result};
use crate::id::{GenerationId, UserId};
use crate::presence::wire::Doing;

/// How many ends are stored at once: fewer than there are connections for upkeep, so that five hundred answers that end
/// together wait for each other and not for a connection until it times out.
const CLOSING: usize = 2;

/// How long a request to stop waits for the answer's end to be stored.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// Runs the answers of this process. A cheap handle.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    node: Uuid,
    live: Mutex<HashMap<GenerationId, Arc<Live>>>,
    answers: TaskTracker,
    closing: Semaphore,
}

impl Default for Engine {
    fn default() -> Self {
        Engine {
            inner: Arc::new(Inner {
                node: Uuid::now_v7(),
                live: Mutex::default(),
                answers: TaskTracker::new(),
                closing: Semaphore::new(CLOSING),
            }),
        }
    }
}

impl Engine {
    /// This process, as leases name it.
    pub fn node(&self) -> Uuid {
        self.inner.node
    }

    /// Begins an answer, or goes on with the one that has come as far as `so_far`; it is watchable when this returns. The
    /// first of `plans` is asked, and each further one if those before it fail without a word.
    pub fn start(&self, app: &App, generation: &Generation, so_far: String, plans: Vec<Plan>) {
        let tab = plans.first().map(|plan| plan.lane.payer.tab.clone());
        let live = Arc::new(Live::new(generation, so_far).on(tab.unwrap_or_default()));
        self.watchable(&live);
        activity::turn(app, &live, Some(Doing::Thinking));
        self.inner.answers.spawn(run::run(app.clone(), live, plans));
    }

    /// Goes on with an answer that has waited for a person and was given a lease again.
    pub fn go_on(&self, app: &App, generation: &Generation) {
        self.inner.answers.spawn(steps::again(app.clone(), generation.clone()));
    }

    /// The answer with this id, if it is being written by this process.
    pub fn live(&self, id: GenerationId) -> Option<Arc<Live>> {
        self.lock().get(&id).cloned()
    }

    /// Stops an answer, wherever it runs; one that has ended stays as it is.
    ///
    /// # Errors
    /// NOT_FOUND for `generationId`, FORBIDDEN for another's in a group, or when Postgres fails.
    pub async fn stop(&self, app: &App, user_id: UserId, id: GenerationId) -> Result<Generation> {
        let not_found = || Error::not_found(&["generationId"], "generation");
        let mut connection = app.connection().await?;
        let found = generation::find(&mut connection, user_id, id)
            .await?
            .ok_or_else(not_found)?;
        if found.user_id != user_id {
            // In a group: nobody else's chat is seen.
            let membership = Membership::of(&connection, user_id, found.chat_id).await?;
            check_command(&membership.ok_or_else(not_found)?, found.user_id, "generationId")?;
        }
        if found.finished_at.is_some() {
            return Ok(found);
        }
        // Whoever runs it, or is about to park it, is to see this; and should nobody run it any more, it ends here.
        generation::request_stop(&mut connection, id).await?;
        if let Some(live) = self.live(id) {
            drop(connection);
            live.end(Ending::Stopped);
            // Should Postgres be away the answer is closed later; what is known now is returned.
            drop(tokio::time::timeout(STOP_WAIT, live.finished()).await);
            connection = app.connection().await?;
        }
        closing::finish(&mut connection, app.models(), id, &Outcome::Stopped, None).await?;
        app.log().wake();
        generation::find(&mut connection, user_id, id)
            .await?
            .ok_or_else(not_found)
    }

    /// Stops all answers that were asked for by somebody who is gone, wherever they run: what they have cost is settled as
    /// ever, and nobody waits for it.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn stop_all(&self, app: &App, user_id: UserId) -> Result<()> {
        let mut connection = app.connection().await?;
        let running = generation::running_for(&mut connection, user_id).await?;
        for id in &running {
            generation::request_stop(&mut connection, *id).await?;
        }
        self.abandon(&running);
        for id in running {
            // Those that wait for a person are nobody's to end but ours.
            closing::finish(&mut connection, app.models(), id, &Outcome::Stopped, None).await?;
        }
        app.log().wake();
        Ok(())
    }

    /// Ends answers whose messages are gone.
    pub fn abandon(&self, ids: &[GenerationId]) {
        for id in ids {
            if let Some(live) = self.live(*id) {
                live.end(Ending::Stopped);
            }
        }
    }

    /// Ends the others of a race that `live` has decided.
    fn outrun(&self, live: &Live) {
        let Some(race) = live.race else { return };
        let others = self
            .all()
            .into_iter()
            .filter(|other| other.race == Some(race) && other.id != live.id);
        others.for_each(|other| other.end(Ending::Lost));
    }

    /// Ends answers that have lost their race, as far as they are written here.
    fn lose(&self, ids: &[GenerationId]) {
        for id in ids {
            if let Some(live) = self.live(*id) {
                live.end(Ending::Lost);
            }
        }
    }

    /// Keeps the running answers and looks for those of dead processes, until the server stops.
    pub async fn run(self, app: App) {
        tokio::join!(keeper::keep(self.clone(), app.clone()), keeper::recover(self, app));
    }

    /// Waits for the running answers, then ends the rest as interrupted.
    pub async fn drain(&self, grace: Duration) {
        self.inner.answers.close();
        if tokio::time::timeout(grace, self.inner.answers.wait()).await.is_ok() {
            return;
        }
        let left: Vec<_> = self.lock().values().cloned().collect();
        tracing::warn!(answers = left.len(), "stopping before these answers were done");
        for live in left {
            live.end(Ending::Interrupted);
        }
        if tokio::time::timeout(Duration::from_secs(4), self.inner.answers.wait())
            .await
            .is_err()
        {
            tracing::error!("some answers could not be closed; they will be marked as interrupted after their lease");
        }
    }

    /// Waits for a turn to store an end.
    async fn closing_turn(&self) -> Option<SemaphorePermit<'_>> {
        // Never closed, so there always is a turn.
        self.inner.closing.acquire().await.ok()
    }

    fn all(&self) -> Vec<Arc<Live>> {
        self.lock().values().cloned().collect()
    }

    fn watchable(&self, live: &Arc<Live>) {
        self.lock().insert(live.id, Arc::clone(live));
    }

    /// Lets go of an answer, unless another task goes on with it already.
    fn forget(&self, live: &Live) {
        let mut all = self.lock();
        if all
            .get(&live.id)
            .is_some_and(|kept| std::ptr::eq(Arc::as_ptr(kept), live))
        {
            all.remove(&live.id);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<GenerationId, Arc<Live>>> {
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
