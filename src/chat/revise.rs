//! Other versions: an answer made anew, a question put in other words. Each begins a branch.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::ask::Ask;
use super::chat::ChatKind;
use super::claim::{Claim, Sent};
use super::extras::Extras;
use super::lane::{Lanes, Reply};
use super::member::Membership;
use super::message::{self, Message, MessageRole};
use super::room::answer;
use super::send::{admit, begin, check_content};
use super::turn::{self, Place, Question, Turn};
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::messages;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{MessageId, UserId};

/// Another answer to ask for.
#[derive(Debug)]
pub struct Regeneration {
    /// The answer that there is.
    pub message_id: MessageId,
    /// The asker's key for this.
    pub idempotency_key: String,
    /// Who is to answer this once.
    pub reply: Reply,
}

/// A question in other words.
#[derive(Debug)]
pub struct Edit {
    /// The question that there is.
    pub message_id: MessageId,
    /// The new text.
    pub content: String,
    /// The asker's key for this.
    pub idempotency_key: String,
    /// Who is to answer this once.
    pub reply: Reply,
}

/// Has a question answered once more, beside the answer that there is; in a group, at the end of it.
///
/// # Errors
/// NOT_FOUND, INVALID_STATE for what is no answer, LIMIT_REACHED, KEY_MISSING, CONFLICT.
pub async fn regenerate(app: &App, user_id: UserId, new: Regeneration) -> Result<Sent> {
    let asked = serde_json::json!(["regenerate", new.message_id.0, new.reply.asked()]);
    let claim = Claim::new(user_id, &new.idempotency_key, &asked)?;
    revise(app, claim, new.message_id, None, new.reply.anew(), is_answer).await
}

/// Refuses what is no answer to anything.
fn is_answer(message: &Message) -> Result<()> {
    if message.role == MessageRole::Assistant && message.parent_id.is_some() {
        return Ok(());
    }
    let refusal = "Only answers can be made anew. To ask something else, edit the question.";
    Err(Error::rejected(ErrorCode::InvalidState, &["messageId"], refusal))
}

/// The answer with this id, which could be made anew, and the access to its chat.
///
/// # Errors
/// NOT_FOUND, INVALID_STATE for what is no answer.
pub async fn answered(connection: &mut Connection, user_id: UserId, id: MessageId) -> Result<(Membership, Message)> {
    let message = visible(connection, user_id, id).await?;
    is_answer(&message)?;
    let membership = Membership::of(connection, user_id, message.chat_id).await?;
    Ok((membership.ok_or_else(not_found)?, message))
}

/// Asks a question in other words, beside the one that there is, and has it answered.
///
/// # Errors
/// Refused content, NOT_FOUND, INVALID_STATE for another's message, LIMIT_REACHED, KEY_MISSING, CONFLICT.
pub async fn edit(app: &App, user_id: UserId, new: Edit) -> Result<Sent> {
    let content = check_content(app, &new.content)?;
    let asked = serde_json::json!(["edit", new.message_id.0, new.content, new.reply.asked()]);
    let claim = Claim::new(user_id, &new.idempotency_key, &asked)?;
    let check = |message: &Message| {
        if message.role == MessageRole::User && message.author_id == Some(user_id) {
            return Ok(());
        }
        let refusal = "Only messages of your own can be edited. To get another answer, regenerate it.";
        Err(Error::rejected(ErrorCode::InvalidState, &["messageId"], refusal))
    };
    revise(app, claim, new.message_id, Some(content), new.reply, check).await
}

/// Puts a turn beside the message with this id, where `check` allows it.
async fn revise(
    app: &App,
    claim: Claim,
    id: MessageId,
    question: Option<String>,
    reply: Reply,
    check: impl Fn(&Message) -> Result<()>,
) -> Result<Sent> {
    let user_id = claim.user_id;
    let mut connection = app.connection().await?;
    if let Some(first) = claim.first_result(&connection).await? {
        return Ok(first);
    }
    admit(app, user_id)?;
    let message = visible(&mut connection, user_id, id).await?;
    check(&message)?;
    let membership = Membership::of(&connection, user_id, message.chat_id)
        .await?
        .ok_or_else(not_found)?;
    let answers_there = matches!(message.role, MessageRole::Assistant) && membership.chat.kind == ChatKind::Group;
    if answers_there {
        if reply.is_particular() {
            let refusal = "In a group, its assistants say whose model answers. Leave this away.";
            return Err(Error::rejected(ErrorCode::InvalidState, &["reply"], refusal));
        }
        return answer::again(app, &mut connection, &claim, &membership, &message).await;
    }
    let chat = membership.chat;
    chat.answers("messageId")?;
    let lanes = Lanes::in_chat(&mut connection, app, user_id, &chat, reply).await?;
    let ask = Ask::new(user_id, &chat, message.parent_id.into(), question.as_deref());
    let plans = ask.plan(&mut connection, app, lanes).await?;
    let stored = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, message.chat_id)
                .await
                .map_err(hidden)?;
            let (parent_id, extras) = still_there(connection, id).await?;
            let turn = Turn {
                claim: &claim,
                question: question.as_deref().map(|content| Question {
                    content,
                    extras: &extras,
                }),
                place: Place::Fork(parent_id),
                plans: &plans,
            };
            turn::store(connection, app, &membership, turn).await
        })
        .await?;
    begin(app, &mut connection, &claim, stored, plans).await
}

/// The message with this id as `user_id` may see it.
///
/// # Errors
/// NOT_FOUND for `messageId`.
pub async fn visible(connection: &mut Connection, user_id: UserId, id: MessageId) -> Result<Message> {
    let mut found = message::find_many_visible(connection, user_id, &[id]).await?;
    let message = found.remove(&id).filter(|message| message.deleted_at.is_none());
    message.ok_or_else(not_found)
}

/// The parent of a message, which must not have been removed before its chat was locked, and what it carries.
async fn still_there(connection: &mut Connection, id: MessageId) -> Result<(Option<MessageId>, Extras)> {
    messages::table
        .find(id)
        .select((messages::parent_id, Extras::as_select()))
        .first(connection)
        .await
        .optional()?
        .ok_or_else(not_found)
}

/// What a chat that is gone means for one of its messages.
pub(super) fn hidden(error: Error) -> Error {
    match error {
        Error::Rejected(_) => not_found(),
        other => other,
    }
}

fn not_found() -> Error {
    Error::not_found(&["messageId"], "message")
}
