//! The chat's events: their names in the log, and the one way to write each.

use diesel::QueryResult;
use serde_json::json;

use crate::db::Connection;
use crate::event::{Audience, append};
use crate::id::{ChatId, MessageId, UserId};

/// A chat appeared or changed.
pub const CHAT_UPSERTED: &str = "chat.upserted";
/// A chat is gone for one person.
pub const CHAT_REMOVED: &str = "chat.removed";
/// A chat's messages up to a number are gone.
pub const HISTORY_CLEARED: &str = "chat.cleared";
/// A message was sent.
pub const MESSAGE_CREATED: &str = "message.created";
/// A message changed.
pub const MESSAGE_UPDATED: &str = "message.updated";

/// The chat changed for all its members.
///
/// # Errors
/// When Postgres fails.
pub async fn chat_upserted(connection: &mut Connection, chat_id: ChatId) -> QueryResult<()> {
    append(
        connection,
        Audience::Chat(chat_id),
        CHAT_UPSERTED,
        json!({ "chatId": chat_id.0 }),
    )
    .await
}

/// The chat looks different to one member.
///
/// # Errors
/// When Postgres fails.
pub async fn chat_upserted_for(connection: &mut Connection, chat_id: ChatId, user_id: UserId) -> QueryResult<()> {
    append(
        connection,
        Audience::User(user_id),
        CHAT_UPSERTED,
        json!({ "chatId": chat_id.0 }),
    )
    .await
}

/// The chat is gone for one person.
///
/// # Errors
/// When Postgres fails.
pub async fn chat_removed(connection: &mut Connection, chat_id: ChatId, user_id: UserId) -> QueryResult<()> {
    append(
        connection,
        Audience::User(user_id),
        CHAT_REMOVED,
        json!({ "chatId": chat_id.0 }),
    )
    .await
}

/// The chat's messages up to `through` are gone.
///
/// # Errors
/// When Postgres fails.
pub async fn history_cleared(connection: &mut Connection, chat_id: ChatId, through: i64) -> QueryResult<()> {
    append(
        connection,
        Audience::Chat(chat_id),
        HISTORY_CLEARED,
        json!({ "chatId": chat_id.0, "through": through }),
    )
    .await
}

/// A message was sent.
///
/// # Errors
/// When Postgres fails.
pub async fn message_created(connection: &mut Connection, chat_id: ChatId, message_id: MessageId) -> QueryResult<()> {
    append(
        connection,
        Audience::Chat(chat_id),
        MESSAGE_CREATED,
        json!({ "chatId": chat_id.0, "messageId": message_id.0 }),
    )
    .await
}

/// A message changed; `changed` names what.
///
/// # Errors
/// When Postgres fails.
pub async fn message_updated(
    connection: &mut Connection,
    chat_id: ChatId,
    message_id: MessageId,
    changed: &[&str],
) -> QueryResult<()> {
    let payload = json!({ "chatId": chat_id.0, "messageId": message_id.0, "changed": changed });
    append(connection, Audience::Chat(chat_id), MESSAGE_UPDATED, payload).await
}
