//! The rows of `models`: an import, and overrides.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::fact::{Facts, Modality, ModelMode, ModelSource};
use super::price::{Prices, Tariff};
use crate::ai::Provider;
use crate::db::Connection;
use crate::db::schema::{model_changes, models};
use crate::error::Result;

/// How many rows one statement inserts; Postgres takes 65,535 values in one.
const BATCH: usize = 500;

/// What one place says of a model.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = models, check_for_backend(diesel::pg::Pg), treat_none_as_default_value = false)]
pub struct Row {
    provider: String,
    model: String,
    source: ModelSource,
    display_name: Option<String>,
    context_window: Option<i64>,
    max_output_tokens: Option<i64>,
    input_modalities: Option<Vec<Option<Modality>>>,
    tools: Option<bool>,
    reasoning: Option<bool>,
    mode: Option<ModelMode>,
    input_price: Option<i64>,
    cached_input_price: Option<i64>,
    cache_write_price: Option<i64>,
    output_price: Option<i64>,
    reasoning_price: Option<i64>,
    long_above_tokens: Option<i64>,
    long_input_price: Option<i64>,
    long_cached_input_price: Option<i64>,
    long_cache_write_price: Option<i64>,
    long_output_price: Option<i64>,
    price_version: Option<String>,
    updated_at: DateTime<Utc>,
}

impl Row {
    /// The row for these facts.
    pub fn new(provider: Provider, model: String, source: ModelSource, facts: Facts) -> Self {
        let (tariff, price_version) = facts.priced.unzip();
        let usual = tariff.map(|tariff| tariff.usual);
        let (above, long) = tariff.and_then(|tariff| tariff.long).unzip();
        Row {
            provider: provider.name().to_owned(),
            model,
            source,
            display_name: facts.display_name,
            context_window: facts.context_window,
            max_output_tokens: facts.max_output_tokens,
            input_modalities: facts.input_modalities.map(|all| all.into_iter().map(Some).collect()),
            tools: facts.tools,
            reasoning: facts.reasoning,
            mode: facts.mode,
            input_price: usual.map(|prices| prices.input),
            cached_input_price: usual.and_then(|prices| prices.cached_input),
            cache_write_price: usual.and_then(|prices| prices.cache_write),
            output_price: usual.map(|prices| prices.output),
            reasoning_price: usual.and_then(|prices| prices.reasoning),
            long_above_tokens: above,
            long_input_price: long.map(|prices| prices.input),
            long_cached_input_price: long.and_then(|prices| prices.cached_input),
            long_cache_write_price: long.and_then(|prices| prices.cache_write),
            long_output_price: long.map(|prices| prices.output),
            price_version,
            updated_at: Utc::now(),
        }
    }

    /// Whose model, if this version still knows the provider.
    pub fn provider(&self) -> Option<Provider> {
        self.provider.parse().ok()
    }

    /// The provider's name of it.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Who says so.
    pub fn source(&self) -> ModelSource {
        self.source
    }

    /// What it says.
    pub fn facts(self) -> Facts {
        let tariff = self.tariff();
        Facts {
            display_name: self.display_name,
            context_window: self.context_window,
            max_output_tokens: self.max_output_tokens,
            input_modalities: self.input_modalities.map(|all| all.into_iter().flatten().collect()),
            tools: self.tools,
            reasoning: self.reasoning,
            mode: self.mode,
            priced: tariff.zip(self.price_version),
        }
    }

    fn tariff(&self) -> Option<Tariff> {
        let usual = Prices {
            input: self.input_price?,
            cached_input: self.cached_input_price,
            cache_write: self.cache_write_price,
            output: self.output_price?,
            reasoning: self.reasoning_price,
        };
        let long = self
            .long_above_tokens
            .zip(self.long_input_price)
            .zip(self.long_output_price);
        let long = long.map(|((above, input), output)| {
            let prices = Prices {
                input,
                cached_input: self.long_cached_input_price,
                cache_write: self.long_cache_write_price,
                output,
                reasoning: None,
            };
            (above, prices)
        });
        Some(Tariff { usual, long })
    }
}

/// All rows.
///
/// # Errors
/// When Postgres fails.
pub async fn all(connection: &mut Connection) -> QueryResult<Vec<Row>> {
    models::table.select(Row::as_select()).load(connection).await
}

/// The number of the last change.
///
/// # Errors
/// When Postgres fails.
pub async fn version(connection: &mut Connection) -> QueryResult<i64> {
    model_changes::table
        .select(model_changes::version)
        .first(connection)
        .await
}

/// Makes every server read the rows anew, once the transaction is committed. Taken first, it makes changes take turns.
///
/// # Errors
/// When Postgres fails.
pub async fn touch(connection: &mut Connection) -> QueryResult<()> {
    diesel::update(model_changes::table)
        .set(model_changes::version.eq(model_changes::version + 1))
        .execute(connection)
        .await
        .map(drop)
}

/// Puts an import in the place of the one before it.
///
/// # Errors
/// When Postgres fails.
pub async fn replace_import(connection: &mut Connection, rows: &[Row]) -> Result<()> {
    diesel::delete(models::table.filter(models::source.eq(ModelSource::Import)))
        .execute(connection)
        .await?;
    for batch in rows.chunks(BATCH) {
        diesel::insert_into(models::table)
            .values(batch)
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// Puts an override in the place of the one before it, which may be none.
///
/// # Errors
/// When Postgres fails.
pub async fn replace_override(connection: &mut Connection, row: Row) -> Result<()> {
    let provider = row.provider.clone();
    remove_override(connection, &provider, &row.model).await?;
    diesel::insert_into(models::table)
        .values(row)
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes an override; false when there was none.
///
/// # Errors
/// When Postgres fails.
pub async fn remove_override(connection: &mut Connection, provider: &str, model: &str) -> Result<bool> {
    let row = models::table.find((provider, model, ModelSource::Admin));
    Ok(diesel::delete(row).execute(connection).await? > 0)
}
