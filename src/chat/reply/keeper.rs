//! What keeps running answers safe: checkpoints, leases, and the recovery of what dead processes left.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use tokio::time::{Interval, MissedTickBehavior};

use super::Engine;
use super::closing::{self, Outcome, Progress};
use super::generation::{self, LEASE_SECONDS};
use super::live::{Ending, Live};
use super::steps::approve;
use crate::app::App;
use crate::db::prepared;
use crate::error::Result;
use crate::id::GenerationId;

/// How often unstored text is stored. With the write itself that keeps what is stored within 250 ms of what is shown.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(100);
/// After how many checkpoints leases are renewed and requests to stop are looked for.
const RENEW_EVERY: u32 = 5;
/// How many bytes of text one statement stores; what is longer has a statement of its own.
const CHECKPOINT_BYTES: usize = 1024 * 1024;
/// How often the answers of dead processes are looked for.
const RECOVER_EVERY: Duration = Duration::from_secs(1);

/// Stores the text of all running answers ten times a second, and twice a second renews their leases and ends those
/// that somebody asked another process to stop. One task does both, so that they do not wait for each other's locks.
pub(super) async fn keep(engine: Engine, app: App) {
    let mut tick = ticks(CHECKPOINT_EVERY);
    let mut count = 0;
    while next(&mut tick, &app).await {
        complain(store(&engine, &app).await, "cannot store the text of running answers");
        count = (count + 1) % RENEW_EVERY;
        if count == 0 {
            complain(renew(&engine, &app).await, "cannot renew the leases of running answers");
        }
    }
}

/// Ends the answers of processes that have died.
pub(super) async fn recover(engine: Engine, app: App) {
    let mut tick = ticks(RECOVER_EVERY);
    while next(&mut tick, &app).await {
        complain(recover_all(&engine, &app).await, "cannot look for interrupted answers");
    }
}

fn ticks(period: Duration) -> Interval {
    let mut tick = tokio::time::interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// Waits for the next tick; false when the server stops.
async fn next(tick: &mut Interval, app: &App) -> bool {
    tokio::select! {
        _ = tick.tick() => true,
        () = app.stopped().cancelled() => false,
    }
}

fn complain(outcome: Result<()>, complaint: &str) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "{complaint}");
    }
}

/// Short texts first: a long one must not make the others late.
async fn store(engine: &Engine, app: &App) -> Result<()> {
    let mut unstored: Vec<Unstored> = engine.all().into_iter().filter_map(Unstored::of).collect();
    unstored.sort_by_key(Unstored::bytes);
    let mut waiting = unstored.into_iter().peekable();
    while waiting.peek().is_some() {
        let mut bytes = 0;
        let mut batch: Vec<Unstored> = Vec::new();
        while let Some(next) = waiting.next_if(|next| batch.is_empty() || bytes + next.bytes() <= CHECKPOINT_BYTES) {
            bytes += next.bytes();
            batch.push(next);
        }
        store_batch(engine, app, batch).await?;
    }
    Ok(())
}

/// An answer of which more was shown than is stored.
struct Unstored {
    live: Arc<Live>,
    progress: Progress,
}

impl Unstored {
    fn of(live: Arc<Live>) -> Option<Self> {
        let progress = live.unstored()?;
        Some(Unstored { live, progress })
    }

    fn bytes(&self) -> usize {
        self.progress.text.len() + self.progress.reasoning.len()
    }
}

