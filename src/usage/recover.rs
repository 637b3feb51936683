//! Attempts that nobody settled: those of dead processes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use uuid::Uuid;

use super::ledger::{self, Settlement};
use super::reconcile;
use super::tab::Figures;
use super::terms::{AttemptOutcome, CostState, KeySource, Terms};
use crate::ai::{FailureKind, tokens};
use crate::db::Connection;
use crate::db::schema::{attempts, generations};
use crate::error::Result;
use crate::id::GenerationId;
use crate::model::catalogue::Catalogue;
use crate::model::price::Tokens;

/// After how many hours an attempt without an answer counts as left by a dead process: no call lasts as long.
const ORPHANED_HOURS: i64 = 2;

#[derive(Queryable, Selectable)]
#[diesel(table_name = attempts, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    provider: String,
    model: String,
    key_source: KeySource,
    provider_request_id: Option<String>,
    first_token_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    input_tokens: i64,
    cached_input_tokens: i64,
    cache_write_tokens: i64,
    output_tokens: i64,
    reasoning_tokens: i64,
    cost_micro_usd: Option<i64>,
    price_version: Option<String>,
    state: CostState,
}

impl Row {
    fn figures(&self) -> Figures {
        Figures {
            tokens: Tokens {
                input: self.input_tokens,
                cached_input: self.cached_input_tokens,
                cache_write: self.cache_write_tokens,
                output: self.output_tokens,
                reasoning: self.reasoning_tokens,
            },
            cost: self.cost_micro_usd,
            price_version: self.price_version.clone(),
            state: Some(self.state),
        }
    }

    /// What it came to when it wrote this much, as far as anybody knows.
    fn counted(&self, models: &Catalogue, output: i64, reasoning: i64) -> Figures {
        let mut tokens = Tokens::default();
        if output > 0 {
            tokens = Tokens {
                input: self.input_tokens,
                output,
                reasoning: reasoning.min(output),
                ..tokens
            };
        }
        let Ok(provider) = self.provider.parse() else {
            return Figures {
                tokens,
                state: Some(CostState::Estimated),
                ..Figures::default()
            };
        };
        let terms = Terms::new(models, provider, &self.model, self.key_source, None);
        Figures::of(&terms, tokens, CostState::Estimated, None)
    }

    fn interrupted(&self, figures: Figures) -> Settlement {
        Settlement {
            id: self.id,
            first_token_at: self.first_token_at,
            ended_at: Utc::now(),
            outcome: AttemptOutcome::Interrupted,
            error_code: Some(FailureKind::Interrupted.name().to_uppercase()),
            request_id: None,
            raw_usage: None,
            figures,
        }
    }
}

/// Settles the attempts at an answer whose process died, by what was stored of it, in the transaction that ends it.
/// Of its text this many tokens are of turns that ended, whose attempts are settled.
/// Returns what all its attempts came to.
///
/// # Errors
/// When Postgres fails.
pub async fn recover(
    connection: &mut Connection,
    models: &Catalogue,
    generation_id: GenerationId,
    (text, settled): (&str, u32),
    reasoning: &str,
) -> Result<Figures> {
    let rows: Vec<Row> = attempts::table
        .filter(attempts::generation_id.eq(generation_id))
        .order(attempts::id.desc())
        .select(Row::as_select())
        .load(connection)
        .await?;
    let named: Option<Option<String>> = generations::table
        .find(generation_id)
        .select(generations::provider_request_id)
        .first(connection)
        .await
        .optional()?;
    // The name of a step that is settled is not that of the next.
    let is_settled = |name: &String| rows.iter().any(|row| row.provider_request_id.as_ref() == Some(name));
    let mut name = named.flatten().filter(|name| !is_settled(name));
    let thought = i64::from(tokens::count(reasoning));
    let wrote = i64::from(tokens::count(text).saturating_sub(settled));
    let known: Figures = Figures::sum(rows.iter().filter(|row| row.ended_at.is_some()).map(Row::figures));
    // Only the newest can have written what none of the settled ones did. What those say that they wrote is more than
    // is seen of it: calls of tools, and thoughts that are not shown.
    let mut thinking = (thought - known.tokens.reasoning).max(0);
    let mut output = wrote + thinking;
    let mut all = Vec::new();
    for row in &rows {
        if row.ended_at.is_some() {
            all.push(row.figures());
            continue;
        }
        let figures = row.counted(models, output, thinking);
        (output, thinking) = (0, 0);
        all.push(figures.clone());
        let end = Settlement {
            request_id: name.take(),
            ..row.interrupted(figures)
        };
        let ended_at = end.ended_at;
        let provider = row.provider.parse().ok();
        let owed =
            provider.is_some_and(|provider| reconcile::is_owed(provider, end.request_id.as_deref(), &end.figures));
        ledger::store(connection, end).await?;
        if owed {
            reconcile::call_for(connection, row.id, ended_at).await?;
        }
    }
    Ok(Figures::sum(all.into_iter()))
}

/// What the attempts at an answer that are settled came to.
///
/// # Errors
/// When Postgres fails.
pub async fn settled(connection: &mut Connection, generation_id: GenerationId) -> Result<Figures> {
    let rows: Vec<Row> = attempts::table
        .filter(attempts::generation_id.eq(generation_id))
        .filter(attempts::ended_at.is_not_null())
        .order(attempts::id)
        .select(Row::as_select())
        .load(connection)
        .await?;
    Ok(Figures::sum(rows.iter().map(Row::figures)))
}

/// Settles attempts that are for no answer that anybody could recover. Returns how many.
///
/// # Errors
/// When Postgres fails.
pub async fn sweep(connection: &mut Connection, models: &Catalogue) -> Result<usize> {
    let before = Utc::now() - chrono::TimeDelta::hours(ORPHANED_HOURS);
    let running = generations::table
        .filter(generations::finished_at.is_null())
        .select(generations::id.nullable());
    let rows: Vec<Row> = attempts::table
        .filter(attempts::ended_at.is_null())
        .filter(attempts::started_at.lt(before))
        .filter(
            attempts::generation_id
                .is_null()
                .or(attempts::generation_id.ne_all(running)),
        )
        .order(attempts::started_at)
        .limit(100)
        .select(Row::as_select())
        .load(connection)
        .await?;
    connection
        .transaction(async |connection| {
            for row in &rows {
                ledger::store(connection, row.interrupted(row.counted(models, 0, 0))).await?;
            }
            Ok(rows.len())
        })
        .await
}
