//! What becomes of the rooms of somebody whose account is deleted: their own chats go with all that was said, groups are
//! left as anybody leaves them, and in direct chats the other keeps what was said. Each step is a transaction of its own.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::leave::depart;
use super::note::{self, Note};
use crate::account::user::User;
use crate::app::App;
use crate::assistant::assistant;
use crate::chat::chat::ChatKind;
use crate::chat::event;
use crate::chat::member::Membership;
use crate::chat::message::MessageRole;
use crate::db::Connection;
use crate::db::schema::{chat_members, chats, messages, system_notes};
use crate::error::{Error, Result};
use crate::event::append_all;
use crate::id::{AssistantId, ChatId, MessageId, UserId};

/// How many messages one step rewords.
const AT_ONCE: usize = 200;

/// Takes somebody who is gone out of one more of their rooms; says whether there was one.
///
/// # Errors
/// When Postgres fails.
pub async fn depart_next(app: &App, gone: UserId) -> Result<bool> {
    let mut connection = app.connection().await?;
    let rooms = chat_members::table.filter(chat_members::user_id.eq(gone));
    let next: Option<ChatId> = rooms
        .select(chat_members::chat_id)
        .first(&mut connection)
        .await
        .optional()?;
    let Some(chat_id) = next else { return Ok(false) };
    let running = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, gone, chat_id).await?;
            depart(connection, &membership).await
        })
        .await;
    match running {
        Ok(running) => app.engine().abandon(&running),
        // Removed by somebody else a moment ago.
        Err(Error::Rejected(_)) => {}
        Err(error) => return Err(error),
    }
    app.log().wake();
    app.presence().left(chat_id, gone);
    Ok(true)
}

/// The chats in which others have something of somebody who is gone besides their messages: direct ones, whose other
/// person is shown who it was with, and groups that tell what happened to them. Of each the messages that tell of them.
///
/// # Errors
/// When Postgres fails.
pub async fn traces(connection: &mut Connection, gone: UserId) -> QueryResult<BTreeMap<ChatId, Vec<MessageId>>> {
    let direct = chats::table
        .filter(chats::kind.eq(ChatKind::Direct))
        .filter(chats::direct_low_id.eq(gone).or(chats::direct_high_id.eq(gone)))
        .select(chats::id);
    let direct: Vec<ChatId> = direct.load(connection).await?;
    let mut traces: BTreeMap<ChatId, Vec<MessageId>> = direct.into_iter().map(|id| (id, Vec::new())).collect();
    let told = messages::table
        .inner_join(system_notes::table)
        .filter(messages::author_id.eq(gone))
        .filter(messages::role.eq(MessageRole::System))
        .select((messages::chat_id, messages::id));
    let about = messages::table
        .inner_join(system_notes::table)
        .filter(system_notes::subject_id.eq(gone))
        .select((messages::chat_id, messages::id));
    // Ids alone, and of what was told only: few, however much was said.
    let mut found: Vec<(ChatId, MessageId)> = told.load(connection).await?;
    found.extend(about.load::<(ChatId, MessageId)>(connection).await?);
    found.sort_unstable();
    found.dedup();
    for (chat_id, message_id) in found {
        traces.entry(chat_id).or_default().push(message_id);
    }
    Ok(traces)
}

/// Has a room name somebody who is gone as what they are now, in what it tells of them and in its list of members.
///
/// # Errors
/// When Postgres fails.
pub async fn rename(app: &App, chat_id: ChatId, notes: &[MessageId]) -> Result<()> {
    let mut connection = app.connection().await?;
    let nothing: &[MessageId] = &[];
    let steps = notes.chunks(AT_ONCE).chain(notes.is_empty().then_some(nothing));
    for step in steps {
        connection
            .transaction(async |connection| reword(connection, chat_id, step).await)
            .await?;
        app.log().wake();
    }
    Ok(())
}

async fn reword(connection: &mut Connection, chat_id: ChatId, ids: &[MessageId]) -> Result<()> {
    let locked: Option<ChatId> = chats::table
        .find(chat_id)
        .select(chats::id)
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?;
    if locked.is_none() {
        return Ok(());
    }
    let stored = note::find_many(connection, ids).await?;
    let authors: Vec<(MessageId, Option<UserId>)> = messages::table
        .filter(messages::id.eq_any(ids))
        .select((messages::id, messages::author_id))
        .load(connection)
        .await?;
    let authors: BTreeMap<MessageId, UserId> = authors
        .into_iter()
        .filter_map(|(id, author)| Some((id, author?)))
        .collect();
    let people = stored.iter().filter_map(|note| note.subject_id);
    let people: Vec<UserId> = people.chain(authors.values().copied()).collect();
    let names = User::find_many(connection, &people).await?;
    let assistants: Vec<AssistantId> = stored.iter().filter_map(|note| note.assistant_id).collect();
    let assistants = assistant::find_named(connection, &assistants).await?;
    let mut events = Vec::new();
    for note in &stored {
        let author = authors.get(&note.message_id).and_then(|id| names.get(id));
        let author = author.map_or("Somebody", |user| user.display_name.as_str());
        let words = Note::from(note).words(author, &names, &assistants);
        let other = messages::table
            .find(note.message_id)
            .filter(messages::content.ne(&words));
        let changes = (
            messages::content.eq(&words),
            messages::version.eq(messages::version + 1),
        );
        if diesel::update(other).set(changes).execute(connection).await? > 0 {
            events.push(event::message_updated(chat_id, note.message_id, &["CONTENT"]));
        }
    }
    diesel::update(chats::table.find(chat_id))
        .set(chats::version.eq(chats::version + 1))
        .execute(connection)
        .await?;
    events.push(event::chat_upserted(chat_id));
    Ok(append_all(connection, events).await?)
}
