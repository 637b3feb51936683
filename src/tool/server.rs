//! The rows of tool servers, and who may see them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::listing::KnownTool;
use crate::db::schema::tool_servers;
use crate::db::{Connection, text_enum};
use crate::error::Result;
use crate::id::{ToolServerId, UserId};

text_enum! {
    /// How a tool server is spoken to.
    ToolTransport {
        /// Over HTTP, in the way MCP calls "streamable HTTP".
        StreamableHttp = "STREAMABLE_HTTP",
        /// As a process of the machine that Parlor runs on, over its standard input and output.
        Stdio = "STDIO",
    }
}

text_enum! {
    /// Which calls of a server's tools wait until a person has approved them.
    ToolApproval {
        /// All of them.
        Always = "ALWAYS",
        /// Those of tools that do not say that they only read. It is the server that says so.
        Writes = "WRITES",
        /// None: for servers that are trusted with whatever a model may think up.
        Never = "NEVER",
    }
}

/// A tool server's row. Not a GraphQL type: the API shows a [`super::api::ToolServer`].
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = tool_servers, check_for_backend(diesel::pg::Pg))]
pub struct StoredServer {
    /// Its id.
    pub id: ToolServerId,
    /// Whose it is; none for a shared one.
    pub owner_id: Option<UserId>,
    /// What it is called.
    pub name: String,
    /// How it is spoken to.
    pub transport: ToolTransport,
    /// Where it is.
    pub url: Option<String>,
    /// What to start.
    pub command: Option<String>,
    arguments: Vec<Option<String>>,
    secret_names: Vec<Option<String>>,
    pub(super) sealed: Option<Vec<u8>>,
    /// Which calls wait for a person.
    pub approval: ToolApproval,
    /// Whether it is told who asks.
    pub tells_user: bool,
    /// Whether its tools are offered.
    pub enabled: bool,
    tools: serde_json::Value,
    /// When they were listed.
    pub tools_listed_at: Option<DateTime<Utc>>,
    /// Grows when the way to it changes.
    pub revision: i32,
    /// What was wrong with it last.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<DateTime<Utc>>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

impl std::fmt::Debug for StoredServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("StoredServer")
            .field("id", &self.id)
            .field("sealed", &"[redacted]")
            .finish_non_exhaustive()
    }
}

impl StoredServer {
    /// What to start it with.
    pub fn arguments(&self) -> Vec<&str> {
        self.arguments.iter().flatten().map(String::as_str).collect()
    }

    /// The names of its sealed headers or variables.
    pub fn secret_names(&self) -> Vec<&str> {
        self.secret_names.iter().flatten().map(String::as_str).collect()
    }

    /// Its tools, as it listed them last.
    pub fn tools(&self) -> Vec<KnownTool> {
        serde_json::from_value(self.tools.clone()).unwrap_or_default()
    }
}

/// The servers whose tools `user_id` may use: their own, and the shared ones that are switched on.
///
/// # Errors
/// When Postgres fails.
pub async fn visible(connection: &mut Connection, user_id: UserId) -> Result<Vec<StoredServer>> {
    let shared = tool_servers::owner_id.is_null().and(tool_servers::enabled);
    let found = tool_servers::table
        .filter(tool_servers::owner_id.eq(user_id).or(shared))
        .order((tool_servers::owner_id.asc().nulls_last(), tool_servers::name.asc()))
        .select(StoredServer::as_select());
    Ok(found.load(connection).await?)
}

/// Those of the servers with these ids that `user_id` can see.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(
    connection: &mut Connection,
    user_id: UserId,
    ids: &[ToolServerId],
) -> Result<Vec<StoredServer>> {
    let shared = tool_servers::owner_id.is_null().and(tool_servers::enabled);
    let found = tool_servers::table
        .filter(tool_servers::id.eq_any(ids))
        .filter(tool_servers::owner_id.eq(user_id).or(shared))
        .select(StoredServer::as_select());
    Ok(found.load(connection).await?)
}

/// The servers that administrators share, switched off ones too.
///
/// # Errors
/// When Postgres fails.
pub async fn shared(connection: &mut Connection) -> Result<Vec<StoredServer>> {
    let found = tool_servers::table
        .filter(tool_servers::owner_id.is_null())
        .order(tool_servers::name.asc())
        .select(StoredServer::as_select());
    Ok(found.load(connection).await?)
}

/// Those of the servers with these ids that `user_id` may use, by name.
///
/// # Errors
/// When Postgres fails.
pub async fn usable(connection: &mut Connection, user_id: UserId, ids: &[ToolServerId]) -> Result<Vec<StoredServer>> {
    let theirs = tool_servers::owner_id.eq(user_id).or(tool_servers::owner_id.is_null());
    let found = tool_servers::table
        .filter(tool_servers::id.eq_any(ids))
        .filter(tool_servers::enabled)
        .filter(theirs)
        .order((tool_servers::name.asc(), tool_servers::id.asc()))
        .select(StoredServer::as_select());
    Ok(found.load(connection).await?)
}

/// One server that `user_id` may look at: one of their own, or a shared one; for administrators a switched off one too.
///
/// # Errors
/// When Postgres fails.
pub async fn find(
    connection: &mut Connection,
    user_id: UserId,
    is_admin: bool,
    id: ToolServerId,
) -> Result<Option<StoredServer>> {
    let mut query = tool_servers::table
        .find(id)
        .select(StoredServer::as_select())
        .into_boxed();
    let own = tool_servers::owner_id.eq(user_id);
    query = if is_admin {
        query.filter(own.or(tool_servers::owner_id.is_null()))
    } else {
        query.filter(own.or(tool_servers::owner_id.is_null().and(tool_servers::enabled)))
    };
    Ok(query.first(connection).await.optional()?)
}
