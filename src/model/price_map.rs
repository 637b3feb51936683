//! Reading a price map: JSON of the shape of LiteLLM's `model_prices_and_context_window.json`, which many tools keep.
//!
//! An object with one entry for each model, prices in USD for one token. Fields that this version does not know are left
//! alone; an entry that makes no sense is named and left out, and the rest counts. Prices are read digit by digit, never
//! as floating point.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fact::{Facts, Modality, ModelMode};
use super::price::{Prices, Tariff};
use crate::ai::Provider;
use crate::scalar::scaled;

/// USD for one token are this many places from micro-USD for a million.
const PLACES: i32 = 12;
/// The longest name of a model that is taken.
const LONGEST_NAME: usize = 200;

/// A price map as it was read.
#[derive(Debug, Default)]
pub struct PriceMap {
    /// What it calls itself; LiteLLM's does not.
    pub version: Option<String>,
    /// What it says of models that Parlor can ask; [`Facts::priced`] is named by the caller.
    pub entries: Vec<Entry>,
    /// What is wrong with entries that were left out.
    pub problems: Vec<Problem>,
    /// How many entries are for other providers, or for something else than talking.
    pub others: usize,
}

/// What a price map says of a model.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub provider: Provider,
    /// The provider's name of it.
    pub model: String,
    /// What is known; without the prices.
    pub facts: Facts,
    /// What it costs.
    pub tariff: Option<Tariff>,
}

/// An entry that was left out.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its name in the file.
    pub name: String,
    /// What is wrong with it.
    pub why: String,
}

/// Our own file is a map with a name.
#[derive(Deserialize)]
struct Named {
    version: String,
    models: BTreeMap<String, Box<RawValue>>,
}

type Fields = HashMap<String, Box<RawValue>>;

impl PriceMap {
    /// Reads a file.
    ///
    /// # Errors
    /// When the whole is not a JSON object.
    pub fn read(json: &str) -> Result<PriceMap, serde_json::Error> {
        let (version, models) = match serde_json::from_str::<Named>(json) {
            Ok(named) => (Some(named.version), named.models),
            Err(_) => (None, serde_json::from_str(json)?),
        };
        let mut map = PriceMap {
            version,
            ..PriceMap::default()
        };
        for (name, value) in models {
            match entry(&name, &value) {
                Ok(Some(entry)) => map.entries.push(entry),
                Ok(None) => map.others += 1,
                Err(why) => map.problems.push(Problem { name, why }),
            }
        }
        // Two entries for one model ("x" and "groq/x"): the one that came first in the file's order counts.
        let mut seen = std::collections::HashSet::new();
        map.entries
            .retain(|entry| seen.insert((entry.provider, entry.model.clone())));
        Ok(map)
    }
}

fn entry(name: &str, value: &RawValue) -> Result<Option<Entry>, String> {
    if name == "sample_spec" {
        return Ok(None);
    }
    let fields: Fields = serde_json::from_str(value.get()).map_err(|_| "it is not an object".to_owned())?;
    let owner = text(&fields, "litellm_provider")?.ok_or("it has no litellm_provider")?;
    let Ok(provider) = owner.parse::<Provider>() else {
        return Ok(None);
    };
    let mode = match text(&fields, "mode")?.as_deref() {
        Some("chat") | None => ModelMode::Chat,
        Some("responses") => ModelMode::Responses,
        Some(_) => return Ok(None),
    };
    let model = name.strip_prefix(&format!("{owner}/")).unwrap_or(name);
    if model.is_empty() || model.len() > LONGEST_NAME || model.chars().any(char::is_control) {
        return Err("it has no usable name".into());
    }
    let flag = |name: &str| flag(&fields, name);
    let mut reads = vec![Modality::Text];
    for (name, modality) in [
        ("supports_vision", Modality::Image),
        ("supports_audio_input", Modality::Audio),
        ("supports_video_input", Modality::Video),
        ("supports_pdf_input", Modality::Pdf),
    ] {
        if flag(name)? == Some(true) {
            reads.push(modality);
        }
    }
    Ok(Some(Entry {
        provider,
        model: model.to_owned(),
        facts: Facts {
            display_name: text(&fields, "display_name")?,
            context_window: tokens(&fields, "max_input_tokens")?,
            max_output_tokens: tokens(&fields, "max_output_tokens")?,
            input_modalities: Some(reads),
            tools: flag("supports_function_calling")?,
            // These files say so of every model that does.
            reasoning: Some(flag("supports_reasoning")? == Some(true)),
            mode: Some(mode),
            priced: None,
        },
        tariff: tariff(&fields, model.ends_with(":free"))?,
    }))
}

/// The prices, if both of prompt and answer are there. Zero for both says in these files that nobody knows, unless the
/// model's name says that it is free.
fn tariff(fields: &Fields, free: bool) -> Result<Option<Tariff>, String> {
    let Some(usual) = prices(fields, "")? else {
        return Ok(None);
    };
    if usual.input == 0 && usual.output == 0 && !free {
        return Ok(None);
    }
    let long = fields.keys().filter_map(|name| {
        let rest = name.strip_prefix("input_cost_per_token_above_")?;
        rest.strip_suffix("k_tokens")?.parse::<i64>().ok()
    });
    let long = match long.min() {
        Some(thousands) => prices(fields, &format!("_above_{thousands}k_tokens"))?
            .map(|prices| (thousands.saturating_mul(1_000), prices)),
        None => None,
    };
    Ok(Some(Tariff { usual, long }))
}

fn prices(fields: &Fields, suffix: &str) -> Result<Option<Prices>, String> {
    let price = |name: &str| price(fields, &format!("{name}{suffix}"));
    let (input, output) = (price("input_cost_per_token")?, price("output_cost_per_token")?);
    let (Some(input), Some(output)) = (input, output) else {
        return Ok(None);
    };
    Ok(Some(Prices {
        input,
        cached_input: price("cache_read_input_token_cost")?,
        cache_write: price("cache_creation_input_token_cost")?,
        output,
        reasoning: price("output_cost_per_reasoning_token")?,
    }))
}

/// A field's JSON; none when it is absent or null.
fn raw<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.get(name).map(|value| value.get()).filter(|json| *json != "null")
}

fn price(fields: &Fields, name: &str) -> Result<Option<i64>, String> {
    let Some(json) = raw(fields, name) else {
        return Ok(None);
    };
    match scaled(json.trim_matches('"'), PLACES) {
        Some((price, _)) => Ok(Some(price)),
        None => Err(format!("{name} is no price")),
    }
}

fn tokens(fields: &Fields, name: &str) -> Result<Option<i64>, String> {
    let Some(json) = raw(fields, name) else {
        return Ok(None);
    };
    match scaled(json.trim_matches('"'), 0) {
        // Zero says in these files that nobody knows.
        Some((0, _)) => Ok(None),
        Some((count, true)) => Ok(Some(count)),
        _ => Err(format!("{name} is no number of tokens")),
    }
}

fn text(fields: &Fields, name: &str) -> Result<Option<String>, String> {
    let Some(json) = raw(fields, name) else {
        return Ok(None);
    };
    serde_json::from_str(json)
        .map(Some)
        .map_err(|_| format!("{name} is no text"))
}

fn flag(fields: &Fields, name: &str) -> Result<Option<bool>, String> {
    let Some(json) = raw(fields, name) else {
        return Ok(None);
    };
    serde_json::from_str(json)
        .map(Some)
        .map_err(|_| format!("{name} is neither true nor false"))
}
