//! The chat's row, and how chats are found.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::schema::{chat_members, chats};
use crate::db::{Connection, text_enum};
use crate::error::Result;
use crate::id::{ChatId, ToolServerId, UserId};
use crate::page::Window;
use crate::tool::builtin::BuiltinTool;

text_enum! {
    /// Who is in the room.
    ChatKind {
        /// One person and an AI.
        Assistant = "ASSISTANT",
    }
}

text_enum! {
    /// Who gave a title.
    TitleSource {
        /// Parlor, from the first message, at once.
        Heuristic = "HEURISTIC",
        /// A person: it is never replaced by itself.
        User = "USER",
        /// The model that answered.
        Model = "MODEL",
    }
}

/// A room.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = chats, check_for_backend(diesel::pg::Pg))]
pub struct Chat {
    /// Its id.
    pub id: ChatId,
    /// Who is in it.
    pub kind: ChatKind,
    /// What it is called.
    pub title: Option<String>,
    /// Who gave the title, or took it away.
    pub title_source: Option<TitleSource>,
    /// Whose model answers here.
    pub provider: Option<String>,
    /// The model that answers here.
    pub model: Option<String>,
    /// Who made it.
    pub created_by: UserId,
    /// Whether it is its maker's always-there chat.
    pub is_default: bool,
    /// The number of its newest message.
    pub last_sequence: i64,
    /// Messages up to this number were cleared.
    pub cleared_sequence: i64,
    /// Grows with each change.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When its newest message was sent.
    pub last_activity_at: DateTime<Utc>,
    /// The servers whose tools answers here may use; some may be gone, or not be the asking person's to use.
    pub tool_server_ids: Vec<Option<ToolServerId>>,
    /// Which of Parlor's own tools answers here may use.
    pub builtin_tools: Vec<Option<BuiltinTool>>,
}

/// What a list of chats is ordered by: latest activity first.
pub type ChatKey = (DateTime<Utc>, ChatId);

/// Which chats to list.
#[derive(Debug, Default)]
pub struct ChatFilter {
    /// Part of the title.
    pub query: Option<String>,
    /// Only pinned ones, or only others.
    pub pinned: Option<bool>,
    /// Only archived ones, or only others.
    pub archived: Option<bool>,
}

/// A page of the chats that `user_id` is in, latest activity first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(
    connection: &mut Connection,
    user_id: UserId,
    filter: ChatFilter,
    window: &Window<ChatKey>,
) -> Result<Vec<Chat>> {
    let mut query = chats::table
        .inner_join(chat_members::table)
        .filter(chat_members::user_id.eq(user_id))
        .select(Chat::as_select())
        .limit(window.fetch())
        .into_boxed();
    if let Some(text) = filter.query.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let pattern: String = text
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_")
            .replace('\0', "");
        query = query.filter(chats::title.ilike(format!("%{pattern}%")));
    }
    match filter.pinned {
        Some(true) => query = query.filter(chat_members::pinned_at.is_not_null()),
        Some(false) => query = query.filter(chat_members::pinned_at.is_null()),
        None => {}
    }
    match filter.archived {
        Some(true) => query = query.filter(chat_members::archived_at.is_not_null()),
        Some(false) => query = query.filter(chat_members::archived_at.is_null()),
        None => {}
    }
    query = if window.backwards {
        query.order((chats::last_activity_at.asc(), chats::id.asc()))
    } else {
        query.order((chats::last_activity_at.desc(), chats::id.desc()))
    };
    if let Some((at, id)) = window.after {
        query = query.filter(
            chats::last_activity_at
                .lt(at)
                .or(chats::last_activity_at.eq(at).and(chats::id.lt(id))),
        );
    }
    if let Some((at, id)) = window.before {
        query = query.filter(
            chats::last_activity_at
                .gt(at)
                .or(chats::last_activity_at.eq(at).and(chats::id.gt(id))),
        );
    }
    Ok(query.load(connection).await?)
}

/// The chats with these ids, in one query. For those that the asker was shown already.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(connection: &mut Connection, ids: &[ChatId]) -> QueryResult<HashMap<ChatId, Chat>> {
    let found: Vec<Chat> = chats::table
        .filter(chats::id.eq_any(ids))
        .select(Chat::as_select())
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|chat| (chat.id, chat)).collect())
}

/// Those of the chats with these ids that `user_id` is in, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many_visible(
    connection: &mut Connection,
    user_id: UserId,
    ids: &[ChatId],
) -> QueryResult<HashMap<ChatId, Chat>> {
    let mine = chats::table
        .inner_join(chat_members::table)
        .filter(chat_members::user_id.eq(user_id))
        .filter(chats::id.eq_any(ids));
    let found: Vec<Chat> = mine.select(Chat::as_select()).load(connection).await?;
    Ok(found.into_iter().map(|chat| (chat.id, chat)).collect())
}
