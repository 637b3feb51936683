//! The table of jobs: the few statements that move a row.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Jsonb, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::{Trouble, Verdict};
use crate::db::Connection;
use crate::db::schema::jobs;

/// How long a process counts as alive without a word of it.
const LEASE: Duration = Duration::from_secs(20);

/// A job that this process has taken.
#[derive(Debug, Clone, QueryableByName)]
pub(super) struct Taken {
    #[diesel(sql_type = SqlUuid)]
    pub(super) id: Uuid,
    #[diesel(sql_type = Text)]
    pub(super) kind: String,
    #[diesel(sql_type = Jsonb)]
    pub(super) payload: Value,
    #[diesel(sql_type = Integer)]
    pub(super) attempts: i32,
    #[diesel(sql_type = Integer)]
    pub(super) revision: i32,
}

/// Calls for a job, in the transaction that makes it necessary; whoever commits then calls [`super::Jobs::wake`]. When
/// there is one of this kind and key already, it is done once, as called for last; one that is being done is done again.
///
/// # Errors
/// When Postgres fails.
pub async fn enqueue(
    connection: &mut Connection,
    kind: &'static str,
    key: &str,
    payload: Value,
    run_at: DateTime<Utc>,
) -> QueryResult<()> {
    let row = (
        jobs::id.eq(Uuid::now_v7()),
        jobs::kind.eq(kind),
        jobs::key.eq(key),
        jobs::payload.eq(&payload),
        jobs::run_at.eq(run_at),
    );
    let again = (
        jobs::payload.eq(&payload),
        jobs::run_at.eq(run_at),
        jobs::attempts.eq(0),
        jobs::revision.eq(jobs::revision + 1),
    );
    diesel::insert_into(jobs::table)
        .values(row)
        .on_conflict((jobs::kind, jobs::key))
        .do_update()
        .set(again)
        .execute(connection)
        .await
        .map(drop)
}

/// Calls for many jobs of one kind at once, each with its key; one that waits already stays as it is.
///
/// # Errors
/// When Postgres fails.
pub async fn enqueue_all(
    connection: &mut Connection,
    kind: &'static str,
    wanted: Vec<(String, Value)>,
    run_at: DateTime<Utc>,
) -> QueryResult<()> {
    let (keys, payloads): (Vec<String>, Vec<Value>) = wanted.into_iter().unzip();
    let query = "INSERT INTO jobs (id, kind, key, payload, run_at) \
        SELECT gen_random_uuid(), $1, key, payload, $4 FROM unnest($2, $3) AS wanted (key, payload) ON CONFLICT DO NOTHING";
    diesel::sql_query(query)
        .bind::<Text, _>(kind)
        .bind::<Array<Text>, _>(keys)
        .bind::<Array<Jsonb>, _>(payloads)
        .bind::<Timestamptz, _>(run_at)
        .execute(connection)
        .await
        .map(drop)
}

/// Calls for many jobs of one kind at once, each with its key, to be done now: one that waits need not wait any more, and
/// one that is being done is done again.
///
/// # Errors
/// When Postgres fails.
pub async fn call_all(
    connection: &mut Connection,
    kind: &'static str,
    wanted: Vec<(String, Value)>,
) -> QueryResult<()> {
    let (keys, payloads): (Vec<String>, Vec<Value>) = wanted.into_iter().unzip();
    // In one order, or two who call for the same would wait for each other.
    let query = "INSERT INTO jobs (id, kind, key, payload) \
        SELECT gen_random_uuid(), $1, key, payload FROM unnest($2, $3) AS wanted (key, payload) ORDER BY key \
        ON CONFLICT (kind, key) DO UPDATE SET run_at = least(jobs.run_at, excluded.run_at), revision = jobs.revision + 1";
    diesel::sql_query(query)
        .bind::<Text, _>(kind)
        .bind::<Array<Text>, _>(keys)
        .bind::<Array<Jsonb>, _>(payloads)
        .execute(connection)
        .await
        .map(drop)
}

