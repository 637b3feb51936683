//! The job that sends what is due.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::dsl::now as database_now;
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::{Value, json};

use super::note::{Outcome, passed};
use super::row::{ScheduleErrorCode, ScheduleState, ScheduledMessage};
use super::rule::BadRule;
use crate::app::App;
use crate::chat::extras::Extras;
use crate::chat::lane::Reply;
use crate::chat::send::{self, NewMessage};
use crate::db::schema::{messages, scheduled_messages, sends, users};
use crate::db::{Connection, fixed};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{MessageId, ScheduledMessageId, UserId};
use crate::job::{self, Kind, Running, Trouble};

/// How often a message is tried in vain for what may pass, some of it an hour.
const MOST_ATTEMPTS: i32 = 10;

/// How long to wait at least while too many answers are being written.
const BUSY: Duration = Duration::from_secs(5);

/// The kind of job. It is never given up by itself: the row says when it is.
pub const KIND: Kind = Kind {
    name: "chat.schedule",
    attempts: i32::MAX,
    limit: Duration::from_secs(60),
    run,
};

/// Calls for the job of a scheduled message, in the transaction that makes it due at `at`.
pub(super) async fn enqueue(connection: &mut Connection, id: ScheduledMessageId, at: DateTime<Utc>) -> QueryResult<()> {
    job::enqueue(connection, KIND.name, &id.to_string(), json!({ "id": id.0 }), at).await
}

/// The key of the message that is due at `due`: whoever sends it, and however often, it is sent once.
fn key(id: ScheduledMessageId, due: DateTime<Utc>) -> String {
    format!("schedule:{}:{}", id.0.simple(), due.timestamp_micros())
}

fn run(app: App, payload: Value) -> Running {
    Box::pin(async move {
        let id = serde_json::from_value(payload["id"].clone());
        let id: ScheduledMessageId = id.map_err(|error| Trouble::hopeless(format!("unreadable: {error}")))?;
        let Some(schedule) = find(&mut *app.connection().await?, id).await? else {
            return Ok(());
        };
        let Some(due) = schedule.next_at else { return Ok(()) };
        let now = Utc::now();
        if let Ok(early) = (due - now).to_std()
            && !early.is_zero()
        {
            // It was put off meanwhile, or the clock of Postgres is ahead of this one.
            return Err(Trouble::resume(early));
        }
        match attempt(&app, &schedule, due, now).await {
            Ok(outcome) => Ok(settle(&app, id, due, outcome).await?),
            Err(error) => {
                put_off(&app, &schedule, due).await?;
                Err(error.into())
            }
        }
    })
}

async fn find(connection: &mut Connection, id: ScheduledMessageId) -> QueryResult<Option<ScheduledMessage>> {
    let row = scheduled_messages::table.find(id).select(ScheduledMessage::as_select());
    row.first(connection).await.optional()
}

/// Sends what is due.
///
/// # Errors
/// What may pass.
async fn attempt(app: &App, schedule: &ScheduledMessage, due: DateTime<Utc>, now: DateTime<Utc>) -> Result<Outcome> {
    let key = key(schedule.id, due);
    let mut connection = app.connection().await?;
    if let Some((message_id, at)) = sent_before(&mut connection, schedule.user_id, &key).await? {
        return Ok(Outcome::Sent(message_id, at));
    }
    let judged = schedule.clone();
    let is_over = move || {
        let rule = judged.repetition()?;
        Ok::<_, BadRule>(judged.is_over(&passed(rule.as_ref(), due, now), now))
    };
    match tokio::task::spawn_blocking(is_over).await.map_err(Error::surprise)? {
        Ok(false) => {}
        Ok(true) => return Ok(Outcome::Missed),
        Err(bad) => return Ok(Outcome::Refused(ScheduleErrorCode::Refused, bad.to_string())),
    }
    let gone: Option<Option<DateTime<Utc>>> = users::table
        .find(schedule.user_id)
        .select(users::deactivated_at)
        .first(&mut connection)
        .await
        .optional()?;
    drop(connection);
    if gone.is_none_or(|deactivated| deactivated.is_some()) {
        let message = "Your account was deactivated when this was due.";
        return Ok(Outcome::Refused(
            ScheduleErrorCode::AccountDeactivated,
            message.to_owned(),
        ));
    }
    let new = NewMessage {
        chat_id: schedule.chat_id,
        content: schedule.content.clone(),
        idempotency_key: key,
        extras: Extras::default(),
        mentions: Vec::new(),
        reply: Reply::default(),
    };
    let refused = match send::send(app, schedule.user_id, new).await {
        Ok(sent) => return Ok(Outcome::Sent(sent.message.id, sent.message.created_at)),
        Err(refused) => refused,
    };
    let last = schedule.attempts + 1 >= MOST_ATTEMPTS;
    match refused {
        Error::Unavailable(_) | Error::Internal(_) | Error::RateLimited { .. } if last => {
            let message = "It could not be sent, though it was tried again and again.";
            Ok(Outcome::Refused(ScheduleErrorCode::Unavailable, message.to_owned()))
        }
        Error::Unavailable(_) | Error::Internal(_) | Error::RateLimited { .. } => Err(refused),
        refused if is_busy(&refused) && !last => Err(Error::RateLimited { retry_after: BUSY }),
        refused => Ok(Outcome::Refused(code(&refused), refused.to_string())),
    }
}

