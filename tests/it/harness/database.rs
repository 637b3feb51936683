//! A database of its own for every test: one of a pool of migrated ones, which
//! is emptied when it is taken, not when it is left, so a crash leaves nothing odd.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use tokio_postgres::{Client, Error};
use url::Url;

use super::cluster;
use crate::generation::soon;

/// Ends whatever sessions an earlier test has left in a database.
const END_SESSIONS: &str = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1";
/// Databases made for migrations that nobody has any more.
const OUTDATED: &str = "SELECT datname FROM pg_database
    WHERE datname LIKE 'test\\_%' AND datname NOT LIKE $1
    AND (pg_stat_file('base/' || oid || '/PG_VERSION')).modification < now() - interval '1 day'
    AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = pg_database.datname)";
/// Puts aside what migrations have inserted, so that emptying can bring it back.
const KEEP_SEEDS: &str = include_str!("keep_seeds.sql");
const EMPTY: &str = include_str!("empty.sql");

/// A migrated, empty database. It is free for the next test when this is dropped.
pub struct TestDatabase {
    /// Where to connect.
    pub url: String,
    /// Its session holds the reservation.
    _reservation: Client,
}

impl TestDatabase {
    /// Reserves a database that was migrated by this version of the migrations.
    /// `migrate` is only called when a new one has to be made.
    pub async fn acquire(version: &str, migrate: impl AsyncFnOnce(&str)) -> Self {
        let (server, control) = cluster::connect().await;
        let name = reserve(&control, version).await.expect("a free database");
        let mut url = Url::parse(&server).expect("the URL of the test server");
        url.set_path(&name);
        let url = url.to_string();
        if !is_complete(&control, &name).await.expect("the catalog") || empty(&control, &name, &url).await.is_err() {
            make(&control, &name).await.expect("a new database");
            migrate(&url).await;
            complete(&control, &name, &url).await.expect("its seeds");
            drop_outdated(&control, version).await;
        }
        Self {
            url,
            _reservation: control,
        }
    }
}

/// A name for the state of a folder of migrations: another content, another name.
pub fn version_of(migrations: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    let mut folders = vec![migrations.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("a folder of migrations");
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            path.strip_prefix(migrations).expect("within").hash(&mut hasher);
            if path.is_dir() {
                folders.push(path);
            } else {
                fs::read(&path).expect("a migration").hash(&mut hasher);
            }
        }
    }
    format!("{:016x}", hasher.finish())
}

/// The first database of this version that no living test has reserved.
async fn reserve(control: &Client, version: &str) -> Result<String, Error> {
    let mut hasher = DefaultHasher::new();
    version.hash(&mut hasher);
    let class = hasher.finish() as i32;
    let statement = "SELECT n FROM generate_series(0, 999) AS n
        WHERE pg_try_advisory_lock($1, n) LIMIT 1";
    let row = control.query_one(statement, &[&class]).await?;
    let slot: i32 = row.get(0);
    Ok(format!("test_{version}_{slot}"))
}

/// A database says so itself when its migrations have gone through.
/// Waits until so many connections to the database of `sql`, other than those of these processes, wait for locks; gives
/// their processes.
pub async fn blocked(sql: &Client, count: usize, others: &[i32]) -> Vec<i32> {
    let query = "SELECT pid FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> ALL ($1)";
    let waiting = async {
        loop {
            let rows = sql.query(query, &[&others]).await.expect("rows");
            if rows.len() >= count {
                return rows.iter().map(|row| row.get(0)).collect();
            }
            tokio::task::yield_now().await;
        }
    };
    soon(waiting).await
}

async fn is_complete(control: &Client, name: &str) -> Result<bool, Error> {
    let statement = "SELECT shobj_description(oid, 'pg_database') = 'migrated'
        FROM pg_database WHERE datname = $1";
    let row = control.query_opt(statement, &[&name]).await?;
    Ok(row.is_some_and(|row| row.get::<_, Option<bool>>(0) == Some(true)))
}

async fn make(control: &Client, name: &str) -> Result<(), Error> {
    let drop = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
    control.execute(&drop, &[]).await?;
    let create = format!("CREATE DATABASE \"{name}\" TEMPLATE template0");
    control.execute(&create, &[]).await?;
    Ok(())
}

async fn complete(control: &Client, name: &str, url: &str) -> Result<(), Error> {
    cluster::open(url).await?.batch_execute(KEEP_SEEDS).await?;
    let comment = format!("COMMENT ON DATABASE \"{name}\" IS 'migrated'");
    control.batch_execute(&comment).await
}

async fn empty(control: &Client, name: &str, url: &str) -> Result<(), Error> {
    control.execute(END_SESSIONS, &[&name]).await?;
    cluster::open(url).await?.batch_execute(EMPTY).await
}

/// Housekeeping: whatever is in the way of it can be dropped another day.
async fn drop_outdated(control: &Client, version: &str) {
    let current = format!("test\\_{version}\\_%");
    let Ok(rows) = control.query(OUTDATED, &[&current]).await else {
        return;
    };
    for row in rows {
        let name: &str = row.get(0);
        let drop = format!("DROP DATABASE IF EXISTS \"{name}\"");
        if let Err(error) = control.execute(&drop, &[]).await {
            eprintln!("{name} stays: {error}");
        }
    }
}