/// Takes jobs of these kinds that are due and that nobody does.
pub(super) async fn claim(
    connection: &mut Connection,
    node: Uuid,
    kinds: &[&str],
    most: usize,
) -> QueryResult<Vec<Taken>> {
    // Each kind by itself: what is due of one does not stand in the way of another.
    let query = "WITH due AS (SELECT due.id FROM unnest($1) AS wanted (kind) CROSS JOIN LATERAL (\
          SELECT id, run_at FROM jobs WHERE jobs.kind = wanted.kind AND run_at <= now() AND (leased_until IS NULL OR leased_until < now()) \
          ORDER BY run_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due ORDER BY due.run_at LIMIT $2) \
        UPDATE jobs SET leased_by = $3, leased_until = now() + make_interval(secs => $4), attempts = attempts + 1 \
        FROM due WHERE jobs.id = due.id RETURNING jobs.id, kind, payload, attempts, revision";
    diesel::sql_query(query)
        .bind::<Array<Text>, _>(kinds)
        .bind::<BigInt, _>(i64::try_from(most).unwrap_or(i64::MAX))
        .bind::<SqlUuid, _>(node)
        .bind::<Double, _>(LEASE.as_secs_f64())
        .load(connection)
        .await
}

/// Keeps a job for longer; false when somebody else has taken it, or it is gone.
pub(super) async fn renew(connection: &mut Connection, node: Uuid, id: Uuid) -> QueryResult<bool> {
    let query = "UPDATE jobs SET leased_until = now() + make_interval(secs => $3) WHERE id = $1 AND leased_by = $2";
    let renewed = diesel::sql_query(query)
        .bind::<SqlUuid, _>(id)
        .bind::<SqlUuid, _>(node)
        .bind::<Double, _>(LEASE.as_secs_f64());
    Ok(renewed.execute(connection).await? > 0)
}

/// Removes a job that is done or given up, unless it was called for again meanwhile: then it waits to be done again.
pub(super) async fn finish(connection: &mut Connection, node: Uuid, job: &Taken) -> QueryResult<()> {
    let mine = jobs::table.find(job.id).filter(jobs::leased_by.eq(node));
    let same = mine.filter(jobs::revision.eq(job.revision));
    if diesel::delete(same).execute(connection).await? == 0 {
        diesel::update(mine)
            .set((
                jobs::leased_by.eq(None::<Uuid>),
                jobs::leased_until.eq(None::<DateTime<Utc>>),
            ))
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Puts a job back, to be tried again after `wait`; one that was called for again meanwhile begins anew, when it was
/// called for.
pub(super) async fn put_back(
    connection: &mut Connection,
    node: Uuid,
    job: &Taken,
    trouble: &Trouble,
    wait: Duration,
) -> QueryResult<()> {
    let failed = matches!(trouble.verdict, Verdict::Retry | Verdict::GiveUp);
    let uncounted = match trouble.verdict {
        Verdict::Retry | Verdict::GiveUp => 0,
        Verdict::GoOn => i32::MAX,
        Verdict::Postpone => 1,
    };
    let query = "UPDATE jobs SET leased_by = NULL, leased_until = NULL, last_error = CASE WHEN $6 THEN $3 END, \
          attempts = greatest(attempts - $7, 0), run_at = CASE WHEN revision = $4 THEN now() + make_interval(secs => $5) ELSE run_at END \
        WHERE id = $1 AND leased_by = $2";
    diesel::sql_query(query)
        .bind::<SqlUuid, _>(job.id)
        .bind::<SqlUuid, _>(node)
        .bind::<Text, _>(trouble.detail.chars().take(500).collect::<String>())
        .bind::<Integer, _>(job.revision)
        .bind::<Double, _>(wait.as_secs_f64())
        .bind::<Bool, _>(failed)
        .bind::<Integer, _>(uncounted)
        .execute(connection)
        .await
        .map(drop)
}

/// Leaves what this process was doing to others, as if it had not been begun.
pub(super) async fn leave(connection: &mut Connection, node: Uuid) -> QueryResult<()> {
    diesel::update(jobs::table.filter(jobs::leased_by.eq(node)))
        .set((
            jobs::leased_by.eq(None::<Uuid>),
            jobs::leased_until.eq(None::<DateTime<Utc>>),
            jobs::attempts.eq(jobs::attempts - 1),
        ))
        .execute(connection)
        .await
        .map(drop)
}
