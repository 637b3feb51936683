//! The chat's row, and what people do with chats as a whole.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::event;
use super::member::Membership;
use crate::ai::Provider;
use crate::app::App;
use crate::db::schema::{chat_members, chats, generations, messages};
use crate::db::{Connection, text_enum};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, GenerationId, UserId};
use crate::input;
use crate::page::Window;

text_enum! {
    /// Who is in the room.
    ChatKind {
        /// One person and an AI.
        Assistant = "ASSISTANT",
    }
}

/// The most chats that one person may have.
const MOST_CHATS: i64 = 100_000;

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
}

/// What a list of chats is ordered by: latest activity first.
pub type ChatKey = (DateTime<Utc>, ChatId);

/// What a person wants in a new chat.
#[derive(Debug, Default)]
pub struct NewChat {
    /// What to call it; without one, the first message gives it a title.
    pub title: Option<String>,
    /// Whose model is to answer.
    pub provider: Option<Provider>,
    /// Which model is to answer.
    pub model: Option<String>,
    /// Makes a retry return the same chat.
    pub idempotency_key: Option<String>,
}

/// What to change; none leaves it as it is.
#[derive(Debug, Default)]
pub struct ChatChange {
    /// A new title, or an empty one to have none.
    pub title: Option<String>,
    /// Whose model answers, or none for whichever key there is.
    pub provider: Option<Option<Provider>>,
    /// The model, or an empty one for the default.
    pub model: Option<String>,
    /// Keep it on top.
    pub pinned: Option<bool>,
    /// Put it away.
    pub archived: Option<bool>,
}

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

#[derive(AsChangeset, Default)]
#[diesel(table_name = chats)]
struct ChatColumns {
    title: Option<Option<String>>,
    title_source: Option<Option<String>>,
    provider: Option<Option<String>>,
    model: Option<Option<String>>,
}

#[derive(AsChangeset, Default)]
#[diesel(table_name = chat_members)]
struct MemberColumns {
    pinned_at: Option<Option<DateTime<Utc>>>,
    archived_at: Option<Option<DateTime<Utc>>>,
}

/// Makes a chat with the assistant.
///
/// # Errors
/// Refused titles and models; [`ErrorCode::Conflict`] for a key that made another chat.
pub async fn create(app: &App, user_id: UserId, wanted: NewChat) -> Result<Chat> {
    let title = checked_title(wanted.title.as_deref())?;
    let model = checked_model(app, wanted.model)?;
    let key = wanted
        .idempotency_key
        .map(|key| input::idempotency_key(&key))
        .transpose()
        .map_err(|error| Error::Rejected(vec![error]))?;
    let provider = wanted.provider.map(|provider| provider.name().to_owned());
    let mut connection = app.connection().await?;
    let row = NewRow {
        title,
        provider,
        model,
        key,
        is_default: false,
    };
    let (chat, made) = connection
        .transaction(async |connection| insert(connection, user_id, row).await)
        .await?;
    if made {
        app.log().wake();
    }
    Ok(chat)
}

struct NewRow {
    title: Option<String>,
    provider: Option<String>,
    model: Option<String>,
    key: Option<String>,
    is_default: bool,
}

async fn insert(connection: &mut Connection, user_id: UserId, row: NewRow) -> Result<(Chat, bool)> {
    let have: i64 = chat_members::table
        .filter(chat_members::user_id.eq(user_id))
        .count()
        .get_result(connection)
        .await?;
    if have >= MOST_CHATS {
        return Err(Error::rejected(
            ErrorCode::LimitReached,
            &[],
            format!("You have {MOST_CHATS} chats. Delete some first."),
        ));
    }
    let values = (
        chats::id.eq(ChatId::new()),
        chats::kind.eq(ChatKind::Assistant),
        chats::title_source.eq(row.title.as_ref().map(|_| "USER")),
        chats::title.eq(&row.title),
        chats::provider.eq(&row.provider),
        chats::model.eq(&row.model),
        chats::created_by.eq(user_id),
        chats::is_default.eq(row.is_default),
        chats::idempotency_key.eq(&row.key),
    );
    // Waits for a concurrent insert with the same key, and then makes nothing.
    let made: Option<Chat> = diesel::insert_into(chats::table)
        .values(values)
        .on_conflict_do_nothing()
        .returning(Chat::as_returning())
        .get_result(connection)
        .await
        .optional()?;
    if let Some(chat) = made {
        let member = (chat_members::chat_id.eq(chat.id), chat_members::user_id.eq(user_id));
        diesel::insert_into(chat_members::table)
            .values(member)
            .execute(connection)
            .await?;
        event::chat_upserted(connection, chat.id).await?;
        return Ok((chat, true));
    }
    let mine = chats::table
        .filter(chats::created_by.eq(user_id))
        .select(Chat::as_select());
    let first: Chat = if row.is_default {
        mine.filter(chats::is_default).first(connection).await?
    } else {
        mine.filter(chats::idempotency_key.eq(&row.key))
            .first(connection)
            .await?
    };
    let same = row.is_default
        || (row.model == first.model
            && row.provider == first.provider
            && (row.title.is_none() || row.title == first.title));
    if same {
        return Ok((first, false));
    }
    let message = "This idempotency key was used to create another chat. Use a new key for a new chat.";
    Err(Error::rejected(ErrorCode::Conflict, &["idempotencyKey"], message))
}

