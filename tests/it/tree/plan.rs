//! What the tree's statements cost: everything is read from an index.

use super::{QUICK, regenerated, sent};
use crate::harness::app::{TestApp, uuid};

/// A chat whose every turn has several versions, among others like it.
async fn bushy() -> (TestApp, String, String) {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (_, answer) = sent(&ada, &chat, "one").await;
    let answer = regenerated(&ada, &answer, None).await;
    let grow = "INSERT INTO chats (id, kind, created_by) SELECT gen_random_uuid(), 'ASSISTANT', created_by FROM chats, generate_series(1, 50); \
        INSERT INTO messages (id, chat_id, sequence, role, content, active) \
        SELECT gen_random_uuid(), chats.id, n, 'USER', 'x', n % 2 = 0 FROM chats, generate_series(10, 130) AS n; \
        UPDATE messages SET parent_id = line.before FROM (SELECT id, lag(id) OVER (PARTITION BY chat_id ORDER BY sequence) AS before FROM messages) AS line \
        WHERE line.id = messages.id AND sequence > 9; ANALYZE messages";
    app.sql().await.batch_execute(grow).await.expect("other chats");
    (app, chat, answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trees_statements_read_from_indexes() {
    let (app, chat, answer) = bushy().await;
    let (chat, answer) = (uuid(&chat), uuid(&answer));
    let sql = app.sql().await;
    let newest = "SELECT id FROM messages WHERE chat_id = $1::text::uuid AND active ORDER BY sequence DESC LIMIT 1";
    let unread = "SELECT 1 FROM messages WHERE chat_id = $1::text::uuid AND active AND sequence > 100 LIMIT 1000";
    let siblings = "SELECT other.* FROM messages AS one CROSS JOIN LATERAL (\
          (SELECT * FROM messages WHERE parent_id = one.parent_id) UNION ALL \
          (SELECT * FROM messages WHERE one.parent_id IS NULL AND parent_id IS NULL AND chat_id = one.chat_id)) AS other \
        WHERE one.id = ANY (ARRAY[$1::text::uuid]) AND other.id <> one.id ORDER BY other.sequence";
    for (query, id, index) in [
        (newest, chat, "messages_branch_key"),
        (unread, chat, "messages_branch_key"),
        (siblings, answer, "messages_parent_id_idx"),
        (siblings, answer, "messages_roots_idx"),
    ] {
        let rows = sql.query(&format!("EXPLAIN {query}"), &[&id]).await.expect("a plan");
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{query}\n{plan}");
    }
}
