//! Reactions: what people answer to a message in one sign.

use std::collections::HashMap;

use diesel::dsl::count;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::event;
use super::member::Membership;
use super::message::Message;
use super::revise::{hidden, visible};
use super::room::direct;
use crate::app::App;
use crate::db::schema::{message_reactions, messages};
use crate::db::{Connection, prepared};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{MessageId, UserId};
use crate::input;

/// The most different reactions of one message; each may be of as many people as there are.
const MOST_KINDS: i64 = 20;
/// The longest reaction, in characters as a person counts them: an emoji is one of them.
const LONGEST: usize = 16;

/// Those who react in the same way to a message.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Reactions {
    #[diesel(sql_type = SqlUuid)]
    message_id: MessageId,
    /// In which way.
    #[diesel(sql_type = Text)]
    pub emoji: String,
    /// How many they are.
    #[diesel(sql_type = BigInt)]
    pub people: i64,
    /// Whether the viewer is one of them.
    #[diesel(sql_type = Bool)]
    pub mine: bool,
    /// The first of them.
    #[diesel(sql_type = Array<SqlUuid>)]
    pub first: Vec<UserId>,
}

/// Adds a reaction of `user_id` to a message, or takes it away; gives the message as it is then.
///
/// # Errors
/// REQUIRED, TOO_LONG or INVALID for `emoji`, NOT_FOUND, LIMIT_REACHED.
pub async fn react(app: &App, user_id: UserId, id: MessageId, emoji: &str, is_on: bool) -> Result<Message> {
    let emoji = input::line(&["emoji"], "The reaction", emoji, LONGEST);
    let emoji = emoji.map_err(|error| Error::Rejected(vec![error]))?;
    let mut connection = app.connection().await?;
    let chat_id = visible(&mut connection, user_id, id).await?.chat_id;
    let message = connection
        .transaction(async |connection| {
            // The chat's lock has those who react at once take turns.
            let membership = Membership::lock(connection, user_id, chat_id).await.map_err(hidden)?;
            let message = visible(connection, user_id, id).await?;
            let changed = match is_on {
                true => add(connection, &membership, id, &emoji).await?,
                false => {
                    let mine = message_reactions::table.find((id, &emoji, user_id));
                    diesel::delete(mine).execute(connection).await? > 0
                }
            };
            if !changed {
                return Ok::<_, Error>(message);
            }
            append(connection, [event::message_updated(chat_id, id, &["REACTIONS"])]).await?;
            Ok(diesel::update(messages::table.find(id))
                .set(messages::version.eq(messages::version + 1))
                .returning(Message::as_returning())
                .get_result(connection)
                .await?)
        })
        .await?;
    app.log().wake();
    Ok(message)
}

async fn add(connection: &mut Connection, membership: &Membership, id: MessageId, emoji: &str) -> Result<bool> {
    let user_id = membership.user_id;
    let withheld_from = direct::blocking(connection, &membership.chat, user_id).await?;
    let row = (
        message_reactions::message_id.eq(id),
        message_reactions::emoji.eq(emoji),
        message_reactions::user_id.eq(user_id),
        message_reactions::withheld_from.eq(withheld_from),
    );
    let added = diesel::insert_into(message_reactions::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(connection)
        .await?;
    let kinds = message_reactions::table.filter(message_reactions::message_id.eq(id));
    let kinds: i64 = kinds
        .select(count(message_reactions::emoji).aggregate_distinct())
        .first(connection)
        .await?;
    if kinds > MOST_KINDS {
        let words = format!("A message has at most {MOST_KINDS} different reactions. Choose one of those it has.");
        return Err(Error::rejected(ErrorCode::LimitReached, &["emoji"], words));
    }
    Ok(added > 0)
}

/// The reactions to each of these messages, those first that came first, in one query. For messages that `viewer` was
/// shown.
///
/// # Errors
/// When Postgres fails.
pub async fn of_messages(
    connection: &mut Connection,
    viewer: UserId,
    ids: &[MessageId],
) -> QueryResult<HashMap<MessageId, Vec<Reactions>>> {
    let query = "SELECT message_id, emoji, count(*) AS people, bool_or(user_id = $2) AS mine, \
          (array_agg(user_id ORDER BY created_at, user_id))[1:5] AS first \
        FROM message_reactions WHERE message_id = ANY ($1) AND withheld_from IS DISTINCT FROM $2 GROUP BY message_id, emoji ORDER BY min(created_at), emoji";
    let query = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<SqlUuid, _>(viewer);
    let rows: Vec<Reactions> = prepared(query).load(connection).await?;
    let mut found: HashMap<MessageId, Vec<Reactions>> = HashMap::new();
    for row in rows {
        found.entry(row.message_id).or_default().push(row);
    }
    Ok(found)
}

/// Takes all reactions from these messages.
///
/// # Errors
/// When Postgres fails.
pub async fn clear(connection: &mut Connection, ids: &[MessageId]) -> QueryResult<()> {
    diesel::delete(message_reactions::table.filter(message_reactions::message_id.eq_any(ids)))
        .execute(connection)
        .await
        .map(drop)
}
