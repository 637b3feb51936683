//! Sending a message to an assistant: one transaction, and then the answer begins.
//!
//! ```text
//! same key before? ─ yes ─ the first result again, whatever else may be refused now
//!   no │
//! who pays? ─ nobody ─ KEY_MISSING, nothing stored
//!   │
//! transaction: lock the chat (orders its events) ─ claim the key ─ message ─ reply ─ generation ─ events
//!   │
//! wake the log ─ start the engine
//! ```

use aws_lc_rs::digest::{SHA256, digest};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::answering::Answering;
use super::event;
use super::member::Membership;
use super::message::{Message, MessageRole};
use super::reply::generation::{self, Generation, NewGeneration};
use super::reply::payer::{self, Payer, Wish};
use super::title;
use crate::ai::{Provider, tokens};
use crate::app::App;
use crate::assistant::assistant;
use crate::db::Connection;
use crate::db::schema::{chat_members, chats, messages, sends, users};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{AssistantId, ChatId, GenerationId, MessageId, UserId};
use crate::input;
use crate::usage::ledger;
use crate::usage::terms::{Asker, Purpose};

/// The most answers that may be written for one person at once.
const MOST_RUNNING: i64 = 16;

/// What a person sends.
#[derive(Debug)]
pub struct NewMessage {
    /// Where to.
    pub chat_id: ChatId,
    /// The text.
    pub content: String,
    /// The sender's key: a retry with the same one gets the same result.
    pub idempotency_key: String,
    /// Whose model is to answer this once.
    pub provider: Option<Provider>,
    /// Which model is to answer this once.
    pub model: Option<String>,
}

/// What became of it.
#[derive(Debug)]
pub struct Sent {
    /// The message.
    pub message: Message,
    /// The answer that it started.
    pub generation: Option<Generation>,
}

/// Sends a message and starts the answer.
///
/// # Errors
/// Refused content, NOT_FOUND, KEY_MISSING, CONFLICT for a key that was used for something else, LIMIT_REACHED.
pub async fn send(app: &App, user_id: UserId, new: NewMessage) -> Result<Sent> {
    let content = check_content(app, &new.content)?;
    let key = input::idempotency_key(&new.idempotency_key).map_err(|error| Error::Rejected(vec![error]))?;
    let hash = request_hash(&new);
    let mut connection = app.connection().await?;
    if let Some(first) = first_result(&mut connection, user_id, &key, &hash).await? {
        return Ok(first);
    }
    app.throttle().message(user_id)?;
    if app.shutdown().is_cancelled() {
        return Err(Error::unavailable("shutting down"));
    }
    let model = super::create::checked_model(app, &["reply", "model"], new.model)?;
    let chat = Membership::of(&mut connection, user_id, new.chat_id)
        .await?
        .ok_or_else(|| Error::not_found(&["chatId"], "chat"))?
        .chat;
    let reply = Wish {
        provider: new.provider,
        model,
    };
    let assistants = assistant::of_chat(&mut connection, chat.id, user_id).await?;
    let assistant = assistants.into_iter().next();
    let assistant = assistant.ok_or_else(|| Error::internal("there is no default assistant"))?;
    let Answering {
        assistant_id,
        wish,
        manner,
    } = Answering::new(&assistant, &chat, reply);
    let payer = payer::resolve(&mut connection, app, user_id, wish).await?;
    let draft = Draft {
        user_id,
        chat_id: new.chat_id,
        content,
        key,
        hash,
        assistant_id,
    };
    let stored = connection
        .transaction(async |connection| store(connection, app, &draft, &payer).await)
        .await?;
    let Some((message, generation)) = stored else {
        // Another request with the same key was faster by a moment.
        return first_result(&mut connection, user_id, &draft.key, &draft.hash)
            .await?
            .ok_or_else(|| Error::internal("a claimed key without a result"));
    };
    app.log().wake();
    app.engine().start(app, &generation, message.sequence, payer, manner);
    Ok(Sent {
        message,
        generation: Some(generation),
    })
}

struct Draft {
    user_id: UserId,
    chat_id: ChatId,
    content: String,
    key: String,
    hash: Vec<u8>,
    assistant_id: AssistantId,
}

#[derive(Insertable)]
#[diesel(table_name = messages, treat_none_as_default_value = false)]
struct NewRow {
    id: MessageId,
    chat_id: ChatId,
    sequence: i64,
    role: MessageRole,
    author_id: Option<UserId>,
    content: String,
    parent_id: Option<MessageId>,
    idempotency_key: Option<String>,
    assistant_id: Option<AssistantId>,
}

/// A title of the message's own making; none leaves the chat's as it is.
#[derive(AsChangeset)]
#[diesel(table_name = chats)]
struct Titled {
    title: Option<String>,
    title_source: Option<&'static str>,
}

