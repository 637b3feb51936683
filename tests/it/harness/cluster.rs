//! One PostgreSQL for all test processes: the first one starts it, and it ends
//! itself some seconds after the last one has let go.
//!
//! ```text
//! test process   holds KEEP_ALIVE shared, on the connection that reserves its database
//! keeper         a session of the server that asks twice a second for KEEP_ALIVE
//!                alone; when it has got it long enough, nobody is left
//! ```
//! A process may die in any way: its locks go with its connections.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use parlor::db::embedded::{Embedded, EmbeddedError, Lifetime, Options};
use tokio_postgres::{Client, NoTls};

/// Held shared by every user of the cluster.
const KEEP_ALIVE: i64 = 7_201_001;
/// Held by the one keeper.
const KEEPER: i64 = 7_201_002;
/// A server to use instead of starting one.
const URL: &str = "PARLOR_TEST_DATABASE_URL";

/// A session on the shared server, which does not end while this is held.
pub async fn connect() -> (String, Client) {
    if let Ok(url) = std::env::var(URL) {
        let client = open(&url).await.expect(URL);
        return (url, client);
    }
    loop {
        let url = start().await;
        // It may be shutting down just now; then the next start waits for its end.
        let Ok(client) = open(&url).await else {
            continue;
        };
        let held = format!("SELECT pg_advisory_lock_shared({KEEP_ALIVE}), pg_try_advisory_lock({KEEPER})");
        let Ok(row) = client.query_one(&held, &[]).await else {
            continue;
        };
        if row.get(1) {
            let release = format!("SELECT pg_advisory_unlock({KEEPER})");
            if client.execute(&release, &[]).await.is_err() {
                continue;
            }
            keep(url.clone());
        }
        return (url, client);
    }
}

/// A connection whose driver lives in the runtime of the test.
pub async fn open(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("a connection to the test database ended: {error}");
        }
    });
    Ok(client)
}

async fn start() -> String {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    match start_in(&target.join("cluster")).await {
        // A target directory under /root: the server's user cannot get there.
        Err(EmbeddedError::Root { .. }) => {
            let elsewhere = std::env::temp_dir().join("parlor-test-cluster");
            start_in(&elsewhere).await
        }
        started => started,
    }
    .unwrap_or_else(|error| panic!("{error}; for tests, DATABASE_URL is {URL}"))
}

async fn start_in(data_dir: &Path) -> Result<String, EmbeddedError> {
    let options = Options {
        path: std::env::var_os("PATH"),
        home: std::env::home_dir(),
        temp_dir: std::env::temp_dir(),
        durable: false,
        lifetime: Lifetime::Detached,
        max_connections: 300,
        ..Options::new(data_dir)
    };
    Ok(Embedded::start(&options).await?.url())
}

/// Starts the keeper and waits until it keeps. Its session outlives this process:
/// a server does not notice that the client of a running statement has gone.
fn keep(url: String) {
    let (keeping, kept) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime for the keeper");
        runtime.block_on(async {
            let Ok((client, mut connection)) = tokio_postgres::connect(&url, NoTls).await else {
                return;
            };
            let driver = tokio::spawn(async move {
                // Its one notice says that it has begun.
                while let Some(Ok(_)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
                    keeping.send(()).ok();
                }
            });
            // An error is the end of the server, which was the plan.
            client.batch_execute(&keeper()).await.ok();
            driver.abort();
        });
    });
    // An error means that another process's keeper was faster.
    kept.recv().ok();
}

fn keeper() -> String {
    format!(
        "DO $$
        DECLARE alone integer := 0;
        BEGIN
            IF NOT pg_try_advisory_lock({KEEPER}) THEN RETURN; END IF;
            RAISE NOTICE 'keeping';
            LOOP
                PERFORM pg_sleep(0.5);
                IF NOT pg_try_advisory_lock({KEEP_ALIVE}) THEN
                    alone := 0;
                ELSIF alone < 20 THEN
                    alone := alone + 1;
                    PERFORM pg_advisory_unlock({KEEP_ALIVE});
                ELSE
                    COPY (SELECT 1) TO PROGRAM 'read -r pid < postmaster.pid; kill -INT $pid';
                    RETURN;
                END IF;
                COMMIT;
            END LOOP;
        END $$"
    )
}
