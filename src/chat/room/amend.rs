//! Editing among people: a message says something else from then on, and what it said before is kept beside it. To one
//! who blocks its author in a direct chat it says on what it said, also when they make up.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, now};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::direct;
use super::permission::ChatPermission;
use crate::app::App;
use crate::chat::claim::{Claim, Sent};
use crate::chat::event;
use crate::chat::member::Membership;
use crate::chat::mention;
use crate::chat::message::Message;
use crate::chat::revise::hidden;
use crate::db::schema::{chats, message_edits, messages};
use crate::db::{Connection, fixed, prepared};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{MessageId, UserId};

/// The most edits of one message.
const MOST_EDITS: i64 = 100;

/// What a message said once.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct FormerText {
    #[diesel(sql_type = BigInt)]
    place: i64,
    /// Its place among them, from 1.
    #[diesel(sql_type = Integer)]
    pub number: i32,
    /// The text.
    #[diesel(sql_type = Text)]
    pub content: String,
    /// Since when.
    #[diesel(sql_type = Timestamptz)]
    pub written_at: DateTime<Utc>,
    /// Until when.
    #[diesel(sql_type = Timestamptz)]
    pub replaced_at: DateTime<Utc>,
}

/// Gives a message of `claim`'s person another text.
///
/// # Errors
/// NOT_FOUND or FORBIDDEN, INVALID_STATE for one that is too old, LIMIT_REACHED, CONFLICT.
pub async fn amend(
    app: &App,
    connection: &mut Connection,
    claim: &Claim,
    message: &Message,
    content: String,
) -> Result<Sent> {
    let stored = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, claim.user_id, message.chat_id).await;
            let membership = membership.map_err(hidden)?;
            let may = membership.check(ChatPermission::Post);
            may.map_err(|error| error.at(&["messageId"]))?;
            if !claim.take(connection, message.chat_id, message.id, None).await? {
                return Ok(None);
            }
            let minutes = app.config().settings.edit_minutes;
            let old = editable(connection, &membership, message.id, minutes).await?;
            if old.content_for(Some(claim.user_id)) == content {
                return Ok::<_, Error>(Some(old));
            }
            // What was changed once without the other of the pair goes on so.
            let withheld_from = match old.own_content {
                Some(_) => membership.chat.other_of_pair(claim.user_id),
                // They have never seen it.
                None if old.withheld_from.is_some() => None,
                None => direct::blocking(connection, &membership.chat, claim.user_id).await?,
            };
            keep(connection, &old, withheld_from).await?;
            append(connection, [event::message_updated(old.chat_id, old.id, &["CONTENT"])]).await?;
            let row = diesel::update(messages::table.find(old.id));
            let version = messages::version.eq(messages::version + 1);
            if old.own_content.is_some() || withheld_from.is_some() {
                let own = (messages::own_content.eq(content), messages::own_edited_at.eq(now));
                let changed = row.set((own, version)).returning(Message::as_returning());
                return Ok(Some(changed.get_result(connection).await?));
            }
            let changes = (
                messages::content.eq(content),
                messages::tokens.eq(None::<i32>),
                messages::edited_at.eq(now),
                version,
            );
            let changed = row.set(changes).returning(Message::as_returning());
            let new: Message = changed.get_result(connection).await?;
            if mention::amend(connection, &membership.chat, &old, &new.content).await? {
                // How many messages mention somebody is counted in the chat.
                diesel::update(chats::table.find(old.chat_id))
                    .set(chats::version.eq(chats::version + 1))
                    .execute(connection)
                    .await?;
                append(connection, [event::chat_upserted(old.chat_id)]).await?;
            }
            Ok(Some(new))
        })
        .await?;
    let Some(message) = stored else {
        // Another request with the same key was faster by a moment.
        let first = claim.first_result(connection).await?;
        return first.ok_or_else(|| Error::internal("a claimed key without a result"));
    };
    app.log().wake();
    Ok(Sent {
        message,
        generations: Vec::new(),
        so_far: String::new(),
    })
}

