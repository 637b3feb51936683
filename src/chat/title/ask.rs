//! Asking the model that answers for a title, in the background.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clean::{beginning, clean};
use crate::ai::Turn;
use crate::app::App;
use crate::assistant::assistant;
use crate::chat::answering::Answering;
use crate::chat::aside::{self, Aside, Purpose};
use crate::chat::chat::{Chat, TitleSource};
use crate::chat::event;
use crate::chat::lifetime::lives;
use crate::chat::member::Membership;
use crate::chat::message::MessageRole;
use crate::chat::reply::payer::{self, Wish};
use crate::db::Connection;
use crate::db::schema::{chats, messages};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{ChatId, UserId};
use crate::job::{self, Kind, Running, Trouble};
use crate::memory::preferences;

/// How many messages a title is made of, the newest ones.
const MESSAGES: i64 = 6;
/// How much of each, in characters.
const CHARACTERS: usize = 1_500;
/// Room for a title and for the thoughts of a model that thinks first.
const MOST_TOKENS: u32 = 1_000;

const INSTRUCTIONS: &str = "You name conversations. You are shown the beginning of one. Say what it is about in a title of at most \
    five words, in the language of the conversation: no quotation marks, no markdown, no full stop, nothing but the title.";
const QUESTION: &str = "Name this conversation. Answer with the title alone.";

/// The kind of job.
pub const KIND: Kind = Kind {
    name: "chat.title",
    attempts: 4,
    limit: Duration::from_secs(90),
    run,
};

/// What there is to know for it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    chat_id: ChatId,
    /// Who asked, and so pays.
    user_id: UserId,
    provider: Option<String>,
    model: Option<String>,
    /// The person's own title that may be replaced, because they asked for it.
    replaces: Option<String>,
    /// Whether somebody asked for it.
    asked: bool,
}

/// What decides whether a chat gets a title of the model's making.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = chats, check_for_backend(diesel::pg::Pg))]
pub struct Titled {
    title_source: Option<TitleSource>,
    title_asked_at: Option<DateTime<Utc>>,
    is_default: bool,
}

/// Calls for a title when a chat has its first whole answer, in the transaction that stores that answer. Says whether it
/// did; the worker is then to be woken.
///
/// # Errors
/// When Postgres fails.
pub async fn wanted(
    connection: &mut Connection,
    chat_id: ChatId,
    titled: &Titled,
    asked: (UserId, String, String),
) -> QueryResult<bool> {
    if titled.title_asked_at.is_some() || titled.is_default || titled.title_source == Some(TitleSource::User) {
        return Ok(false);
    }
    let (user_id, provider, model) = asked;
    let task = Task {
        chat_id,
        user_id,
        provider: Some(provider),
        model: Some(model),
        replaces: None,
        asked: false,
    };
    enqueue(connection, &task).await?;
    Ok(true)
}

async fn enqueue(connection: &mut Connection, task: &Task) -> QueryResult<()> {
    diesel::update(chats::table.find(task.chat_id))
        .set(chats::title_asked_at.eq(now))
        .execute(connection)
        .await?;
    let payload =
        serde_json::to_value(task).map_err(|error| diesel::result::Error::SerializationError(error.into()))?;
    job::enqueue(connection, KIND.name, &task.chat_id.to_string(), payload, Utc::now()).await
}

/// Calls for another title of a chat, also in the place of one that a person gave. It comes as an event.
///
/// # Errors
/// NOT_FOUND; INVALID_STATE when nothing was said yet; KEY_MISSING; RATE_LIMITED.
pub async fn regenerate(app: &App, user_id: UserId, chat_id: ChatId) -> Result<Chat> {
    let mut connection = app.connection().await?;
    let chat = Membership::of(&connection, user_id, chat_id)
        .await?
        .ok_or_else(|| Error::not_found(&["chatId"], "chat"))?
        .chat;
    chat.answers("chatId")?;
    if conversation(&mut connection, chat_id).await?.is_empty() {
        let message = "Nothing was said in this chat yet. Write something first.";
        return Err(Error::rejected(ErrorCode::InvalidState, &["chatId"], message));
    }
    app.throttle().message(user_id)?;
    let assistants = assistant::of_chat(&connection, chat_id, user_id).await?;
    let assistant = assistants.into_iter().next();
    let assistant = assistant.ok_or_else(|| Error::internal("there is no default assistant"))?;
    let wish = Answering::new(&assistant, &chat, Wish::default()).wish;
    let task = Task {
        chat_id,
        user_id,
        provider: wish.provider.map(|provider| provider.name().to_owned()),
        model: wish.model.clone(),
        replaces: chat.title.clone(),
        asked: true,
    };
    payer::resolve(&connection, app, user_id, wish).await?;
    enqueue(&mut connection, &task).await?;
    app.jobs().wake();
    Ok(chat)
}

