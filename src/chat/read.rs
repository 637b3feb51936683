//! Reading up to a message.

use diesel_async::AsyncConnection;

use super::chat::Chat;
use super::member::{self, Membership};
use super::{event, message, receipt};
use crate::app::App;
use crate::error::{Error, Result};
use crate::event::append;
use crate::id::{ChatId, MessageId, UserId};

/// Remembers that `user_id` has read the chat up to a message, and tells their other devices; among people also the others.
///
/// # Errors
/// NOT_FOUND for the chat or the message.
pub async fn mark_read(app: &App, user_id: UserId, chat_id: ChatId, message_id: MessageId) -> Result<Chat> {
    let mut connection = app.connection().await?;
    let (chat, moved) = connection
        .transaction(async |connection| {
            // In a large room all read what one has written, at once: they wait neither for each other nor for the next.
            let membership = Membership::lock_own(connection, user_id, chat_id).await?;
            let through = message::sequence_of(connection, &membership, message_id)
                .await?
                .ok_or_else(|| Error::not_found(&["messageId"], "message"))?;
            if member::mark_read(connection, &membership, through).await? {
                append(connection, [event::chat_upserted_for(chat_id, user_id)]).await?;
            }
            let moved = receipt::read(connection, &membership, through).await?;
            Ok::<_, Error>((membership.chat, moved))
        })
        .await?;
    app.log().wake();
    if moved {
        app.receipts().moved();
    }
    Ok(chat)
}
