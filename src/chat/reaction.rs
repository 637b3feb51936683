//! Reactions: what people answer to a message in one sign.
//!
//! Everybody in a room is told of each, and looks at all of them then. So whoever looks neither counts nor sorts, however
//! many react: how many they are and who the first ones are is kept beside them, and changes with them.

use std::collections::HashMap;

use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::event;
use super::member::Membership;
use super::message::Message;
use super::revise::{hidden, visible};
use super::room::direct;
use crate::app::App;
use crate::db::schema::{message_reactions, messages, reaction_counts};
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
    #[diesel(sql_type = Integer)]
    pub people: i32,
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
/// REQUIRED, TOO_LONG or INVALID for `emoji`, NOT_FOUND, LIMIT_REACHED; RATE_LIMITED, for all in the room are told of each.
pub async fn react(app: &App, user_id: UserId, id: MessageId, emoji: &str, is_on: bool) -> Result<Message> {
    let emoji = input::line(&["emoji"], "The reaction", emoji, LONGEST);
    let emoji = emoji.map_err(|error| Error::Rejected(vec![error]))?;
    let mut connection = app.connection().await?;
    let chat_id = visible(&mut connection, user_id, id).await?.chat_id;
    app.throttle().message(user_id)?;
    let message = connection
        .transaction(async |connection| {
            // The chat's lock has those who react at once take turns.
            let membership = Membership::lock(connection, user_id, chat_id).await.map_err(hidden)?;
            let message = visible(connection, user_id, id).await?;
            let changed = match is_on {
                true => add(connection, &membership, id, &emoji).await?,
                false => remove(connection, user_id, id, &emoji).await?,
            };
            if !changed {
                return Ok::<_, Error>(message);
            }
            append(connection, [event::message_updated(chat_id, id, &["REACTIONS"])]).await?;
            let changed = diesel::update(messages::table.find(id))
                .set(messages::version.eq(messages::version + 1))
                .returning(Message::as_returning());
            Ok(prepared(changed).get_result(connection).await?)
        })
        .await?;
    app.log().wake();
    Ok(message)
}

/// Those who react at once take turns, so that their moments are in the order in which they are counted.
const ADD: &str = "WITH added AS (\
      INSERT INTO message_reactions (message_id, emoji, user_id, created_at, withheld_from) \
      VALUES ($1, $2, $3, clock_timestamp(), $4) ON CONFLICT DO NOTHING RETURNING created_at) \
    INSERT INTO reaction_counts AS counted (message_id, emoji, people, first_ids, since) \
    SELECT $1, $2, 1, ARRAY[$3], created_at FROM added \
    ON CONFLICT (message_id, emoji) DO UPDATE SET people = counted.people + 1, \
      first_ids = CASE WHEN cardinality(counted.first_ids) < 5 THEN counted.first_ids || excluded.first_ids ELSE counted.first_ids END";

/// Says whether it is another one.
async fn add(connection: &mut Connection, membership: &Membership, id: MessageId, emoji: &str) -> Result<bool> {
    let user_id = membership.user_id;
    let withheld_from = direct::blocking(connection, &membership.chat, user_id).await?;
    let query = diesel::sql_query(ADD)
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(emoji)
        .bind::<SqlUuid, _>(user_id)
        .bind::<Nullable<SqlUuid>, _>(withheld_from);
    if prepared(query).execute(connection).await? == 0 {
        return Ok(false);
    }
    let kinds = reaction_counts::table.filter(reaction_counts::message_id.eq(id));
    let kinds: i64 = kinds.select(count_star()).first(connection).await?;
    if kinds > MOST_KINDS {
        let words = format!("A message has at most {MOST_KINDS} different reactions. Choose one of those it has.");
        return Err(Error::rejected(ErrorCode::LimitReached, &["emoji"], words));
    }
    Ok(true)
}

const COUNT_DOWN: &str = "WITH few AS (SELECT user_id, created_at FROM message_reactions \
      WHERE message_id = $1 AND emoji = $2 ORDER BY created_at, user_id LIMIT 5), \
    first AS (SELECT array_agg(user_id ORDER BY created_at, user_id) AS ids, min(created_at) AS since FROM few) \
    UPDATE reaction_counts SET people = people - 1, first_ids = first.ids, since = first.since FROM first \
    WHERE message_id = $1 AND emoji = $2 AND people > 1";

/// Says whether there was one.
async fn remove(connection: &mut Connection, user_id: UserId, id: MessageId, emoji: &str) -> QueryResult<bool> {
    let mine = message_reactions::table.find((id, emoji, user_id));
    if diesel::delete(mine).execute(connection).await? == 0 {
        return Ok(false);
    }
    let query = diesel::sql_query(COUNT_DOWN)
        .bind::<SqlUuid, _>(id)
        .bind::<Text, _>(emoji);
    if prepared(query).execute(connection).await? == 0 {
        let last = reaction_counts::table.find((id, emoji));
        diesel::delete(last).execute(connection).await?;
    }
    Ok(true)
}

/// Where something of it is withheld from the viewer, which is in direct chats, what is left is counted out.
const OF_MESSAGES: &str = "SELECT counted.message_id, counted.emoji, counted.people - hidden.people AS people, \
      CASE hidden.people WHEN 0 THEN counted.first_ids ELSE shown.ids END AS first, \
      EXISTS (SELECT FROM message_reactions AS own \
        WHERE own.message_id = counted.message_id AND own.emoji = counted.emoji AND own.user_id = $2) AS mine \
    FROM reaction_counts AS counted \
    CROSS JOIN LATERAL (SELECT count(*)::int AS people FROM message_reactions AS other \
      WHERE other.message_id = counted.message_id AND other.emoji = counted.emoji AND other.withheld_from = $2) AS hidden \
    CROSS JOIN LATERAL (SELECT array_agg(user_id ORDER BY created_at, user_id) AS ids, min(created_at) AS since \
      FROM message_reactions AS other WHERE hidden.people > 0 AND other.message_id = counted.message_id \
        AND other.emoji = counted.emoji AND other.withheld_from IS DISTINCT FROM $2) AS shown \
    WHERE counted.message_id = ANY ($1) AND counted.people > hidden.people \
    ORDER BY coalesce(shown.since, counted.since), counted.emoji";

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
    let query = diesel::sql_query(OF_MESSAGES)
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
        .await?;
    diesel::delete(reaction_counts::table.filter(reaction_counts::message_id.eq_any(ids)))
        .execute(connection)
        .await
        .map(drop)
}
