//! Chats of two people. There is one for each two, made when either opens it. Whoever has not opened it is in it from
//! its first message on: nobody gets an empty room from somebody else. The same holds for who has deleted it: it comes
//! back with the next message, without what was said before.
//!
//! Who is blocked by the other opens it and writes into it as ever, and sees their messages as sent; the other is never
//! shown them, not even when they lift the block: `messages.withheld_from` keeps them out of every reading. For the other
//! the chat does not change at all, so what changes for the author is in their own row of `chat_members`.

use chrono::{DateTime, Utc};
use diesel::dsl::{count_star, max};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::member::people;
use crate::app::App;
use crate::chat::branch::LONG_WORK;
use crate::chat::chat::{Chat, ChatKind};
use crate::chat::create::check_count;
use crate::chat::member::Membership;
use crate::chat::{event, own, tombstone};
use crate::contact::block;
use crate::db::Connection;
use crate::db::prepared;
use crate::db::schema::{chat_members, chats, message_mentions, messages, users};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{ChatId, MessageId, UserId};

/// The chat of two people, made when there is none.
///
/// # Errors
/// NOT_FOUND or INVALID for `memberIds`, INVALID_STATE for whom one blocks; LIMIT_REACHED.
pub async fn open(app: &App, user_id: UserId, others: &[UserId]) -> Result<Chat> {
    let refuse = |message: &str| Err(Error::rejected(ErrorCode::Invalid, &["memberIds"], message));
    let &[other] = others else {
        return refuse("A direct chat is with one other person. Make a group to write to several.");
    };
    if other == user_id {
        return refuse("A direct chat is with somebody else. Write to yourself in a chat with an assistant.");
    }
    let mut connection = app.connection().await?;
    people(&mut connection, &[other], "memberIds").await?;
    let pair = (user_id.min(other), user_id.max(other));
    let chat = connection
        .transaction(async |connection| {
            let chat = find_or_make(connection, pair).await?;
            let mine = diesel::select(diesel::dsl::exists(chat_members::table.find((chat.id, user_id))));
            if mine.get_result(connection).await? {
                return Ok::<_, Error>(chat);
            }
            if block::is_blocked(connection, user_id, other).await? {
                return Err(unblock_first("memberIds"));
            }
            check_count(connection, user_id).await?;
            enter(connection, &chat, user_id).await?;
            append(connection, [event::chat_upserted_for(chat.id, user_id)]).await?;
            Ok(chat)
        })
        .await?;
    app.log().wake();
    Ok(chat)
}

/// The chat of a pair, locked.
async fn find_or_make(connection: &mut Connection, (low, high): (UserId, UserId)) -> Result<Chat> {
    let values = (
        chats::id.eq(ChatId::new()),
        chats::kind.eq(ChatKind::Direct),
        chats::direct_low_id.eq(low),
        chats::direct_high_id.eq(high),
    );
    // Waits for the other of the two, who may be making it at this moment, and then makes nothing.
    let made: Option<Chat> = diesel::insert_into(chats::table)
        .values(values)
        .on_conflict_do_nothing()
        .returning(Chat::as_returning())
        .get_result(connection)
        .await
        .optional()?;
    if let Some(chat) = made {
        return Ok(chat);
    }
    let found: Option<Chat> = chats::table
        .filter(chats::direct_low_id.eq(low))
        .filter(chats::direct_high_id.eq(high))
        .select(Chat::as_select())
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?;
    // Both have left it, the last of them this very moment.
    found.ok_or_else(|| Error::unavailable("a direct chat was deleted while it was opened"))
}

/// Lets somebody in, to see what is said from now on.
async fn enter(connection: &mut Connection, chat: &Chat, user_id: UserId) -> QueryResult<()> {
    // What was withheld is counted in the row of its author, which went when they left.
    let (withheld, latest): (i64, Option<DateTime<Utc>>) = withheld(chat.id)
        .filter(messages::author_id.eq(user_id))
        .select((count_star(), max(messages::created_at)))
        .get_result(connection)
        .await?;
    let changes = own::count(connection, chat.id, user_id).await?;
    let withheld = i32::try_from(withheld).unwrap_or(i32::MAX);
    let member = (
        chat_members::version.eq(withheld.saturating_add(changes)),
        chat_members::own_activity_at.eq(latest),
        chat_members::chat_id.eq(chat.id),
        chat_members::user_id.eq(user_id),
        chat_members::history_after.eq(chat.last_sequence),
        chat_members::last_read_sequence.eq(chat.last_sequence),
    );
    diesel::insert_into(chat_members::table)
        .values(member)
        .on_conflict_do_nothing()
        .execute(connection)
        .await
        .map(drop)
}