/// The always-there chat of `user_id`, made when it is first asked for.
///
/// # Errors
/// When Postgres fails.
pub async fn default_chat(app: &App, user_id: UserId) -> Result<Chat> {
    let mut connection = app.connection().await?;
    let mine = chats::table
        .filter(chats::created_by.eq(user_id))
        .filter(chats::is_default);
    if let Some(chat) = mine.select(Chat::as_select()).first(&mut connection).await.optional()? {
        return Ok(chat);
    }
    let row = NewRow {
        title: None,
        provider: None,
        model: None,
        key: None,
        is_default: true,
    };
    let (chat, _) = connection
        .transaction(async |connection| insert(connection, user_id, row).await)
        .await?;
    app.log().wake();
    Ok(chat)
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

/// Changes a chat, or how it looks to the person who asks.
///
/// # Errors
/// NOT_FOUND, or a refused title or model.
pub async fn update(app: &App, user_id: UserId, chat_id: ChatId, change: ChatChange) -> Result<Chat> {
    let mut columns = ChatColumns::default();
    if let Some(title) = change.title {
        let title = checked_title(Some(&title))?;
        columns.title_source = Some(title.as_ref().map(|_| "USER".to_owned()));
        columns.title = Some(title);
    }
    if let Some(model) = change.model {
        columns.model = Some(checked_model(app, Some(model))?);
    }
    columns.provider = change
        .provider
        .map(|provider| provider.map(|provider| provider.name().to_owned()));
    let member = MemberColumns {
        pinned_at: change.pinned.map(|pinned| pinned.then(Utc::now)),
        archived_at: change.archived.map(|archived| archived.then(Utc::now)),
    };
    let for_all = columns.title.is_some() || columns.model.is_some() || columns.provider.is_some();
    let for_one = member.pinned_at.is_some() || member.archived_at.is_some();
    let mut connection = app.connection().await?;
    let chat = connection
        .transaction(async |connection| {
            let Membership { chat, .. } = Membership::lock(connection, user_id, chat_id).await?;
            if for_one {
                diesel::update(chat_members::table.find((chat_id, user_id)))
                    .set(member)
                    .execute(connection)
                    .await?;
            }
            if !for_all && !for_one {
                return Ok::<_, Error>(chat);
            }
            if for_all {
                diesel::update(chats::table.find(chat_id))
                    .set(columns)
                    .execute(connection)
                    .await?;
                event::chat_upserted(connection, chat_id).await?;
            } else {
                event::chat_upserted_for(connection, chat_id, user_id).await?;
            }
            let version = (chats::version.eq(chats::version + 1), chats::updated_at.eq(now));
            Ok(diesel::update(chats::table.find(chat_id))
                .set(version)
                .returning(Chat::as_returning())
                .get_result(connection)
                .await?)
        })
        .await?;
    app.log().wake();
    Ok(chat)
}

/// Deletes a chat and all that was said in it; answers that are being written are stopped first.
///
/// # Errors
/// NOT_FOUND, or [`ErrorCode::InvalidState`] for the always-there chat.
pub async fn delete(app: &App, user_id: UserId, chat_id: ChatId) -> Result<ChatId> {
    let mut connection = app.connection().await?;
    let running = connection
        .transaction(async |connection| {
            let Membership { chat, .. } = Membership::lock(connection, user_id, chat_id).await?;
            if chat.is_default {
                let message = "This chat is always there and cannot be deleted. Clear its history instead.";
                return Err(Error::rejected(ErrorCode::InvalidState, &["chatId"], message));
            }
            let running = lock_running(connection, chat_id).await?;
            event::chat_removed(connection, chat_id, user_id).await?;
            diesel::delete(chats::table.find(chat_id)).execute(connection).await?;
            Ok(running)
        })
        .await?;
    app.engine().abandon(&running);
    app.log().wake();
    Ok(chat_id)
}

/// Removes all messages of a chat; answers that are being written are stopped first.
///
/// # Errors
/// NOT_FOUND.
pub async fn clear_history(app: &App, user_id: UserId, chat_id: ChatId) -> Result<Chat> {
    let mut connection = app.connection().await?;
    let (chat, running) = connection
        .transaction(async |connection| {
            let Membership { chat, .. } = Membership::lock(connection, user_id, chat_id).await?;
            let running = lock_running(connection, chat_id).await?;
            diesel::delete(messages::table.filter(messages::chat_id.eq(chat_id)))
                .execute(connection)
                .await?;
            event::history_cleared(connection, chat_id, chat.last_sequence).await?;
            event::chat_upserted(connection, chat_id).await?;
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

/// Locks the chat's running answers before their messages, the order in which checkpoints take them.
async fn lock_running(connection: &mut Connection, chat_id: ChatId) -> QueryResult<Vec<GenerationId>> {
    generations::table
        .filter(generations::chat_id.eq(chat_id))
        .filter(generations::finished_at.is_null())
        .select(generations::id)
        .order(generations::id)
        .for_update()
        .load(connection)
        .await
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

fn checked_title(title: Option<&str>) -> Result<Option<String>> {
    match title.map(str::trim) {
        None | Some("") => Ok(None),
        Some(title) => input::line(&["title"], "The title", title, 120)
            .map(Some)
            .map_err(|error| Error::Rejected(vec![error])),
    }
}

/// Checks a model's name; a script for the scripted provider has to make sense where it is played.
///
/// # Errors
/// [`ErrorCode::Invalid`] on the field `model`.
pub fn checked_model(app: &App, model: Option<String>) -> Result<Option<String>> {
    let Some(model) = model.filter(|model| !model.trim().is_empty()) else {
        return Ok(None);
    };
    let model = input::line(&["model"], "The model", &model, 200).map_err(|error| Error::Rejected(vec![error]))?;
    if app.config().is_development() && super::reply::payer::is_script(&model) {
        let script = model.parse::<crate::ai::scripted::Script>();
        script.map_err(|error| Error::rejected(ErrorCode::Invalid, &["model"], error.to_string()))?;
    }
    Ok(Some(model))
}
