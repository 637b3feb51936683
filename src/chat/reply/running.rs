//! Answers that are being written: where, for whom, and those that are to be stopped or whose process has died.

use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::generation::{Generation, readable};
use crate::db::Connection;
use crate::db::schema::{generations, messages};
use crate::id::{ChatId, GenerationId, UserId};

/// The answers that are being written in these chats, with the numbers of their messages, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn running_in(connection: &mut Connection, chats: &[ChatId]) -> QueryResult<Vec<(Generation, i64)>> {
    generations::table
        .inner_join(messages::table)
        .filter(generations::chat_id.eq_any(chats))
        .filter(generations::finished_at.is_null())
        .filter(readable())
        .order(generations::id)
        .select((Generation::as_select(), messages::sequence))
        .load(connection)
        .await
}

/// The answers that are being written for a person, or wait for one.
///
/// # Errors
/// When Postgres fails.
pub async fn running_for(connection: &mut Connection, user_id: UserId) -> QueryResult<Vec<GenerationId>> {
    generations::table
        .filter(generations::user_id.eq(user_id))
        .filter(generations::finished_at.is_null())
        .order(generations::id)
        .select(generations::id)
        .load(connection)
        .await
}

/// How many answers are being written for a person.
///
/// # Errors
/// When Postgres fails.
pub async fn count_running(mut connection: &Connection, user_id: UserId) -> QueryResult<i64> {
    generations::table
        .filter(generations::user_id.eq(user_id))
        .filter(generations::finished_at.is_null())
        .filter(generations::lease_expires_at.is_not_null())
        .count()
        .get_result(&mut connection)
        .await
}

/// Asks whichever process runs it to stop an answer.
///
/// # Errors
/// When Postgres fails.
pub async fn request_stop(connection: &mut Connection, id: GenerationId) -> QueryResult<()> {
    let running = generations::table.find(id).filter(generations::finished_at.is_null());
    diesel::update(running)
        .set(generations::stop_requested_at.eq(now))
        .execute(connection)
        .await
        .map(drop)
}

/// Answers whose process has died.
///
/// # Errors
/// When Postgres fails.
pub async fn abandoned(connection: &mut Connection) -> QueryResult<Vec<GenerationId>> {
    generations::table
        .filter(generations::finished_at.is_null())
        .filter(generations::lease_expires_at.lt(now))
        .select(generations::id)
        .limit(100)
        .load(connection)
        .await
}
