//! Making groups.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::json;

use super::consent;
use super::details::{checked_description, checked_icon};
use super::member::{join, people};
use super::note::{Note, SystemKind, tell};
use super::permission::{MemberRole, PermissionsChange};
use crate::app::App;
use crate::chat::chat::{Chat, ChatHistory, ChatKind, TitleSource};
use crate::chat::claim::Claim;
use crate::chat::create::{check_count, checked_title};
use crate::chat::event;
use crate::chat::member::Membership;
use crate::db::Connection;
use crate::db::schema::chats;
use crate::error::{Error, Result};
use crate::event::append_all;
use crate::id::{ChatId, MessageId, UserId};

/// What a person wants in a new group.
#[derive(Debug, Default)]
pub struct NewGroup {
    /// What to call it.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its picture.
    pub icon_url: Option<String>,
    /// What those see who join later.
    pub history: Option<ChatHistory>,
    /// Who may do what.
    pub permissions: Option<PermissionsChange>,
    /// Who is in it besides its maker.
    pub members: Vec<UserId>,
    /// Makes a retry return the same group.
    pub idempotency_key: Option<String>,
}

/// Makes a group, whose owner is its maker.
///
/// # Errors
/// Refused details; NOT_FOUND, FORBIDDEN, INVALID_STATE or LIMIT_REACHED for `memberIds`; CONFLICT for a key that made something else.
pub async fn create(app: &App, user_id: UserId, wanted: NewGroup) -> Result<Chat> {
    let key = wanted.idempotency_key.as_deref();
    let claim = key.map(|key| Claim::new(user_id, key, &asked(&wanted))).transpose()?;
    let values = (
        chats::title.eq(checked_title(wanted.title.as_deref())?),
        chats::description.eq(checked_description(wanted.description.as_deref())?),
        chats::icon_url.eq(checked_icon(wanted.icon_url.as_deref())?),
        chats::history.eq(wanted.history.unwrap_or(ChatHistory::FromJoining)),
    );
    let permissions = wanted.permissions.unwrap_or_default();
    let mut connection = app.connection().await?;
    if let Some(chat) = first_result(&connection, claim.as_ref()).await? {
        return Ok(chat);
    }
    app.throttle().message(user_id)?;
    let mut members = people(&mut connection, &wanted.members, "memberIds").await?;
    members.retain(|id| *id != user_id);
    consent::check(&mut connection, user_id, &members, "memberIds").await?;
    let made = connection
        .transaction(async |connection| {
            check_count(connection, user_id).await?;
            let (id, message_id) = (ChatId::new(), MessageId::new());
            if let Some(claim) = &claim
                && !claim.take(connection, id, message_id, None).await?
            {
                return Ok(None);
            }
            let fixed = (
                chats::id.eq(id),
                chats::kind.eq(ChatKind::Group),
                chats::title_source.eq(TitleSource::User),
            );
            diesel::insert_into(chats::table)
                .values((fixed, values))
                .execute(connection)
                .await?;
            let chat: Chat = diesel::update(chats::table.find(id))
                .set(permissions.at_first())
                .returning(Chat::as_returning())
                .get_result(connection)
                .await?;
            join(connection, &chat, &[user_id], MemberRole::Owner).await?;
            join(connection, &chat, &members, MemberRole::Member).await?;
            let notes = vec![(message_id, Note::new(SystemKind::Created))];
            let mut events = tell(connection, &chat, user_id, notes).await?;
            events.insert(0, event::chat_upserted(id));
            append_all(connection, events).await?;
            let chat = chats::table.find(id).select(Chat::as_select());
            Ok::<Option<Chat>, Error>(Some(chat.first(connection).await?))
        })
        .await?;
    if let Some(chat) = made {
        app.log().wake();
        return Ok(chat);
    }
    // Another request with the same key was faster by a moment.
    let first = first_result(&connection, claim.as_ref()).await?;
    first.ok_or_else(|| Error::internal("a claimed key without a result"))
}

/// What tells a retry from another creation under the same key.
fn asked(wanted: &NewGroup) -> serde_json::Value {
    let history = wanted.history.map(ChatHistory::as_str);
    let permissions = wanted.permissions.map(|permissions| format!("{permissions:?}"));
    let members: Vec<_> = wanted.members.iter().map(|id| id.0).collect();
    json!([
        "group",
        wanted.title,
        wanted.description,
        wanted.icon_url,
        history,
        permissions,
        members
    ])
}

/// The group that the same key made before.
async fn first_result(connection: &Connection, claim: Option<&Claim>) -> Result<Option<Chat>> {
    let Some(claim) = claim else { return Ok(None) };
    let Some(first) = claim.first_result(connection).await? else {
        return Ok(None);
    };
    let membership = Membership::of(connection, claim.user_id, first.message.chat_id).await?;
    let membership = membership.ok_or_else(|| Error::not_found(&["idempotencyKey"], "chat"))?;
    Ok(Some(membership.chat))
}