async fn store_batch(engine: &Engine, app: &App, batch: Vec<Unstored>) -> Result<()> {
    let (mut stored, mut ids, mut texts, mut reasonings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut sequences, mut first_tokens): (Vec<i32>, Vec<Option<DateTime<Utc>>>) = (Vec::new(), Vec::new());
    let mut request_ids: Vec<Option<String>> = Vec::new();
    for Unstored { live, progress } in batch {
        ids.push(live.id);
        request_ids.push(progress.provider_request_id);
        texts.push(progress.text);
        reasonings.push(progress.reasoning);
        sequences.push(progress.sequence);
        first_tokens.push(progress.first_token_at);
        stored.push((live, progress.sequence));
    }
    // Locked in the order of their ids, as everybody does who takes several. An answer whose end is stored meanwhile
    // fails the condition and keeps its end; one that waits for a person has no lease, and is nobody's to write.
    let query = "WITH progress AS (SELECT * FROM unnest($1, $2, $3, $4, $5, $8) AS p (id, text, reasoning, sequence, first_token_at, request_id)), \
        mine AS (SELECT id FROM generations WHERE id = ANY ($1) AND finished_at IS NULL AND leased_by = $7 AND lease_expires_at IS NOT NULL ORDER BY id FOR NO KEY UPDATE), \
        stored AS (UPDATE generations SET status = CASE WHEN progress.first_token_at IS NULL THEN generations.status ELSE 'STREAMING' END, sequence = progress.sequence, reasoning = nullif(progress.reasoning, ''), \
            first_token_at = progress.first_token_at, provider_request_id = progress.request_id, lease_expires_at = now() + make_interval(secs => $6) \
          FROM progress JOIN mine USING (id) WHERE generations.id = progress.id AND generations.finished_at IS NULL \
          RETURNING generations.message_id, progress.text) \
        UPDATE messages SET content = stored.text FROM stored WHERE messages.id = stored.message_id";
    let mut connection = app.upkeep_connection().await?;
    prepared(
        diesel::sql_query(query)
            .bind::<Array<SqlUuid>, _>(ids)
            .bind::<Array<Text>, _>(texts)
            .bind::<Array<Text>, _>(reasonings)
            .bind::<Array<Integer>, _>(sequences)
            .bind::<Array<Nullable<Timestamptz>>, _>(first_tokens)
            .bind::<Double, _>(lease_seconds())
            .bind::<SqlUuid, _>(engine.node())
            .bind::<Array<Nullable<Text>>, _>(request_ids),
    )
    .execute(&mut connection)
    .await?;
    for (live, sequence) in stored {
        live.stored(sequence);
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Renewed {
    #[diesel(sql_type = SqlUuid)]
    id: GenerationId,
    #[diesel(sql_type = Bool)]
    stop: bool,
}

async fn renew(engine: &Engine, app: &App) -> Result<()> {
    let running = engine.all();
    if running.is_empty() {
        return Ok(());
    }
    let ids: Vec<GenerationId> = running.iter().map(|live| live.id).collect();
    let query = "WITH mine AS (SELECT id FROM generations WHERE id = ANY ($1) AND finished_at IS NULL AND leased_by = $3 AND lease_expires_at IS NOT NULL \
          ORDER BY id FOR NO KEY UPDATE) \
        UPDATE generations SET lease_expires_at = now() + make_interval(secs => $2) FROM mine \
        WHERE generations.id = mine.id AND finished_at IS NULL RETURNING generations.id, stop_requested_at IS NOT NULL AS stop";
    let mut connection = app.upkeep_connection().await?;
    let renewed: Vec<Renewed> = prepared(
        diesel::sql_query(query)
            .bind::<Array<SqlUuid>, _>(ids)
            .bind::<Double, _>(lease_seconds())
            .bind::<SqlUuid, _>(engine.node()),
    )
    .load(&mut connection)
    .await?;
    let renewed: HashMap<GenerationId, bool> = renewed.into_iter().map(|row| (row.id, row.stop)).collect();
    for live in running {
        match renewed.get(&live.id) {
            Some(false) => {}
            Some(true) => live.end(Ending::Stopped),
            // Removed, or ended by somebody who took us for dead: what is written now would be lost.
            None => live.end(Ending::Interrupted),
        }
    }
    Ok(())
}

async fn recover_all(engine: &Engine, app: &App) -> Result<()> {
    let mut connection = app.upkeep_connection().await?;
    for id in generation::abandoned(&mut connection).await? {
        // Our own are late, not dead: Postgres was away.
        if engine.live(id).is_some() {
            continue;
        }
        if let Some(generation) = approve::take_over(&mut connection, engine.node(), id).await? {
            tracing::warn!(generation = %id, "going on with what was approved: the process that was to do it is gone");
            engine.go_on(app, &generation);
        } else if closing::finish(&mut connection, app.models(), id, &Outcome::Interrupted, None)
            .await?
            .is_some()
        {
            tracing::warn!(generation = %id, "an answer was interrupted: the process that wrote it is gone");
            app.log().wake();
        }
    }
    Ok(())
}

fn lease_seconds() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of seconds")]
    let seconds = LEASE_SECONDS as f64;
    seconds
}
