//! The migrations, which are part of the binary and run at start.

use diesel::QueryResult;
use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel_async::{AsyncMigrationHarness, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::Connection;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// The advisory lock that is held while migrating: the letters of "parlor".
const LOCK: i64 = 0x7061_726c_6f72;

/// Why the migrations did not run.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// Postgres refused the lock or a statement around the migrations.
    #[error("Postgres refused to prepare the migrations: {0}")]
    Database(#[from] diesel::result::Error),
    /// A migration failed; the ones before it are in place, it left nothing behind.
    #[error("A migration failed: {0}")]
    Migration(Box<dyn std::error::Error + Send + Sync>),
    /// The database was migrated by a newer Parlor.
    #[error(
        "The database was made by a newer Parlor: it has the migration {0}, which this version does not know. Start the newer version, or restore a backup."
    )]
    Newer(String),
}

/// Brings the database up to date under an advisory lock, so that several servers may start at once.
/// Returns the names of the migrations that were run. Needs tokio's multi-thread runtime.
///
/// # Errors
/// A [`MigrateError`]; each migration runs in a transaction of its own.
pub async fn migrate(mut connection: Connection) -> Result<Vec<String>, MigrateError> {
    // Another server's migrations may take longer than a request may wait for a lock.
    let unlimited = "SELECT set_config('lock_timeout', '0', false), set_config('statement_timeout', '0', false)";
    diesel::sql_query(unlimited).execute(&mut connection).await?;
    diesel::sql_query(format!("SELECT pg_advisory_lock({LOCK})"))
        .execute(&mut connection)
        .await?;
    // The lock ends with the connection, which ends here.
    tokio::task::block_in_place(|| run(connection))
}

fn run(connection: Connection) -> Result<Vec<String>, MigrateError> {
    let mut harness = AsyncMigrationHarness::new(connection);
    let known: Vec<String> = MigrationSource::<Pg>::migrations(&MIGRATIONS)
        .map_err(MigrateError::Migration)?
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect();
    let applied = MigrationHarness::<Pg>::applied_migrations(&mut harness).map_err(MigrateError::Migration)?;
    if let Some(unknown) = applied
        .iter()
        .map(ToString::to_string)
        .find(|version| !known.contains(version))
    {
        return Err(MigrateError::Newer(unknown));
    }
    let ran = harness
        .run_pending_migrations(MIGRATIONS)
        .map_err(MigrateError::Migration)?;
    Ok(ran.iter().map(ToString::to_string).collect())
}

/// Undoes every migration, newest first. Only tests do this, to see that each `down.sql` works.
///
/// # Errors
/// As [`migrate`].
pub async fn revert_all(connection: Connection) -> Result<(), MigrateError> {
    tokio::task::block_in_place(|| {
        let mut harness = AsyncMigrationHarness::new(connection);
        harness
            .revert_all_migrations(MIGRATIONS)
            .map(drop)
            .map_err(MigrateError::Migration)
    })
}

/// Whether a statement gets an answer.
///
/// # Errors
/// When Postgres does not answer.
pub async fn ping(connection: &mut Connection) -> QueryResult<()> {
    diesel::sql_query("SELECT 1").execute(connection).await.map(drop)
}

/// Which Postgres this is, in its own words.
///
/// # Errors
/// When Postgres does not answer.
pub async fn server_version(connection: &mut Connection) -> QueryResult<String> {
    #[derive(diesel::QueryableByName)]
    struct Version {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    let Version { version } = diesel::sql_query("SELECT 'PostgreSQL ' || current_setting('server_version') AS version")
        .get_result(connection)
        .await?;
    Ok(version)
}
