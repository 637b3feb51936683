//! Making chats.

use aws_lc_rs::digest::{SHA256, digest};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::chat::{Chat, ChatKind, TitleSource};
use super::event;
use super::room::permission::MemberRole;
use crate::ai::Provider;
use crate::app::App;
use crate::assistant::assistant;
use crate::db::Connection;
use crate::db::schema::{chat_members, chats};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{AssistantId, ChatId, UserId};
use crate::input;

/// The most chats that one person may have.
const MOST_CHATS: i64 = 100_000;
/// The most assistants that one chat may have.
pub(super) const MOST_ASSISTANTS: usize = 8;

/// What a person wants in a new chat.
#[derive(Debug, Default)]
pub struct NewChat {
    /// What to call it; without one, the first message gives it a title.
    pub title: Option<String>,
    /// Who is to answer, in order; the default assistant when there is nobody.
    pub assistants: Vec<AssistantId>,
    /// Whose model is to answer.
    pub provider: Option<Provider>,
    /// Which model is to answer.
    pub model: Option<String>,
    /// Makes a retry return the same chat.
    pub idempotency_key: Option<String>,
}

/// Makes a chat with the assistant.
///
/// # Errors
/// Refused titles and models; [`ErrorCode::Conflict`] for a key that made another chat.
pub async fn create(app: &App, user_id: UserId, wanted: NewChat) -> Result<Chat> {
    let title = checked_title(wanted.title.as_deref())?;
    let model = checked_model(app, &["model"], wanted.model)?;
    let key = wanted
        .idempotency_key
        .map(|key| input::idempotency_key(&key))
        .transpose()
        .map_err(|error| Error::Rejected(vec![error]))?;
    let provider = wanted.provider.map(|provider| provider.name().to_owned());
    // Only when there are some, so that retries of creations from before assistants are still known.
    let asked = if wanted.assistants.is_empty() {
        serde_json::json!([title, provider, model]).to_string()
    } else {
        serde_json::json!([title, provider, model, wanted.assistants]).to_string()
    };
    let mut connection = app.connection().await?;
    let row = NewRow {
        title,
        provider,
        model,
        request_hash: key
            .as_ref()
            .map(|_| digest(&SHA256, asked.as_bytes()).as_ref().to_vec()),
        key,
        is_default: false,
        assistants: wanted.assistants,
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
    /// What tells a retry from another creation under the same key, whatever became of the chat since.
    request_hash: Option<Vec<u8>>,
    is_default: bool,
    assistants: Vec<AssistantId>,
}

async fn insert(connection: &mut Connection, user_id: UserId, row: NewRow) -> Result<(Chat, bool)> {
    check_count(connection, user_id).await?;
    let values = (
        chats::id.eq(ChatId::new()),
        chats::kind.eq(ChatKind::Assistant),
        chats::title_source.eq(row.title.as_ref().map(|_| TitleSource::User)),
        chats::title.eq(&row.title),
        chats::provider.eq(&row.provider),
        chats::model.eq(&row.model),
        chats::created_by.eq(user_id),
        chats::is_default.eq(row.is_default),
        chats::idempotency_key.eq(&row.key),
        chats::request_hash.eq(&row.request_hash),
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
        let member = (
            chat_members::chat_id.eq(chat.id),
            chat_members::user_id.eq(user_id),
            chat_members::role.eq(MemberRole::Owner),
        );
        diesel::insert_into(chat_members::table)
            .values(member)
            .execute(connection)
            .await?;
        if !row.assistants.is_empty() {
            let chosen = checked_assistants(connection, user_id, &row.assistants).await?;
            assistant::choose(connection, chat.id, &chosen).await?;
        }
        append(connection, [event::chat_upserted(chat.id)]).await?;
        return Ok((chat, true));
    }
    let mine = chats::table
        .filter(chats::created_by.eq(user_id))
        .select((Chat::as_select(), chats::request_hash));
    let (first, first_hash): (Chat, Option<Vec<u8>>) = if row.is_default {
        mine.filter(chats::is_default).first(connection).await?
    } else {
        mine.filter(chats::idempotency_key.eq(&row.key))
            .first(connection)
            .await?
    };
    if first_hash == row.request_hash {
        return Ok((first, false));
    }
    let message = "This idempotency key was used to create another chat. Use a new key for a new chat.";
    Err(Error::rejected(ErrorCode::Conflict, &["idempotencyKey"], message))
}

/// Refuses another chat to who has too many.
///
/// # Errors
/// LIMIT_REACHED, or when Postgres fails.
pub(super) async fn check_count(connection: &mut Connection, user_id: UserId) -> Result<()> {
    let have: i64 = chat_members::table
        .filter(chat_members::user_id.eq(user_id))
        .count()
        .get_result(connection)
        .await?;
    if have < MOST_CHATS {
        return Ok(());
    }
    let message = format!("You have {MOST_CHATS} chats. Delete some first.");
    Err(Error::rejected(ErrorCode::LimitReached, &[], message))
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
        request_hash: None,
        is_default: true,
        assistants: Vec::new(),
    };
    let (chat, _) = connection
        .transaction(async |connection| insert(connection, user_id, row).await)
        .await?;
    app.log().wake();
    Ok(chat)
}

pub(super) fn checked_title(title: Option<&str>) -> Result<Option<String>> {
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
/// [`ErrorCode::Invalid`] on `field`.
pub fn checked_model(app: &App, field: &[&str], model: Option<String>) -> Result<Option<String>> {
    crate::assistant::model::checked(app, field, model).map_err(|error| Error::Rejected(vec![error]))
}

/// Checks a choice of assistants for a chat: each once, and none that `user_id` cannot use.
///
/// # Errors
/// NOT_FOUND or LIMIT_REACHED on `assistantIds`.
pub(super) async fn checked_assistants(
    connection: &mut Connection,
    user_id: UserId,
    ids: &[AssistantId],
) -> Result<Vec<AssistantId>> {
    let mut chosen: Vec<AssistantId> = Vec::new();
    for id in ids {
        if !chosen.contains(id) {
            chosen.push(*id);
        }
        if chosen.len() > MOST_ASSISTANTS {
            let message = format!("A chat has at most {MOST_ASSISTANTS} assistants. Choose fewer.");
            return Err(Error::rejected(ErrorCode::LimitReached, &["assistantIds"], message));
        }
    }
    let open = assistant::find_open(connection, user_id, &chosen).await?;
    if open.len() < chosen.len() {
        return Err(Error::not_found(&["assistantIds"], "assistant"));
    }
    Ok(chosen)
}
