//! A change of a message changes its chat, for those who see the message.

use diesel::QueryResult;
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::event;
use super::message::Message;
use super::own;
use crate::db::schema::chats;
use crate::db::{Connection, prepared};
use crate::event::NewEvent;

/// Counts that a message changes in its chat, which is locked. Gives what tells of the message and of the chat: to everybody
/// there, or, of what is withheld from the other of a pair, to its author alone.
///
/// # Errors
/// When Postgres fails.
pub async fn touch(connection: &mut Connection, message: &Message, changed: &[&str]) -> QueryResult<[NewEvent; 2]> {
    let Message { id, chat_id, .. } = *message;
    if let Some(author) = message.author_id.filter(|_| message.withheld_from.is_some()) {
        own::change(connection, chat_id, author).await?;
        return Ok([
            event::message_updated_for(chat_id, author, id, changed),
            event::chat_upserted_for(chat_id, author),
        ]);
    }
    let grown = diesel::update(chats::table.find(chat_id))
        .set((chats::version.eq(chats::version + 1), chats::updated_at.eq(now)));
    prepared(grown).execute(connection).await?;
    Ok([
        event::message_updated(chat_id, id, changed),
        event::chat_upserted(chat_id),
    ])
}
