//! The sweep: marks the chats in which something got too old, and deletes what is gone, in bounded steps. Every server does it,
//! and what one has done the others find done.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};
use uuid::Uuid;

use super::mark::{lock, mark};
use super::own;
use crate::app::App;
use crate::chat::branch::lock_running;
use crate::db::schema::chat_lifetimes;
use crate::error::{Error, Result};
use crate::id::ChatId;

/// How often chats are looked for in which something got too old.
const EVERY: Duration = Duration::from_secs(5);
/// How many chats one look takes.
const CHATS: i64 = 100;
/// How long a chat is left alone in which something went wrong.
const AFTER_TROUBLE: TimeDelta = TimeDelta::seconds(60);
/// How many messages one step deletes.
const MESSAGES: usize = 500;

/// Looks for what is due until the server stops.
pub async fn run(app: App) {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = app.stopped().cancelled() => return,
        }
        let swept = async { own::due(&app).await.and(due(&app).await) };
        if let Err(error) = swept.await {
            tracing::warn!(%error, "cannot clear away what has disappeared");
        }
    }
}

/// Clears away what is due. What goes wrong in one chat does not keep the others waiting.
///
/// # Errors
/// When Postgres fails.
pub async fn due(app: &App) -> Result<()> {
    while !app.stopped().is_cancelled() {
        let due = chat_lifetimes::table
            .filter(chat_lifetimes::due_at.le(diesel::dsl::now))
            .order(chat_lifetimes::due_at)
            .limit(CHATS)
            .select(chat_lifetimes::chat_id);
        let due: Vec<ChatId> = due.load(&mut *app.connection().await?).await?;
        let last = i64::try_from(due.len()).unwrap_or(CHATS) < CHATS;
        for chat_id in due {
            if let Err(error) = expire(app, chat_id, None).await {
                tracing::warn!(%error, chat = %chat_id, "cannot clear away what has disappeared in a chat");
                let later = chat_lifetimes::due_at.eq(Utc::now() + AFTER_TROUBLE);
                diesel::update(chat_lifetimes::table.find(chat_id))
                    .set(later)
                    .execute(&mut *app.connection().await?)
                    .await?;
            }
        }
        if last {
            break;
        }
    }
    Ok(())
}

/// Ids are made in time's order, so the oldest messages of all chats are at one end of an index. The clock of whoever made
/// the id may have been wrong: what counts is when Postgres says that it was said.
const OLD: &str = "SELECT DISTINCT chat_id FROM (SELECT chat_id FROM messages \
    WHERE id < $1 AND created_at < now() - make_interval(days => $2) ORDER BY id LIMIT 1000) AS oldest";

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    chat_id: ChatId,
}

/// Clears away what is older than the server keeps anything, if it does not keep everything.
///
/// # Errors
/// When Postgres fails.
pub async fn retain(app: &App) -> Result<()> {
    let days = app.config().settings.retention_days;
    if days == 0 {
        return Ok(());
    }
    loop {
        let day = TimeDelta::days(i64::from(days) - 1);
        let before = (Utc::now() - day).timestamp_millis().max(0).unsigned_abs();
        let oldest: Vec<Found> = diesel::sql_query(OLD)
            .bind::<SqlUuid, _>(Uuid::from_u128(u128::from(before) << 80))
            .bind::<Integer, _>(i32::from(days))
            .load(&mut *app.connection().await?)
            .await?;
        let mut deleted = 0;
        for Found { chat_id } in oldest {
            match expire(app, chat_id, Some(days)).await {
                Ok(gone) => deleted += gone,
                Err(error) => tracing::warn!(%error, chat = %chat_id, "cannot clear away what is too old in a chat"),
            }
        }
        if deleted == 0 {
            return Ok(());
        }
    }
}

/// Marks what is too old in a chat by its own rule, or that of the server, and deletes what is gone. Says how many messages
/// were deleted.
async fn expire(app: &App, chat_id: ChatId, days: Option<u16>) -> Result<usize> {
    let mut connection = app.connection().await?;
    let running = connection
        .transaction(async |connection| {
            let Some(locked) = lock(connection, chat_id).await? else {
                return Ok::<_, Error>(Vec::new());
            };
            let own = locked.seconds.map(|seconds| TimeDelta::seconds(seconds.into()));
            let servers = days.map(|days| TimeDelta::days(days.into()));
            let Some(age) = own.into_iter().chain(servers).min() else {
                return Ok(Vec::new());
            };
            mark(connection, chat_id, &locked, locked.now - age).await
        })
        .await?;
    drop(connection);
    app.engine().abandon(&running);
    app.log().wake();
    let mut deleted = 0;
    loop {
        let step = delete_some(app, chat_id).await?;
        deleted += step;
        if step < MESSAGES {
            break;
        }
    }
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| settle(connection, chat_id).await)
        .await?;
    Ok(deleted)
}

const DELETE: &str = "DELETE FROM messages WHERE id = ANY (ARRAY(SELECT id FROM messages WHERE chat_id = $1 AND active IN (true, false) \
      AND sequence <= (SELECT gone_through FROM chat_lifetimes WHERE chat_id = $1) ORDER BY sequence LIMIT $2))";

/// Deletes some of what is gone. Locked as by everybody who changes messages: the chat, its running answers, they.
async fn delete_some(app: &App, chat_id: ChatId) -> Result<usize> {
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| {
            if lock(connection, chat_id).await?.is_none() {
                return Ok(0);
            }
            lock_running(connection, chat_id).await?;
            let deleted = diesel::sql_query(DELETE)
                .bind::<SqlUuid, _>(chat_id)
                .bind::<BigInt, _>(i64::try_from(MESSAGES).unwrap_or(i64::MAX));
            Ok::<_, Error>(deleted.execute(connection).await?)
        })
        .await
}

/// When the first message of the chat was said that is not gone.
const FIRST: &str = "SELECT min(living.created_at) AS said_at FROM (VALUES (true), (false)) AS kind (active) CROSS JOIN LATERAL (\
      SELECT created_at FROM messages WHERE chat_id = $1 AND messages.active = kind.active ORDER BY sequence LIMIT 1) AS living";

#[derive(QueryableByName)]
struct First {
    #[diesel(sql_type = Nullable<Timestamptz>)]
    said_at: Option<DateTime<Utc>>,
}

/// Notes when the chat is to be looked at again: when its first message gets too old. Where there is none, the next one that
/// is said notes it. A chat that nothing disappears from any more, and nothing is left of what has, is forgotten.
async fn settle(connection: &mut crate::db::Connection, chat_id: ChatId) -> Result<()> {
    let Some(locked) = lock(connection, chat_id).await? else {
        return Ok(());
    };
    let row = chat_lifetimes::table.find(chat_id);
    let Some(seconds) = locked.seconds else {
        diesel::delete(row).execute(connection).await?;
        return Ok(());
    };
    let first: First = diesel::sql_query(FIRST)
        .bind::<SqlUuid, _>(chat_id)
        .get_result(connection)
        .await?;
    let too_old = |said_at: DateTime<Utc>| said_at.min(locked.now) + TimeDelta::seconds(seconds.into());
    let due_at = first.said_at.map(too_old);
    diesel::update(row)
        .set(chat_lifetimes::due_at.eq(due_at))
        .execute(connection)
        .await?;
    Ok(())
}
