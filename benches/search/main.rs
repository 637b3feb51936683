//! How fast search is, and what it costs whoever sends: `cargo bench --bench search -- 10000000` for ten million messages;
//! without a number, two hundred thousand. Filling takes an hour: `-- 10000000 <folder>` keeps what was filled there, and the
//! next run with this folder only searches.
//!
//! A tenth of the messages is one room's, the others stand in chats of a hundred. One person is in a thousand chats and in
//! the room, another one in ten chats. Words are as frequent as in languages: the second half as frequent as the first, the
//! third a third. Everything is on an embedded Postgres with durable settings, in a folder that is removed at the end
//! unless it was named.

mod filling;

use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use filling::{LONER, REGULAR, ROOM, word};
use parlor::db::embedded::{Embedded, Options};
use parlor::db::{self, Connection};
use parlor::id::{ChatId, UserId};
use parlor::search::{Looking, find};
use uuid::Uuid;

/// How many messages there are when nobody says.
const MESSAGES: u64 = 200_000;
/// How often each search is made.
const ROUNDS: usize = 20;
/// How many hits are asked for: a page and one.
const PAGE: i64 = 21;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let messages = arguments
        .first()
        .map_or(MESSAGES, |number| number.parse().expect("a number"));
    let kept = arguments.get(1).map(std::path::PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let passing = std::env::temp_dir().join(format!("parlor-bench-search-{}", std::process::id()));
        let folder = kept.as_ref().unwrap_or(&passing).clone();
        let filled = folder.join("filled");
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut options = Options::new(folder.clone());
        options.path = std::env::var_os("PATH");
        let postgres = Embedded::start(&options).await.expect("Postgres");
        let connect = async || db::connect(&postgres.url()).await.expect("a connection");
        db::migrate(connect().await).await.expect("the migrations");
        let mut connection = connect().await;
        if !filled.exists() {
            filling::fill(&mut connection, messages).await;
            std::fs::write(&filled, messages.to_string()).expect("a file");
        }
        searches(&mut connection).await;
        sending(&mut connection).await;
        drop(connection);
        postgres.stop().await;
        if kept.is_none() {
            std::fs::remove_dir_all(&folder).expect("the folder");
        }
    });
}

/// Searches of each kind, by somebody with many chats, in the room alone, and by somebody with few.
async fn searches(connection: &mut Connection) {
    let (common, frequent, seldom, rare) = (word(1), word(100), word(10_000), word(100_000));
    let mut misspelled = word(40);
    misspelled.insert(2, 'q');
    let beginning: String = frequent.chars().take(3).collect();
    let queries = [
        ("the most common word", format!("{common} ")),
        ("a frequent word", format!("{frequent} ")),
        ("a seldom word", format!("{seldom} ")),
        ("a rare word", format!("{rare} ")),
        ("a common and a rare word", format!("{common} {rare} ")),
        ("two common words as a phrase", format!("\"{common} {}\"", word(2))),
        ("three letters of a word", beginning),
        ("a misspelled word", format!("{misspelled} ")),
        ("a word that nobody uses", "xqxqxqxqxq ".to_owned()),
    ];
    for (who, user, chats) in [
        ("in 1000 chats and the room", REGULAR, None),
        ("in the room alone", REGULAR, Some(vec![ChatId(Uuid::from_u128(ROOM))])),
        ("in 10 chats", LONER, None),
    ] {
        println!("searching {who}");
        for (what, query) in &queries {
            let looking = Looking {
                chats: chats.clone(),
                ..Looking::new(UserId(Uuid::from_u128(user)), query)
            };
            let (mut times, mut told) = (Vec::new(), String::new());
            for _ in 0..ROUNDS {
                let start = Instant::now();
                let found = find(connection, &looking, None, PAGE).await.expect("an answer");
                times.push(start.elapsed());
                let more = if found.complete {
                    ""
                } else {
                    ", not everything was looked at"
                };
                told = format!("{} hits{more}", found.hits.len());
            }
            times.sort();
            println!(
                "  {what:<30} median {:7.2} ms, worst {:7.2} ms ({told})",
                milliseconds(times[ROUNDS / 2]),
                milliseconds(times[ROUNDS - 1])
            );
        }
    }
}

/// What it costs to send: inserting a message of fifty words, with and without what it is found by.
async fn sending(connection: &mut Connection) {
    const MESSAGES: u32 = 2_000;
    let insert = format!(
        "DO $$ BEGIN FOR n IN 1..{MESSAGES} LOOP \
           INSERT INTO messages (id, chat_id, sequence, role, content) \
           SELECT gen_random_uuid(), '{}', 2000000000 + n, 'USER', bench_text(50); \
         END LOOP; END $$",
        Uuid::from_u128(ROOM)
    );
    for trigger in ["DISABLE", "ENABLE", "DISABLE", "ENABLE"] {
        let start = Instant::now();
        let took = connection
            .transaction(async |connection| {
                connection
                    .batch_execute(&format!(
                        "SET LOCAL statement_timeout = 0; ALTER TABLE messages {trigger} TRIGGER messages_search_insert"
                    ))
                    .await?;
                connection.batch_execute(&insert).await?;
                let took = start.elapsed();
                connection
                    .batch_execute("DELETE FROM messages WHERE sequence > 2000000000")
                    .await?;
                Ok::<_, diesel::result::Error>(took)
            })
            .await
            .expect("messages");
        println!(
            "sending, its search {trigger}D: {:5.3} ms a message",
            milliseconds(took) / f64::from(MESSAGES)
        );
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
