//! Making chats.

use aws_lc_rs::digest::{SHA256, digest};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::chat::{Chat, ChatKind};
use super::event;
use crate::ai::Provider;
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{chat_members, chats};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{ChatId, UserId};
use crate::input;

/// The most chats that one person may have.
const MOST_CHATS: i64 = 100_000;

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
    let asked = serde_json::json!([title, provider, model]).to_string();
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
        let member = (chat_members::chat_id.eq(chat.id), chat_members::user_id.eq(user_id));
        diesel::insert_into(chat_members::table)
            .values(member)
            .execute(connection)
            .await?;
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
    let Some(model) = model.filter(|model| !model.trim().is_empty()) else {
        return Ok(None);
    };
    let model = input::line(field, "The model", &model, 200).map_err(|error| Error::Rejected(vec![error]))?;
    if app.config().is_development() && super::reply::payer::is_script(&model) {
        let script = model.parse::<crate::ai::scripted::Script>();
        script.map_err(|error| Error::rejected(ErrorCode::Invalid, field, error.to_string()))?;
    }
    Ok(Some(model))
}
