//! Messages that disappear: a chat may say how old a message of it gets, and the server how old any does.
//!
//! What is too old is gone for everybody at that moment: whatever reads messages has the condition of `db::lives`,
//! so that nobody is shown more because a sweep is late. Behind it come two steps, each of which may be repeated:
//!
//! ```text
//! too old: nobody reads it ── [`mark`]: the chat's cleared_sequence grows ── [`sweep`]: its rows go, some hundred at a time
//!                              HistoryCleared tells devices that slept
//! ```
//!
//! Numbers grow with time, so what is gone is a beginning of the chat: history stays a range of an index, and one number says
//! to every device what it has to forget. (Where clocks disagreed by a moment, a message that is too old behind one that is
//! not yet is hidden, and forgotten with that one.)
//!
//! In a direct chat, who is blocked by the other decides for themselves alone: see [`own`].

pub mod mark;
pub mod own;
pub mod sweep;

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::{Connection, Fixed, fixed, lives, prepared};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, UserId};

/// How old a message may get, in seconds: from a minute to a year.
const ALLOWED: std::ops::RangeInclusive<i32> = 60..=31_536_000;

/// The condition for statements that name `messages`.
pub fn lives() -> Fixed<Bool> {
    fixed(lives!("messages"))
}

/// Checks how old messages may get; 0 stands for as old as they like.
///
/// # Errors
/// INVALID for `messageLifetimeSeconds`.
pub fn checked(seconds: i32) -> Result<Option<i32>> {
    if seconds == 0 {
        return Ok(None);
    }
    if ALLOWED.contains(&seconds) {
        return Ok(Some(seconds));
    }
    let message = "Messages may get from 60 seconds to 31536000, which is a year; 0 lets them stay.";
    Err(Error::rejected(
        ErrorCode::Invalid,
        &["messageLifetimeSeconds"],
        message,
    ))
}

/// How old messages get in each of these chats for `viewer`, in one query. Those where they stay are left out.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(
    connection: &mut Connection,
    viewer: UserId,
    chats: &[ChatId],
) -> QueryResult<HashMap<ChatId, i32>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        chat_id: ChatId,
        #[diesel(sql_type = Nullable<Integer>)]
        seconds: Option<i32>,
    }
    let query = "SELECT wanted.id AS chat_id, CASE WHEN own.lifetime_seconds IS NULL THEN life.seconds ELSE nullif(own.lifetime_seconds, 0) END AS seconds \
        FROM unnest($1) AS wanted (id) LEFT JOIN chat_lifetimes AS life ON life.chat_id = wanted.id \
        LEFT JOIN own_changes AS own ON own.chat_id = wanted.id AND own.user_id = $2";
    let query = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(chats)
        .bind::<SqlUuid, _>(viewer);
    let found: Vec<Row> = prepared(query).load(connection).await?;
    Ok(found
        .into_iter()
        .filter_map(|row| Some((row.chat_id, row.seconds?)))
        .collect())
}
