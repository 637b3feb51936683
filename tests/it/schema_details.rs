//! Rules of the database's schema: every reference has an index, everything is explained, every migration can be
//! undone, and `src/db/schema.rs` says what is really there.

use std::fs;
use std::path::Path;

use parlor::db;
use tokio_postgres::Client;
use url::Url;

use crate::harness::app::TestApp;
use crate::harness::cluster;

/// What a query's only column holds.
async fn texts(sql: &Client, query: &str) -> Vec<String> {
    let rows = sql.query(query, &[]).await.expect(query);
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_foreign_key_has_an_index() {
    let app = TestApp::start().await;
    // A partial one will do that leaves out nulls: whoever looks for a reference looks for none of these.
    let bare = "SELECT key.conrelid::regclass || ': ' || pg_get_constraintdef(key.oid) FROM pg_constraint AS key \
        WHERE key.contype = 'f' AND key.connamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_index AS index \
          WHERE index.indrelid = key.conrelid AND (index.indpred IS NULL \
            OR pg_get_expr(index.indpred, index.indrelid) = (SELECT format('(%I IS NOT NULL)', attname) FROM pg_attribute \
              WHERE attrelid = key.conrelid AND attnum = key.conkey[1] AND cardinality(key.conkey) = 1)) \
          AND (index.indkey::int2[])[0:cardinality(key.conkey) - 1] @> key.conkey)";
    let bare = texts(&app.sql().await, bare).await;
    assert!(
        bare.is_empty(),
        "add an index that starts with the columns of {bare:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_and_column_says_what_it_is_for() {
    let app = TestApp::start().await;
    // Ids, moments and owners of this name mean the same everywhere.
    let silent = "SELECT class.relname || coalesce('.' || attname, '') FROM pg_class AS class \
        LEFT JOIN pg_attribute ON attrelid = class.oid AND attnum > 0 AND NOT attisdropped \
          AND attname NOT IN ('id', 'created_at', 'updated_at') \
        WHERE class.relkind = 'r' AND class.relnamespace = 'public'::regnamespace AND class.relname NOT LIKE '\\_\\_%' \
          AND (col_description(class.oid, attnum) IS NULL OR obj_description(class.oid, 'pg_class') IS NULL) ORDER BY 1";
    let silent = texts(&app.sql().await, silent).await;
    assert!(silent.is_empty(), "add COMMENT ON to {silent:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_migration_can_be_undone_and_done_again() {
    let app = TestApp::start().await;
    let sql = app.sql().await;
    let shape = "SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns \
        WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_%' ORDER BY 1";
    let before = texts(&sql, shape).await;
    assert!(!before.is_empty());
    let name = format!("test_undone_{}", std::process::id());
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    sql.execute(&drop, &[]).await.expect("no leftover");
    sql.execute(&format!("CREATE DATABASE {name} TEMPLATE template0"), &[])
        .await
        .expect("a database");
    let mut url = Url::parse(app.database_url()).expect("a URL");
    url.set_path(&name);
    let connect = async || db::connect(url.as_str()).await.expect("a connection");
    let undone = cluster::open(url.as_str()).await.expect("a connection");
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")).expect("migrations");
    assert_eq!(db::migrate(connect().await).await.expect("up").len(), folders.count());
    assert_eq!(texts(&undone, shape).await, before);
    db::revert_all(connect().await).await.expect("down");
    let left = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' \
        AND relname NOT LIKE '\\_\\_%'";
    assert_eq!(
        texts(&undone, left).await,
        [""; 0],
        "a down.sql leaves something behind"
    );
    db::migrate(connect().await).await.expect("up again");
    assert_eq!(texts(&undone, shape).await, before);
    sql.execute(&drop, &[]).await.expect("its end");
}

/// What diesel calls a type of Postgres.
fn diesel_type(udt: &str) -> String {
    match udt {
        "timestamptz" | "jsonb" | "bytea" | "bool" | "text" | "uuid" | "int2" | "int4" | "int8" | "float8" | "xid8"
        | "tsvector" => udt[..1].to_uppercase() + &udt[1..],
        array if array.starts_with('_') => format!("Array<Nullable<{}>>", diesel_type(&array[1..])),
        other => panic!("teach this test what diesel calls {other}"),
    }
}

/// What `schema.rs` says: of each table its comment, and its columns with their types and comments.
fn written() -> Vec<String> {
    let schema = include_str!("../../src/db/schema.rs");
    let mut said = Vec::new();
    for block in schema.split("diesel::table! {").skip(1) {
        let block = block.split("\n}").next().expect("a block");
        let (mut table, mut comment) = ("", "");
        for line in block.lines().map(str::trim) {
            if let Some(text) = line.strip_prefix("/// ") {
                comment = text;
                continue;
            }
            if let Some(head) = line.strip_suffix(") {") {
                table = head.split(' ').next().expect("its name");
                said.push(format!("{table}: {comment}"));
            } else if line.contains(" -> ") {
                said.push(format!("{table}.{}: {comment}", line.trim_end_matches(',')));
            }
            comment = "";
        }
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_generated_schema_is_what_the_database_has() {
    let app = TestApp::start().await;
    let query = "SELECT relname::text, attname::text, typname::text, NOT attnotnull, coalesce(col_description(class.oid, attnum), ''), \
          obj_description(class.oid, 'pg_class') \
        FROM pg_class AS class JOIN pg_attribute ON attrelid = class.oid AND attnum > 0 AND NOT attisdropped \
        JOIN pg_type AS type ON type.oid = atttypid \
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE '\\_\\_%' ORDER BY relname, attnum";
    let mut found: Vec<String> = Vec::new();
    let mut last = String::new();
    for row in app.sql().await.query(query, &[]).await.expect("columns") {
        let text = |column: usize| row.get::<_, String>(column);
        if last != text(0) {
            last = text(0);
            found.push(format!("{last}: {}", text(5)));
        }
        let kind = diesel_type(&text(2));
        let kind = if row.get(3) { format!("Nullable<{kind}>") } else { kind };
        found.push(format!("{last}.{} -> {kind}: {}", text(1), text(4)));
    }
    assert!(found.len() > 50);
    assert_eq!(
        written(),
        found,
        "src/db/schema.rs is out of date. Write it anew with the diesel CLI on a migrated database: \
         diesel print-schema > src/db/schema.rs"
    );
}
