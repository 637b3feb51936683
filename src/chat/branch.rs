//! The tree of a chat and the one branch of it that is shown.
//!
//! ```text
//! question ─ answer ─ question ─ answer          every message has the one before it as its parent
//!          └ answer' ─ question' ─ answer*       siblings are other versions of the same turn
//! ```
//! The active branch is one path from a beginning to an end; it is marked on its messages, so that pages are read
//! from an index however many branches there are. Of siblings one is chosen: the way down that was shown last.
//! Whoever changes branches holds the chat's row, then its running answers, then its messages.

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::event;
use super::message::Message;
use crate::db::schema::{generations, messages};
use crate::db::{Connection, lives};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append_all;
use crate::id::{ChatId, GenerationId, MessageId};

/// The most versions that one turn may have.
pub const MOST_SIBLINGS: usize = 50;

/// A long history takes longer than a request's statements may.
pub const LONG_WORK: &str = "SET LOCAL statement_timeout = '10min'";

/// What came of beginning a branch.
#[derive(Debug)]
pub struct Fork {
    /// The messages of the active branch after this number are others now.
    pub after: i64,
    /// The other versions of what will stand at its beginning.
    pub siblings: Vec<MessageId>,
}

/// Locks the chat's running answers before their messages, the order in which checkpoints take them.
///
/// # Errors
/// When Postgres fails.
pub async fn lock_running(connection: &mut Connection, chat_id: ChatId) -> QueryResult<Vec<GenerationId>> {
    generations::table
        .filter(generations::chat_id.eq(chat_id))
        .filter(generations::finished_at.is_null())
        .select(generations::id)
        .order(generations::id)
        .for_update()
        .load(connection)
        .await
}

/// Makes the active branch end at `parent`, or be empty, so that the `versions` that are added next begin branches of
/// their own.
///
/// # Errors
/// LIMIT_REACHED for `messageId` when there are too many versions already, or when Postgres fails.
pub async fn fork(
    connection: &mut Connection,
    chat_id: ChatId,
    parent: Option<MessageId>,
    versions: usize,
) -> Result<Fork> {
    lock_running(connection, chat_id).await?;
    let children = messages::table.filter(messages::chat_id.eq(chat_id)).into_boxed();
    let children = match parent {
        Some(parent) => children.filter(messages::parent_id.eq(parent)),
        None => children.filter(messages::parent_id.is_null()),
    };
    let found: Vec<(MessageId, bool)> = children
        .order(messages::sequence)
        .select((messages::id, messages::deleted_at.is_null()))
        .load(connection)
        .await?;
    let siblings: Vec<MessageId> = found.iter().filter(|(_, lives)| *lives).map(|(id, _)| *id).collect();
    if siblings.len() + versions > MOST_SIBLINGS {
        let message = format!("There may be {MOST_SIBLINGS} versions of this and no more. Send a new message instead.");
        return Err(Error::rejected(ErrorCode::LimitReached, &["messageId"], message));
    }
    let path = path_to_active(connection, chat_id, parent).await?;
    diesel::sql_query(LONG_WORK).execute(connection).await?;
    deactivate(connection, chat_id, path.after).await?;
    choose(connection, &path.inactive).await?;
    activate(connection, &path.inactive, None).await?;
    let found: Vec<MessageId> = found.into_iter().map(|(id, _)| id).collect();
    diesel::update(messages::table.filter(messages::id.eq_any(found)))
        .set(messages::chosen.eq(false))
        .execute(connection)
        .await?;
    Ok(Fork {
        after: path.after,
        siblings,
    })
}

/// Makes the active branch lead to `message`, and from there down along what was shown last. Gives the number after
/// which it is another now.
///
/// # Errors
/// When Postgres fails.
pub async fn select(connection: &mut Connection, chat_id: ChatId, message: MessageId) -> QueryResult<i64> {
    lock_running(connection, chat_id).await?;
    let path = path_to_active(connection, chat_id, Some(message)).await?;
    diesel::sql_query(LONG_WORK).execute(connection).await?;
    deactivate(connection, chat_id, path.after).await?;
    choose(connection, &path.inactive).await?;
    activate(connection, &path.inactive, Some(message)).await?;
    Ok(path.after)
}

