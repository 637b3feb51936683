//! Whom a person wants to hear nothing from.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;

use super::book::change;
use crate::account::user::User;
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{blocks, contacts, users};
use crate::error::{Error, ErrorCode, Result};
use crate::id::UserId;

/// The most people that one person may block: they are listed in one piece.
pub const MOST: i64 = 1_000;

/// Whether `owner` blocks `other`.
///
/// # Errors
/// When Postgres fails.
pub async fn is_blocked(connection: &mut Connection, owner: UserId, other: UserId) -> QueryResult<bool> {
    let block = blocks::table.find((owner, other));
    diesel::select(diesel::dsl::exists(block)).get_result(connection).await
}

/// Whether one of the two blocks the other.
///
/// # Errors
/// When Postgres fails.
pub async fn blocks_between(connection: &mut Connection, one: UserId, other: UserId) -> QueryResult<bool> {
    Ok(!blocks_among(connection, one, &[other]).await?.is_empty())
}

/// Those of `others` who block `one` or whom `one` blocks, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn blocks_among(connection: &mut Connection, one: UserId, others: &[UserId]) -> QueryResult<HashSet<UserId>> {
    let by_one = blocks::table
        .filter(blocks::user_id.eq(one))
        .filter(blocks::blocked_id.eq_any(others))
        .select(blocks::blocked_id);
    let by_others = blocks::table
        .filter(blocks::blocked_id.eq(one))
        .filter(blocks::user_id.eq_any(others))
        .select(blocks::user_id);
    let found: Vec<UserId> = by_one.union_all(by_others).load(connection).await?;
    Ok(found.into_iter().collect())
}

/// Those whom a person blocks, those who were blocked last first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut Connection, owner: UserId) -> QueryResult<Vec<User>> {
    blocks::table
        .inner_join(users::table.on(users::id.eq(blocks::blocked_id)))
        .filter(blocks::user_id.eq(owner))
        .order(blocks::version.desc())
        .limit(MOST)
        .select(User::as_select())
        .load(connection)
        .await
}

/// Blocks somebody, who is a contact of the owner no more. Whoever is blocked already stays so.
///
/// # Errors
/// NOT_FOUND, INVALID for oneself, or LIMIT_REACHED.
pub async fn block(app: &App, owner: UserId, other: UserId) -> Result<User> {
    if owner == other {
        let message = "You cannot block yourself. Block somebody else.";
        return Err(Error::rejected(ErrorCode::Invalid, &["userId"], message));
    }
    change(app, owner, other, |connection, version, user| {
        async move {
            let row = (
                blocks::user_id.eq(owner),
                blocks::blocked_id.eq(other),
                blocks::version.eq(version),
            );
            let made = diesel::insert_into(blocks::table)
                .values(row)
                .on_conflict((blocks::user_id, blocks::blocked_id))
                .do_nothing();
            if made.execute(connection).await? == 0 {
                return Ok((user, false));
            }
            let mine = blocks::table.filter(blocks::user_id.eq(owner)).count();
            if mine.get_result::<i64>(connection).await? > MOST {
                let message = format!("You have blocked {MOST} people. Unblock some first.");
                return Err(Error::rejected(ErrorCode::LimitReached, &[], message));
            }
            diesel::delete(contacts::table.find((owner, other)))
                .execute(connection)
                .await?;
            Ok((user, true))
        }
        .boxed()
    })
    .await
}

/// Blocks somebody no more. They are no contact then, until they are added again.
///
/// # Errors
/// NOT_FOUND when there is no such person.
pub async fn unblock(app: &App, owner: UserId, other: UserId) -> Result<User> {
    change(app, owner, other, |connection, _, user| {
        async move {
            let lifted = diesel::delete(blocks::table.find((owner, other)));
            Ok((user, lifted.execute(connection).await? > 0))
        }
        .boxed()
    })
    .await
}
