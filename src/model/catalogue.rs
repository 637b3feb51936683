//! All models in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::Duration;

use super::fact::{Facts, ModelInfo, ModelSource};
use super::price::Prices;
use super::price_map::PriceMap;
use super::store::{self, Row};
use crate::ai::Provider;
use crate::app::App;
use crate::db::Connection;
use crate::error::{Error, Result};

/// How often it is looked whether another process has changed something.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// The name under which the scripted provider's models are listed; the script stands behind it.
const SCRIPTED: &str = "scripted";
/// What the price of what is free is called.
const FREE: &str = "free";

/// What came with this version.
const SEED: &str = include_str!("models.json");

/// All models, for everybody. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct Catalogue(Arc<RwLock<Arc<Shelf>>>);

/// The models at one moment.
#[derive(Debug, Default)]
pub struct Shelf {
    version: i64,
    models: BTreeMap<(&'static str, String), Arc<ModelInfo>>,
    /// Under its name without a date: the model of exactly that name, else the one with the newest date.
    undated: HashMap<(Provider, String), Arc<ModelInfo>>,
}

impl Catalogue {
    /// Reads what there is.
    ///
    /// # Errors
    /// When Postgres fails, or the seed is broken.
    pub async fn open(connection: &mut Connection) -> Result<Self> {
        let catalogue = Catalogue::default();
        catalogue.read(connection).await?;
        Ok(catalogue)
    }

    /// The models as they are now; they stay so for whoever holds them.
    pub fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is known of a model.
    pub fn find(&self, provider: Provider, model: &str) -> Option<Arc<ModelInfo>> {
        self.shelf().find(provider, model)
    }

    /// Reads everything anew.
    ///
    /// # Errors
    /// When Postgres fails, or the seed is broken.
    pub async fn read(&self, connection: &mut Connection) -> Result<()> {
        // The number first: rows that are newer than it are read once more, never once too seldom.
        let version = store::version(connection).await?;
        let rows = store::all(connection).await?;
        let shelf = Arc::new(Shelf::new(version, rows)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = shelf;
        Ok(())
    }

    /// Reads everything anew when somebody has changed something.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn refresh(&self, connection: &mut Connection) -> Result<()> {
        if store::version(connection).await? != self.shelf().version {
            self.read(connection).await?;
        }
        Ok(())
    }

    /// Looks for changes of other processes, until the server stops.
    pub async fn run(self, app: App) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = app.stopped().cancelled() => return,
            }
            let looked = async { self.refresh(&mut *app.upkeep_connection().await?).await };
            if let Err(error) = looked.await {
                tracing::warn!(%error, "cannot look for changes of models");
            }
        }
    }
}

