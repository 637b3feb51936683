//! Deleting a message: its place stays, as a tombstone, and all that was in it goes.
//!
//! In a chat with an assistant a question takes its answers along, for an answer to nothing confuses models and mostly says
//! again what was asked. What is a tombstone no model is shown, nor a summary that was made of it.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::member::Membership;
use super::message::{self, Message, MessageRole};
use super::revise::hidden;
use super::room::permission::MemberRole;
use super::touch::touch;
use super::{branch, event, reaction, summary};
use crate::app::App;
use crate::chat::chat::ChatKind;
use crate::db::Connection;
use crate::db::schema::{chat_members, generation_steps, generations, message_edits, messages, replays, tool_calls};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append_all;
use crate::id::{GenerationId, MessageId, UserId};

/// Makes a message a tombstone; one that is one stays as it is.
///
/// # Errors
/// NOT_FOUND; FORBIDDEN for another's message; INVALID_STATE for Parlor's, and while an answer is written that would go.
pub async fn delete(app: &App, user_id: UserId, id: MessageId) -> Result<Message> {
    let mut connection = app.connection().await?;
    let chat_id = seen(&mut connection, user_id, id).await?.chat_id;
    let message = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, chat_id).await.map_err(hidden)?;
            branch::lock_running(connection, chat_id).await?;
            let message = seen(connection, user_id, id).await?;
            if message.deleted_at.is_some() {
                return Ok::<_, Error>(message);
            }
            check(connection, &membership, &message).await?;
            let gone = with_answers(connection, &membership, &message).await?;
            check_ended(connection, &gone).await?;
            bury(connection, user_id, &message, &gone).await?;
            seen(connection, user_id, id).await
        })
        .await?;
    app.log().wake();
    Ok(message)
}

/// The message with this id as `user_id` sees it, which may be a tombstone.
async fn seen(connection: &mut Connection, user_id: UserId, id: MessageId) -> Result<Message> {
    let mut found = message::find_many_visible(connection, user_id, &[id]).await?;
    found
        .remove(&id)
        .ok_or_else(|| Error::not_found(&["messageId"], "message"))
}

/// Refuses what this person may not delete: others' messages, but for moderators of a group and its owner those of lower
/// roles; who has left, and an assistant, is as low as a member. An answer is also theirs who have asked for it.
async fn check(connection: &mut Connection, membership: &Membership, message: &Message) -> Result<()> {
    let Membership {
        chat, user_id, role, ..
    } = membership;
    if message.role == MessageRole::System {
        let words = "This tells what happened in the group, and stays. Clear the history to have it gone for you.";
        return Err(Error::rejected(ErrorCode::InvalidState, &["messageId"], words));
    }
    if !chat.is_shared() || message.author_id == Some(*user_id) {
        return Ok(());
    }
    if message.role == MessageRole::Assistant && asked_for(connection, message.id).await? == Some(*user_id) {
        return Ok(());
    }
    let lower = match message.author_id {
        Some(author) => {
            let there = chat_members::table.find((chat.id, author)).select(chat_members::role);
            there.first(connection).await.optional()?.unwrap_or(MemberRole::Member)
        }
        None => MemberRole::Member,
    };
    if chat.kind == ChatKind::Group && *role > lower {
        return Ok(());
    }
    let words = "Only the author can delete this message, or somebody whose role in the group is higher.";
    Err(Error::rejected(ErrorCode::Forbidden, &["messageId"], words))
}

/// Who has asked for an answer.
async fn asked_for(connection: &mut Connection, id: MessageId) -> QueryResult<Option<UserId>> {
    let newest = generations::table
        .filter(generations::message_id.eq(id))
        .filter(generations::text_octets.is_null());
    newest.select(generations::user_id).first(connection).await.optional()
}

/// The message, and where it is a question to an assistant, all answers to it.
async fn with_answers(
    connection: &mut Connection,
    membership: &Membership,
    message: &Message,
) -> QueryResult<Vec<MessageId>> {
    let mut gone = vec![message.id];
    if !membership.chat.is_shared() && message.role == MessageRole::User {
        let answers = messages::table
            .filter(messages::parent_id.eq(message.id))
            .filter(messages::role.eq(MessageRole::Assistant))
            .filter(messages::deleted_at.is_null());
        gone.extend(answers.select(messages::id).load::<MessageId>(connection).await?);
    }
    Ok(gone)
}

