//! What the AI is to remember of a person.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::event;
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{memories, users};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{MemoryId, UserId};
use crate::input;
use crate::page::Window;

/// The most memories that one person may have: all of them are told to models, so they are not to fill a prompt.
pub const MOST: i64 = 100;
/// The longest memory, in characters.
const LONGEST: usize = 500;

/// A sentence or two about a person.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = memories, check_for_backend(diesel::pg::Pg))]
pub struct Memory {
    /// Its id.
    pub id: MemoryId,
    /// What is to be remembered.
    pub content: String,
    /// Grows with each change.
    pub version: i32,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// A page of the memories of a person, newest first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut Connection, user_id: UserId, window: &Window<MemoryId>) -> QueryResult<Vec<Memory>> {
    let mut query = memories::table
        .filter(memories::user_id.eq(user_id))
        .select(Memory::as_select())
        .limit(window.fetch())
        .into_boxed();
    query = if window.backwards {
        query.order(memories::id.asc())
    } else {
        query.order(memories::id.desc())
    };
    if let Some(after) = window.after {
        query = query.filter(memories::id.lt(after));
    }
    if let Some(before) = window.before {
        query = query.filter(memories::id.gt(before));
    }
    query.load(connection).await
}

/// Those of the memories with these ids that are of `user_id`, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(
    connection: &mut Connection,
    user_id: UserId,
    ids: &[MemoryId],
) -> QueryResult<HashMap<MemoryId, Memory>> {
    let found: Vec<Memory> = memories::table
        .filter(memories::id.eq_any(ids))
        .filter(memories::user_id.eq(user_id))
        .select(Memory::as_select())
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|memory| (memory.id, memory)).collect())
}

/// What models that answer `user_id` are told, oldest first. Whether they are is the preferences' matter.
///
/// # Errors
/// When Postgres fails.
pub async fn for_prompt(connection: &mut Connection, user_id: UserId) -> QueryResult<Vec<String>> {
    memories::table
        .filter(memories::user_id.eq(user_id))
        .order(memories::id)
        .limit(MOST)
        .select(memories::content)
        .load(connection)
        .await
}

/// Adds a memory.
///
/// # Errors
/// Refused content, or LIMIT_REACHED.
pub async fn add(app: &App, user_id: UserId, content: &str) -> Result<Memory> {
    let content = checked(content)?;
    let mut connection = app.connection().await?;
    let memory = connection
        .transaction(async |connection| {
            // Two at once are counted one after the other.
            users::table
                .find(user_id)
                .select(users::id)
                .for_no_key_update()
                .first::<UserId>(connection)
                .await?;
            let have: i64 = memories::table
                .filter(memories::user_id.eq(user_id))
                .count()
                .get_result(connection)
                .await?;
            if have >= MOST {
                let message = format!("You have {MOST} memories. Remove some first.");
                return Err(Error::rejected(ErrorCode::LimitReached, &[], message));
            }
            let row = (
                memories::id.eq(MemoryId::new()),
                memories::user_id.eq(user_id),
                memories::content.eq(content),
            );
            let memory: Memory = diesel::insert_into(memories::table)
                .values(row)
                .returning(Memory::as_returning())
                .get_result(connection)
                .await?;
            append(connection, [event::memory_upserted(user_id, memory.id)]).await?;
            Ok(memory)
        })
        .await?;
    app.log().wake();
    Ok(memory)
}

/// Changes a memory.
///
/// # Errors
/// Refused content, or NOT_FOUND.
pub async fn update(app: &App, user_id: UserId, id: MemoryId, content: &str) -> Result<Memory> {
    let content = checked(content)?;
    let mut connection = app.connection().await?;
    let memory = connection
        .transaction(async |connection| {
            let mine = memories::table.find(id).filter(memories::user_id.eq(user_id));
            let changes = (
                memories::content.eq(content),
                memories::version.eq(memories::version + 1),
                memories::updated_at.eq(Utc::now()),
            );
            let memory: Option<Memory> = diesel::update(mine)
                .set(changes)
                .returning(Memory::as_returning())
                .get_result(connection)
                .await
                .optional()?;
            let memory = memory.ok_or_else(|| Error::not_found(&["memoryId"], "memory"))?;
            append(connection, [event::memory_upserted(user_id, id)]).await?;
            Ok::<_, Error>(memory)
        })
        .await?;
    app.log().wake();
    Ok(memory)
}

/// Removes a memory for good.
///
/// # Errors
/// NOT_FOUND.
pub async fn delete(app: &App, user_id: UserId, id: MemoryId) -> Result<MemoryId> {
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| {
            let mine = memories::table.find(id).filter(memories::user_id.eq(user_id));
            if diesel::delete(mine).execute(connection).await? == 0 {
                return Err(Error::not_found(&["memoryId"], "memory"));
            }
            append(connection, [event::memory_removed(user_id, id)]).await?;
            Ok(())
        })
        .await?;
    app.log().wake();
    Ok(id)
}

fn checked(content: &str) -> Result<String> {
    let content = content.trim();
    if content.is_empty() {
        let message = "There is nothing to remember. Write something first.";
        return Err(Error::rejected(ErrorCode::Required, &["content"], message));
    }
    input::text(&["content"], "The memory", content, LONGEST).map_err(|error| Error::Rejected(vec![error]))
}
