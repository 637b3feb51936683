//! As many people as are wanted: their accounts are written into the database, for to register ten thousand
//! takes long, and on purpose.

use std::net::Ipv4Addr;
use std::time::Duration;

use chrono::Utc;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use parlor::account::token::Signer;
use parlor::id::{SessionId, UserId};
use secrecy::SecretString;
use uuid::Uuid;

use super::client::Person;
use super::server::Server;

const SECRET: &str = "Zk3uQ8mXv1LrT6yWc9NbHs4JdPe7RgAo2KfVi5TxEzM";
const ROOM: u128 = 7;
/// How many people are at one address: an address may have a hundred sockets.
const AT_ONE_ADDRESS: usize = 90;

impl Server {
    /// Starts one that knows the sessions of people who are written into its database.
    pub async fn for_people() -> Self {
        Server::start(&[("PARLOR_JWT_SECRET", SECRET)]).await
    }

    /// So many people, each with a session of their own.
    pub async fn people(&self, count: usize) -> Vec<Person> {
        let insert = format!(
            "INSERT INTO users (id, username, email, display_name, password_hash) \
             SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'person' || n, 'person' || n || '@example.com', 'Person ' || n, '!' \
             FROM generate_series(1, {count}) AS n; \
             INSERT INTO sessions (id, user_id, expires_at) SELECT id, id, now() + interval '1 day' FROM users; ANALYZE users; ANALYZE sessions"
        );
        self.run(&insert).await;
        let signer = Signer::new(&[SecretString::from(SECRET)], Duration::from_secs(900)).expect("a signer");
        let http = reqwest::Client::new();
        let person = |number: usize| {
            let id = id(number);
            let (token, _) = signer.sign(UserId(id), SessionId(id), Utc::now()).expect("a token");
            let place = u32::try_from(number / AT_ONE_ADDRESS).expect("a small number");
            Person {
                server: self.address(),
                from: Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + place),
                id: UserId(id).to_string(),
                token,
                http: http.clone(),
            }
        };
        (1..=count).map(person).collect()
    }

    /// A group of the first so many people; gives its id.
    pub async fn room(&self, members: usize) -> String {
        let room = Uuid::from_u128(ROOM);
        let insert = format!(
            "INSERT INTO chats (id, kind, title, title_source) VALUES ('{room}', 'GROUP', 'The room', 'USER'); \
             INSERT INTO chat_members (chat_id, user_id) SELECT '{room}', id FROM users ORDER BY id LIMIT {members}; \
             ANALYZE chat_members"
        );
        self.run(&insert).await;
        parlor::id::ChatId(room).to_string()
    }

    /// Puts so many messages into the room at once, numbered from 0, as nobody sends them.
    pub async fn burst(&self, messages: usize) {
        let room = Uuid::from_u128(ROOM);
        let insert = format!(
            "BEGIN; WITH new AS (INSERT INTO messages (id, chat_id, sequence, role, content) \
               SELECT gen_random_uuid(), '{room}', last_sequence + n, 'USER', 'number=' || n - 1 || ';' FROM chats, generate_series(1, {messages}) AS n \
               WHERE chats.id = '{room}' ORDER BY n RETURNING id, sequence) \
             INSERT INTO events (chat_id, kind, payload) SELECT '{room}', 'message.created', jsonb_build_object('chatId', '{room}'::uuid, 'messageId', id) \
               FROM new ORDER BY sequence; \
             UPDATE chats SET last_sequence = last_sequence + {messages} WHERE id = '{room}'; COMMIT"
        );
        self.run(&insert).await;
    }

    /// How many transactions Postgres has done.
    pub async fn transactions(&self) -> i64 {
        #[derive(diesel::QueryableByName)]
        struct Done {
            #[diesel(sql_type = BigInt)]
            done: i64,
        }
        // The figures are a second late.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let mut connection = self.connection().await;
        let query = "SELECT xact_commit AS done FROM pg_stat_database WHERE datname = current_database()";
        let done: Done = diesel::sql_query(query)
            .get_result(&mut connection)
            .await
            .expect("a row");
        done.done
    }

    /// The bytes of memory that Parlor has.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id())).expect("the process runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("its size");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes * 1024
    }
}

fn id(number: usize) -> Uuid {
    let number = u128::try_from(number).expect("a number");
    Uuid::from_u128((0x7000_u128 << 64) | (0x8000_u128 << 48) | number)
}
