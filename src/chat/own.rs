//! What somebody changes of a direct chat that the other, who blocks them, is not shown: it is counted for them alone.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Connection;
use crate::db::schema::{chat_members, own_changes};
use crate::id::{ChatId, UserId};

/// Counts a change that `user_id` makes for themselves in a chat, which is locked.
///
/// # Errors
/// When Postgres fails.
pub async fn change(connection: &mut Connection, chat_id: ChatId, user_id: UserId) -> QueryResult<()> {
    let row = (
        own_changes::chat_id.eq(chat_id),
        own_changes::user_id.eq(user_id),
        own_changes::changes.eq(1),
    );
    diesel::insert_into(own_changes::table)
        .values(row)
        .on_conflict((own_changes::chat_id, own_changes::user_id))
        .do_update()
        .set((
            own_changes::changes.eq(own_changes::changes + 1),
            own_changes::updated_at.eq(now),
        ))
        .execute(connection)
        .await?;
    diesel::update(chat_members::table.find((chat_id, user_id)))
        .set(chat_members::version.eq(chat_members::version + 1))
        .execute(connection)
        .await
        .map(drop)
}

/// How often `user_id` has done so in a chat: who comes back into it sees its version grow on.
///
/// # Errors
/// When Postgres fails.
pub async fn count(connection: &mut Connection, chat_id: ChatId, user_id: UserId) -> QueryResult<i32> {
    let found: Option<i32> = own_changes::table
        .find((chat_id, user_id))
        .select(own_changes::changes)
        .first(connection)
        .await
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// When `viewer` last did so in each of these chats, in one query. Those where they never did are left out.
///
/// # Errors
/// When Postgres fails.
pub async fn latest(
    connection: &mut Connection,
    viewer: UserId,
    chats: &[ChatId],
) -> QueryResult<HashMap<ChatId, DateTime<Utc>>> {
    let found: Vec<(ChatId, DateTime<Utc>)> = own_changes::table
        .filter(own_changes::user_id.eq(viewer))
        .filter(own_changes::chat_id.eq_any(chats))
        .select((own_changes::chat_id, own_changes::updated_at))
        .load(connection)
        .await?;
    Ok(found.into_iter().collect())
}