fn run(app: App, payload: Value) -> Running {
    Box::pin(async move {
        let task: Task =
            serde_json::from_value(payload).map_err(|error| Trouble::hopeless(format!("unreadable: {error}")))?;
        let mut connection = app.connection().await?;
        let by_itself =
            app.config().settings.titles && preferences::of(&mut connection, task.user_id).await?.titles_enabled;
        if !task.asked && !by_itself {
            return Ok(());
        }
        let mut turns = conversation(&mut connection, task.chat_id).await?;
        drop(connection);
        // Cleared or deleted meanwhile.
        if turns.is_empty() {
            return Ok(());
        }
        turns.insert(0, Turn::system(INSTRUCTIONS));
        turns.push(Turn::user(QUESTION));
        let aside = Aside {
            purpose: Purpose::Title,
            user_id: task.user_id,
            chat_id: Some(task.chat_id),
            wish: Wish {
                provider: task.provider.as_deref().and_then(|name| name.parse().ok()),
                model: task.model.clone(),
            },
            turns,
            max_output_tokens: MOST_TOKENS,
        };
        let said = aside::ask(&app, aside).await?;
        let title = clean(&said.text).ok_or_else(|| Trouble::passing("the model gave no title", None))?;
        store(&app, &task, title).await?;
        Ok(())
    })
}

/// The newest of what was said, oldest first.
async fn conversation(connection: &mut Connection, chat_id: ChatId) -> Result<Vec<Turn>> {
    let mut rows: Vec<(MessageRole, String)> = messages::table
        .filter(messages::chat_id.eq(chat_id))
        .filter(messages::active)
        .filter(messages::deleted_at.is_null())
        .filter(messages::content.ne(""))
        .filter(lives())
        .order(messages::sequence.desc())
        .limit(MESSAGES)
        .select((messages::role, messages::content))
        .load(connection)
        .await?;
    rows.reverse();
    let turns = rows.into_iter().filter_map(|(role, content)| {
        let text = beginning(&content, CHARACTERS);
        match role {
            MessageRole::User => Some(Turn::user(text)),
            MessageRole::Assistant => Some(Turn::assistant(text)),
            MessageRole::System | MessageRole::Tool => None,
        }
    });
    Ok(turns.collect())
}

/// Stores a title, unless a person has given one meanwhile.
async fn store(app: &App, task: &Task, title: String) -> Result<()> {
    let mut connection = app.connection().await?;
    let stored = connection
        .transaction(async |connection| {
            let chat: Option<Chat> = chats::table
                .find(task.chat_id)
                .select(Chat::as_select())
                .for_no_key_update()
                .first(connection)
                .await
                .optional()?;
            let Some(chat) = chat else { return Ok(false) };
            let persons = chat.title_source == Some(TitleSource::User);
            let theirs_to_replace = task.asked && chat.title == task.replaces;
            if (persons && !theirs_to_replace) || chat.title.as_ref() == Some(&title) {
                return Ok(false);
            }
            let changes = (
                chats::title.eq(title),
                chats::title_source.eq(TitleSource::Model),
                chats::version.eq(chats::version + 1),
                chats::updated_at.eq(now),
            );
            diesel::update(chats::table.find(task.chat_id))
                .set(changes)
                .execute(connection)
                .await?;
            append(connection, [event::chat_upserted(task.chat_id)]).await?;
            Ok::<_, Error>(true)
        })
        .await?;
    if stored {
        app.log().wake();
    }
    Ok(())
}
