//! What the command line does: one file per command.

pub mod doctor;
pub mod keys;
pub mod migrate;
pub mod models;
pub mod schema;
pub mod serve;
pub mod user;

mod database;

use std::future::Future;
use std::io::IsTerminal;

use crate::config::{Config, Settings};

/// What a command ends with; the message is for the person at the terminal.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Runs a command's work on the runtime that all commands share.
fn block_on(work: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Completes the settings and sets up logging; commands but `serve` log only what is wrong.
fn prepare(settings: Settings, serving: bool) -> Result<Config, Box<dyn std::error::Error + Send + Sync>> {
    use tracing_subscriber::EnvFilter;
    let wanted = if serving {
        settings.log.clone()
    } else {
        "warn".to_owned()
    };
    let filter = EnvFilter::try_new(&wanted).map_err(|error| format!("RUST_LOG: {error}"))?;
    // The SDK of tool servers logs what they say, which is not for a log that nobody asked for.
    let filter = match wanted.contains("rmcp") {
        true => filter,
        false => filter.add_directive("rmcp=off".parse()?),
    };
    let config = settings.resolve()?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // JSON lines cannot be forged by a name with a line break in it; neither can escaped ones.
    let set = if config.is_development() {
        logs.with_target(false).try_init()
    } else {
        logs.json().flatten_event(true).try_init()
    };
    set?;
    Ok(config)
}
