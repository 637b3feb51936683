//! Chats and rooms as full as they are wanted, written into the database.

use super::server::Server;

impl Server {
    /// Fills a chat with messages, past the triggers: they are not what is measured.
    pub async fn fill(&self, chat_id: &str, messages: u64) {
        let chat = parlor::id::ChatId::from(chat_id).0;
        let insert = format!(
            "SET session_replication_role = replica; INSERT INTO messages (id, chat_id, sequence, parent_id, role, content) \
             SELECT id, '{chat}', n, lag(id) OVER (ORDER BY n), 'USER', 'Message number ' || n || ' of a long conversation about nothing in particular.' \
             FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, {messages}) AS n) AS line; \
             UPDATE chats SET last_sequence = {messages} WHERE id = '{chat}'; ANALYZE messages"
        );
        self.run(&insert).await;
    }

    /// Puts somebody into rooms of people with as many unread messages in each.
    pub async fn fill_rooms(&self, username: &str, rooms: u64, unread: u64) {
        let insert = format!(
            "SET session_replication_role = replica; \
             WITH rooms AS (INSERT INTO chats (id, kind, title, last_sequence, last_activity_at) \
               SELECT gen_random_uuid(), 'GROUP', 'Room ' || n, {unread}, now() - n * interval '1 minute' FROM generate_series(1, {rooms}) AS n RETURNING id), \
             members AS (INSERT INTO chat_members (chat_id, user_id) SELECT rooms.id, users.id FROM rooms, users WHERE username = '{username}') \
             INSERT INTO messages (id, chat_id, sequence, role, content) \
               SELECT gen_random_uuid(), rooms.id, n, 'USER', 'Something that was said.' FROM rooms, generate_series(1, {unread}) AS n; \
             ANALYZE messages; ANALYZE chats; ANALYZE chat_members"
        );
        self.run(&insert).await;
    }
}
