//! Summaries: what models are shown of a long conversation in the place of its beginning.
//!
//! A summary covers a message and all before it in its branch, and goes on from the one before it. The messages stay as
//! they are: a summary can be put aside and brought back, and one that goes through a branch that is not shown, or ends
//! with an answer that was gone on with since, is not used. They go with what they cover, when a history is cleared or a
//! message is deleted.

mod make;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::define_sql_function;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};

pub use make::{KIND, call_for, request, summarize};

use super::event;
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{chat_members, chat_summaries, chats, messages};
use crate::error::{Error, Result};
use crate::event::{NewEvent, append};
use crate::id::{ChatId, MessageId, SummaryId, UserId};

/// The most summaries that are shown of one chat, the newest ones.
const MOST_SHOWN: i64 = 50;

/// What was said in a chat up to a message, in few words.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = chat_summaries, check_for_backend(diesel::pg::Pg))]
pub struct Summary {
    /// Its id.
    pub id: SummaryId,
    /// Of which chat.
    pub chat_id: ChatId,
    /// The last message that it covers.
    pub through_message_id: MessageId,
    /// The number of that message.
    pub through_sequence: i64,
    /// The words.
    pub content: String,
    /// How many tokens they have.
    pub tokens: i32,
    /// Whose model wrote it.
    pub provider: String,
    /// Which model wrote it.
    pub model: String,
    /// Grows with each change.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it is put aside.
    pub reverted_at: Option<DateTime<Utc>>,
}

/// The summary that stands for the most of the shown branch before the message numbered `before`, and is not put aside.
///
/// # Errors
/// When Postgres fails.
pub async fn newest_for(connection: &mut Connection, chat_id: ChatId, before: i64) -> QueryResult<Option<Summary>> {
    on_branch(chat_id)
        .filter(chat_summaries::reverted_at.is_null())
        .filter(chat_summaries::through_sequence.lt(before))
        .order((chat_summaries::through_sequence.desc(), chat_summaries::id.desc()))
        .select(Summary::as_select())
        .first(connection)
        .await
        .optional()
}

/// The summaries of a chat whose last message is on the branch that is shown, and says no more than it did.
#[diesel::dsl::auto_type(no_type_alias)]
fn on_branch(chat_id: ChatId) -> _ {
    chat_summaries::table
        .inner_join(messages::table)
        .filter(chat_summaries::chat_id.eq(chat_id))
        .filter(messages::active)
        .filter(chat_summaries::content.ne(""))
        .filter(octet_length(messages::content).le(chat_summaries::through_octets))
}

define_sql_function! {
    /// The length of a text in bytes.
    fn octet_length(text: Text) -> Integer;
}

/// The newest summaries of each of these chats, those that go furthest first, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn of_chats(connection: &mut Connection, chats: &[ChatId]) -> QueryResult<HashMap<ChatId, Vec<Summary>>> {
    let query = "SELECT newest.* FROM chats AS chat CROSS JOIN LATERAL (SELECT * FROM chat_summaries \
          WHERE chat_summaries.chat_id = chat.id AND through_sequence > chat.cleared_sequence \
            AND NOT EXISTS (SELECT FROM chat_lifetimes AS life WHERE life.chat_id = chat.id AND life.seconds IS NOT NULL AND life.due_at <= now()) ORDER BY through_sequence DESC, chat_summaries.id DESC LIMIT $2) AS newest \
        WHERE chat.id = ANY ($1) ORDER BY newest.through_sequence DESC, newest.id DESC";
    let found: Vec<Summary> = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(chats)
        .bind::<BigInt, _>(MOST_SHOWN)
        .load(connection)
        .await?;
    let mut summaries: HashMap<ChatId, Vec<Summary>> = HashMap::new();
    for summary in found {
        summaries.entry(summary.chat_id).or_default().push(summary);
    }
    Ok(summaries)
}

/// Those of the summaries with these ids that `user_id` may see, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many_visible(
    connection: &mut Connection,
    user_id: UserId,
    ids: &[SummaryId],
) -> QueryResult<HashMap<SummaryId, Summary>> {
    let mine = chat_members::table
        .filter(chat_members::user_id.eq(user_id))
        .select(chat_members::chat_id);
    let found: Vec<Summary> = chat_summaries::table
        .filter(chat_summaries::id.eq_any(ids))
        .filter(chat_summaries::chat_id.eq_any(mine))
        .select(Summary::as_select())
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|summary| (summary.id, summary)).collect())
}

/// Removes the summaries of a chat, which is locked, that go as far as the message numbered `sequence` or further: it was
/// deleted, and they may tell of it. Gives the events of it.
///
/// # Errors
/// When Postgres fails.
pub async fn drop_covering(connection: &mut Connection, chat_id: ChatId, sequence: i64) -> QueryResult<Vec<NewEvent>> {
    let covering = chat_summaries::table
        .filter(chat_summaries::chat_id.eq(chat_id))
        .filter(chat_summaries::through_sequence.ge(sequence));
    let dropped: Vec<SummaryId> = diesel::delete(covering)
        .returning(chat_summaries::id)
        .get_results(connection)
        .await?;
    Ok(dropped
        .into_iter()
        .map(|id| event::summary_removed(chat_id, id))
        .collect())
}

/// Puts a summary aside, or brings it back. While the one that goes furthest is put aside, none is made by itself.
///
/// # Errors
/// NOT_FOUND.
pub async fn set_reverted(app: &App, user_id: UserId, id: SummaryId, reverted: bool) -> Result<Summary> {
    let not_found = || Error::not_found(&["summaryId"], "summary");
    let mut connection = app.connection().await?;
    let summary = connection
        .transaction(async |connection| {
            let mut found = find_many_visible(connection, user_id, &[id]).await?;
            let chat_id = found.remove(&id).ok_or_else(not_found)?.chat_id;
            // The chat's lock first: it orders the event.
            chats::table
                .find(chat_id)
                .select(chats::id)
                .for_no_key_update()
                .first::<ChatId>(connection)
                .await
                .optional()?
                .ok_or_else(not_found)?;
            let row: Option<Summary> = chat_summaries::table
                .find(id)
                .filter(chat_summaries::content.ne(""))
                .select(Summary::as_select())
                .first(connection)
                .await
                .optional()?;
            let row = row.ok_or_else(not_found)?;
            if row.reverted_at.is_some() == reverted {
                return Ok::<_, Error>(row);
            }
            append(connection, [event::summary_upserted(chat_id, id)]).await?;
            let changes = (
                chat_summaries::reverted_at.eq(reverted.then(Utc::now)),
                chat_summaries::version.eq(chat_summaries::version + 1),
            );
            Ok(diesel::update(chat_summaries::table.find(id))
                .set(changes)
                .returning(Summary::as_returning())
                .get_result(connection)
                .await?)
        })
        .await?;
    app.log().wake();
    Ok(summary)
}
