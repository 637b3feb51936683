//! Leaving rooms. A group stays with the others, and is gone with the last; a direct chat waits for the next message.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::member::give_role;
use super::note::{Note, SystemKind, tell};
use super::permission::MemberRole;
use super::{direct, purse, staff};
use crate::app::App;
use crate::chat::branch::{LONG_WORK, lock_running};
use crate::chat::chat::ChatKind;
use crate::chat::event;
use crate::chat::member::Membership;
use crate::chat::receipt;
use crate::db::Connection;
use crate::db::schema::{chat_members, chats, users};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append_all;
use crate::id::{ChatId, GenerationId, MessageId, UserId};

/// Leaves a room. An owner hands a group over to the moderator who is there longest, else to the member who is. Those who
/// are deactivated come after all others.
///
/// # Errors
/// NOT_FOUND, INVALID_STATE for a chat with an assistant.
pub async fn leave(app: &App, user_id: UserId, chat_id: ChatId) -> Result<ChatId> {
    let mut connection = app.connection().await?;
    let running = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, chat_id).await?;
            if !membership.chat.is_shared() {
                let message = "This chat is yours alone. Delete it instead.";
                return Err(Error::rejected(ErrorCode::InvalidState, &["chatId"], message));
            }
            depart(connection, &membership).await
        })
        .await?;
    app.engine().abandon(&running);
    app.log().wake();
    app.presence().left(chat_id, user_id);
    Ok(chat_id)
}

/// Takes a member out of a room, and with them their private assistants; gives the answers that end with it.
///
/// # Errors
/// When Postgres fails.
pub async fn depart(connection: &mut Connection, membership: &Membership) -> Result<Vec<GenerationId>> {
    let Membership { chat, user_id, .. } = membership;
    diesel::delete(chat_members::table.find((chat.id, *user_id)))
        .execute(connection)
        .await?;
    let mut events = vec![event::chat_removed(chat.id, *user_id)];
    let Some((heir, _)) = heir(connection, chat.id).await? else {
        append_all(connection, events).await?;
        if direct::outlives(connection, membership).await? {
            return Ok(Vec::new());
        }
        return erase(connection, chat.id).await;
    };
    if chat.kind == ChatKind::Group {
        let mut notes = vec![(MessageId::new(), Note::about(SystemKind::MemberLeft, *user_id))];
        notes.extend(staff::leave_with(connection, chat.id, *user_id).await?);
        if membership.role == MemberRole::Owner {
            give_role(connection, chat.id, heir, MemberRole::Owner).await?;
            notes.push((MessageId::new(), Note::role(heir, MemberRole::Owner)));
            notes.extend(purse::given_over(connection, chat).await?);
        }
        events.extend(tell(connection, chat, *user_id, notes).await?);
        events.push(event::chat_upserted(chat.id));
        let freed = receipt::freed(connection, chat.id, *user_id).await?;
        events.extend(freed.map(|furthest| event::receipts_updated(chat.id, &[furthest])));
    }
    append_all(connection, events).await?;
    Ok(Vec::new())
}

/// Who of those that are left comes first; none when nobody is left. Whoever may come back is waited for, and one that is
/// being deleted leaves, too, so that it goes on from there.
async fn heir(connection: &mut Connection, chat_id: ChatId) -> QueryResult<Option<(UserId, MemberRole)>> {
    chat_members::table
        .inner_join(users::table)
        .filter(chat_members::chat_id.eq(chat_id))
        // MODERATOR comes after MEMBER by the alphabet, too.
        .order((
            users::deactivated_at.is_null().desc(),
            users::deleted_at.is_null().desc(),
            chat_members::role.desc(),
            chat_members::joined_at.asc(),
            chat_members::user_id.asc(),
        ))
        .select((chat_members::user_id, chat_members::role))
        .first(connection)
        .await
        .optional()
}

/// Deletes a chat that is locked, with all that was said in it; gives the answers that were being written.
///
/// # Errors
/// When Postgres fails.
pub async fn erase(connection: &mut Connection, chat_id: ChatId) -> Result<Vec<GenerationId>> {
    let running = lock_running(connection, chat_id).await?;
    diesel::sql_query(LONG_WORK).execute(connection).await?;
    diesel::delete(chats::table.find(chat_id)).execute(connection).await?;
    Ok(running)
}
