//! `parlor doctor`

use tokio::net::TcpListener;

use super::database::Database;
use super::{Outcome, block_on, prepare};
use crate::ai::{Client, Limits};
use crate::config::{Config, Settings};
use crate::db;
use crate::vault::{Vault, server as server_keys};

/// Checks everything that `serve` needs, one line each.
///
/// # Errors
/// How many checks failed.
pub fn run(settings: Settings) -> Outcome {
    let config = match prepare(settings, false) {
        Ok(config) => config,
        Err(error) => {
            println!("✗ settings: {error}");
            return Err("Checks that failed: 1.".into());
        }
    };
    println!(
        "✓ settings: {}",
        if config.is_development() {
            "development"
        } else {
            "production"
        }
    );
    block_on(async {
        let mut failed = 0;
        let mut report = |name: &str, result: Result<String, String>| match result {
            Ok(words) => println!("✓ {name}: {words}"),
            Err(words) => {
                failed += 1;
                println!("✗ {name}: {words}");
            }
        };
        report("address", listen(&config).await);
        match Database::open(&config).await {
            Ok(database) => {
                let words = if config.settings.database_url.is_some() {
                    "DATABASE_URL"
                } else {
                    "embedded"
                };
                match check_database(&config, &database.url).await {
                    Ok(checks) => {
                        report("Postgres", Ok(format!("{words}, {}", checks.version)));
                        report("migrations", Ok(checks.migrations));
                        report("provider keys", checks.vault);
                    }
                    Err(error) => report("Postgres", Err(error)),
                }
                database.close().await;
            }
            Err(error) => report("Postgres", Err(error.to_string())),
        }
        report("AI", check_ai(&config).await);
        if failed == 0 {
            Ok(())
        } else {
            Err(format!("Checks that failed: {failed}.").into())
        }
    })
}

async fn listen(config: &Config) -> Result<String, String> {
    let address = config.settings.listen;
    match TcpListener::bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Ok(format!("{address} is taken, maybe by a Parlor that runs already"))
        }
        Err(error) => Err(format!("cannot listen on {address}: {error}")),
    }
}

struct Checks {
    version: String,
    migrations: String,
    vault: Result<String, String>,
}

async fn check_database(config: &Config, url: &str) -> Result<Checks, String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    let mut connection = db::connect(url).await.map_err(|error| words(&error))?;
    let version = db::server_version(&mut connection)
        .await
        .map_err(|error| words(&error))?;
    let ran = db::migrate(db::connect(url).await.map_err(|error| words(&error))?)
        .await
        .map_err(|error| words(&error))?;
    let migrations = if ran.is_empty() {
        "up to date".to_owned()
    } else {
        format!("{} were run just now", ran.len())
    };
    let vault = match Vault::open(&mut connection, config).await {
        Ok(_) => Ok("the master key opens them".to_owned()),
        Err(error) => Err(words(&error)),
    };
    Ok(Checks {
        version,
        migrations,
        vault,
    })
}

async fn check_ai(config: &Config) -> Result<String, String> {
    let client = Client::new(Limits::default());
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for endpoint in server_keys::endpoints(&config.settings) {
        let name = endpoint.provider.title();
        match client.verify(&endpoint).await {
            Ok(()) => good.push(format!("{name} accepts the server's key")),
            Err(failure) => bad.push(format!(
                "{name} does not accept the server's key ({})",
                failure.kind.name()
            )),
        }
    }
    if !bad.is_empty() {
        return Err(bad.join("; "));
    }
    if good.is_empty() {
        let fallback = if config.is_development() {
            "the scripted provider answers people without a key"
        } else {
            "people need keys of their own"
        };
        return Ok(format!("no OPENAI_API_KEY nor another provider's: {fallback}"));
    }
    Ok(good.join("; "))
}
