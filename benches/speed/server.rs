//! `parlor serve` as a process of its own, on an embedded Postgres with durable settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use parlor::db::embedded::{Embedded, Options};

/// The server and its database.
pub struct Server {
    child: Child,
    address: SocketAddr,
    postgres: Embedded,
    folder: PathBuf,
}

impl Server {
    /// Starts both in a folder that is removed at the end.
    pub async fn start(base_url: &str) -> Self {
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
            .env("OPENAI_BASE_URL", base_url)
            .env("OPENAI_API_KEY", "sk-bench-0123456789")
            .env("RUST_LOG", "warn")
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

    /// The processor time that Parlor has used, without Postgres.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the process runs");
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

    /// Fills a chat with messages, past the triggers: they are not what is measured.
    pub async fn fill(&self, chat_id: &str, messages: u64) {
        let mut connection = parlor::db::connect(&self.postgres.url()).await.expect("a connection");
        let chat = parlor::id::ChatId::from(chat_id).0;
        let insert = format!(
            "SET statement_timeout = 0; SET session_replication_role = replica; INSERT INTO messages (id, chat_id, sequence, parent_id, role, content) \
             SELECT id, '{chat}', n, lag(id) OVER (ORDER BY n), 'USER', 'Message number ' || n || ' of a long conversation about nothing in particular.' \
             FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, {messages}) AS n) AS line; \
             UPDATE chats SET last_sequence = {messages} WHERE id = '{chat}'; ANALYZE messages"
        );
        diesel_async::SimpleAsyncConnection::batch_execute(&mut connection, &insert)
            .await
            .expect("messages");
    }

    /// Puts somebody into rooms of people with as many unread messages in each.
    pub async fn fill_rooms(&self, username: &str, rooms: u64, unread: u64) {
        let mut connection = parlor::db::connect(&self.postgres.url()).await.expect("a connection");
        let insert = format!(
            "SET statement_timeout = 0; SET session_replication_role = replica; \
             WITH rooms AS (INSERT INTO chats (id, kind, title, last_sequence, last_activity_at) \
               SELECT gen_random_uuid(), 'GROUP', 'Room ' || n, {unread}, now() - n * interval '1 minute' FROM generate_series(1, {rooms}) AS n RETURNING id), \
             members AS (INSERT INTO chat_members (chat_id, user_id) SELECT rooms.id, users.id FROM rooms, users WHERE username = '{username}') \
             INSERT INTO messages (id, chat_id, sequence, role, content) \
               SELECT gen_random_uuid(), rooms.id, n, 'USER', 'Something that was said.' FROM rooms, generate_series(1, {unread}) AS n; \
             ANALYZE messages; ANALYZE chats; ANALYZE chat_members"
        );
        diesel_async::SimpleAsyncConnection::batch_execute(&mut connection, &insert)
            .await
            .expect("rooms");
    }

    /// Stops both and removes the folder.
    pub async fn stop(mut self) {
        self.child.kill().expect("it ran");
        self.child.wait().expect("it ends");
        self.postgres.stop().await;
        std::fs::remove_dir_all(&self.folder).expect("the folder");
    }
}
