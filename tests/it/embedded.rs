//! The embedded PostgreSQL: it starts, is shared, survives crashes and says what to do.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use parlor::db::embedded::{Embedded, EmbeddedError, Lifetime, Options};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::harness::cluster::open;

/// A folder that the user PostgreSQL runs as can get to when we are root.
fn folder() -> TempDir {
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o711))
        .tempdir()
        .expect("a temporary folder")
}

fn options(folder: &TempDir) -> Options {
    Options {
        path: std::env::var_os("PATH"),
        temp_dir: std::env::temp_dir(),
        durable: false,
        ..Options::new(folder.path())
    }
}

/// Options with no PostgreSQL on the machine.
fn bare(folder: &TempDir, registry: String) -> Options {
    Options {
        installed: false,
        registry: Some(registry),
        ..options(folder)
    }
}

async fn start(options: &Options) -> Embedded {
    Embedded::start(options).await.expect("PostgreSQL")
}

async fn refused(options: &Options) -> EmbeddedError {
    let started = timeout(Duration::from_secs(5), Embedded::start(options)).await;
    started.expect("a quick answer").expect_err("no PostgreSQL")
}

async fn count(server: &Embedded) -> i64 {
    let client = open(&server.url()).await.expect("a connection");
    let create = "CREATE TABLE IF NOT EXISTS note (at timestamptz); INSERT INTO note VALUES (now())";
    client.batch_execute(create).await.expect("a table");
    let row = client.query_one("SELECT count(*) FROM note", &[]).await;
    row.expect("a count").get(0)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("the folder").next().is_none()
}

#[tokio::test]
async fn data_outlives_the_server() {
    let folder = folder();
    let first = start(&options(&folder)).await;
    assert_eq!(count(&first).await, 1);
    let url = first.url();
    first.stop().await;
    assert!(open(&url).await.is_err(), "it has stopped");

    let second = start(&options(&folder)).await;
    assert_eq!(count(&second).await, 2);
    second.stop().await;
}

#[tokio::test]
async fn letters_beyond_ascii_are_letters() {
    let folder = folder();
    let server = start(&options(&folder)).await;
    let client = open(&server.url()).await.expect("a connection");
    let row = client.query_one("SELECT lower('ÄRGER'), 'Z' < 'a'", &[]);
    let row = row.await.expect("a row");
    assert_eq!((row.get::<_, &str>(0), row.get(1)), ("ärger", true));
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn a_second_start_adopts_the_server() {
    let folder = folder();
    let options = options(&folder);
    let (one, other) = tokio::join!(start(&options), start(&options));
    assert_ne!(one.adopted(), other.adopted());
    assert_eq!(one.url(), other.url());
    let (owner, guest) = if one.adopted() { (other, one) } else { (one, other) };
    guest.stop().await;
    assert_eq!(count(&owner).await, 1, "a guest stops nothing");
    owner.stop().await;
}

#[tokio::test]
async fn a_dropped_server_stops_and_the_next_start_waits_for_it() {
    let folder = folder();
    drop(start(&options(&folder)).await);
    let next = start(&options(&folder)).await;
    assert!(!next.adopted());
    next.stop().await;
}

#[tokio::test]
async fn a_killed_postmaster_is_recovered_from() {
    let folder = folder();
    let durable = Options {
        durable: true,
        ..options(&folder)
    };
    let first = start(&durable).await;
    count(&first).await;
    kill(first.pid().expect("our own"));
    first.exited().await;

    let second = start(&durable).await;
    assert_eq!(count(&second).await, 2);
    second.stop().await;
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("not 0");
    kill_process(pid, Signal::KILL).expect("a kill");
}

#[tokio::test]
async fn a_server_without_an_owner_is_replaced() {
    let folder = folder();
    let orphan = Options {
        lifetime: Lifetime::Detached,
        ..options(&folder)
    };
    let orphan = start(&orphan).await;
    count(&orphan).await;
    let owner = start(&options(&folder)).await;
    assert!(!owner.adopted());
    assert_eq!(count(&owner).await, 2);
    owner.stop().await;
}

#[tokio::test]
async fn what_a_crash_in_initdb_left_is_thrown_away() {
    let folder = folder();
    let side = folder.path().join("postgres/data.new");
    fs::create_dir_all(&side).expect("a leftover");
    fs::write(side.join("PG_VERSION"), "3").expect("a leftover");
    let server = start(&options(&folder)).await;
    assert_eq!(count(&server).await, 1);
    assert!(!side.exists());
    server.stop().await;
}

#[tokio::test]
async fn a_recycled_pid_is_nobodys_server() {
    let folder = folder();
    let first = start(&options(&folder)).await;
    count(&first).await;
    first.stop().await;
    let ours = std::process::id();
    let data = folder.path().join("postgres/data");
    let stale = format!("{ours}\n{}\n1\n5432\n/nowhere\n\n 1 2\nready   \n", data.display());
    fs::write(data.join("postmaster.pid"), stale).expect("a stale pid file");
    let second = start(&options(&folder)).await;
    assert_eq!(count(&second).await, 2);
    second.stop().await;
}

#[tokio::test]
async fn a_long_path_still_gets_a_socket() {
    let folder = folder();
    let deep = folder.path().join("a folder, with a name".repeat(8));
    let deep = Options {
        data_dir: deep,
        temp_dir: folder.path().to_path_buf(),
        ..options(&folder)
    };
    let server = start(&deep).await;
    assert_eq!(count(&server).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn data_is_only_run_by_the_version_that_made_it() {
    let folder = folder();
    let data = folder.path().join("postgres/data");
    fs::create_dir_all(&data).expect("a cluster");
    fs::write(data.join("PG_VERSION"), "9\n").expect("a cluster");
    let error = refused(&options(&folder)).await;
    assert!(matches!(error, EmbeddedError::VersionMissing { major: 9, .. }));
}

#[tokio::test]
async fn with_neither_postgres_nor_network_the_error_says_what_to_do() {
    let folder = folder();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = format!("http://{}", listener.local_addr().expect("its number"));
    drop(listener);
    let words = refused(&bare(&folder, closed)).await.to_string();
    for way in ["DATABASE_URL", "apt install postgresql", "brew install postgresql@17"] {
        assert!(words.contains(way), "{words}");
    }
    assert!(is_empty(folder.path()));
}

#[tokio::test]
async fn a_file_with_another_checksum_is_not_unpacked() {
    let folder = folder();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let registry = format!("http://{}/", listener.local_addr().expect("its number"));
    let app = Router::new().fallback(async || "not PostgreSQL");
    tokio::spawn(async move { axum::serve(listener, app).await });
    let error = refused(&bare(&folder, registry)).await;
    assert!(matches!(error, EmbeddedError::Checksum { .. }), "{error}");
    assert!(is_empty(folder.path()));
}
