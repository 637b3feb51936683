//! Who is in a group: adding, removing, roles.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::consent;
use super::note::{Note, SystemKind, tell};
use super::permission::{ChatPermission, MemberRole, refusal};
use super::{purse, staff};
use crate::account::user::User;
use crate::app::App;
use crate::chat::chat::{Chat, ChatHistory};
use crate::chat::event;
use crate::chat::member::Membership;
use crate::chat::receipt;
use crate::db::Connection;
use crate::db::schema::{chat_members, chats};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append_all;
use crate::id::{ChatId, MessageId, UserId};

/// The most people that one request may add.
const MOST_AT_ONCE: usize = 100;
/// The most people in one group.
const MOST_MEMBERS: usize = 5_000;

/// Those of the people that are named, each once: all of them must be there.
///
/// # Errors
/// NOT_FOUND or LIMIT_REACHED for `field`.
pub(super) async fn people(connection: &mut Connection, ids: &[UserId], field: &str) -> Result<Vec<UserId>> {
    let mut once: Vec<UserId> = Vec::new();
    let mut seen = HashSet::new();
    once.extend(ids.iter().filter(|id| seen.insert(**id)));
    if once.len() > MOST_AT_ONCE {
        let message = format!("Name at most {MOST_AT_ONCE} people at once, and add the others afterwards.");
        return Err(Error::rejected(ErrorCode::LimitReached, &[field], message));
    }
    let found = User::find_many(connection, &once).await?;
    let there = |id: &UserId| found.get(id).is_some_and(|user| user.deactivated_at.is_none());
    if !once.iter().all(there) {
        return Err(Error::not_found(&[field], "account"));
    }
    Ok(once)
}

/// Makes people members of a room that is locked. They see what was said before if the room says so.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn join(
    connection: &mut Connection,
    chat: &Chat,
    people: &[UserId],
    role: MemberRole,
) -> QueryResult<()> {
    let after = match chat.history {
        ChatHistory::FromJoining => chat.last_sequence,
        ChatHistory::FromStart => 0,
    };
    let rows = people.iter().map(|id| {
        (
            chat_members::chat_id.eq(chat.id),
            chat_members::user_id.eq(*id),
            chat_members::role.eq(role),
            chat_members::history_after.eq(after),
            chat_members::joined_after.eq(after),
            // What was said before is there to be read, and not unread.
            chat_members::last_read_sequence.eq(chat.last_sequence),
        )
    });
    diesel::insert_into(chat_members::table)
        .values(rows.collect::<Vec<_>>())
        .execute(connection)
        .await?;
    receipt::begin(connection, chat, people).await
}

/// Adds people to a group; those who are in it stay as they are.
///
/// # Errors
/// NOT_FOUND for the chat or one of the people, FORBIDDEN, INVALID_STATE where there is no group or for whom one blocks,
/// LIMIT_REACHED.
pub async fn add(app: &App, user_id: UserId, chat_id: ChatId, ids: &[UserId]) -> Result<Chat> {
    let mut connection = app.connection().await?;
    let chat = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, chat_id).await?;
            membership.check_group()?;
            membership.check(ChatPermission::AddMembers)?;
            let mut new = people(connection, ids, "userIds").await?;
            let here: Vec<UserId> = chat_members::table
                .filter(chat_members::chat_id.eq(chat_id))
                .select(chat_members::user_id)
                .load(connection)
                .await?;
            new.retain(|id| !here.contains(id));
            if here.len() + new.len() > MOST_MEMBERS {
                let message = format!("A group has at most {MOST_MEMBERS} members.");
                return Err(Error::rejected(ErrorCode::LimitReached, &["userIds"], message));
            }
            if new.is_empty() {
                return Ok(membership.chat);
            }
            consent::check(connection, user_id, &new, "userIds").await?;
            let chat = &membership.chat;
            join(connection, chat, &new, MemberRole::Member).await?;
            let note = |id: &UserId| (MessageId::new(), Note::about(SystemKind::MemberAdded, *id));
            let told = tell(connection, chat, user_id, new.iter().map(note).collect()).await?;
            let mut events = vec![event::chat_upserted(chat_id)];
            if chat.history == ChatHistory::FromStart {
                events.extend(new.iter().map(|id| event::history_opened_for(chat_id, *id)));
            }
            events.extend(told);
            if here.len() == 1 {
                // Messages that nobody else was there for have come to those who have come.
                events.push(event::receipts_updated(chat_id, &new));
            }
            append_all(connection, events).await?;
            now(connection, chat_id).await
        })
        .await?;
    app.log().wake();
    Ok(chat)
}

