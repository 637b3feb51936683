//! Whom a message is news to.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::{Connection, lives, text_enum};
use crate::id::{MessageId, UserId};

text_enum! {
    /// Of which messages of a chat somebody is notified.
    NotificationLevel {
        /// Of all.
        All = "ALL",
        /// Of those that mention them, and of answers to what they asked.
        Mentions = "MENTIONS",
        /// Of none.
        None = "NONE",
    }
}

/// A person to whom a message is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, QueryableByName)]
pub struct Concerned {
    /// What.
    #[diesel(sql_type = SqlUuid)]
    pub message_id: MessageId,
    /// Whom.
    #[diesel(sql_type = SqlUuid)]
    pub user_id: UserId,
}

/// How somebody wants to hear of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hearing {
    /// Of which messages.
    pub level: NotificationLevel,
    /// Of none until then.
    pub muted_until: Option<DateTime<Utc>>,
}

/// To whom these messages are news, as things are now: members who may see them, did not write them, have not read them,
/// have not muted the chat, and block nobody who wrote them. Of all, or of one person.
///
/// # Errors
/// When Postgres fails.
pub async fn concerned(
    connection: &mut Connection,
    messages: &[MessageId],
    only: Option<UserId>,
) -> QueryResult<Vec<Concerned>> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let query = concat!(
        "SELECT message.id AS message_id, member.user_id FROM messages AS message \
        JOIN chat_members AS member ON member.chat_id = message.chat_id JOIN users AS person ON person.id = member.user_id \
        LEFT JOIN messages AS question ON question.id = coalesce(message.reply_to_id, message.parent_id) AND message.role = 'ASSISTANT' \
        WHERE message.id = ANY ($1) AND ($2 IS NULL OR member.user_id = $2) AND person.deactivated_at IS NULL \
          AND message.active AND message.deleted_at IS NULL AND message.role IN ('USER', 'ASSISTANT') \
          AND message.author_id IS DISTINCT FROM member.user_id AND message.withheld_from IS DISTINCT FROM member.user_id \
          AND message.sequence > member.history_after AND message.sequence > member.last_read_sequence \
          AND (member.muted_until IS NULL OR member.muted_until <= now()) \
          AND (member.notifications = 'ALL' OR (member.notifications = 'MENTIONS' AND (question.author_id = member.user_id \
            OR EXISTS (SELECT FROM message_mentions AS mention WHERE mention.message_id = message.id AND mention.user_id = member.user_id)))) \
          AND NOT EXISTS (SELECT FROM blocks WHERE blocks.user_id = member.user_id AND blocks.blocked_id = message.author_id) AND ",
        lives!("message")
    );
    diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(messages)
        .bind::<Nullable<SqlUuid>, _>(only)
        .load(connection)
        .await
}