/// Everything in one transaction; none when the key was claimed meanwhile.
async fn store(
    connection: &mut Connection,
    app: &App,
    draft: &Draft,
    payer: &Payer,
) -> Result<Option<(Message, Generation)>> {
    let Membership { chat, .. } = Membership::lock(connection, draft.user_id, draft.chat_id).await?;
    let (message_id, reply_id, generation_id) = (MessageId::new(), MessageId::new(), GenerationId::new());
    let claim = (
        sends::user_id.eq(draft.user_id),
        sends::idempotency_key.eq(&draft.key),
        sends::request_hash.eq(&draft.hash),
        sends::chat_id.eq(chat.id),
        sends::message_id.eq(message_id),
        sends::generation_id.eq(generation_id),
    );
    if diesel::insert_into(sends::table)
        .values(claim)
        .on_conflict_do_nothing()
        .execute(connection)
        .await?
        == 0
    {
        return Ok(None);
    }
    // Sends to other chats of the same person are counted one after the other.
    users::table
        .find(draft.user_id)
        .select(users::id)
        .for_no_key_update()
        .first::<UserId>(connection)
        .await?;
    if generation::count_running(connection, draft.user_id).await? >= MOST_RUNNING {
        let message =
            format!("{MOST_RUNNING} answers are being written for you already. Wait for one to finish, or stop one.");
        return Err(Error::rejected(ErrorCode::LimitReached, &[], message));
    }
    let sequence = chat.last_sequence + 1;
    let question = NewRow {
        id: message_id,
        chat_id: chat.id,
        sequence,
        role: MessageRole::User,
        author_id: Some(draft.user_id),
        content: draft.content.clone(),
        parent_id: None,
        idempotency_key: Some(draft.key.clone()),
        assistant_id: None,
    };
    let answer = NewRow {
        id: reply_id,
        chat_id: chat.id,
        sequence: sequence + 1,
        role: MessageRole::Assistant,
        author_id: None,
        content: String::new(),
        parent_id: Some(message_id),
        idempotency_key: None,
        assistant_id: Some(draft.assistant_id),
    };
    let inserted: Vec<Message> = diesel::insert_into(messages::table)
        .values([question, answer])
        .returning(Message::as_returning())
        .get_results(connection)
        .await?;
    let message = inserted.into_iter().find(|message| message.id == message_id);
    let message = message.ok_or_else(|| Error::internal("an inserted message did not come back"))?;
    let new = NewGeneration {
        id: generation_id,
        message_id: reply_id,
        chat_id: chat.id,
        user_id: draft.user_id,
        provider: payer.endpoint.provider.name().to_owned(),
        model: payer.model.clone(),
        key_source: payer.source,
        leased_by: app.engine().node(),
    };
    let generation = generation::insert(connection, new).await?;
    let asker = Asker {
        user_id: draft.user_id,
        chat_id: Some(chat.id),
        generation_id: Some(generation_id),
        purpose: Purpose::Answer,
    };
    payer.tab.ask(asker, tokens::count(&draft.content));
    ledger::open(connection, &payer.tab).await?;
    let given_title = if chat.title.is_none() && chat.last_sequence == chat.cleared_sequence && !chat.is_default {
        title::heuristic(&draft.content)
    } else {
        None
    };
    let titled = Titled {
        title_source: given_title.as_ref().map(|_| "HEURISTIC"),
        title: given_title,
    };
    let counted = (
        chats::last_sequence.eq(sequence + 1),
        chats::version.eq(chats::version + 1),
        chats::updated_at.eq(now),
        chats::last_activity_at.eq(now),
    );
    diesel::update(chats::table.find(chat.id))
        .set((titled, counted))
        .execute(connection)
        .await?;
    // Whoever writes has read what came before.
    diesel::update(chat_members::table.find((chat.id, draft.user_id)))
        .set(chat_members::last_read_sequence.eq(sequence))
        .execute(connection)
        .await?;
    let events = [
        event::message_created(chat.id, message_id),
        event::message_created(chat.id, reply_id),
        event::chat_upserted(chat.id),
    ];
    append(connection, events).await?;
    Ok(Some((message, generation)))
}

async fn first_result(connection: &mut Connection, user_id: UserId, key: &str, hash: &[u8]) -> Result<Option<Sent>> {
    type Row = (Vec<u8>, MessageId, Option<GenerationId>);
    let claimed: Option<Row> = sends::table
        .find((user_id, key))
        .select((sends::request_hash, sends::message_id, sends::generation_id))
        .first(connection)
        .await
        .optional()?;
    let Some((first_hash, message_id, generation_id)) = claimed else {
        return Ok(None);
    };
    if first_hash != hash {
        let message = "This idempotency key was used to send something else. Use a new key for a new message.";
        return Err(Error::rejected(ErrorCode::Conflict, &["idempotencyKey"], message));
    }
    let message: Option<Message> = messages::table
        .find(message_id)
        .select(Message::as_select())
        .first(connection)
        .await
        .optional()?;
    let Some(message) = message else {
        let message =
            "This message was sent before and has been removed since. Use a new idempotency key to send it again.";
        return Err(Error::rejected(ErrorCode::Conflict, &["idempotencyKey"], message));
    };
    let generation = match generation_id {
        Some(id) => generation::find(connection, user_id, id).await?,
        None => None,
    };
    Ok(Some(Sent { message, generation }))
}

fn check_content(app: &App, content: &str) -> Result<String> {
    if content.trim().is_empty() {
        return Err(Error::rejected(
            ErrorCode::Required,
            &["content"],
            "The message is empty. Write something first.",
        ));
    }
    let most = usize::try_from(app.config().settings.message_characters).unwrap_or(usize::MAX);
    input::text(&["content"], "The message", content, most).map_err(|error| Error::Rejected(vec![error]))
}

/// What tells a repeat from another request under the same key.
fn request_hash(new: &NewMessage) -> Vec<u8> {
    let provider = new.provider.map_or("", |provider| provider.name());
    let asked = serde_json::json!([new.chat_id.0, new.content, provider, new.model]).to_string();
    digest(&SHA256, asked.as_bytes()).as_ref().to_vec()
}
