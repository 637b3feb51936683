//! Making groups.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::json;

use super::asked::AssistantReplies;
use super::consent;
use super::details::{checked_description, checked_icon};
use super::member::{join, people};
use super::note::{Note, SystemKind, tell};
use super::permission::{MemberRole, PermissionsChange};
use super::purse::ChatPayer;
use super::staff;
use crate::app::App;
use crate::chat::chat::{Chat, ChatHistory, ChatKind, TitleSource};
use crate::chat::claim::Claim;
use crate::chat::create::{check_count, checked_assistants, checked_title};
use crate::chat::event;
use crate::chat::member::Membership;
use crate::db::Connection;
use crate::db::schema::chats;
use crate::error::{Error, Result};
use crate::event::append_all;
use crate::id::{AssistantId, ChatId, MessageId, UserId};

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
    /// Which assistants are.
    pub assistants: Vec<AssistantId>,
    /// When they answer.
    pub assistant_replies: Option<AssistantReplies>,
    /// Who pays for their answers.
    pub payer: Option<ChatPayer>,
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
        chats::assistant_replies.eq(wanted.assistant_replies.unwrap_or(AssistantReplies::WhenAddressed)),
        chats::payer.eq(wanted.payer.unwrap_or(ChatPayer::Asker)),
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
            let assistants = checked_assistants(connection, user_id, &wanted.assistants).await?;
            staff::place(connection, id, 0, &assistants).await?;
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
    let mut asked = vec![
        json!("group"),
        json!(wanted.title),
        json!(wanted.description),
        json!(wanted.icon_url),
        json!(history),
        json!(permissions),
        json!(members),
    ];
    let (replies, payer) = (wanted.assistant_replies, wanted.payer);
    // Left out where there are none, so that retries of creations from before there were assistants in groups are known.
    let more = !wanted.assistants.is_empty() || replies.is_some() || payer.is_some();
    asked.extend(more.then(|| {
        let assistants: Vec<_> = wanted.assistants.iter().map(|id| id.0).collect();
        json!([
            assistants,
            replies.map(AssistantReplies::as_str),
            payer.map(ChatPayer::as_str)
        ])
    }));
    asked.into()
}

/// The group that the same key made before.
async fn first_result(connection: &Connection, claim: Option<&Claim>) -> Result<Option<Chat>> {
    let Some(claim) = claim else { return Ok(None) };
    let Some(chat_id) = claim.first_chat(connection).await? else {
        return Ok(None);
    };
    let membership = Membership::of(connection, claim.user_id, chat_id).await?;
    let membership = membership.ok_or_else(|| Error::not_found(&["idempotencyKey"], "chat"))?;
    Ok(Some(membership.chat))
}