/// What is said in a chat that its author alone was shown.
#[diesel::dsl::auto_type(no_type_alias)]
fn withheld(chat_id: ChatId) -> _ {
    messages::table
        .filter(messages::chat_id.eq(chat_id))
        .filter(messages::withheld_from.is_not_null())
}

/// Keeps a direct chat that its last person has left, if what they said in it was withheld from the other: who is not
/// blocked leaves it to the other, and finds the same chat again. Nothing of what was said stays in it.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn outlives(connection: &mut Connection, left: &Membership) -> QueryResult<bool> {
    let Membership { chat, user_id, .. } = left;
    if chat.kind != ChatKind::Direct {
        return Ok(false);
    }
    let comes_back = users::table.find(user_id).filter(users::deleted_at.is_null());
    let withheld: Vec<MessageId> = withheld(chat.id)
        .filter(diesel::dsl::exists(comes_back))
        .select(messages::id)
        .load(connection)
        .await?;
    if withheld.is_empty() {
        return Ok(false);
    }
    diesel::sql_query(LONG_WORK).execute(connection).await?;
    tombstone::empty(connection, *user_id, &withheld).await?;
    diesel::delete(message_mentions::table.filter(message_mentions::message_id.eq_any(&withheld)))
        .execute(connection)
        .await?;
    let others = messages::table.filter(messages::chat_id.eq(chat.id));
    diesel::delete(others.filter(messages::withheld_from.is_null()))
        .execute(connection)
        .await?;
    Ok(true)
}

/// What whoever blocks somebody is told who then turns to them.
fn unblock_first(field: &str) -> Error {
    let message = "You have blocked this person. Unblock them first.";
    Error::rejected(ErrorCode::InvalidState, &[field], message)
}

/// Who of a direct chat blocks `author`, from whom what they do there is withheld; nobody in other rooms.
///
/// # Errors
/// When Postgres fails.
pub async fn blocking(connection: &mut Connection, chat: &Chat, author: UserId) -> QueryResult<Option<UserId>> {
    let Some(other) = chat.other_of_pair(author) else {
        return Ok(None);
    };
    let blocks = block::is_blocked(connection, other, author).await?;
    Ok(blocks.then_some(other))
}

/// Lets in whoever of a direct chat's two people is not there, before `author` says something. Other rooms stay as they
/// are. Gives the one whom it is to be withheld from, who blocks the author: they stay out.
///
/// # Errors
/// INVALID_STATE for `chatId` when the author blocks the other.
pub async fn gather(connection: &mut Connection, chat: &Chat, author: UserId) -> Result<Option<UserId>> {
    #[derive(QueryableByName)]
    struct Blocking {
        #[diesel(sql_type = SqlUuid)]
        user_id: UserId,
    }
    if chat.kind != ChatKind::Direct {
        return Ok(None);
    }
    let query = "WITH blocking AS (SELECT user_id FROM blocks WHERE (user_id = $2 AND blocked_id = $3) OR (user_id = $3 AND blocked_id = $2)), \
        gathered AS (INSERT INTO chat_members (chat_id, user_id, history_after, last_read_sequence) \
          SELECT $1, person.id, $4, $4 FROM users AS person \
          WHERE person.id IN ($2, $3) AND person.deleted_at IS NULL AND NOT EXISTS (SELECT FROM blocking) ON CONFLICT DO NOTHING) \
        SELECT user_id FROM blocking";
    let query = diesel::sql_query(query)
        .bind::<SqlUuid, _>(chat.id)
        .bind::<Nullable<SqlUuid>, _>(chat.direct_low_id)
        .bind::<Nullable<SqlUuid>, _>(chat.direct_high_id)
        .bind::<BigInt, _>(chat.last_sequence);
    let blocking: Vec<Blocking> = prepared(query).load(connection).await?;
    if blocking.iter().any(|blocking| blocking.user_id == author) {
        return Err(unblock_first("chatId"));
    }
    Ok(blocking.into_iter().next().map(|blocking| blocking.user_id))
}
