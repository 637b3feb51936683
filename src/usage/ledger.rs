//! The rows of the ledger: opened with what is expected, settled with what came.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::budget::{self, Budget};
use super::reconcile;
use super::tab::{Entry, Figures, Tab};
use super::terms::{Asker, AttemptOutcome, CostState, KeySource, Purpose};
use crate::db::schema::attempts;
use crate::db::{Connection, prepared};
use crate::error::{Error, Result};
use crate::id::{ApiKeyId, ChatId, GenerationId, UserId};
use crate::model::price::Tokens;

/// An attempt that begins.
#[derive(Insertable)]
#[diesel(table_name = attempts, treat_none_as_default_value = false)]
struct Opened {
    id: Uuid,
    generation_id: Option<GenerationId>,
    user_id: UserId,
    payer_id: UserId,
    chat_id: Option<ChatId>,
    provider: String,
    model: String,
    key_source: KeySource,
    api_key_id: Option<ApiKeyId>,
    purpose: Purpose,
    started_at: DateTime<Utc>,
    input_tokens: i64,
    cost_micro_usd: Option<i64>,
    price_version: Option<String>,
}

impl Opened {
    fn new(asker: Asker, entry: &Entry) -> Self {
        let expected = Tokens {
            input: entry.expected_input(),
            ..Tokens::default()
        };
        let figures = Figures::of(&entry.terms, expected, CostState::Estimated, None);
        Opened {
            id: entry.id,
            generation_id: asker.generation_id,
            user_id: asker.user_id,
            payer_id: asker.payer_id,
            chat_id: asker.chat_id,
            provider: entry.terms.provider.name().to_owned(),
            model: entry.terms.model.clone(),
            key_source: entry.terms.source,
            api_key_id: entry.terms.api_key_id,
            purpose: asker.purpose,
            started_at: entry.started_at,
            input_tokens: expected.input,
            cost_micro_usd: figures.cost,
            price_version: figures.price_version,
        }
    }
}

/// Stores the running attempt of a tab, in the transaction that stores what it is for, and holds a part of its payer's
/// budget for it. One statement where there is no budget.
///
/// # Errors
/// BUDGET_EXCEEDED when the budget does not pay for an answer worth having, PRICE_UNKNOWN when nobody knows whether it
/// does, or when Postgres fails. Then the transaction has to be given up.
pub async fn open(connection: &mut Connection, tab: &Tab) -> Result<()> {
    let found = insert(connection, tab).await?;
    hold(connection, tab, found).await
}

/// The second half of [`open`]: holds a part of the budget that the first one has found.
///
/// # Errors
/// As [`open`].
pub async fn hold(connection: &mut Connection, tab: &Tab, found: Option<Budget>) -> Result<()> {
    match found {
        Some(found) => budget::hold(connection, tab, &found).await,
        None => Ok(()),
    }
}

/// The first half of [`open`]: stores the row, and locks the payer's budget if there is one. It needs no connection of
/// its own, so it can travel together with the statement that stores the answer.
///
/// # Errors
/// When Postgres fails.
pub async fn insert(mut connection: &Connection, tab: &Tab) -> Result<Option<Budget>> {
    let (Some(asker), Some(entry)) = (tab.asker(), tab.current()) else {
        return Err(Error::internal("a tab without an attempt"));
    };
    let row = Opened::new(asker, &entry);
    let Some(scope) = entry.terms.source.scope() else {
        diesel::insert_into(attempts::table)
            .values(row)
            .execute(&mut connection)
            .await?;
        tab.opened();
        return Ok(None);
    };
    // The row, and the budget if there is one, locked and as it is now.
    let query = "WITH opened AS (INSERT INTO attempts (id, generation_id, user_id, payer_id, chat_id, provider, model, key_source, \
          api_key_id, purpose, started_at, input_tokens, cost_micro_usd, price_version) \
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)) \
        SELECT user_id, scope, limit_micro_usd, period, period_started_at, period_ends_at, spent_micro_usd, reserved_micro_usd \
        FROM budgets WHERE user_id = $4 AND scope = $15 FOR NO KEY UPDATE";
    let statement = diesel::sql_query(query)
        .bind::<SqlUuid, _>(row.id)
        .bind::<Nullable<SqlUuid>, _>(row.generation_id)
        .bind::<SqlUuid, _>(row.user_id)
        .bind::<SqlUuid, _>(row.payer_id)
        .bind::<Nullable<SqlUuid>, _>(row.chat_id)
        .bind::<Text, _>(row.provider)
        .bind::<Text, _>(row.model)
        .bind::<Text, _>(row.key_source)
        .bind::<Nullable<SqlUuid>, _>(row.api_key_id)
        .bind::<Text, _>(row.purpose)
        .bind::<Timestamptz, _>(row.started_at)
        .bind::<BigInt, _>(row.input_tokens)
        .bind::<Nullable<BigInt>, _>(row.cost_micro_usd)
        .bind::<Nullable<Text>, _>(row.price_version)
        .bind::<Text, _>(scope);
    let found: Vec<Budget> = prepared(statement).load(&mut connection).await?;
    tab.opened();
    Ok(found.into_iter().next())
}

