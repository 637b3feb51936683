//! What goes before a conversation when a model is asked, read in one statement: what it is to know of
//! the person, and the summary of what is too long to be shown.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::{Connection, prepared};
use crate::error::Result;
use crate::id::{ChatId, MessageId, SummaryId, UserId};
use crate::memory::Preferences;

/// What goes before a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Recall {
    /// How the person wants to be answered.
    pub preferences: Preferences,
    /// What is to be remembered of the person, oldest first; nothing when they do not want it told.
    pub memories: Vec<String>,
    /// What stands for the beginning of the branch that is shown.
    pub summary: Option<Covering>,
}

/// A summary, as far as a prompt needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covering {
    /// Which one.
    pub id: SummaryId,
    /// The last message that it covers.
    pub through: MessageId,
    /// The number of that message: the conversation goes on behind it.
    pub through_sequence: i64,
    /// The words.
    pub content: String,
    /// How many tokens they have.
    pub tokens: u32,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<Text>)]
    about_me: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    response_style: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    language: Option<String>,
    #[diesel(sql_type = Nullable<Bool>)]
    memory_enabled: Option<bool>,
    #[diesel(sql_type = Nullable<Bool>)]
    titles_enabled: Option<bool>,
    #[diesel(sql_type = Nullable<Bool>)]
    summaries_enabled: Option<bool>,
    #[diesel(sql_type = Nullable<Integer>)]
    preferences_version: Option<i32>,
    #[diesel(sql_type = Nullable<Array<Text>>)]
    memories: Option<Vec<String>>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    summary_id: Option<SummaryId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    summary_through: Option<MessageId>,
    #[diesel(sql_type = Nullable<BigInt>)]
    summary_sequence: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    summary_content: Option<String>,
    #[diesel(sql_type = Nullable<Integer>)]
    summary_tokens: Option<i32>,
}

const RECALL: &str = "SELECT preferences.about_me, preferences.response_style, preferences.language, \
      preferences.memory_enabled, preferences.titles_enabled, preferences.summaries_enabled, \
      preferences.version AS preferences_version, \
      CASE WHEN coalesce(preferences.memory_enabled, true) THEN ARRAY(SELECT content FROM memories WHERE user_id = $2 ORDER BY id LIMIT 100) END AS memories, \
      summary.id AS summary_id, summary.through_message_id AS summary_through, summary.through_sequence AS summary_sequence, \
      summary.content AS summary_content, summary.tokens AS summary_tokens \
    FROM (VALUES (1)) AS one \
      LEFT JOIN preferences ON preferences.user_id = $2 \
      LEFT JOIN LATERAL (SELECT chat_summaries.* FROM chat_summaries JOIN messages ON messages.id = through_message_id \
        WHERE chat_summaries.chat_id = $1 AND messages.active AND octet_length(messages.content) <= through_octets AND reverted_at IS NULL AND through_sequence < $3 \
        ORDER BY through_sequence DESC, chat_summaries.id DESC LIMIT 1) AS summary ON true";

/// What goes before the conversation of `user_id` in this chat, for a question whose place is, or will be, `before`.
///
/// # Errors
/// When Postgres fails.
pub async fn recall(mut connection: &Connection, chat_id: ChatId, user_id: UserId, before: i64) -> Result<Recall> {
    let query = diesel::sql_query(RECALL)
        .bind::<SqlUuid, _>(chat_id)
        .bind::<SqlUuid, _>(user_id)
        .bind::<BigInt, _>(before);
    let row: Row = prepared(query).get_result(&mut connection).await?;
    let known = Preferences::default();
    let preferences = Preferences {
        about_me: row.about_me,
        response_style: row.response_style,
        language: row.language,
        memory_enabled: row.memory_enabled.unwrap_or(known.memory_enabled),
        titles_enabled: row.titles_enabled.unwrap_or(known.titles_enabled),
        summaries_enabled: row.summaries_enabled.unwrap_or(known.summaries_enabled),
        version: row.preferences_version.unwrap_or(known.version),
        ..known
    };
    let whole = (
        row.summary_id,
        row.summary_through,
        row.summary_sequence,
        row.summary_content,
    );
    let summary = match whole {
        (Some(id), Some(through), Some(through_sequence), Some(content)) => Some(Covering {
            id,
            through,
            through_sequence,
            content,
            tokens: row
                .summary_tokens
                .and_then(|tokens| tokens.try_into().ok())
                .unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(Recall {
        preferences,
        memories: row.memories.unwrap_or_default(),
        summary,
    })
}
