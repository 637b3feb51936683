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

pub mod mark;
pub mod sweep;

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;

use crate::db::schema::chat_lifetimes;
use crate::db::{Connection, Fixed, fixed, lives};
use crate::error::{Error, ErrorCode, Result};
use crate::id::ChatId;

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

/// How old messages get in each of these chats, in one query. Those where they stay are left out.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(connection: &mut Connection, chats: &[ChatId]) -> QueryResult<HashMap<ChatId, i32>> {
    let found: Vec<(ChatId, Option<i32>)> = chat_lifetimes::table
        .filter(chat_lifetimes::chat_id.eq_any(chats))
        .select((chat_lifetimes::chat_id, chat_lifetimes::seconds))
        .load(connection)
        .await?;
    Ok(found
        .into_iter()
        .filter_map(|(id, seconds)| Some((id, seconds?)))
        .collect())
}
