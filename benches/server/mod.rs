//! `parlor serve` as a process of its own, on an embedded Postgres with durable settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use parlor::db::Connection;
use parlor::db::embedded::{Embedded, Options};

/// The server and its database.
pub struct Server {
    child: Child,
    address: SocketAddr,
    postgres: Embedded,
    folder: PathBuf,
}

impl Server {
    /// Starts both, with these settings, in a folder that is removed at the end.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("parlor-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut options = Options::new(folder.clone());
        options.path = std::env::var_os("PATH");
        let postgres = Embedded::start(&options).await.expect("Postgres");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let child = Command::new(env!("CARGO_BIN_EXE_parlor"))
            .env("PARLOR_LISTEN", address.to_string())
            .env("PARLOR_DATA_DIR", &folder)
            .env("PARLOR_REQUESTS_PER_MINUTE", "0")
            .env("PARLOR_MESSAGES_PER_MINUTE", "0")
            .env("DATABASE_URL", postgres.url())
            .env("RUST_LOG", "warn")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .spawn()
            .expect("parlor starts");
        let server = Server {
            child,
            address,
            postgres,
            folder,
        };
        let ready = format!("http://{address}/readyz");
        while !reqwest::get(&ready)
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// A connection to its database.
    pub async fn connection(&self) -> Connection {
        parlor::db::connect(&self.postgres.url()).await.expect("a connection")
    }

    /// Runs statements in its database, however long they take.
    pub async fn run(&self, statements: &str) {
        let statements = format!("SET statement_timeout = 0; {statements}");
        self.connection().await.batch_execute(&statements).await.expect("rows");
    }

    /// The processor time that Parlor has used, without Postgres.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process_id())).expect("the process runs");
        // Fields 14 and 15 of proc(5), in hundredths of a second; the name before them may hold spaces.
        let fields: Vec<u64> = stat
            .rsplit(") ")
            .next()
            .unwrap_or_default()
            .split(' ')
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        Duration::from_millis((fields[11] + fields[12]) * 10)
    }

    /// Stops both and removes the folder.
    pub async fn stop(mut self) {
        self.child.kill().expect("it ran");
        self.child.wait().expect("it ends");
        self.postgres.stop().await;
        std::fs::remove_dir_all(&self.folder).expect("the folder");
    }
}