impl Shelf {
    fn new(version: i64, rows: Vec<Row>) -> Result<Self> {
        let mut imported: BTreeMap<(&'static str, String), (Facts, ModelSource)> = BTreeMap::new();
        for (provider, model, facts) in seed()? {
            imported.insert((provider.name(), model.clone()), (facts.clone(), ModelSource::Seed));
        }
        let mut overrides = Vec::new();
        for row in rows {
            let Some(provider) = row.provider() else { continue };
            let key = (provider.name(), row.model().to_owned());
            match row.source() {
                ModelSource::Admin => overrides.push((key, row.facts())),
                source => drop(imported.insert(key, (row.facts(), source))),
            }
        }
        for (key, facts) in overrides {
            let below = imported.remove(&key).map(|(facts, _)| facts).unwrap_or_default();
            imported.insert(key, (facts.or(below), ModelSource::Admin));
        }
        let mut shelf = Shelf {
            version,
            ..Shelf::default()
        };
        for ((provider_name, model), (facts, source)) in imported {
            let Ok(provider) = provider_name.parse::<Provider>() else {
                continue;
            };
            let info = Arc::new(ModelInfo::new(provider, model.clone(), facts, source));
            // In the order of names a later date comes later, and the name without one comes first: it stays.
            let stem = undated(&model).to_owned();
            let under_stem = shelf.undated.get(&(provider, stem.clone()));
            if under_stem.is_none_or(|held| held.model != stem) {
                shelf.undated.insert((provider, stem), Arc::clone(&info));
            }
            shelf.models.insert((provider_name, model), info);
        }
        Ok(shelf)
    }

    /// What is known of a model: by its very name, else by its name with or without a date or `-latest` behind it.
    pub fn find(&self, provider: Provider, model: &str) -> Option<Arc<ModelInfo>> {
        let model = match provider {
            Provider::Scripted => SCRIPTED,
            _ => model.trim_start_matches("models/"),
        };
        let exact = self.models.get(&(provider.name(), model.to_owned()));
        exact
            .or_else(|| self.undated.get(&(provider, undated(model).to_owned())))
            .cloned()
    }

    /// A provider's models, in the order of their names.
    pub fn of(&self, provider: Provider) -> impl Iterator<Item = &Arc<ModelInfo>> {
        let name = provider.name();
        self.models
            .range((name, String::new())..)
            .take_while(move |((owner, _), _)| *owner == name)
            .map(|(_, info)| info)
    }
}

/// A model's name without what is only a date, a revision or a promise: `-2025-08-07`, `-20250929`, `-0613`, `-001`,
/// `-latest`.
fn undated(model: &str) -> &str {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(stem) = model.strip_suffix("-latest") {
        return stem;
    }
    if model.is_char_boundary(model.len().saturating_sub(11)) && model.len() > 11 {
        let (stem, date) = model.split_at(model.len() - 11);
        let parts: Vec<&str> = date.split('-').collect();
        if let ["", year, month, day] = parts.as_slice()
            && digits(year, 4)
            && digits(month, 2)
            && digits(day, 2)
        {
            return stem;
        }
    }
    match model.rsplit_once('-') {
        Some((stem, tail)) if digits(tail, 8) || digits(tail, 4) || digits(tail, 3) => stem,
        _ => model,
    }
}

type Seed = Vec<(Provider, String, Facts)>;

/// What came with this version, read once.
fn seed() -> Result<&'static Seed> {
    static READ: LazyLock<std::result::Result<Seed, String>> = LazyLock::new(read_seed);
    READ.as_ref().map_err(|why| Error::internal(why.clone()))
}

fn read_seed() -> std::result::Result<Seed, String> {
    let map = PriceMap::read(SEED).map_err(|error| format!("models.json is broken: {error}"))?;
    if let Some(problem) = map.problems.first() {
        return Err(format!("models.json: {}: {}", problem.name, problem.why));
    }
    let version = map.version.ok_or("models.json has no version")?;
    let free = Facts {
        display_name: Some("Scripted".into()),
        priced: Some((Prices::FREE.into(), FREE.into())),
        ..Facts::default()
    };
    let mut read = vec![(Provider::Scripted, SCRIPTED.to_owned(), free)];
    for entry in map.entries {
        let priced = entry.tariff.map(|tariff| (tariff, version.clone()));
        let facts = Facts { priced, ..entry.facts };
        read.push((entry.provider, entry.model, facts));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::{read_seed, undated};

    #[test]
    fn dates_are_taken_off_names() {
        for (model, stem) in [
            ("gpt-5-2025-08-07", "gpt-5"),
            ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
            ("gpt-4-0613", "gpt-4"),
            ("gemini-2.0-flash-001", "gemini-2.0-flash"),
            ("claude-sonnet-4-5-latest", "claude-sonnet-4-5"),
            ("claude-haiku-4-5", "claude-haiku-4-5"),
            ("gpt-5", "gpt-5"),
            ("llama-3.1-8b-instant", "llama-3.1-8b-instant"),
            ("2025-08-07", "2025-08-07"),
            ("ünïcödé-ünïcödé", "ünïcödé-ünïcödé"),
            ("", ""),
        ] {
            assert_eq!(undated(model), stem);
        }
    }

    #[test]
    fn what_comes_with_this_version_can_be_read() {
        assert!(read_seed().expect("a good file").len() > 1);
    }
}