/// Refuses while one of these is being written.
async fn check_ended(connection: &mut Connection, ids: &[MessageId]) -> Result<()> {
    let running = generations::table
        .filter(generations::message_id.eq_any(ids))
        .filter(generations::finished_at.is_null());
    if diesel::select(diesel::dsl::exists(running))
        .get_result(connection)
        .await?
    {
        let words = "The answer is still being written. Stop it first, or wait for its end.";
        return Err(Error::rejected(ErrorCode::InvalidState, &["messageId"], words));
    }
    Ok(())
}

/// Takes out of these messages, a message and its answers, all that was in them, and tells of it. The chat is locked.
async fn bury(connection: &mut Connection, user_id: UserId, message: &Message, ids: &[MessageId]) -> Result<()> {
    const CHANGED: [&str; 2] = ["CONTENT", "DELETED"];
    let chat_id = message.chat_id;
    let sequences = empty(connection, user_id, ids).await?;
    forget_making(connection, ids).await?;
    // What is unread is counted without tombstones.
    let [updated, upserted] = touch(connection, message, &CHANGED).await?;
    let answers = ids.iter().filter(|id| **id != message.id);
    let answers = answers.map(|id| event::message_updated(chat_id, *id, &CHANGED));
    let mut events: Vec<_> = std::iter::once(updated).chain(answers).collect();
    let first = sequences.into_iter().min().unwrap_or(i64::MAX);
    events.extend(summary::drop_covering(connection, chat_id, first).await?);
    events.push(upserted);
    append_all(connection, events).await?;
    let mut others: Vec<MessageId> = branch::siblings_of(connection, ids)
        .await?
        .into_iter()
        .map(|(_, message)| message.id)
        .collect();
    others.sort_unstable();
    others.dedup();
    branch::tell_siblings(connection, chat_id, &others).await?;
    Ok(())
}

/// Takes out of these messages what was said, and what people made of it. Gives their numbers.
///
/// # Errors
/// When Postgres fails.
pub async fn empty(connection: &mut Connection, user_id: UserId, ids: &[MessageId]) -> QueryResult<Vec<i64>> {
    let empty = (
        messages::content.eq(""),
        messages::metadata.eq(None::<serde_json::Value>),
        messages::tokens.eq(None::<i32>),
        messages::own_content.eq(None::<String>),
        messages::own_edited_at.eq(None::<DateTime<Utc>>),
        messages::deleted_at.eq(now),
        messages::deleted_by.eq(user_id),
        messages::pinned_at.eq(None::<DateTime<Utc>>),
        messages::pinned_by.eq(None::<UserId>),
        messages::version.eq(messages::version + 1),
    );
    let sequences: Vec<i64> = diesel::update(messages::table.filter(messages::id.eq_any(ids)))
        .set(empty)
        .returning(messages::sequence)
        .get_results(connection)
        .await?;
    diesel::delete(message_edits::table.filter(message_edits::message_id.eq_any(ids)))
        .execute(connection)
        .await?;
    reaction::clear(connection, ids).await?;
    Ok(sequences)
}

/// Of how answers were made, what they cost stays; not what was thought, and what tools were asked and said.
async fn forget_making(connection: &mut Connection, ids: &[MessageId]) -> QueryResult<()> {
    let made: Vec<GenerationId> = diesel::update(generations::table.filter(generations::message_id.eq_any(ids)))
        .set(generations::reasoning.eq(None::<String>))
        .returning(generations::id)
        .get_results(connection)
        .await?;
    if made.is_empty() {
        return Ok(());
    }
    diesel::delete(tool_calls::table.filter(tool_calls::generation_id.eq_any(&made)))
        .execute(connection)
        .await?;
    diesel::delete(generation_steps::table.filter(generation_steps::generation_id.eq_any(&made)))
        .execute(connection)
        .await?;
    diesel::delete(replays::table.filter(replays::generation_id.eq_any(&made)))
        .execute(connection)
        .await
        .map(drop)
}
