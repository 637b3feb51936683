//! The message's row, and how history is read.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::{AsSelect, SqlTypeOf};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::extras::Extras;
use super::lifetime::lives;
use super::member::Membership;
use crate::db::schema::{chat_members, messages};
use crate::db::{Connection, lives, text_enum};
use crate::error::Result;
use crate::id::{AssistantId, ChatId, MessageId, UserId};
use crate::page::Window;

text_enum! {
    /// Whose turn a message is in the conversation that a model is shown.
    MessageRole {
        /// A person's.
        User = "USER",
        /// A model's.
        Assistant = "ASSISTANT",
        /// Parlor's.
        System = "SYSTEM",
        /// A tool's.
        Tool = "TOOL",
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = messages, check_for_backend(Pg))]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Where it was said.
    pub chat_id: ChatId,
    /// Its place in the chat.
    pub sequence: i64,
    /// Whose turn it is.
    pub role: MessageRole,
    /// Who wrote it.
    pub author_id: Option<UserId>,
    /// The text.
    pub content: String,
    /// The message before it in its branch.
    pub parent_id: Option<MessageId>,
    /// The sender's key for it.
    pub idempotency_key: Option<String>,
    /// Grows with each change.
    pub version: i32,
    /// When it was sent.
    pub created_at: DateTime<Utc>,
    /// When it was last edited.
    pub edited_at: Option<DateTime<Utc>>,
    /// Since when it is a tombstone.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Who made it one.
    pub deleted_by: Option<UserId>,
    /// Since when it is kept in sight.
    pub pinned_at: Option<DateTime<Utc>>,
    /// Who has pinned it.
    pub pinned_by: Option<UserId>,
    /// Whether it is on the branch that is shown.
    pub active: bool,
    /// The assistant that wrote it.
    pub assistant_id: Option<AssistantId>,
    /// What its author alone sees it say.
    pub own_content: Option<String>,
    /// When they changed it so.
    pub own_edited_at: Option<DateTime<Utc>>,
    /// Who of a direct chat never sees it.
    pub withheld_from: Option<UserId>,
    /// What it carries besides its text.
    #[diesel(embed)]
    pub extras: Extras,
}

impl Message {
    /// What `viewer` sees it say.
    pub fn content_for(&self, viewer: Option<UserId>) -> &str {
        match &self.own_content {
            Some(own) if viewer.is_some() && viewer == self.author_id => own,
            _ => &self.content,
        }
    }

    /// When it was last changed, as far as `viewer` sees that.
    pub fn edited_at_for(&self, viewer: Option<UserId>) -> Option<DateTime<Utc>> {
        let is_author = viewer.is_some() && viewer == self.author_id;
        self.own_edited_at.filter(|_| is_author).or(self.edited_at)
    }
}

define_sql_function! {
    /// The first that is not null; the second is computed only when the first is.
    fn coalesce(first: Nullable<SqlUuid>, second: Nullable<SqlUuid>) -> Nullable<SqlUuid>;
}

/// A message to be; on the active branch unless it says otherwise.
#[derive(Debug, Insertable)]
#[diesel(table_name = messages, treat_none_as_default_value = false)]
pub struct NewRow {
    /// Its id.
    pub id: MessageId,
    /// Where it is said.
    pub chat_id: ChatId,
    /// Its place in the chat.
    pub sequence: i64,
    /// Whose turn it is.
    pub role: MessageRole,
    /// Who wrote it.
    pub author_id: Option<UserId>,
    /// The text.
    pub content: String,
    /// The sender's key for it.
    pub idempotency_key: Option<String>,
    /// The assistant that writes it.
    pub assistant_id: Option<AssistantId>,
    /// Whether it is on the active branch.
    pub active: bool,
    /// Whether it is the way down from its parent.
    pub chosen: bool,
    /// How many tokens the text has.
    pub tokens: Option<i32>,
    /// What it carries besides its text.
    #[diesel(embed)]
    pub extras: Extras,
}