/// Whether too many answers are being written for the person right now: that is over when one of them is.
fn is_busy(refused: &Error) -> bool {
    let Error::Rejected(errors) = refused else { return false };
    errors
        .iter()
        .all(|error| error.code == ErrorCode::LimitReached && error.field.is_none())
}

/// The message that was sent under a key, and when; also when it is gone by now.
async fn sent_before(
    connection: &mut Connection,
    user_id: UserId,
    key: &str,
) -> QueryResult<Option<(MessageId, DateTime<Utc>)>> {
    sends::table
        .find((user_id, key))
        .left_join(messages::table.on(messages::id.eq(sends::message_id)))
        .select((
            sends::message_id,
            fixed::<Timestamptz>("coalesce(messages.created_at, sends.created_at)"),
        ))
        .first(connection)
        .await
        .optional()
}

fn code(refused: &Error) -> ScheduleErrorCode {
    let Error::Rejected(errors) = refused else {
        return ScheduleErrorCode::Refused;
    };
    match errors.as_slice().first().map(|error| error.code) {
        Some(ErrorCode::NotFound) => ScheduleErrorCode::ChatGone,
        Some(ErrorCode::Forbidden) => ScheduleErrorCode::Forbidden,
        Some(ErrorCode::KeyMissing) => ScheduleErrorCode::KeyMissing,
        Some(ErrorCode::BudgetExceeded) => ScheduleErrorCode::BudgetExceeded,
        _ => ScheduleErrorCode::Refused,
    }
}

/// Counts an attempt that failed for what may pass.
async fn put_off(app: &App, schedule: &ScheduledMessage, due: DateTime<Utc>) -> Result<()> {
    let same = scheduled_messages::table
        .find(schedule.id)
        .filter(scheduled_messages::next_at.eq(due));
    diesel::update(same)
        .set(scheduled_messages::attempts.eq(scheduled_messages::attempts + 1))
        .execute(&mut *app.connection().await?)
        .await?;
    Ok(())
}

/// Notes what became of `due`, and calls for the job of the next time.
async fn settle(app: &App, id: ScheduledMessageId, due: DateTime<Utc>, outcome: Outcome) -> Result<()> {
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| {
            let row = scheduled_messages::table
                .find(id)
                .select(ScheduledMessage::as_select())
                .for_update();
            let Some(mut schedule) = row.first::<ScheduledMessage>(connection).await.optional()? else {
                return Ok(());
            };
            if schedule.state == ScheduleState::Active && schedule.next_at == Some(due) {
                let noted = move || {
                    // What has no rule that can be read ends with this one.
                    let rule = schedule.repetition().unwrap_or_default();
                    schedule.note(rule.as_ref(), due, outcome, Utc::now());
                    schedule
                };
                schedule = tokio::task::spawn_blocking(noted).await.map_err(Error::surprise)?;
            } else if let Outcome::Sent(message_id, at) = outcome {
                // Changed or called off while it was being sent: that stands, and this one was sent.
                if schedule.last_message_id == Some(message_id) {
                    return Ok(());
                }
                schedule.sent(message_id, at);
            } else {
                return Ok(());
            }
            schedule.version += 1;
            store(connection, &schedule).await?;
            if let Some(next) = schedule.next_at {
                enqueue(connection, id, next).await?;
            }
            append(connection, [schedule.changed()]).await?;
            Ok::<_, Error>(())
        })
        .await?;
    app.log().wake();
    Ok(())
}

/// Stores what became of a scheduled message.
async fn store(connection: &mut Connection, schedule: &ScheduledMessage) -> QueryResult<()> {
    let columns = (
        scheduled_messages::next_at.eq(schedule.next_at),
        scheduled_messages::state.eq(schedule.state),
        scheduled_messages::sent_count.eq(schedule.sent_count),
        scheduled_messages::last_sent_at.eq(schedule.last_sent_at),
        scheduled_messages::last_message_id.eq(schedule.last_message_id),
        scheduled_messages::missed_count.eq(schedule.missed_count),
        scheduled_messages::missed_at.eq(schedule.missed_at),
        scheduled_messages::attempts.eq(schedule.attempts),
        scheduled_messages::failures.eq(schedule.failures),
        scheduled_messages::error_code.eq(schedule.error_code),
        scheduled_messages::error_message.eq(&schedule.error_message),
        scheduled_messages::version.eq(schedule.version),
        scheduled_messages::updated_at.eq(database_now),
    );
    diesel::update(scheduled_messages::table.find(schedule.id))
        .set(columns)
        .execute(connection)
        .await
        .map(drop)
}
