//! Changing, clearing and deleting chats.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::branch::{LONG_WORK, lock_running};
use super::chat::{Chat, TitleSource};
use super::create::{checked_assistants, checked_model, checked_title};
use super::event;
use super::lifetime::{mark, own};
use super::member::Membership;
use super::room::details::{self, DetailsChange};
use super::room::direct;
use super::room::leave;
use super::room::note::{self, Note};
use crate::ai::Provider;
use crate::app::App;
use crate::assistant::assistant;
use crate::db::Connection;
use crate::db::schema::{chat_members, chats, messages};
use crate::error::{Error, ErrorCode, Result};
use crate::event::{append, append_all};
use crate::id::{AssistantId, ChatId, GenerationId, MessageId, ToolServerId, UserId};
use crate::input;
use crate::notify::rules::NotificationLevel;
use crate::tool::builtin::BuiltinTool;
use crate::tool::server;

/// The most tool servers of one chat.
const MOST_TOOL_SERVERS: usize = 8;

/// What to change; none leaves it as it is.
#[derive(Debug, Default)]
pub struct ChatChange {
    /// A new title, or an empty one to have none.
    pub title: Option<String>,
    /// Who answers, in order; nobody for the default assistant.
    pub assistants: Option<Vec<AssistantId>>,
    /// Whose model answers, or none for the assistant's.
    pub provider: Option<Option<Provider>>,
    /// The model, or an empty one for the assistant's.
    pub model: Option<String>,
    /// The servers whose tools answers here may use.
    pub tool_servers: Option<Vec<ToolServerId>>,
    /// Which of Parlor's own tools answers here may use.
    pub builtin_tools: Option<Vec<BuiltinTool>>,
    /// Keep it on top.
    pub pinned: Option<bool>,
    /// Put it away.
    pub archived: Option<bool>,
    /// How old messages may get, or none for as old as they like.
    pub lifetime: Option<Option<i32>>,
    /// Be notified of these of its messages.
    pub notifications: Option<NotificationLevel>,
    /// Be notified of none until then; the inner none for no longer.
    pub muted_until: Option<Option<DateTime<Utc>>>,
    /// What only groups have.
    pub details: DetailsChange,
}

impl ChatChange {
    /// Whether anything changes for everybody in the chat.
    fn for_all(&self) -> bool {
        let DetailsChange {
            description,
            icon_url,
            history,
            permissions,
            assistant_replies,
            payer,
        } = &self.details;
        self.title.is_some()
            || self.assistants.is_some()
            || self.provider.is_some()
            || self.model.is_some()
            || self.tool_servers.is_some()
            || self.builtin_tools.is_some()
            || self.lifetime.is_some()
            || description.is_some()
            || icon_url.is_some()
            || history.is_some()
            || permissions.is_some()
            || assistant_replies.is_some()
            || payer.is_some()
    }
}

#[derive(AsChangeset, Default)]
#[diesel(table_name = chats)]
struct ChatColumns {
    title: Option<Option<String>>,
    title_source: Option<TitleSource>,
    provider: Option<Option<String>>,
    model: Option<Option<String>>,
    tool_server_ids: Option<Vec<ToolServerId>>,
    builtin_tools: Option<Vec<BuiltinTool>>,
}

#[derive(AsChangeset, Default)]
#[diesel(table_name = chat_members)]
struct MemberColumns {
    pinned_at: Option<Option<DateTime<Utc>>>,
    archived_at: Option<Option<DateTime<Utc>>>,
    notifications: Option<NotificationLevel>,
    muted_until: Option<Option<DateTime<Utc>>>,
}

/// Changes a chat, or how it looks to the person who asks.
///
/// # Errors
/// NOT_FOUND, or what is refused; FORBIDDEN; INVALID_STATE for what the kind of chat does not have.
pub async fn update(app: &App, user_id: UserId, chat_id: ChatId, change: ChatChange) -> Result<Chat> {
    let mut columns = ChatColumns::default();
    if let Some(title) = &change.title {
        let title = checked_title(Some(title))?;
        // Also when it is taken away: it stays away.
        columns.title_source = Some(TitleSource::User);
        columns.title = Some(title);
    }
    if let Some(model) = &change.model {
        columns.model = Some(checked_model(app, &["model"], Some(model.clone()))?);
    }
    columns.provider = change
        .provider
        .map(|provider| provider.map(|provider| provider.name().to_owned()));
    columns.builtin_tools = change.builtin_tools.clone().map(each_once);
    let mut details = Some(change.details.check()?);
    if let Some(Some(until)) = change.muted_until {
        input::moment(&["mutedUntil"], "The end of the silence", until)
            .map_err(|error| Error::Rejected(vec![error]))?;
    }
    let member = MemberColumns {
        pinned_at: change.pinned.map(|pinned| pinned.then(Utc::now)),
        archived_at: change.archived.map(|archived| archived.then(Utc::now)),
        notifications: change.notifications,
        muted_until: change.muted_until,
    };
    let for_one = member.pinned_at.is_some()
        || member.archived_at.is_some()
        || member.notifications.is_some()
        || member.muted_until.is_some();
    let mut connection = app.connection().await?;
    let mut ended = Vec::new();
    let chat = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, chat_id).await?;
            let told = details::check(&membership, &change)?;
            if for_one {
                diesel::update(chat_members::table.find((chat_id, user_id)))
                    .set((member, chat_members::version.eq(chat_members::version + 1)))
                    .execute(connection)
                    .await?;
            }
            if !change.for_all() {
                if for_one {
                    append(connection, [event::chat_upserted_for(chat_id, user_id)]).await?;
                }
                return Ok::<_, Error>(membership.chat);
            }
            if let Some(ids) = &change.assistants {
                let chosen = checked_assistants(connection, user_id, ids).await?;
                assistant::choose(connection, chat_id, &chosen).await?;
            }
            if let Some(ids) = change.tool_servers.clone().map(each_once) {
                columns.tool_server_ids = Some(checked_servers(connection, user_id, ids).await?);
            }
            let mut own_lifetime = None;
            if let Some(seconds) = change.lifetime {
                if direct::blocking(connection, &membership.chat, user_id).await?.is_some() {
                    own_lifetime = Some(seconds);
                } else {
                    own::forget(connection, chat_id).await?;
                    ended = mark::set(connection, chat_id, seconds).await?;
                }
            }
            let mut events = Vec::new();
            if !told.is_empty() {
                let notes = vec![(MessageId::new(), Note::details(told))];
                events = note::tell(connection, &membership.chat, user_id, notes).await?;
            }
            if let Some(seconds) = own_lifetime {
                // All else that can be changed in a direct chat is one's own anyway.
                append_all(connection, events).await?;
                own::set(connection, chat_id, user_id, seconds).await?;
                let chat = chats::table.find(chat_id).select(Chat::as_select());
                return Ok(chat.first(connection).await?);
            }
            events.push(event::chat_upserted(chat_id));
            append_all(connection, events).await?;
            let version = (chats::version.eq(chats::version + 1), chats::updated_at.eq(now));
            let changes = (columns, details.take(), change.details.permissions, version);
            Ok(diesel::update(chats::table.find(chat_id))
                .set(changes)
                .returning(Chat::as_returning())
                .get_result(connection)
                .await?)
        })
        .await?;
    app.engine().abandon(&ended);
    app.log().wake();
    Ok(chat)
}

