//! The worker: takes jobs, a few at once, and does them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Notify;
use uuid::Uuid;

use super::queue::{self, Taken};
use super::{Kind, Trouble, Verdict};
use crate::app::App;
use crate::error::Result;

/// How many jobs one worker does at once unless it is told; the others wait in the table.
const AT_ONCE: usize = 4;
/// How often the table is looked at for what other processes have called for, and for what is to be tried again. What
/// this process calls for wakes the worker at once.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often the lease of a running job is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How long to wait before the second attempt; each further one waits four times as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest wait between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(900);

/// This process' worker. A cheap handle.
#[derive(Debug, Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    node: Uuid,
    at_once: usize,
    wake: Notify,
}

impl Default for Jobs {
    fn default() -> Self {
        Jobs::at_once(AT_ONCE)
    }
}

impl Jobs {
    /// A worker that does so many jobs at once.
    pub fn at_once(at_once: usize) -> Self {
        let inner = Inner {
            node: Uuid::now_v7(),
            at_once,
            wake: Notify::new(),
        };
        Jobs { inner: Arc::new(inner) }
    }

    /// Says that jobs were called for, after the commit.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// Does jobs of these kinds until the server stops. It takes no new ones once the server begins to.
    pub async fn run(self, app: App, kinds: &'static [Kind]) {
        let mut running = FuturesUnordered::new();
        loop {
            let room = self.inner.at_once - running.len();
            if room > 0 && !app.shutdown().is_cancelled() {
                match self.claim(&app, kinds, room).await {
                    Ok(taken) => running.extend(taken.into_iter().map(|(kind, job)| self.work(&app, kind, job))),
                    Err(error) => tracing::warn!(%error, "cannot look for jobs"),
                }
            }
            tokio::select! {
                () = app.stopped().cancelled() => break,
                Some(()) = running.next(), if !running.is_empty() => {}
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        let left = running.len();
        drop(running);
        if left > 0
            && let Err(error) = self.leave(&app).await
        {
            tracing::warn!(%error, left, "jobs that were begun are left to their leases");
        }
    }

    async fn claim(&self, app: &App, kinds: &'static [Kind], room: usize) -> Result<Vec<(&'static Kind, Taken)>> {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
        // Not from the pool of the jobs that run here: while this one waits they stand still, with what they hold.
        let mut connection = app.upkeep_connection().await?;
        let taken = queue::claim(&mut connection, self.inner.node, &names, room).await?;
        let known = taken.into_iter().filter_map(|job| {
            let kind = kinds.iter().find(|kind| kind.name == job.kind)?;
            Some((kind, job))
        });
        Ok(known.collect())
    }

    async fn leave(&self, app: &App) -> Result<()> {
        Ok(queue::leave(&mut *app.connection().await?, self.inner.node).await?)
    }

    /// Does one job and stores what became of it. When that cannot be stored the lease runs out, and it is done again.
    async fn work(&self, app: &App, kind: &'static Kind, job: Taken) {
        let work = AssertUnwindSafe((kind.run)(app.clone(), job.payload.clone())).catch_unwind();
        let done = tokio::select! {
            done = tokio::time::timeout(kind.limit, work) => match done {
                Ok(Ok(done)) => done,
                Ok(Err(_)) => Err(Trouble::passing("it panicked", None)),
                Err(_) => Err(Trouble::passing("it took too long", None)),
            },
            () = self.lost(app, &job) => {
                tracing::warn!(kind = kind.name, job = %job.id, "a job was taken over by another process");
                return;
            }
        };
        if let Err(error) = self.store(app, kind, &job, done).await {
            tracing::warn!(%error, kind = kind.name, job = %job.id, "cannot store what became of a job");
        }
    }

    /// Renews the lease of a job, until somebody else has it.
    async fn lost(&self, app: &App, job: &Taken) {
        let renew = async || {
            Ok::<_, crate::error::Error>(queue::renew(&mut *app.connection().await?, self.inner.node, job.id).await?)
        };
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            match renew().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, job = %job.id, "cannot renew the lease of a job"),
            }
        }
    }

    async fn store(&self, app: &App, kind: &Kind, job: &Taken, done: Result<(), Trouble>) -> Result<()> {
        let mut connection = app.connection().await?;
        let node = self.inner.node;
        match done {
            Ok(()) => queue::finish(&mut connection, node, job).await?,
            Err(trouble) if matches!(trouble.verdict, Verdict::GoOn | Verdict::Postpone) => {
                let wait = trouble.after.unwrap_or_default();
                queue::put_back(&mut connection, node, job, &trouble, wait).await?;
                self.wake();
            }
            Err(trouble) if trouble.verdict == Verdict::GiveUp || job.attempts >= kind.attempts => {
                tracing::warn!(kind = kind.name, job = %job.id, attempts = job.attempts, detail = trouble.detail, "a job is given up");
                queue::finish(&mut connection, node, job).await?;
            }
            Err(trouble) => {
                let wait = pause(job.attempts).max(trouble.after.unwrap_or_default());
                tracing::info!(kind = kind.name, job = %job.id, attempts = job.attempts, detail = trouble.detail, ?wait, "a job will be tried again");
                queue::put_back(&mut connection, node, job, &trouble, wait).await?;
            }
        }
        Ok(())
    }
}

/// How long to wait after this many attempts.
fn pause(attempts: i32) -> Duration {
    let times = 4_u32.saturating_pow(u32::try_from(attempts - 1).unwrap_or(0));
    FIRST_PAUSE.saturating_mul(times).min(LONGEST_PAUSE)
}