/// Removes somebody from a group: at once they see no more of it.
///
/// # Errors
/// NOT_FOUND for the chat or the person, FORBIDDEN, INVALID_STATE where there is no group, INVALID for oneself.
pub async fn remove(app: &App, user_id: UserId, chat_id: ChatId, whom: UserId) -> Result<Chat> {
    let mut connection = app.connection().await?;
    let chat = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, chat_id).await?;
            membership.check_role(MemberRole::Moderator)?;
            if whom == user_id {
                let message = "Leave the group with leaveChat; only others can be removed.";
                return Err(Error::rejected(ErrorCode::Invalid, &["userId"], message));
            }
            if role_of(connection, chat_id, whom).await? >= membership.role {
                return Err(refusal());
            }
            diesel::delete(chat_members::table.find((chat_id, whom)))
                .execute(connection)
                .await?;
            let mut notes = vec![(MessageId::new(), Note::about(SystemKind::MemberRemoved, whom))];
            notes.extend(staff::leave_with(connection, chat_id, whom).await?);
            let mut events = tell(connection, &membership.chat, user_id, notes).await?;
            events.extend([event::chat_removed(chat_id, whom), event::chat_upserted(chat_id)]);
            let freed = receipt::freed(connection, chat_id, whom).await?;
            events.extend(freed.map(|furthest| event::receipts_updated(chat_id, &[furthest])));
            append_all(connection, events).await?;
            now(connection, chat_id).await
        })
        .await?;
    app.log().wake();
    app.presence().left(chat_id, whom);
    Ok(chat)
}

/// Gives somebody another role. Who makes another the owner is a moderator from then on.
///
/// # Errors
/// NOT_FOUND for the chat or the person, FORBIDDEN, INVALID_STATE where there is no group and for a new owner who is
/// deactivated, INVALID for oneself.
pub async fn set_role(app: &App, user_id: UserId, chat_id: ChatId, whom: UserId, role: MemberRole) -> Result<Chat> {
    let mut connection = app.connection().await?;
    let chat = connection
        .transaction(async |connection| {
            let membership = Membership::lock(connection, user_id, chat_id).await?;
            membership.check_role(MemberRole::Owner)?;
            let has = role_of(connection, chat_id, whom).await?;
            if has == role {
                return Ok(membership.chat);
            }
            if whom == user_id {
                let message = "A group has an owner. Make somebody else the owner instead.";
                return Err(Error::rejected(ErrorCode::Invalid, &["userId"], message));
            }
            let mut notes = Vec::new();
            if role == MemberRole::Owner {
                check_present(connection, whom).await?;
                // First, for there is never more than one.
                give_role(connection, chat_id, user_id, MemberRole::Moderator).await?;
                notes.push((MessageId::new(), Note::role(user_id, MemberRole::Moderator)));
            }
            give_role(connection, chat_id, whom, role).await?;
            notes.insert(0, (MessageId::new(), Note::role(whom, role)));
            if role == MemberRole::Owner {
                notes.extend(purse::given_over(connection, &membership.chat).await?);
            }
            let mut events = tell(connection, &membership.chat, user_id, notes).await?;
            events.push(event::chat_upserted(chat_id));
            append_all(connection, events).await?;
            now(connection, chat_id).await
        })
        .await?;
    app.log().wake();
    Ok(chat)
}

/// What somebody may do in a group that is locked.
async fn role_of(connection: &mut Connection, chat_id: ChatId, whom: UserId) -> Result<MemberRole> {
    let member = chat_members::table.find((chat_id, whom)).select(chat_members::role);
    let role = member.first(connection).await.optional()?;
    role.ok_or_else(|| Error::not_found(&["userId"], "member"))
}

/// Refuses to make somebody the owner who cannot do anything at the time.
async fn check_present(connection: &mut Connection, whom: UserId) -> Result<()> {
    let user = User::find(connection, whom).await?;
    if user.is_some_and(|user| user.deactivated_at.is_none() && user.deleted_at.is_none()) {
        return Ok(());
    }
    let message = "This account is deactivated, and could not look after the group. Choose somebody else.";
    Err(Error::rejected(ErrorCode::InvalidState, &["userId"], message))
}

/// Gives a role to a member of a group that is locked.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn give_role(
    connection: &mut Connection,
    chat_id: ChatId,
    whom: UserId,
    role: MemberRole,
) -> QueryResult<()> {
    diesel::update(chat_members::table.find((chat_id, whom)))
        .set(chat_members::role.eq(role))
        .execute(connection)
        .await
        .map(drop)
}

/// The chat as it is in this transaction.
pub(super) async fn now(connection: &mut Connection, chat_id: ChatId) -> Result<Chat> {
    let chat = chats::table.find(chat_id).select(Chat::as_select());
    Ok(chat.first(connection).await?)
}
