//! Pins: messages that are kept in sight for all in a chat.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::chat::ChatKind;
use super::lifetime::lives;
use super::member::Membership;
use super::message::Message;
use super::revise::{hidden, visible};
use super::room::note::{Note, tell};
use super::room::permission::ChatPermission;
use super::touch::touch;
use crate::app::App;
use crate::db::schema::messages;
use crate::db::{Connection, lives};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append_all;
use crate::id::{ChatId, MessageId, UserId};

/// The most pinned messages of one chat.
const MOST_PINS: i64 = 50;

/// Pins a message, or takes it down again; one that is so already stays as it is.
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, LIMIT_REACHED.
pub async fn set_pinned(app: &App, user_id: UserId, id: MessageId, is_on: bool) -> Result<Message> {
    let mut connection = app.connection().await?;
    let chat_id = visible(&mut connection, user_id, id).await?.chat_id;
    let message = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, chat_id).await.map_err(hidden)?;
            let message = visible(connection, user_id, id).await?;
            let may = membership.check(ChatPermission::Pin);
            may.map_err(|error| error.at(&["messageId"]))?;
            if message.pinned_at.is_some() == is_on {
                return Ok::<_, Error>(message);
            }
            let chat = &membership.chat;
            let mut events = Vec::new();
            if is_on {
                check_room(connection, user_id, chat_id).await?;
                if chat.kind == ChatKind::Group {
                    let notes = vec![(MessageId::new(), Note::pinned(id))];
                    events = tell(connection, chat, user_id, notes).await?;
                }
            }
            events.extend(touch(connection, &message, &["PINNED"]).await?);
            append_all(connection, events).await?;
            let version = messages::version.eq(messages::version + 1);
            let by = messages::pinned_by.eq(is_on.then_some(user_id));
            let message = messages::table.find(id);
            let changed: Message = match is_on {
                true => {
                    diesel::update(message)
                        .set((messages::pinned_at.eq(now), by, version))
                        .returning(Message::as_returning())
                        .get_result(connection)
                        .await?
                }
                false => {
                    diesel::update(message)
                        .set((messages::pinned_at.eq(None::<DateTime<Utc>>), by, version))
                        .returning(Message::as_returning())
                        .get_result(connection)
                        .await?
                }
            };
            Ok(changed)
        })
        .await?;
    app.log().wake();
    Ok(message)
}

/// Refuses a pin where `user_id` sees as many as there may be. The chat is locked.
async fn check_room(connection: &mut Connection, user_id: UserId, chat_id: ChatId) -> Result<()> {
    let pins = messages::table
        .filter(messages::chat_id.eq(chat_id))
        .filter(messages::pinned_at.is_not_null())
        .filter(messages::withheld_from.is_distinct_from(user_id))
        .filter(lives());
    let pins: i64 = pins.count().get_result(connection).await?;
    if pins < MOST_PINS {
        return Ok(());
    }
    let words = format!("A chat has at most {MOST_PINS} pinned messages. Unpin one first.");
    Err(Error::rejected(ErrorCode::LimitReached, &["messageId"], words))
}

/// A page of the pinned messages of one chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Which chat.
    pub chat_id: ChatId,
    /// Messages up to this number are not shown.
    pub history_after: i64,
    /// Only messages with lower numbers.
    pub after: Option<i64>,
    /// How many.
    pub most: i64,
}

const PAGES: &str = concat!(
    "SELECT wanted.place, pinned.* \
    FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS wanted (of_chat, history_after, after, most, place) \
    CROSS JOIN LATERAL (SELECT * FROM messages \
      WHERE chat_id = wanted.of_chat AND pinned_at IS NOT NULL AND sequence > wanted.history_after AND withheld_from IS DISTINCT FROM $5 \
        AND (wanted.after IS NULL OR sequence < wanted.after) AND ",
    lives!("messages"),
    " ORDER BY sequence DESC LIMIT wanted.most) AS pinned \
    ORDER BY wanted.place, pinned.sequence DESC"
);

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    place: i64,
    #[diesel(embed)]
    message: Message,
}

/// Pages of chats' pinned messages, in one query. For chats that `viewer` was shown.
///
/// # Errors
/// When Postgres fails.
pub async fn pages(
    connection: &mut Connection,
    viewer: UserId,
    wanted: &[Wanted],
) -> QueryResult<HashMap<Wanted, Vec<Message>>> {
    let chats: Vec<ChatId> = wanted.iter().map(|page| page.chat_id).collect();
    let histories: Vec<i64> = wanted.iter().map(|page| page.history_after).collect();
    let after: Vec<Option<i64>> = wanted.iter().map(|page| page.after).collect();
    let most: Vec<i64> = wanted.iter().map(|page| page.most).collect();
    let query = diesel::sql_query(PAGES)
        .bind::<Array<SqlUuid>, _>(chats)
        .bind::<Array<BigInt>, _>(histories)
        .bind::<Array<Nullable<BigInt>>, _>(after)
        .bind::<Array<BigInt>, _>(most)
        .bind::<SqlUuid, _>(viewer);
    let rows: Vec<Row> = query.load(connection).await?;
    let mut pages: HashMap<Wanted, Vec<Message>> = HashMap::new();
    for row in rows {
        let place = usize::try_from(row.place - 1).unwrap_or(usize::MAX);
        if let Some(page) = wanted.get(place) {
            pages.entry(*page).or_default().push(row.message);
        }
    }
    Ok(pages)
}
