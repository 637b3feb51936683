//! What a person lets models do without being asked again.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::schema::{tool_grants, tool_servers};
use crate::db::{Connection, text_enum};
use crate::error::{Error, Result};
use crate::id::{ChatId, ToolGrantId, ToolServerId, UserId};

text_enum! {
    /// For how long an approval of a tool is remembered.
    ToolGrantScope {
        /// For all further calls in this chat.
        ThisChat = "THIS_CHAT",
        /// For all further calls.
        Always = "ALWAYS",
    }
}

/// A tool that may be used without asking.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = tool_grants, check_for_backend(diesel::pg::Pg))]
pub struct Grant {
    /// Its id.
    pub id: ToolGrantId,
    /// Whose tool.
    pub tool_server_id: ToolServerId,
    /// Which tool.
    pub tool: String,
    /// The only chat that it is for.
    pub chat_id: Option<ChatId>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// What `user_id` lets models do, newest first, with the names of the servers.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut Connection, user_id: UserId) -> Result<Vec<(Grant, String)>> {
    let found = tool_grants::table
        .inner_join(tool_servers::table)
        .filter(tool_grants::user_id.eq(user_id))
        .order(tool_grants::id.desc())
        .select((Grant::as_select(), tool_servers::name))
        .limit(500);
    Ok(found.load(connection).await?)
}

/// The tools of these servers that `user_id` lets models use in this chat.
///
/// # Errors
/// When Postgres fails.
pub async fn of_chat(
    connection: &mut Connection,
    user_id: UserId,
    chat_id: ChatId,
    servers: &[ToolServerId],
) -> QueryResult<Vec<(ToolServerId, String)>> {
    tool_grants::table
        .filter(tool_grants::user_id.eq(user_id))
        .filter(tool_grants::tool_server_id.eq_any(servers))
        .filter(tool_grants::chat_id.is_null().or(tool_grants::chat_id.eq(chat_id)))
        .select((tool_grants::tool_server_id, tool_grants::tool))
        .load(connection)
        .await
}

/// Lets models use a tool, in one chat or in all.
///
/// # Errors
/// When Postgres fails.
pub async fn remember(
    connection: &mut Connection,
    user_id: UserId,
    (server, tool): (ToolServerId, &str),
    chat_id: Option<ChatId>,
) -> QueryResult<()> {
    let row = (
        tool_grants::id.eq(ToolGrantId::new()),
        tool_grants::user_id.eq(user_id),
        tool_grants::tool_server_id.eq(server),
        tool_grants::tool.eq(tool),
        tool_grants::chat_id.eq(chat_id),
    );
    diesel::insert_into(tool_grants::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(connection)
        .await
        .map(drop)
}

/// Wants to be asked again.
///
/// # Errors
/// NOT_FOUND for `toolGrantId`.
pub async fn forget(connection: &mut Connection, user_id: UserId, id: ToolGrantId) -> Result<ToolGrantId> {
    let mine = tool_grants::table.find(id).filter(tool_grants::user_id.eq(user_id));
    match diesel::delete(mine).execute(connection).await? {
        0 => Err(Error::not_found(&["toolGrantId"], "grant")),
        _ => Ok(id),
    }
}