/// Grows the versions of messages whose siblings changed, and tells of it.
///
/// # Errors
/// When Postgres fails.
pub async fn tell_siblings(connection: &mut Connection, chat_id: ChatId, siblings: &[MessageId]) -> QueryResult<()> {
    if siblings.is_empty() {
        return Ok(());
    }
    diesel::update(messages::table.filter(messages::id.eq_any(siblings)))
        .set(messages::version.eq(messages::version + 1))
        .execute(connection)
        .await?;
    let events = siblings
        .iter()
        .map(|id| event::message_updated(chat_id, *id, &["SIBLINGS"]));
    append_all(connection, events.collect()).await
}

/// The other versions of each of these messages, oldest first, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn siblings_of(connection: &mut Connection, ids: &[MessageId]) -> QueryResult<Vec<(MessageId, Message)>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        of: MessageId,
        #[diesel(embed)]
        message: Message,
    }
    let query = concat!(
        "SELECT one.id AS of, other.* FROM messages AS one CROSS JOIN LATERAL (\
          (SELECT * FROM messages WHERE parent_id = one.parent_id) UNION ALL \
          (SELECT * FROM messages WHERE one.parent_id IS NULL AND parent_id IS NULL AND chat_id = one.chat_id)) AS other \
        WHERE one.id = ANY ($1) AND other.id <> one.id AND other.deleted_at IS NULL AND ",
        lives!("other"),
        " ORDER BY other.sequence"
    );
    let found: Vec<Row> = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(ids)
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|row| (row.of, row.message)).collect())
}

/// The way from a message up to the active branch.
struct Path {
    /// The number of the message of the active branch where it ends; 0 when it has nothing in common with it.
    after: i64,
    /// What has to become active.
    inactive: Vec<MessageId>,
}

async fn path_to_active(connection: &mut Connection, chat_id: ChatId, to: Option<MessageId>) -> QueryResult<Path> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: MessageId,
        #[diesel(sql_type = BigInt)]
        sequence: i64,
        #[diesel(sql_type = Bool)]
        active: bool,
    }
    let query = "WITH RECURSIVE up AS (SELECT id, parent_id, sequence, active FROM messages WHERE id = $1 AND chat_id = $2 \
          UNION ALL SELECT m.id, m.parent_id, m.sequence, m.active FROM up JOIN messages AS m ON m.id = up.parent_id WHERE NOT up.active) \
        SELECT id, sequence, active FROM up";
    let rows: Vec<Row> = diesel::sql_query(query)
        .bind::<Nullable<SqlUuid>, _>(to)
        .bind::<SqlUuid, _>(chat_id)
        .load(connection)
        .await?;
    Ok(Path {
        after: rows.iter().find(|row| row.active).map_or(0, |row| row.sequence),
        inactive: rows.into_iter().filter(|row| !row.active).map(|row| row.id).collect(),
    })
}

async fn deactivate(connection: &mut Connection, chat_id: ChatId, after: i64) -> QueryResult<()> {
    let rest = messages::table
        .filter(messages::chat_id.eq(chat_id))
        .filter(messages::active)
        .filter(messages::sequence.gt(after));
    diesel::update(rest)
        .set((messages::active.eq(false), messages::version.eq(messages::version + 1)))
        .execute(connection)
        .await
        .map(drop)
}

/// Makes these the chosen ones among their siblings.
async fn choose(connection: &mut Connection, ids: &[MessageId]) -> QueryResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let query = "UPDATE messages SET chosen = id = ANY ($1) WHERE id IN (\
          SELECT other.id FROM messages AS one JOIN messages AS other ON other.parent_id = one.parent_id WHERE one.id = ANY ($1) UNION ALL \
          SELECT other.id FROM messages AS one JOIN messages AS other ON other.chat_id = one.chat_id AND other.parent_id IS NULL \
          WHERE one.id = ANY ($1) AND one.parent_id IS NULL)";
    diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(ids)
        .execute(connection)
        .await
        .map(drop)
}

/// Marks these as active, and what is chosen below `from`.
///
/// # Errors
/// When Postgres fails.
pub async fn activate(connection: &mut Connection, ids: &[MessageId], from: Option<MessageId>) -> QueryResult<()> {
    let query = "WITH RECURSIVE down AS (SELECT id FROM messages WHERE id = $2 \
          UNION ALL SELECT m.id FROM down JOIN messages AS m ON m.parent_id = down.id AND m.chosen) \
        UPDATE messages SET active = true, version = version + 1 \
        WHERE NOT active AND (id = ANY ($1) OR id IN (SELECT id FROM down))";
    diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Nullable<SqlUuid>, _>(from)
        .execute(connection)
        .await
        .map(drop)
}
