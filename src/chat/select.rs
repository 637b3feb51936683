//! Showing another branch.

use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::chat::Chat;
use super::member::Membership;
use super::revise::{hidden, visible};
use super::{branch, event};
use crate::app::App;
use crate::db::schema::{chats, messages};
use crate::error::{Error, Result};
use crate::event::append;
use crate::id::{MessageId, UserId};

/// Makes the active branch lead to a message, and from there along what was shown last.
///
/// # Errors
/// NOT_FOUND.
pub async fn select_branch(app: &App, user_id: UserId, id: MessageId) -> Result<Chat> {
    let mut connection = app.connection().await?;
    let chat_id = visible(&mut connection, user_id, id).await?.chat_id;
    let chat = connection
        .transaction(async |connection| {
            let Membership { chat, .. } = Membership::lock(connection, user_id, chat_id).await.map_err(hidden)?;
            let living = messages::table.find(id).filter(messages::deleted_at.is_null());
            let active: Option<bool> = living.select(messages::active).first(connection).await.optional()?;
            let active = active.ok_or_else(|| Error::not_found(&["messageId"], "message"))?;
            if active {
                return Ok::<_, Error>(chat);
            }
            let after = branch::select(connection, chat_id, id).await?;
            let events = [event::branch_changed(chat_id, after), event::chat_upserted(chat_id)];
            append(connection, events).await?;
            Ok(diesel::update(chats::table.find(chat_id))
                .set((chats::version.eq(chats::version + 1), chats::updated_at.eq(now)))
                .returning(Chat::as_returning())
                .get_result(connection)
                .await?)
        })
        .await?;
    app.log().wake();
    Ok(chat)
}
