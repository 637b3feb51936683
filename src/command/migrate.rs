//! `parlor migrate`

use super::database::Database;
use super::{Outcome, block_on, prepare};
use crate::config::Settings;
use crate::db;

/// Brings the database up to date.
///
/// # Errors
/// What the database or a migration says.
pub fn run(settings: Settings) -> Outcome {
    let config = prepare(settings, false)?;
    block_on(async {
        let database = Database::open(&config).await?;
        let ran = db::migrate(db::connect(&database.url).await?).await?;
        for migration in &ran {
            println!("ran {migration}");
        }
        if ran.is_empty() {
            println!("The database is up to date.");
        }
        database.close().await;
        Ok(())
    })
}
