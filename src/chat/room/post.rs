//! Sending to people: a message and no answer.

use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::direct;
use super::permission::ChatPermission;
use crate::app::App;
use crate::chat::chat::Chat;
use crate::chat::claim::{Claim, Sent};
use crate::chat::event;
use crate::chat::extras::Extras;
use crate::chat::member::Membership;
use crate::chat::message::{Message, MessageRole, NewRow, coalesce};
use crate::chat::send::NewMessage;
use crate::db::Connection;
use crate::db::schema::{chat_members, chats, messages};
use crate::error::{Error, Result};
use crate::event::append;
use crate::id::{MessageId, UserId};

/// Sends a checked text to a room of people.
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, CONFLICT.
pub async fn post(
    app: &App,
    connection: &mut Connection,
    claim: &Claim,
    new: &NewMessage,
    content: String,
) -> Result<Sent> {
    let stored = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, claim.user_id, new.chat_id).await?;
            membership.check(ChatPermission::Post)?;
            store(connection, claim, &membership, content, &new.extras).await
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

async fn store(
    connection: &mut Connection,
    claim: &Claim,
    membership: &Membership,
    content: String,
    extras: &Extras,
) -> Result<Option<Message>> {
    let Membership { chat, user_id, .. } = membership;
    let id = MessageId::new();
    let shared: &Connection = connection;
    let (taken, replies) = tokio::join!(
        claim.take(shared, chat.id, id, None),
        extras.check_reply(shared, membership)
    );
    if !taken? {
        return Ok(None);
    }
    replies?;
    direct::gather(connection, chat).await?;
    let row = NewRow {
        id,
        chat_id: chat.id,
        sequence: chat.last_sequence + 1,
        role: MessageRole::User,
        author_id: Some(*user_id),
        content,
        idempotency_key: Some(claim.key.clone()),
        assistant_id: None,
        active: true,
        chosen: true,
        tokens: None,
        extras: extras.clone(),
    };
    let Said { messages } = say(connection, chat, *user_id, vec![row]).await?;
    let events = [event::message_created(chat.id, id), event::chat_upserted(chat.id)];
    append(connection, events).await?;
    let message = messages.into_iter().next();
    message
        .map(Some)
        .ok_or_else(|| Error::internal("an inserted message did not come back"))
}

/// What was put at the end of a room.
pub(super) struct Said {
    /// The messages, in order.
    pub(super) messages: Vec<Message>,
}

/// Puts messages of `author`, numbered on from its newest, at the end of a room that is locked, and counts them in its row.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn say(connection: &mut Connection, chat: &Chat, author: UserId, rows: Vec<NewRow>) -> Result<Said> {
    let last = rows.last().map_or(chat.last_sequence, |row| row.sequence);
    let mut before: Option<MessageId> = None;
    let mut placed = Vec::with_capacity(rows.len());
    for row in rows {
        let end = messages::table
            .filter(messages::chat_id.eq(chat.id))
            .filter(messages::active)
            .order(messages::sequence.desc())
            .select(messages::id)
            .limit(1)
            .single_value();
        let parent = before.replace(row.id);
        placed.push((row, messages::parent_id.eq(coalesce(parent, end))));
    }
    let counted = (
        chats::last_sequence.eq(last),
        chats::version.eq(chats::version + 1),
        chats::updated_at.eq(now),
        chats::last_activity_at.eq(now),
    );
    // On their way together.
    let shared: &Connection = connection;
    let (mut one, mut other, mut third) = (shared, shared, shared);
    let counted = diesel::update(chats::table.find(chat.id))
        .set(counted)
        .execute(&mut one);
    // Whoever had read everything has read everything still; what came meanwhile from others stays unread.
    let theirs = chat_members::table
        .find((chat.id, author))
        .filter(chat_members::last_read_sequence.ge(chat.last_sequence));
    let read = diesel::update(theirs)
        .set(chat_members::last_read_sequence.eq(last))
        .execute(&mut third);
    let (counted, read, mut said) = match <[_; 1]>::try_from(placed) {
        // An array, so that the statement stays prepared.
        Ok(only) => {
            let inserted = diesel::insert_into(messages::table)
                .values(only)
                .returning(Message::as_returning())
                .get_results::<Message>(&mut other);
            tokio::join!(counted, read, inserted)
        }
        Err(placed) => {
            let inserted = diesel::insert_into(messages::table)
                .values(placed)
                .returning(Message::as_returning())
                .get_results::<Message>(&mut other);
            tokio::join!(counted, read, inserted)
        }
    };
    counted?;
    read?;
    if let Ok(messages) = &mut said {
        messages.sort_by_key(|message| message.sequence);
    }
    Ok(Said { messages: said? })
}
