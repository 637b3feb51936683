//! The end of a race between several answers to one question.
//!
//! ```text
//! lane 1  ───────────────┐ told that it lost ── STOPPED, its message a tombstone
//! lane 2  ─────── done ──┤ closing transaction: holds the chat's row, so there is one winner however close it was
//! lane 3  ── failed      ┘ its message a tombstone
//! ```
//! A lane whose message is a tombstone has lost: whatever else becomes of it changes nothing. Lanes that fail decide
//! nothing; the one that fails last, when there is no winner, leaves the first lane to be shown.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::RunQueryDsl;

use crate::chat::{branch, event};
use crate::db::Connection;
use crate::db::schema::{generations, messages};
use crate::error::Result;
use crate::event::append_all;
use crate::id::{ChatId, GenerationId, MessageId};

/// How far one lane of a race is.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = generations, check_for_backend(diesel::pg::Pg))]
struct Progress {
    id: GenerationId,
    finished_at: Option<DateTime<Utc>>,
}

/// Where the message of one lane stands.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = messages, check_for_backend(diesel::pg::Pg))]
struct Place {
    id: MessageId,
    parent_id: Option<MessageId>,
    active: bool,
    chosen: bool,
}

/// Whether an answer has lost its race already. Locks the chat's running answers, which its end may concern.
///
/// # Errors
/// When Postgres fails.
pub async fn is_lost(connection: &mut Connection, chat_id: ChatId, id: GenerationId) -> QueryResult<bool> {
    branch::lock_running(connection, chat_id).await?;
    let lost: Option<bool> = generations::table
        .find(id)
        .inner_join(messages::table)
        .select(messages::deleted_at.is_not_null())
        .first(connection)
        .await
        .optional()?;
    Ok(lost.unwrap_or(false))
}

/// What the end of an answer means for its race, in the transaction that stores it. With `decides` it has won; else the
/// race is over only if all have ended. Gives those that have to be stopped.
///
/// # Errors
/// When Postgres fails.
pub async fn ended(
    connection: &mut Connection,
    chat_id: ChatId,
    race: GenerationId,
    id: GenerationId,
    decides: bool,
) -> Result<Vec<GenerationId>> {
    let runners: Vec<(Progress, Place)> = generations::table
        .inner_join(messages::table)
        .filter(generations::lanes_of.eq(race))
        .order(messages::sequence)
        .select((Progress::as_select(), Place::as_select()))
        .load(connection)
        .await?;
    if !decides && runners.iter().any(|(progress, _)| progress.finished_at.is_none()) {
        return Ok(Vec::new());
    }
    let (won, lost): (Vec<_>, Vec<_>) = if decides {
        runners.into_iter().partition(|(progress, _)| progress.id == id)
    } else {
        let mut runners = runners.into_iter();
        (runners.next().into_iter().collect(), runners.collect())
    };
    let Some((_, winner)) = won.into_iter().next() else {
        return Ok(Vec::new());
    };
    let running: Vec<GenerationId> = lost
        .iter()
        .filter(|(progress, _)| progress.finished_at.is_none())
        .map(|(progress, _)| progress.id)
        .collect();
    // For those that another process runs, and for this one, should it die before it stops them.
    diesel::update(generations::table.filter(generations::id.eq_any(&running)))
        .set(generations::stop_requested_at.eq(now))
        .execute(connection)
        .await?;
    settle(connection, chat_id, &winner, &lost).await?;
    Ok(running)
}

/// Leaves one message where there were several.
async fn settle(
    connection: &mut Connection,
    chat_id: ChatId,
    winner: &Place,
    lost: &[(Progress, Place)],
) -> Result<()> {
    let losers: Vec<MessageId> = lost.iter().map(|(_, place)| place.id).collect();
    let shown = lost.iter().any(|(_, place)| place.active);
    let chosen = lost.iter().any(|(_, place)| place.chosen);
    // What was said meanwhile goes on below the winner.
    diesel::update(messages::table.filter(messages::parent_id.eq_any(&losers)))
        .set((
            messages::parent_id.eq(winner.id),
            messages::version.eq(messages::version + 1),
        ))
        .execute(connection)
        .await?;
    // And who replied to one of them replies to the winner.
    let replies: Vec<MessageId> = diesel::update(messages::table.filter(messages::reply_to_id.eq_any(&losers)))
        .set((
            messages::reply_to_id.eq(winner.id),
            messages::version.eq(messages::version + 1),
        ))
        .returning(messages::id)
        .get_results(connection)
        .await?;
    diesel::sql_query(ONE_WAY_DOWN)
        .bind::<SqlUuid, _>(winner.id)
        .execute(connection)
        .await?;
    // Of those that are being written the text is kept until their end, which counts what it cost.
    let ended = lost.iter().filter(|(progress, _)| progress.finished_at.is_some());
    let ended: Vec<MessageId> = ended.map(|(_, place)| place.id).collect();
    diesel::update(messages::table.filter(messages::id.eq_any(ended)))
        .set(messages::content.eq(""))
        .execute(connection)
        .await?;
    diesel::update(messages::table.filter(messages::id.eq_any(&losers)))
        .set((
            messages::deleted_at.eq(now),
            messages::active.eq(false),
            messages::chosen.eq(false),
            messages::version.eq(messages::version + 1),
        ))
        .execute(connection)
        .await?;
    if chosen {
        diesel::update(messages::table.find(winner.id))
            .set(messages::chosen.eq(true))
            .execute(connection)
            .await?;
    }
    let mut events = Vec::new();
    if shown {
        branch::activate(connection, &[winner.id], Some(winner.id)).await?;
        let question = messages::table.filter(messages::id.nullable().eq(winner.parent_id));
        let after: Option<i64> = question.select(messages::sequence).first(connection).await.optional()?;
        events.push(event::branch_changed(chat_id, after.unwrap_or(0)));
    }
    let removed = losers
        .iter()
        .map(|id| event::message_updated(chat_id, *id, &["CONTENT"]));
    events.extend(removed);
    let moved = replies
        .iter()
        .map(|id| event::message_updated(chat_id, *id, &["REPLY_TO"]));
    events.extend(moved);
    append_all(connection, events).await?;
    let mut left = vec![winner.id];
    let others = branch::siblings_of(connection, &[winner.id]).await?;
    left.extend(others.into_iter().map(|(_, message)| message.id));
    branch::tell_siblings(connection, chat_id, &left).await?;
    Ok(())
}

/// Of several chosen children the one that is shown stays chosen, else the newest.
const ONE_WAY_DOWN: &str = "UPDATE messages SET chosen = false WHERE parent_id = $1 AND chosen AND id <> (\
    SELECT id FROM messages WHERE parent_id = $1 AND chosen ORDER BY active DESC, sequence DESC LIMIT 1)";
