//! What a search costs: it is read from the index, whatever others have said.

use parlor::search::find;

use super::speaker;
use crate::harness::app::uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_reads_from_indexes() {
    let (app, ada, _) = speaker(&["The heron knows"]).await;
    let grow = "INSERT INTO users (id, username, email, password_hash, display_name) \
          SELECT gen_random_uuid(), 'other' || n, 'other' || n || '@example.com', 'x', 'Other' FROM generate_series(1, 20) AS n; \
        INSERT INTO chats (id, kind, created_by, last_sequence) SELECT gen_random_uuid(), 'ASSISTANT', users.id, 100 FROM users, generate_series(1, 10); \
        INSERT INTO chat_members (chat_id, user_id) SELECT id, created_by FROM chats ON CONFLICT DO NOTHING; \
        INSERT INTO messages (id, chat_id, sequence, role, content) \
          SELECT gen_random_uuid(), chats.id, n, 'USER', 'the heron says ' || n FROM chats, generate_series(10, 100) AS n; \
        ANALYZE";
    let sql = app.sql().await;
    sql.batch_execute(grow).await.expect("others");
    let viewer = ada.ok("{ viewer { user { id } } }", serde_json::json!({})).await["viewer"]["user"]["id"].take();
    let me = format!("'{}'", uuid(viewer.as_str().expect("an id")));
    let (words, nothing) = ("'''heron'''", "NULL");
    let values = [
        (me.as_str(), "uuid"),
        (nothing, "uuid[]"),
        (nothing, "uuid"),
        (words, "text"),
        (words, "text"),
        (words, "text"),
        (nothing, "uuid"),
        (nothing, "text[]"),
        (nothing, "timestamptz"),
        (nothing, "timestamptz"),
        (nothing, "timestamptz"),
        (nothing, "bigint"),
        (nothing, "uuid"),
        ("21", "bigint"),
        ("ARRAY['''heron''', '''the''']", "text[]"),
        (nothing, "text"),
    ];
    let mut plan = format!("EXPLAIN {}", find::QUERY);
    for (place, (value, kind)) in values.iter().enumerate().rev() {
        plan = plan.replace(&format!("${}", place + 1), &format!("{value}::{kind}"));
    }
    let planned = async || {
        let rows = sql.query(&plan, &[]).await.expect("a plan");
        let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        lines.join("\n")
    };
    let as_it_is = planned().await;
    assert!(
        as_it_is.contains("Bitmap Index Scan on message_words_idx"),
        "{as_it_is}"
    );
    let all_of_a_chat = "messages_branch_key";
    assert!(!as_it_is.contains(all_of_a_chat), "which may be a million\n{as_it_is}");
    // What else is read is a few rows of each table, of which there are too few here for an index to be worth it.
    let as_if_there_were_more = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";
    sql.batch_execute(as_if_there_were_more).await.expect("settings");
    let plan = planned().await;
    for index in [
        "message_words_idx",
        "message_words_pkey",
        "messages_pkey",
        "chat_members_user_id_idx",
    ] {
        assert!(plan.contains(index), "{index}\n{plan}");
    }
    assert!(!plan.contains("Seq Scan on message"), "{plan}");
}
