//! What keeps running answers safe: checkpoints, leases, and the recovery of what dead processes left.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use tokio::time::{Interval, MissedTickBehavior};

use super::Engine;
use super::closing::{self, Outcome};
use super::generation::{self, LEASE_SECONDS};
use super::live::Ending;
use crate::app::App;
use crate::error::Result;
use crate::id::GenerationId;

/// How often unstored text is stored. With the write itself that keeps what is stored within 250 ms of what is shown.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(100);
/// How often leases are renewed and requests to stop are looked for.
const RENEW_EVERY: Duration = Duration::from_millis(500);
/// How often the answers of dead processes are looked for.
const RECOVER_EVERY: Duration = Duration::from_secs(1);

/// Stores the text of all running answers in one statement, ten times a second.
pub(super) async fn checkpoint(engine: Engine, app: App) {
    let mut tick = ticks(CHECKPOINT_EVERY);
    while next(&mut tick, &app).await {
        complain(store(&engine, &app).await, "cannot store the text of running answers");
    }
}

/// Renews the leases of all running answers, and ends those that somebody asked another process to stop.
pub(super) async fn renew(engine: Engine, app: App) {
    let mut tick = ticks(RENEW_EVERY);
    while next(&mut tick, &app).await {
        complain(
            renew_all(&engine, &app).await,
            "cannot renew the leases of running answers",
        );
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

async fn store(engine: &Engine, app: &App) -> Result<()> {
    let unstored: Vec<_> = engine
        .all()
        .into_iter()
        .filter_map(|live| live.unstored().map(|progress| (live, progress)))
        .collect();
    if unstored.is_empty() {
        return Ok(());
    }
    let ids: Vec<GenerationId> = unstored.iter().map(|(live, _)| live.id).collect();
    let texts: Vec<String> = unstored.iter().map(|(_, progress)| progress.text.clone()).collect();
    let reasonings: Vec<String> = unstored
        .iter()
        .map(|(_, progress)| progress.reasoning.clone())
        .collect();
    let sequences: Vec<i32> = unstored.iter().map(|(_, progress)| progress.sequence).collect();
    let first_tokens: Vec<Option<DateTime<Utc>>> =
        unstored.iter().map(|(_, progress)| progress.first_token_at).collect();
    // An answer whose end is stored meanwhile fails the condition and keeps its end.
    let query = "WITH progress AS (SELECT * FROM unnest($1, $2, $3, $4, $5) AS p (id, text, reasoning, sequence, first_token_at)), \
        stored AS (UPDATE generations SET status = 'STREAMING', sequence = progress.sequence, reasoning = nullif(progress.reasoning, ''), \
            first_token_at = progress.first_token_at, lease_expires_at = now() + make_interval(secs => $6) \
          FROM progress WHERE generations.id = progress.id AND generations.finished_at IS NULL AND generations.leased_by = $7 \
          RETURNING generations.message_id, progress.text) \
        UPDATE messages SET content = stored.text FROM stored WHERE messages.id = stored.message_id";
    let mut connection = app.connection().await?;
    diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Text>, _>(texts)
        .bind::<Array<Text>, _>(reasonings)
        .bind::<Array<Integer>, _>(sequences)
        .bind::<Array<Nullable<Timestamptz>>, _>(first_tokens)
        .bind::<diesel::sql_types::Double, _>(lease_seconds())
        .bind::<SqlUuid, _>(engine.node())
        .execute(&mut connection)
        .await?;
    for (live, progress) in unstored {
        live.stored(progress.sequence);
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

async fn renew_all(engine: &Engine, app: &App) -> Result<()> {
    let ids: Vec<GenerationId> = engine.all().iter().map(|live| live.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let query = "UPDATE generations SET lease_expires_at = now() + make_interval(secs => $2) \
        WHERE id = ANY ($1) AND finished_at IS NULL RETURNING id, stop_requested_at IS NOT NULL AS stop";
    let mut connection = app.connection().await?;
    let renewed: Vec<Renewed> = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<diesel::sql_types::Double, _>(lease_seconds())
        .load(&mut connection)
        .await?;
    for Renewed { id, .. } in renewed.into_iter().filter(|renewed| renewed.stop) {
        if let Some(live) = engine.live(id) {
            live.end(Ending::Stopped);
        }
    }
    Ok(())
}

async fn recover_all(engine: &Engine, app: &App) -> Result<()> {
    let mut connection = app.connection().await?;
    for id in generation::abandoned(&mut connection).await? {
        // Our own are late, not dead: Postgres was away.
        if engine.live(id).is_none() && closing::finish(&mut connection, id, &Outcome::Interrupted, None).await? {
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
