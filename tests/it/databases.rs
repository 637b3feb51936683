//! The databases other tests stand on: empty, migrated, nobody else's.

use crate::harness::cluster;
use crate::harness::database::{TestDatabase, version_of};

const MIGRATION: &str = "CREATE TABLE kind (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text, loud text GENERATED ALWAYS AS (upper(name)) STORED);
    INSERT INTO kind (name) VALUES ('seed');
    CREATE TABLE thing (kind integer NOT NULL REFERENCES kind)";

async fn acquire() -> TestDatabase {
    TestDatabase::acquire("databases", async |url: &str| {
        let client = cluster::open(url).await.expect("a connection");
        client.batch_execute(MIGRATION).await.expect("the migration");
    })
    .await
}

async fn kinds(database: &TestDatabase) -> Vec<String> {
    let client = cluster::open(&database.url).await.expect("a connection");
    let rows = client
        .query("SELECT loud FROM kind ORDER BY id", &[])
        .await
        .expect("the table of the migration");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_used_database_comes_back_as_it_was_migrated() {
    for _ in 0..3 {
        let database = acquire().await;
        assert_eq!(kinds(&database).await, ["SEED"]);
        let client = cluster::open(&database.url).await.expect("a connection");
        let leftovers = "INSERT INTO kind (name) VALUES ('mine');
            INSERT INTO thing SELECT id FROM kind";
        client.batch_execute(leftovers).await.expect("rows");
    }
}

#[tokio::test]
async fn two_at_once_are_different() {
    let (first, second) = tokio::join!(acquire(), acquire());
    assert_ne!(first.url, second.url);
}

#[test]
fn other_migrations_have_another_version() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let migration = folder.path().join("2026-11-20-000000_start");
    std::fs::create_dir(&migration).expect("a folder");
    std::fs::write(migration.join("up.sql"), "SELECT 1").expect("a file");
    let before = version_of(folder.path());
    assert_eq!(before, version_of(folder.path()));
    std::fs::write(migration.join("up.sql"), "SELECT 2").expect("a file");
    assert_ne!(before, version_of(folder.path()));
}
