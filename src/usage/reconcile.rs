//! What a provider tells of a call afterwards, when its end was not heard: the provider's figures instead of ours.
//!
//! Who calls for it is the transaction that ends the attempt; who asks is [`crate::job`]'s worker, some seconds later.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Jsonb, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tab::{Figures, told};
use super::terms::{CostState, KeySource};
use crate::ai::{Provider, Usage};
use crate::db::Connection;
use crate::db::schema::attempts;
use crate::error::Result;
use crate::id::{ApiKeyId, ChatId, GenerationId, UserId};
use crate::job;

/// The kind of job.
pub const JOB: &str = "usage.reconcile";
/// After how many seconds the provider is first asked: it does not know at once.
const FIRST_LOOK: i64 = 5;

/// What the job has to know.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Which attempt.
    pub attempt_id: Uuid,
}

/// An attempt whose figures are our own.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = attempts, check_for_backend(diesel::pg::Pg))]
pub struct Owed {
    /// Which attempt.
    pub id: Uuid,
    /// Whose key or budget pays.
    pub payer_id: UserId,
    /// Where it was asked.
    pub chat_id: Option<ChatId>,
    /// For which answer.
    pub generation_id: Option<GenerationId>,
    /// Whose key.
    pub key_source: KeySource,
    /// Which key, when it is the person's.
    pub api_key_id: Option<ApiKeyId>,
    /// The provider's own id for it.
    #[diesel(select_expression = attempts::provider_request_id.assume_not_null())]
    pub provider_request_id: String,
}

/// Whether the provider may tell later what it did not tell at the end.
pub(super) fn is_owed(provider: Provider, request_id: Option<&str>, figures: &Figures) -> bool {
    provider == Provider::OpenRouter && request_id.is_some() && figures.state == Some(CostState::Estimated)
}

/// Calls for the provider's figures of an attempt, in the transaction that ends it.
pub(super) async fn call_for(connection: &mut Connection, id: Uuid, ended_at: DateTime<Utc>) -> QueryResult<()> {
    let task = serde_json::to_value(Task { attempt_id: id });
    let task = task.map_err(|error| diesel::result::Error::SerializationError(error.into()))?;
    let first_look = ended_at + TimeDelta::seconds(FIRST_LOOK);
    job::enqueue(connection, JOB, &id.to_string(), task, first_look).await
}

/// An attempt, if its figures are still our own.
///
/// # Errors
/// When Postgres fails.
pub async fn owed(connection: &mut Connection, id: Uuid) -> Result<Option<Owed>> {
    let owed = attempts::table
        .find(id)
        .filter(attempts::ended_at.is_not_null())
        .filter(attempts::state.eq(CostState::Estimated))
        .filter(attempts::provider_request_id.is_not_null());
    Ok(owed.select(Owed::as_select()).first(connection).await.optional()?)
}

/// Puts the provider's figures of an attempt in the place of ours, in the ledger and in the budget that has paid; false
/// when somebody has done so before. Whoever calls holds the chat and the answer.
///
/// # Errors
/// When Postgres fails.
pub async fn settle(connection: &mut Connection, id: Uuid, bill: &Usage) -> Result<bool> {
    // A budget whose period is over has nothing of it any more.
    let query = "WITH before AS (SELECT id, cost_micro_usd FROM attempts \
          WHERE id = $1 AND ended_at IS NOT NULL AND state = 'ESTIMATED' FOR NO KEY UPDATE), \
        settled AS (UPDATE attempts SET input_tokens = $2, cached_input_tokens = $3, cache_write_tokens = $4, output_tokens = $5, \
          reasoning_tokens = $6, cost_micro_usd = $7, raw_usage = $8, price_version = 'provider', state = 'RECONCILED' \
          FROM before WHERE attempts.id = before.id \
          RETURNING payer_id, key_source, ended_at, attempts.cost_micro_usd - coalesce(before.cost_micro_usd, 0) AS more), \
        paid AS (UPDATE budgets SET spent_micro_usd = greatest(spent_micro_usd + settled.more, 0) FROM settled \
          WHERE budgets.user_id = settled.payer_id \
            AND budgets.scope = CASE settled.key_source WHEN 'SERVER' THEN 'SERVER_KEY' WHEN 'USER' THEN 'OWN_KEYS' END \
            AND period_started_at <= settled.ended_at AND coalesce(settled.ended_at < period_ends_at, true)) \
        SELECT count(*) AS settled FROM settled";
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        settled: i64,
    }
    let tokens = told(bill);
    let cost = bill.cost_micro_usd.unwrap_or_default();
    let count: Count = diesel::sql_query(query)
        .bind::<SqlUuid, _>(id)
        .bind::<BigInt, _>(tokens.input)
        .bind::<BigInt, _>(tokens.cached_input)
        .bind::<BigInt, _>(tokens.cache_write)
        .bind::<BigInt, _>(tokens.output)
        .bind::<BigInt, _>(tokens.reasoning)
        .bind::<BigInt, _>(i64::try_from(cost).unwrap_or(i64::MAX))
        .bind::<Jsonb, _>(&bill.raw)
        .get_result(connection)
        .await?;
    Ok(count.settled > 0)
}