fn each_once<T: PartialEq + Copy>(values: Vec<T>) -> Vec<T> {
    let mut once = Vec::new();
    for value in values {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    once
}

/// The servers of a chat, all of which the person may use.
async fn checked_servers(
    connection: &mut Connection,
    user_id: UserId,
    ids: Vec<ToolServerId>,
) -> Result<Vec<ToolServerId>> {
    if ids.len() > MOST_TOOL_SERVERS {
        let message = format!("A chat uses at most {MOST_TOOL_SERVERS} tool servers.");
        return Err(Error::rejected(ErrorCode::TooLong, &["toolServerIds"], message));
    }
    if server::find_many(connection, user_id, &ids).await?.len() < ids.len() {
        return Err(Error::not_found(&["toolServerIds"], "tool server"));
    }
    Ok(ids)
}

/// Deletes one's chat with an assistant and all that was said in it; answers that are being written are stopped first.
/// Rooms of several people are left.
///
/// # Errors
/// NOT_FOUND, or [`ErrorCode::InvalidState`] for the always-there chat.
pub async fn delete(app: &App, user_id: UserId, chat_id: ChatId) -> Result<ChatId> {
    let mut connection = app.connection().await?;
    let running = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, chat_id).await?;
            if membership.chat.is_default {
                let message = "This chat is always there and cannot be deleted. Clear its history instead.";
                return Err(Error::rejected(ErrorCode::InvalidState, &["chatId"], message));
            }
            leave::depart(connection, &membership).await
        })
        .await?;
    app.engine().abandon(&running);
    app.log().wake();
    app.presence().left(chat_id, user_id);
    Ok(chat_id)
}

/// Removes all messages of a chat; answers that are being written are stopped first. In a room of several people they are
/// gone for the one who asks, and stay for the others.
///
/// # Errors
/// NOT_FOUND.
pub async fn clear_history(app: &App, user_id: UserId, chat_id: ChatId) -> Result<Chat> {
    let mut connection = app.connection().await?;
    let (chat, running) = connection
        .transaction(async |connection| {
            let Membership { chat, .. } = Membership::lock(connection, user_id, chat_id).await?;
            if chat.is_shared() {
                clear_for(connection, &chat, user_id).await?;
                return Ok((chat, Vec::new()));
            }
            let running = lock_running(connection, chat_id).await?;
            diesel::sql_query(LONG_WORK).execute(connection).await?;
            diesel::delete(messages::table.filter(messages::chat_id.eq(chat_id)))
                .execute(connection)
                .await?;
            let events = [
                event::history_cleared(chat_id, chat.last_sequence),
                event::chat_upserted(chat_id),
            ];
            append(connection, events).await?;
            let changes = (
                chats::cleared_sequence.eq(chats::last_sequence),
                chats::version.eq(chats::version + 1),
                chats::updated_at.eq(now),
            );
            let chat = diesel::update(chats::table.find(chat_id))
                .set(changes)
                .returning(Chat::as_returning())
                .get_result(connection)
                .await?;
            Ok::<(Chat, Vec<GenerationId>), Error>((chat, running))
        })
        .await?;
    app.engine().abandon(&running);
    app.log().wake();
    Ok(chat)
}

/// Keeps what was said in a room so far from one of its members.
async fn clear_for(connection: &mut Connection, chat: &Chat, user_id: UserId) -> Result<()> {
    let through = chat.last_sequence;
    let changes = (
        chat_members::history_after.eq(through),
        chat_members::last_read_sequence.eq(through),
        chat_members::version.eq(chat_members::version + 1),
    );
    diesel::update(chat_members::table.find((chat.id, user_id)))
        .set(changes)
        .execute(connection)
        .await?;
    let events = [
        event::history_cleared_for(chat.id, user_id, through),
        event::chat_upserted_for(chat.id, user_id),
    ];
    Ok(append(connection, events).await?)
}
