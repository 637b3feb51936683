//! `parlor models …`

use std::path::PathBuf;

use clap::Subcommand;

use super::database::Database;
use super::{Outcome, block_on, prepare};
use crate::ai::Provider;
use crate::config::Settings;
use crate::db::{self, Connection};
use crate::model::catalogue::Catalogue;
use crate::model::change;
use crate::model::fact::ModelInfo;
use crate::model::price_map::PriceMap;
use crate::scalar::Decimal;

/// How many bad entries are named.
const MOST_PROBLEMS: usize = 20;

/// What can be done with what is known of models.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Take models and prices from a file, in the place of what was imported before.
    ///
    /// The file is LiteLLM's model_prices_and_context_window.json or one of its shape. Entries for other providers are
    /// left out, bad ones are named and left out. What administrators have set stays. Running servers follow within seconds.
    Import {
        /// The file.
        file: PathBuf,
    },
    /// List the models and what a million tokens cost, in USD.
    List {
        /// Only this provider's, such as openai.
        #[arg(long)]
        provider: Option<Provider>,
    },
}

/// Runs it.
///
/// # Errors
/// When the file is no price map, or the database fails.
pub fn run(settings: Settings, command: Command) -> Outcome {
    let config = prepare(settings, false)?;
    block_on(async {
        let database = Database::open(&config).await?;
        db::migrate(db::connect(&database.url).await?).await?;
        let mut connection = db::connect(&database.url).await?;
        let done = match command {
            Command::Import { file } => import(&mut connection, &file).await,
            Command::List { provider } => list(&mut connection, provider).await,
        };
        drop(connection);
        database.close().await;
        done
    })
}

async fn import(connection: &mut Connection, file: &std::path::Path) -> Outcome {
    let json = std::fs::read_to_string(file).map_err(|error| format!("Cannot read {}: {error}", file.display()))?;
    let map = PriceMap::read(&json).map_err(|error| {
        format!(
            "{} is no price map: {error}. It should be a JSON object with one entry for each model.",
            file.display()
        )
    })?;
    if map.entries.is_empty() {
        let message = format!(
            "{} says nothing of models that Parlor can ask, so nothing was changed.",
            file.display()
        );
        return Err(message.into());
    }
    let version = change::import(connection, &json, &map).await?;
    let priced = map.entries.iter().filter(|entry| entry.tariff.is_some()).count();
    println!(
        "Imported {} models, {priced} of them with prices: {version}",
        map.entries.len()
    );
    println!("Left out {} entries for other providers or other uses.", map.others);
    for problem in map.problems.iter().take(MOST_PROBLEMS) {
        println!("Left out {:?}: {}.", problem.name, problem.why);
    }
    if map.problems.len() > MOST_PROBLEMS {
        println!("Left out {} more like these.", map.problems.len() - MOST_PROBLEMS);
    }
    Ok(())
}

async fn list(connection: &mut Connection, only: Option<Provider>) -> Outcome {
    let catalogue = Catalogue::open(connection).await?;
    let shelf = catalogue.shelf();
    println!(
        "{:<18} {:<48} {:>9} {:>9} {:>9}  SOURCE",
        "PROVIDER", "MODEL", "CONTEXT", "INPUT", "OUTPUT"
    );
    for provider in Provider::ALL {
        if only.is_none_or(|only| only == provider) {
            for info in shelf.of(provider) {
                println!("{}", line(info));
            }
        }
    }
    Ok(())
}

fn line(info: &ModelInfo) -> String {
    let unknown = || "?".to_owned();
    let context = info.context_window.map_or_else(unknown, |tokens| tokens.to_string());
    let price = |micro_usd: Option<i64>| micro_usd.map_or_else(unknown, |price| Decimal(price).to_string());
    format!(
        "{:<18} {:<48} {context:>9} {:>9} {:>9}  {}",
        info.provider.name(),
        info.model,
        price(info.tariff.map(|tariff| tariff.usual.input)),
        price(info.tariff.map(|tariff| tariff.usual.output)),
        info.source.as_str(),
    )
}
