//! The assistants of a group: who adds and removes them.
//!
//! Shared ones can be added, and one's own: with a private one its owner lets the group use it, and shows it the name,
//! nothing else. It leaves with its owner.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::member::now;
use super::note::{Note, SystemKind, tell};
use super::permission::ChatPermission;
use crate::app::App;
use crate::assistant::Visibility;
use crate::chat::chat::Chat;
use crate::chat::create::{MOST_ASSISTANTS, checked_assistants};
use crate::chat::event;
use crate::chat::member::Membership;
use crate::db::Connection;
use crate::db::schema::{assistants, chat_assistants};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append_all;
use crate::id::{AssistantId, ChatId, MessageId, UserId};

/// Adds assistants to a group; those that are in it stay as they are.
///
/// # Errors
/// NOT_FOUND for the chat or an assistant, FORBIDDEN, INVALID_STATE where there is no group, LIMIT_REACHED.
pub async fn add(app: &App, user_id: UserId, chat_id: ChatId, ids: &[AssistantId]) -> Result<Chat> {
    let mut connection = app.connection().await?;
    let chat = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, chat_id).await?;
            membership.check_group()?;
            membership.check(ChatPermission::AddMembers)?;
            let mut new = checked_assistants(connection, user_id, ids).await?;
            let here: Vec<(AssistantId, i16)> = chat_assistants::table
                .filter(chat_assistants::chat_id.eq(chat_id))
                .order(chat_assistants::position)
                .select((chat_assistants::assistant_id, chat_assistants::position))
                .load(connection)
                .await?;
            let known: HashSet<AssistantId> = here.iter().map(|(id, _)| *id).collect();
            new.retain(|id| !known.contains(id));
            if here.len() + new.len() > MOST_ASSISTANTS {
                let message = format!("A chat has at most {MOST_ASSISTANTS} assistants. Remove some first.");
                return Err(Error::rejected(ErrorCode::LimitReached, &["assistantIds"], message));
            }
            if new.is_empty() {
                return Ok(membership.chat);
            }
            let first = here.last().map_or(0, |(_, position)| position + 1);
            place(connection, chat_id, first, &new).await?;
            let note = |id: &AssistantId| (MessageId::new(), Note::assistant(SystemKind::AssistantAdded, *id));
            let mut events = tell(connection, &membership.chat, user_id, new.iter().map(note).collect()).await?;
            events.push(event::chat_upserted(chat_id));
            append_all(connection, events).await?;
            now(connection, chat_id).await
        })
        .await?;
    app.log().wake();
    Ok(chat)
}

/// Puts assistants into a group that is locked or new. The names of private ones are shown to it from then on.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn place(
    connection: &mut Connection,
    chat_id: ChatId,
    first: i16,
    ids: &[AssistantId],
) -> QueryResult<()> {
    let rows = (first..).zip(ids).map(|(position, id)| {
        (
            chat_assistants::chat_id.eq(chat_id),
            chat_assistants::assistant_id.eq(*id),
            chat_assistants::position.eq(position),
        )
    });
    diesel::insert_into(chat_assistants::table)
        .values(rows.collect::<Vec<_>>())
        .execute(connection)
        .await?;
    let private = assistants::table
        .filter(assistants::id.eq_any(ids))
        .filter(assistants::visibility.eq(Visibility::Private));
    diesel::update(private)
        .set(assistants::public_name.eq(assistants::display_name.nullable()))
        .execute(connection)
        .await
        .map(drop)
}

/// Removes an assistant from a group. What it is writing it writes to the end.
///
/// # Errors
/// NOT_FOUND for the chat or the assistant, FORBIDDEN, INVALID_STATE where there is no group.
pub async fn remove(app: &App, user_id: UserId, chat_id: ChatId, id: AssistantId) -> Result<Chat> {
    let mut connection = app.connection().await?;
    let chat = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, chat_id).await?;
            membership.check_group()?;
            let here = chat_assistants::table.find((chat_id, id));
            let owner: Option<Option<UserId>> = here
                .inner_join(assistants::table)
                .select(assistants::owner_id)
                .first(connection)
                .await
                .optional()?;
            let owner = owner.ok_or_else(|| Error::not_found(&["assistantId"], "assistant"))?;
            // Whose it is takes it back at any time.
            if owner != Some(user_id) {
                membership.check(ChatPermission::AddMembers)?;
            }
            diesel::delete(here).execute(connection).await?;
            let notes = vec![(MessageId::new(), Note::assistant(SystemKind::AssistantRemoved, id))];
            let mut events = tell(connection, &membership.chat, user_id, notes).await?;
            events.push(event::chat_upserted(chat_id));
            append_all(connection, events).await?;
            now(connection, chat_id).await
        })
        .await?;
    app.log().wake();
    Ok(chat)
}

/// Takes the private assistants of somebody who goes out of a group that is locked; gives what is to be told of it.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn leave_with(
    connection: &mut Connection,
    chat_id: ChatId,
    user_id: UserId,
) -> QueryResult<Vec<(MessageId, Note)>> {
    #[derive(QueryableByName)]
    struct Gone {
        #[diesel(sql_type = SqlUuid)]
        assistant_id: AssistantId,
    }
    let query = "DELETE FROM chat_assistants USING assistants WHERE chat_id = $1 AND assistants.id = assistant_id \
        AND owner_id = $2 AND visibility = 'PRIVATE' RETURNING assistant_id";
    let gone: Vec<Gone> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(chat_id)
        .bind::<SqlUuid, _>(user_id)
        .load(connection)
        .await?;
    let note = |Gone { assistant_id }| {
        (
            MessageId::new(),
            Note::assistant(SystemKind::AssistantRemoved, assistant_id),
        )
    };
    Ok(gone.into_iter().map(note).collect())
}