/// A page of what `viewer` may see of what was said on a chat's active branch after the message at `history_after`. Keyset on `(chat_id, sequence)`: as fast at a million messages as at ten.
///
/// # Errors
/// When Postgres fails.
pub async fn page(
    connection: &mut Connection,
    viewer: UserId,
    (chat_id, history_after): (ChatId, i64),
    window: &Window<i64>,
) -> Result<Vec<Message>> {
    let mut query = page_query(chat_id, window)
        .filter(messages::withheld_from.is_distinct_from(viewer))
        .filter(lives());
    if history_after > 0 {
        query = query.filter(messages::sequence.gt(history_after));
    }
    Ok(query.load(connection).await?)
}

type PageQuery = messages::BoxedQuery<'static, Pg, SqlTypeOf<AsSelect<Message, Pg>>>;

/// The statement of [`page`], for whoever wants to see its plan.
pub fn page_query(chat_id: ChatId, window: &Window<i64>) -> PageQuery {
    let mut query = messages::table
        .filter(messages::chat_id.eq(chat_id))
        .filter(messages::active)
        .select(Message::as_select())
        .limit(window.fetch())
        .into_boxed();
    query = if window.backwards {
        query.order(messages::sequence.desc())
    } else {
        query.order(messages::sequence.asc())
    };
    if let Some(after) = window.after {
        query = query.filter(messages::sequence.gt(after));
    }
    if let Some(before) = window.before {
        query = query.filter(messages::sequence.lt(before));
    }
    query
}

/// The messages with these ids that `user_id` may see, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many_visible(
    connection: &mut Connection,
    user_id: UserId,
    ids: &[MessageId],
) -> QueryResult<HashMap<MessageId, Message>> {
    let found: Vec<Message> = messages::table
        .inner_join(chat_members::table.on(chat_members::chat_id.eq(messages::chat_id)))
        .filter(messages::id.eq_any(ids))
        .filter(chat_members::user_id.eq(user_id))
        .filter(messages::sequence.gt(chat_members::history_after))
        .filter(messages::withheld_from.is_distinct_from(user_id))
        .filter(lives())
        .select(Message::as_select())
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|message| (message.id, message)).collect())
}

/// The messages with these ids that are withheld from nobody and not too old, in one query. For whoever compares them with
/// what the asker may see.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(connection: &mut Connection, ids: &[MessageId]) -> QueryResult<HashMap<MessageId, Message>> {
    let found: Vec<Message> = messages::table
        .filter(messages::id.eq_any(ids))
        .filter(messages::withheld_from.is_null())
        .filter(lives())
        .select(Message::as_select())
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|message| (message.id, message)).collect())
}

/// The newest message that `viewer` may see of each chat's active branch after the number that is given with the chat,
/// in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn last_of(
    connection: &mut Connection,
    viewer: UserId,
    chats: &[(ChatId, i64)],
) -> QueryResult<HashMap<ChatId, Message>> {
    let query = concat!(
        "SELECT last.* FROM unnest($1, $2) AS chat (id, history_after) CROSS JOIN LATERAL \
        (SELECT * FROM messages WHERE messages.chat_id = chat.id AND active AND sequence > chat.history_after \
           AND withheld_from IS DISTINCT FROM $3 AND ",
        lives!("messages"),
        " ORDER BY sequence DESC LIMIT 1) AS last"
    );
    let (ids, after): (Vec<ChatId>, Vec<i64>) = chats.iter().copied().unzip();
    let found: Vec<Message> = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<BigInt>, _>(after)
        .bind::<SqlUuid, _>(viewer)
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|message| (message.chat_id, message)).collect())
}

/// The sequence of a message in the chat of `membership`.
///
/// # Errors
/// When Postgres fails.
pub async fn sequence_of(
    connection: &mut Connection,
    membership: &Membership,
    id: MessageId,
) -> QueryResult<Option<i64>> {
    let found = messages::table
        .find(id)
        .filter(messages::chat_id.eq(membership.chat.id))
        .filter(messages::sequence.gt(membership.history_after))
        .filter(messages::withheld_from.is_distinct_from(membership.user_id))
        .filter(lives());
    found.select(messages::sequence).first(connection).await.optional()
}
