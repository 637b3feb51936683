//! The chat's row, and how chats are found.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Timestamptz};
use diesel_async::RunQueryDsl;

use super::room::asked::AssistantReplies;
use super::room::permission::Permissions;
use super::room::purse::ChatPayer;
use crate::db::schema::{chat_members, chats, users};
use crate::db::{Connection, text_enum};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, ToolServerId, UserId};
use crate::page::Window;
use crate::tool::builtin::BuiltinTool;

text_enum! {
    /// Who is in the room.
    ChatKind {
        /// One person and an AI.
        Assistant = "ASSISTANT",
        /// Two people; there is one such chat for each two.
        Direct = "DIRECT",
        /// As many people as there are.
        Group = "GROUP",
    }
}

text_enum! {
    /// What those see who join a group.
    ChatHistory {
        /// What is said after they have joined.
        FromJoining = "FROM_JOINING",
        /// All that was said from the start.
        FromStart = "FROM_START",
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
    /// Whose chat with an AI it is; none for rooms of several people.
    pub created_by: Option<UserId>,
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
    /// What a group is for.
    pub description: Option<String>,
    /// The picture of a group.
    pub icon_url: Option<String>,
    /// Of the two people of a direct chat the one with the lower id, unless the account is gone.
    pub direct_low_id: Option<UserId>,
    /// The one with the higher id, unless the account is gone.
    pub direct_high_id: Option<UserId>,
    /// What those see who join the group from now on.
    pub history: ChatHistory,
    /// Who may do what in the group.
    #[diesel(embed)]
    pub permissions: Permissions,
    /// When the assistants of the group answer.
    pub assistant_replies: AssistantReplies,
    /// Who pays for the answers in the group.
    pub payer: ChatPayer,
}

impl Chat {
    /// Whether it is a room of people rather than one's own with an AI.
    pub fn is_shared(&self) -> bool {
        self.kind != ChatKind::Assistant
    }

    /// The other person of a direct chat whom `user_id` is one of; none in other rooms, and when their account is gone.
    pub fn other_of_pair(&self, user_id: UserId) -> Option<UserId> {
        let pair = [self.direct_low_id, self.direct_high_id];
        pair.into_iter().flatten().find(|id| *id != user_id)
    }

    /// Refuses what only one's own chats with assistants have.
    ///
    /// # Errors
    /// INVALID_STATE for `field`.
    pub fn answers(&self, field: &str) -> Result<()> {
        if !self.is_shared() {
            return Ok(());
        }
        let message = "Rooms of people do not have this. Do it in a chat of your own with an assistant.";
        Err(Error::rejected(ErrorCode::InvalidState, &[field], message))
    }
}

/// What a list of chats is ordered by: latest activity first.
pub type ChatKey = (DateTime<Utc>, ChatId);

/// Which chats to list.
#[derive(Debug, Default)]
pub struct ChatFilter {
    /// Part of the title; of a direct chat, of the other person's name.
    pub query: Option<String>,
    /// Only pinned ones, or only others.
    pub pinned: Option<bool>,
    /// Only archived ones, or only others.
    pub archived: Option<bool>,
    /// Only those of these kinds.
    pub kinds: Option<Vec<ChatKind>>,
}

define_sql_function! {
    /// The later one of two moments, where there are two.
    fn greatest(one: Nullable<Timestamptz>, other: Nullable<Timestamptz>) -> Nullable<Timestamptz>;
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
        .select((Chat::as_select(), chat_members::own_activity_at))
        .limit(window.fetch())
        .into_boxed();
    let active = greatest(chats::last_activity_at.nullable(), chat_members::own_activity_at);
    if let Some(text) = filter.query.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        let pattern: String = text
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_")
            .replace('\0', "");
        let pattern = format!("%{pattern}%");
        // A direct chat is called by the other person's name.
        let other = users::table
            .filter(
                chats::direct_low_id
                    .eq(users::id.nullable())
                    .or(chats::direct_high_id.eq(users::id.nullable())),
            )
            .filter(users::id.ne(user_id))
            .filter(
                users::display_name
                    .ilike(pattern.clone())
                    .or(users::username.ilike(pattern.clone())),
            );
        let other = chats::kind.eq(ChatKind::Direct).and(diesel::dsl::exists(other));
        query = query.filter(chats::title.ilike(pattern).or(other));
    }
    if let Some(kinds) = filter.kinds {
        query = query.filter(chats::kind.eq_any(kinds));
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
        query.order((active.asc(), chats::id.asc()))
    } else {
        query.order((active.desc(), chats::id.desc()))
    };
    if let Some((at, id)) = window.after {
        query = query.filter(active.lt(at).or(active.eq(at).and(chats::id.lt(id))));
    }
    if let Some((at, id)) = window.before {
        query = query.filter(active.gt(at).or(active.eq(at).and(chats::id.gt(id))));
    }
    let found: Vec<(Chat, Option<DateTime<Utc>>)> = query.load(connection).await?;
    let shown = found.into_iter().map(|(mut chat, own)| {
        chat.last_activity_at = own.map_or(chat.last_activity_at, |own| own.max(chat.last_activity_at));
        chat
    });
    Ok(shown.collect())
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