/// Stores the ends of a tab's attempts that have ended, in the transaction that stores what came of them, and settles
/// them with the budget. What is settled already stays.
///
/// # Errors
/// When Postgres fails.
pub async fn settle(connection: &mut Connection, tab: &Tab) -> Result<()> {
    let Some(asker) = tab.asker() else { return Ok(()) };
    let ended: Vec<Entry> = tab
        .entries()
        .into_iter()
        .filter(|entry| entry.end.is_some() && !entry.settled)
        .collect();
    let repetitions: Vec<Opened> = ended
        .iter()
        .filter(|entry| !entry.opened)
        .map(|entry| Opened::new(asker, entry))
        .collect();
    if !repetitions.is_empty() {
        // The transaction before this one may have been committed without our hearing of it.
        diesel::insert_into(attempts::table)
            .values(repetitions)
            .on_conflict_do_nothing()
            .execute(connection)
            .await?;
    }
    for entry in ended {
        let Some(end) = entry.end else { continue };
        let figures = entry.figures();
        let owed = reconcile::is_owed(entry.terms.provider, entry.request_id.as_deref(), &figures);
        let last = Settlement {
            id: entry.id,
            first_token_at: entry.first_token_at,
            ended_at: end.at,
            outcome: end.outcome,
            error_code: end.error.map(|kind| kind.name().to_uppercase()),
            request_id: entry.request_id.clone(),
            raw_usage: entry.raw_usage(),
            figures,
        };
        store(connection, last).await?;
        if owed {
            reconcile::call_for(connection, entry.id, end.at).await?;
        }
    }
    Ok(())
}

/// Those of these answers that were given before and not asked for again, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn cached(connection: &mut Connection, ids: &[GenerationId]) -> QueryResult<Vec<GenerationId>> {
    let found: Vec<Option<GenerationId>> = attempts::table
        .filter(attempts::generation_id.eq_any(ids))
        .filter(attempts::outcome.eq(AttemptOutcome::Cached))
        .select(attempts::generation_id)
        .load(connection)
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// Who pays for each of these answers, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn payers(connection: &mut Connection, ids: &[GenerationId]) -> QueryResult<HashMap<GenerationId, UserId>> {
    let found: Vec<(Option<GenerationId>, UserId)> = attempts::table
        .filter(attempts::generation_id.eq_any(ids))
        .select((attempts::generation_id, attempts::payer_id))
        .load(connection)
        .await?;
    Ok(found.into_iter().filter_map(|(id, payer)| Some((id?, payer))).collect())
}

/// The end of an attempt, as it is stored.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) id: Uuid,
    pub(super) first_token_at: Option<DateTime<Utc>>,
    pub(super) ended_at: DateTime<Utc>,
    pub(super) outcome: AttemptOutcome,
    pub(super) error_code: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) raw_usage: Option<serde_json::Value>,
    pub(super) figures: Figures,
}

/// Ends an attempt, unless it has ended before, and moves what it held of a budget to what is spent.
pub(super) async fn store(connection: &mut Connection, end: Settlement) -> Result<()> {
    let query = "WITH ended AS (UPDATE attempts SET first_token_at = $2, ended_at = $3, outcome = $4, error_code = $5, provider_request_id = $6, \
          input_tokens = $7, cached_input_tokens = $8, cache_write_tokens = $9, output_tokens = $10, reasoning_tokens = $11, \
          raw_usage = $12, cost_micro_usd = $13, price_version = $14, state = $15 \
          WHERE id = $1 AND ended_at IS NULL RETURNING payer_id, key_source, reserved_micro_usd, cost_micro_usd) \
        UPDATE budgets SET reserved_micro_usd = greatest(budgets.reserved_micro_usd - ended.reserved_micro_usd, 0), \
          spent_micro_usd = CASE WHEN period_ends_at <= now() THEN 0 ELSE spent_micro_usd END + coalesce(ended.cost_micro_usd, 0), \
          period_started_at = CASE WHEN period_ends_at <= now() THEN date_trunc(lower(period), now()) ELSE period_started_at END, \
          period_ends_at = CASE WHEN period_ends_at <= now() \
            THEN date_trunc(lower(period), now()) + CASE period WHEN 'DAY' THEN interval '1 day' ELSE interval '1 month' END \
            ELSE period_ends_at END \
        FROM ended WHERE budgets.user_id = ended.payer_id \
          AND budgets.scope = CASE ended.key_source WHEN 'SERVER' THEN 'SERVER_KEY' WHEN 'USER' THEN 'OWN_KEYS' END";
    let Figures {
        tokens,
        cost,
        price_version,
        state,
    } = end.figures;
    let statement = diesel::sql_query(query)
        .bind::<SqlUuid, _>(end.id)
        .bind::<Nullable<Timestamptz>, _>(end.first_token_at)
        .bind::<Timestamptz, _>(end.ended_at)
        .bind::<Text, _>(end.outcome)
        .bind::<Nullable<Text>, _>(end.error_code)
        .bind::<Nullable<Text>, _>(end.request_id)
        .bind::<BigInt, _>(tokens.input)
        .bind::<BigInt, _>(tokens.cached_input)
        .bind::<BigInt, _>(tokens.cache_write)
        .bind::<BigInt, _>(tokens.output)
        .bind::<BigInt, _>(tokens.reasoning)
        .bind::<Nullable<diesel::sql_types::Jsonb>, _>(end.raw_usage)
        .bind::<Nullable<BigInt>, _>(cost)
        .bind::<Nullable<Text>, _>(price_version)
        .bind::<Text, _>(state.unwrap_or(CostState::Estimated));
    prepared(statement).execute(connection).await?;
    Ok(())
}
