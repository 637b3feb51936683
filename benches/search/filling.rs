//! The messages that are searched.

use std::time::Instant;

use diesel_async::SimpleAsyncConnection;
use parlor::db::Connection;
use uuid::Uuid;

/// Who is in a thousand chats and in the room.
pub const REGULAR: u128 = 0x7000_0000_0000_0000_0001;
/// Who is in ten chats.
pub const LONER: u128 = 0x7000_0000_0000_0000_0002;
/// The room.
pub const ROOM: u128 = 0x7000_0000_0000_0000_0003;
/// How many messages the other chats have.
const EACH: u64 = 100;
/// How many messages one statement makes.
const AT_ONCE: u64 = 100_000;

/// Made anew for each message, of 30 words in the mean. Words of a language are among them: its stems are looked for.
const MAKERS: &str = "CREATE FUNCTION bench_word(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS \
      $$ SELECT translate(to_hex(n * 2654435761 % 4294967296), '0123456789', 'ghijklmnop') $$; \
    CREATE FUNCTION bench_text(words integer) RETURNS text LANGUAGE sql VOLATILE AS \
      $$ SELECT 'this is what we said of it: ' || string_agg(bench_word(exp(random() * ln(300000))::bigint), ' ') FROM generate_series(1, words) $$";

/// The word at a place in the order of frequency.
pub fn word(place: u64) -> String {
    let hex = format!("{:x}", place * 2_654_435_761 % 4_294_967_296);
    hex.chars()
        .map(|digit| {
            digit
                .to_digit(10)
                .and_then(|digit| char::from_u32(u32::from('g') + digit))
                .unwrap_or(digit)
        })
        .collect()
}

/// Makes people, chats and messages.
pub async fn fill(connection: &mut Connection, messages: u64) {
    let start = Instant::now();
    let room = messages / 10;
    let chats = (messages - room) / EACH;
    let [regular, loner, room_id] = [REGULAR, LONER, ROOM].map(Uuid::from_u128);
    let mut run = async |statement: String| {
        connection.batch_execute(&statement).await.expect("a statement");
    };
    run("SET statement_timeout = 0".to_owned()).await;
    run(MAKERS.to_owned()).await;
    run(format!(
        "INSERT INTO users (id, username, email, password_hash, display_name) \
           SELECT id, 'person' || n, 'person' || n || '@example.com', 'x', 'Person' \
           FROM (VALUES ('{regular}'::uuid, 1), ('{loner}'::uuid, 2)) AS people (id, n); \
         INSERT INTO chats (id, kind, created_by, last_sequence, last_activity_at) \
           SELECT gen_random_uuid(), 'ASSISTANT', '{regular}', {EACH}, now() - random() * interval '3 years' FROM generate_series(1, {chats}); \
         INSERT INTO chats (id, kind, created_by, last_sequence) VALUES ('{room_id}', 'ASSISTANT', '{regular}', {room}); \
         INSERT INTO chat_members (chat_id, user_id) SELECT id, '{regular}' FROM (SELECT id FROM chats WHERE id <> '{room_id}' ORDER BY id LIMIT 1000) AS theirs; \
         INSERT INTO chat_members (chat_id, user_id) VALUES ('{room_id}', '{regular}'); \
         INSERT INTO chat_members (chat_id, user_id) SELECT id, '{loner}' FROM (SELECT id FROM chats WHERE id <> '{room_id}' ORDER BY id DESC LIMIT 10) AS theirs; \
         ALTER TABLE messages DISABLE TRIGGER messages_search_insert; DROP INDEX message_words_idx"
    ))
    .await;
    // Of all chats by turns, as people talk.
    let share = (AT_ONCE / (chats + EACH)).max(1);
    let mut done = 0;
    while done < room.max(EACH) {
        let next = if done < EACH {
            done + share.min(EACH - done)
        } else {
            done + AT_ONCE
        };
        run(format!(
            "INSERT INTO messages (id, chat_id, sequence, role, content, created_at) \
               SELECT gen_random_uuid(), id, n, CASE n % 2 WHEN 0 THEN 'ASSISTANT' ELSE 'USER' END, bench_text(10 + (n % 40)::int), \
                 last_activity_at - (last_sequence - n) * interval '3 minutes' \
               FROM chats CROSS JOIN LATERAL generate_series({done} + 1, least({next}, last_sequence)) AS n"
        ))
        .await;
        done = next;
    }
    println!("{messages} messages made in {:.0} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    run("INSERT INTO message_words SELECT id, search_entry(messages) FROM messages".to_owned()).await;
    println!("  read for search in {:.0} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    run("SET maintenance_work_mem = '1GB'; CREATE INDEX message_words_idx ON message_words USING gin (words) WITH (fastupdate = off); \
         ALTER TABLE messages ENABLE TRIGGER messages_search_insert"
        .to_owned())
    .await;
    run("VACUUM ANALYZE".to_owned()).await;
    println!("  indexed in {:.0} s", start.elapsed().as_secs_f64());
    sizes(connection).await;
}

async fn sizes(connection: &mut Connection) {
    use diesel_async::RunQueryDsl;
    #[derive(diesel::QueryableByName)]
    struct Sizes {
        #[diesel(sql_type = diesel::sql_types::Text)]
        said: String,
    }
    let query = "SELECT format('  messages %s, their words %s, the index %s', pg_size_pretty(pg_table_size('messages')), \
        pg_size_pretty(pg_table_size('message_words')), pg_size_pretty(pg_relation_size('message_words_idx'))) AS said";
    let sizes: Sizes = diesel::sql_query(query).get_result(connection).await.expect("sizes");
    println!("{}", sizes.said);
}
