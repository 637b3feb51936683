//! Changes of what is known of models: imports and overrides. Each is one transaction with its entry in the audit log.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use diesel_async::AsyncConnection;
use serde_json::json;

use super::catalogue::Catalogue;
use super::fact::{Facts, ModelInfo, ModelSource};
use super::price::{Prices, Tariff};
use super::price_map::PriceMap;
use super::store::{self, Row};
use crate::account::audit::{self, Actor};
use crate::ai::Provider;
use crate::db::Connection;
use crate::error::{Error, ErrorCode, Result, UserError};
use crate::input;

/// The longest name of a model, and of what people call it.
const LONGEST_NAME: usize = 200;
/// The most tokens that anybody believes.
const MOST_TOKENS: i64 = 1_000_000_000;
/// The highest price that anybody believes: a million dollars for a million tokens.
const HIGHEST_PRICE: i64 = 1_000_000_000_000;

/// What an administrator says of a model; what is none is left as it is without.
#[derive(Debug)]
pub struct Override {
    /// Whose model.
    pub provider: Provider,
    /// The provider's name of it.
    pub model: String,
    /// What is said, but for the prices.
    pub facts: Facts,
    /// What it costs.
    pub prices: Option<Prices>,
}

/// Puts a price map in the place of the one that was imported before. Returns how its prices are named.
///
/// # Errors
/// When Postgres fails.
pub async fn import(connection: &mut Connection, json: &str, map: &PriceMap) -> Result<String> {
    let version = map.version.clone().unwrap_or_else(|| {
        let hash = digest(&SHA256, json.as_bytes());
        let hex: String = hash.as_ref()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("import-{hex}")
    });
    let row = |entry: &super::price_map::Entry| {
        let facts = Facts {
            priced: entry.tariff.map(|tariff| (tariff, version.clone())),
            ..entry.facts.clone()
        };
        Row::new(entry.provider, entry.model.clone(), ModelSource::Import, facts)
    };
    let rows: Vec<Row> = map.entries.iter().map(row).collect();
    let detail = json!({ "models": rows.len(), "version": version });
    connection
        .transaction(async |connection| {
            store::touch(connection).await?;
            store::replace_import(connection, &rows).await?;
            audit::record(connection, Actor::default(), "model.import", None, detail).await
        })
        .await?;
    Ok(version)
}

/// Sets what an administrator says of a model, in the place of what was said before.
///
/// # Errors
/// Refused values, or when Postgres fails.
pub async fn set(
    connection: &mut Connection,
    catalogue: &Catalogue,
    actor: Actor,
    new: Override,
) -> Result<Arc<ModelInfo>> {
    let new = checked(new)?;
    let priced = new.prices.map(|prices| {
        let version = format!("admin-{}", uuid::Uuid::now_v7().simple());
        (Tariff::from(prices), version)
    });
    let detail = json!({
        "contextWindow": new.facts.context_window,
        "maxOutputTokens": new.facts.max_output_tokens,
        "inputPrice": new.prices.map(|prices| prices.input),
        "outputPrice": new.prices.map(|prices| prices.output),
        "priceVersion": priced.as_ref().map(|(_, version)| version),
    });
    let target = target(new.provider, &new.model);
    let facts = Facts { priced, ..new.facts };
    let row = Row::new(new.provider, new.model.clone(), ModelSource::Admin, facts);
    connection
        .transaction(async |connection| {
            store::touch(connection).await?;
            store::replace_override(connection, row).await?;
            audit::record(connection, actor, "model.set", Some(target), detail).await
        })
        .await?;
    catalogue.read(connection).await?;
    let set = catalogue.find(new.provider, &new.model);
    set.ok_or_else(|| Error::internal("a model that was set is not there"))
}

/// Forgets what administrators have said of a model. Returns what is known without it.
///
/// # Errors
/// NOT_FOUND when nobody has said anything, or when Postgres fails.
pub async fn reset(
    connection: &mut Connection,
    catalogue: &Catalogue,
    actor: Actor,
    provider: Provider,
    model: &str,
) -> Result<Option<Arc<ModelInfo>>> {
    connection
        .transaction(async |connection| {
            store::touch(connection).await?;
            if !store::remove_override(connection, provider.name(), model).await? {
                let message = "Nobody has set anything about this model, so there is nothing to take back.";
                return Err(Error::rejected(ErrorCode::NotFound, &["model"], message));
            }
            audit::record(
                connection,
                actor,
                "model.reset",
                Some(target(provider, model)),
                json!({}),
            )
            .await
        })
        .await?;
    catalogue.read(connection).await?;
    Ok(catalogue.find(provider, model))
}

fn target(provider: Provider, model: &str) -> String {
    format!("{}/{model}", provider.name())
}

fn checked(new: Override) -> Result<Override> {
    let mut errors = Vec::new();
    let mut check = |line: Result<String, UserError>| match line {
        Ok(line) => line,
        Err(error) => {
            errors.push(error);
            String::new()
        }
    };
    let model = check(input::line(&["model"], "The model's name", &new.model, LONGEST_NAME));
    let name = new.facts.display_name.as_deref();
    let display_name = name.map(|name| check(input::line(&["displayName"], "The name to show", name, LONGEST_NAME)));
    for (field, count) in [
        ("contextWindow", new.facts.context_window),
        ("maxOutputTokens", new.facts.max_output_tokens),
    ] {
        if count.is_some_and(|count| !(1..=MOST_TOKENS).contains(&count)) {
            let message = format!("This must be between 1 and {MOST_TOKENS} tokens.");
            errors.push(UserError::new(ErrorCode::Invalid, &[field], message));
        }
    }
    if new.facts.input_modalities.as_ref().is_some_and(Vec::is_empty) {
        let message = "Name at least one thing that the model reads, such as TEXT.";
        errors.push(UserError::new(ErrorCode::Required, &["inputModalities"], message));
    }
    if let Some(prices) = &new.prices {
        for (field, price) in [
            ("input", Some(prices.input)),
            ("cachedInput", prices.cached_input),
            ("cacheWrite", prices.cache_write),
            ("output", Some(prices.output)),
            ("reasoning", prices.reasoning),
        ] {
            if price.is_some_and(|price| !(0..=HIGHEST_PRICE).contains(&price)) {
                let message = "A price is between 0 and 1000000 USD for a million tokens.";
                errors.push(UserError::new(ErrorCode::Invalid, &["prices", field], message));
            }
        }
    }
    if !errors.is_empty() {
        return Err(Error::Rejected(errors));
    }
    let facts = Facts {
        display_name,
        ..new.facts
    };
    Ok(Override { model, facts, ..new })
}