/// The message as it is now that its chat is locked, if it may still be edited. How old it is says the clock of Postgres,
/// which has also said when it was sent.
async fn editable(
    connection: &mut Connection,
    membership: &Membership,
    id: MessageId,
    minutes: u32,
) -> Result<Message> {
    let refuse = |message: String| Err(Error::rejected(ErrorCode::InvalidState, &["messageId"], message));
    if minutes == 0 {
        return refuse("Messages cannot be edited on this server. Send a new one instead.".into());
    }
    let age = fixed::<Double>("extract(epoch FROM now() - messages.created_at)::float8");
    let found: Option<(Message, f64)> = messages::table
        .find(id)
        .filter(messages::sequence.gt(membership.history_after))
        .filter(messages::deleted_at.is_null())
        .select((Message::as_select(), age))
        .first(connection)
        .await
        .optional()?;
    let (message, age) = found.ok_or_else(|| Error::not_found(&["messageId"], "message"))?;
    if age < f64::from(minutes) * 60.0 {
        return Ok(message);
    }
    let window = match minutes {
        1 => "a minute".to_owned(),
        minutes if minutes % 60 != 0 => format!("{minutes} minutes"),
        60 => "an hour".to_owned(),
        minutes => format!("{} hours", minutes / 60),
    };
    refuse(format!(
        "Messages can be edited for {window} and no longer. Send a new one instead."
    ))
}

/// Keeps what a message says to its author before it says something else, for all but `withheld_from`: to them it says on
/// what it said.
async fn keep(connection: &mut Connection, old: &Message, withheld_from: Option<UserId>) -> Result<()> {
    let edits = message_edits::table.filter(message_edits::message_id.eq(old.id));
    let edits: i64 = edits.select(count_star()).first(connection).await?;
    if edits >= MOST_EDITS {
        let message = format!("A message can be edited {MOST_EDITS} times. Send a new one instead.");
        return Err(Error::rejected(ErrorCode::LimitReached, &["messageId"], message));
    }
    let author = old.author_id;
    let row = (
        message_edits::message_id.eq(old.id),
        message_edits::number.eq(i32::try_from(edits + 1).unwrap_or(i32::MAX)),
        message_edits::content.eq(old.content_for(author)),
        message_edits::written_at.eq(old.edited_at_for(author).unwrap_or(old.created_at)),
        message_edits::withheld_from.eq(withheld_from),
    );
    diesel::insert_into(message_edits::table)
        .values(row)
        .execute(connection)
        .await?;
    Ok(())
}

/// A page of what one message said once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Which message.
    pub message_id: MessageId,
    /// Only texts after this one.
    pub after: Option<i32>,
    /// How many.
    pub most: i64,
}

const PAGES: &str = "SELECT wanted.place, edit.number, edit.content, edit.written_at, edit.replaced_at \
    FROM unnest($1, $2, $3) WITH ORDINALITY AS wanted (message_id, after, most, place) CROSS JOIN LATERAL (\
      SELECT number, content, written_at, replaced_at FROM message_edits \
      WHERE message_edits.message_id = wanted.message_id AND number > coalesce(wanted.after, 0) AND withheld_from IS DISTINCT FROM $4 \
      ORDER BY number LIMIT wanted.most) AS edit \
    ORDER BY wanted.place, edit.number";

/// Pages of what messages said once, in one query. For messages that `viewer` was shown.
///
/// # Errors
/// When Postgres fails.
pub async fn pages(
    connection: &mut Connection,
    viewer: UserId,
    wanted: &[Wanted],
) -> QueryResult<HashMap<Wanted, Vec<FormerText>>> {
    let ids: Vec<MessageId> = wanted.iter().map(|page| page.message_id).collect();
    let after: Vec<Option<i32>> = wanted.iter().map(|page| page.after).collect();
    let most: Vec<i64> = wanted.iter().map(|page| page.most).collect();
    let query = diesel::sql_query(PAGES)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Nullable<Integer>>, _>(after)
        .bind::<Array<BigInt>, _>(most)
        .bind::<SqlUuid, _>(viewer);
    let rows: Vec<FormerText> = prepared(query).load(connection).await?;
    let mut pages: HashMap<Wanted, Vec<FormerText>> = HashMap::new();
    for row in rows {
        let place = usize::try_from(row.place - 1).unwrap_or(usize::MAX);
        if let Some(page) = wanted.get(place) {
            pages.entry(*page).or_default().push(row);
        }
    }
    Ok(pages)
}
