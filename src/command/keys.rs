//! `parlor keys …`

use clap::Subcommand;

use super::database::Database;
use super::{Outcome, block_on, prepare};
use crate::config::Settings;
use crate::db;
use crate::vault::{Vault, rotate};

/// What can be done with the encryption of provider keys.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Command {
    /// Move every provider key to the current master key.
    ///
    /// First restart the servers with PARLOR_MASTER_KEY set to the new key and PARLOR_MASTER_KEY_PREVIOUS to the old one;
    /// they open keys of both. Then run this, with the same two. Then the old key can be forgotten.
    Rotate,
}

/// Runs it.
///
/// # Errors
/// When a key cannot be opened, or the database fails.
pub fn run(settings: Settings, command: Command) -> Outcome {
    let config = prepare(settings, false)?;
    block_on(async {
        let Command::Rotate = command;
        let database = Database::open(&config).await?;
        db::migrate(db::connect(&database.url).await?).await?;
        let mut connection = db::connect(&database.url).await?;
        let vault = Vault::open(&mut connection, &config).await?;
        let moved = rotate::rotate(&mut connection, &vault).await?;
        println!(
            "Provider keys moved to the current master key: {moved}. The former master keys are not needed any more."
        );
        drop(connection);
        database.close().await;
        Ok(())
    })
}
