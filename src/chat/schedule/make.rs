//! Scheduling a message, changing what was scheduled, and calling it off.

use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Duration, SubsecRound, Utc};
use chrono_tz::Tz;
use diesel::dsl::now as database_now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::json;

use super::row::{MissedTime, ScheduleErrorCode, ScheduleState, ScheduledMessage};
use super::rule::Rule;
use super::run::enqueue;
use crate::app::App;
use crate::chat::member::Membership;
use crate::chat::room::permission::ChatPermission;
use crate::chat::send::check_content;
use crate::db::Connection;
use crate::db::schema::{scheduled_messages, users};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{ChatId, ScheduledMessageId, UserId};
use crate::input;

/// The most scheduled messages that may wait for one person.
pub const MOST: i64 = 100;
/// How far ahead a message can be scheduled.
const FARTHEST: Duration = Duration::days(5 * 366);

/// What is to be sent, and when.
#[derive(Debug)]
pub struct NewSchedule {
    /// Where to.
    pub chat_id: ChatId,
    /// The text.
    pub content: String,
    /// When, or the beginning of the rule; none for now.
    pub send_at: Option<DateTime<Utc>>,
    /// When again.
    pub rule: Option<String>,
    /// The time zone of the rule.
    pub time_zone: String,
    /// What becomes of a time that passed while no server ran.
    pub missed: MissedTime,
    /// The owner's key: a retry with the same one gets the same result.
    pub idempotency_key: String,
}

/// What is to be different.
#[derive(Debug, Default)]
pub struct ScheduleChange {
    /// The text.
    pub content: Option<String>,
    /// When, or the beginning of the rule.
    pub send_at: Option<DateTime<Utc>>,
    /// When again; the inner none for once.
    pub rule: Option<Option<String>>,
    /// The time zone of the rule.
    pub time_zone: Option<String>,
    /// What becomes of a time that passed while no server ran.
    pub missed: Option<MissedTime>,
}

/// When a message is to be sent.
struct Times {
    starts_at: DateTime<Utc>,
    next_at: DateTime<Utc>,
    rule: Option<String>,
    time_zone: String,
}

/// Schedules a message.
///
/// # Errors
/// NOT_FOUND, FORBIDDEN, LIMIT_REACHED, CONFLICT, or what is wrong with the text or the times.
pub async fn schedule(app: &App, owner: UserId, new: NewSchedule) -> Result<ScheduledMessage> {
    let now = Utc::now();
    let content = check_content(app, &new.content)?;
    let key = input::idempotency_key(&new.idempotency_key).map_err(|error| Error::Rejected(vec![error]))?;
    let asked = json!([
        new.chat_id.0,
        content,
        new.send_at,
        new.rule,
        new.time_zone,
        new.missed.as_str()
    ]);
    let hash = digest(&SHA256, asked.to_string().as_bytes()).as_ref().to_vec();
    let mut connection = app.connection().await?;
    if let Some(first) = first_result(&mut connection, owner, &key, &hash).await? {
        return Ok(first);
    }
    let times = times(new.send_at, new.rule, new.time_zone, new.missed, now).await?;
    let membership = Membership::of(&connection, owner, new.chat_id).await?;
    let membership = membership.ok_or_else(|| Error::not_found(&["chatId"], "chat"))?;
    if membership.chat.is_shared() {
        membership.check(ChatPermission::Post)?;
    }
    let scheduled = connection
        .transaction(async |connection| {
            // Those of one person take turns to be counted.
            let person = users::table.find(owner).select(users::id).for_no_key_update();
            person.first::<UserId>(connection).await?;
            if let Some(first) = first_result(connection, owner, &key, &hash).await? {
                return Ok(first);
            }
            refuse_more(connection, owner).await?;
            let row = (
                scheduled_messages::id.eq(ScheduledMessageId::new()),
                scheduled_messages::user_id.eq(owner),
                scheduled_messages::chat_id.eq(new.chat_id),
                scheduled_messages::content.eq(content),
                scheduled_messages::rule.eq(times.rule),
                scheduled_messages::time_zone.eq(times.time_zone),
                scheduled_messages::starts_at.eq(times.starts_at),
                scheduled_messages::next_at.eq(times.next_at),
                scheduled_messages::missed.eq(new.missed),
                scheduled_messages::idempotency_key.eq(key),
                scheduled_messages::request_hash.eq(hash),
            );
            let scheduled: ScheduledMessage = diesel::insert_into(scheduled_messages::table)
                .values(row)
                .returning(ScheduledMessage::as_returning())
                .get_result(connection)
                .await?;
            enqueue(connection, scheduled.id, times.next_at).await?;
            append(connection, [scheduled.changed()]).await?;
            Ok::<_, Error>(scheduled)
        })
        .await?;
    app.log().wake();
    app.schedules().wake();
    Ok(scheduled)
}

/// Changes what was scheduled; what has failed waits for its next time again.
///
/// # Errors
/// NOT_FOUND, INVALID_STATE for what is done or called off, or what is wrong with the text or the times.
pub async fn update(
    app: &App,
    owner: UserId,
    id: ScheduledMessageId,
    change: ScheduleChange,
) -> Result<ScheduledMessage> {
    let now = Utc::now();
    let content = change.content.map(|content| check_content(app, &content)).transpose()?;
    let mut connection = app.connection().await?;
    let scheduled = connection
        .transaction(async |connection| {
            let old = lock(connection, owner, id).await?;
            let again = old.state == ScheduleState::Failed;
            if !again && old.state != ScheduleState::Active {
                let message = "This scheduled message is over. Schedule another one.";
                return Err(Error::rejected(
                    ErrorCode::InvalidState,
                    &["scheduledMessageId"],
                    message,
                ));
            }
            if again {
                refuse_more(connection, owner).await?;
            }
            // What is to happen once from now on happens when it would have happened next.
            let once = change.rule == Some(None) && change.send_at.is_none();
            let retimed = again || change.send_at.is_some() || change.rule.is_some() || change.time_zone.is_some();
            let rule = change.rule.unwrap_or_else(|| old.rule.clone());
            if again && rule.is_none() && change.send_at.is_none() {
                let message = "Say when this is to be sent instead.";
                return Err(Error::rejected(ErrorCode::Required, &["sendAt"], message));
            }
            let missed = change.missed.unwrap_or(old.missed);
            let starts_at = change.send_at.unwrap_or(old.starts_at);
            let time_zone = change.time_zone.unwrap_or_else(|| old.time_zone.clone());
            let times = match old.next_at {
                Some(next_at) if !retimed => Times {
                    starts_at,
                    next_at,
                    rule,
                    time_zone,
                },
                Some(next_at) if once => times(Some(next_at), None, time_zone, MissedTime::SendLate, now).await?,
                _ => times(Some(starts_at), rule, time_zone, missed, now).await?,
            };
            let columns = (
                scheduled_messages::content.eq(content.unwrap_or(old.content)),
                scheduled_messages::rule.eq(times.rule),
                scheduled_messages::time_zone.eq(times.time_zone),
                scheduled_messages::starts_at.eq(times.starts_at),
                scheduled_messages::next_at.eq(times.next_at),
                scheduled_messages::missed.eq(missed),
                scheduled_messages::state.eq(ScheduleState::Active),
                scheduled_messages::attempts.eq(0),
                scheduled_messages::failures.eq(0),
                scheduled_messages::error_code.eq(None::<ScheduleErrorCode>),
                scheduled_messages::error_message.eq(None::<String>),
                scheduled_messages::version.eq(scheduled_messages::version + 1),
                scheduled_messages::updated_at.eq(database_now),
            );
            let scheduled: ScheduledMessage = diesel::update(scheduled_messages::table.find(id))
                .set(columns)
                .returning(ScheduledMessage::as_returning())
                .get_result(connection)
                .await?;
            enqueue(connection, id, times.next_at).await?;
            append(connection, [scheduled.changed()]).await?;
            Ok(scheduled)
        })
        .await?;
    app.log().wake();
    app.schedules().wake();
    Ok(scheduled)
}

/// Calls off what was scheduled; what was called off before stays so.
///
/// # Errors
/// NOT_FOUND, or INVALID_STATE for what is done.
pub async fn cancel(app: &App, owner: UserId, id: ScheduledMessageId) -> Result<ScheduledMessage> {
    let mut connection = app.connection().await?;
    let scheduled = connection
        .transaction(async |connection| {
            let old = lock(connection, owner, id).await?;
            match old.state {
                ScheduleState::Cancelled => return Ok(old),
                ScheduleState::Done => {
                    let message = "This was sent already.";
                    let field = &["scheduledMessageId"];
                    return Err(Error::rejected(ErrorCode::InvalidState, field, message));
                }
                ScheduleState::Active | ScheduleState::Failed => {}
            }
            let columns = (
                scheduled_messages::state.eq(ScheduleState::Cancelled),
                scheduled_messages::next_at.eq(None::<DateTime<Utc>>),
                scheduled_messages::version.eq(scheduled_messages::version + 1),
                scheduled_messages::updated_at.eq(database_now),
            );
            let scheduled: ScheduledMessage = diesel::update(scheduled_messages::table.find(id))
                .set(columns)
                .returning(ScheduledMessage::as_returning())
                .get_result(connection)
                .await?;
            if old.state == ScheduleState::Active {
                // The job finds nothing to do, and goes.
                enqueue(connection, id, Utc::now()).await?;
            }
            append(connection, [scheduled.changed()]).await?;
            Ok(scheduled)
        })
        .await?;
    app.log().wake();
    app.schedules().wake();
    Ok(scheduled)
}

async fn times(
    send_at: Option<DateTime<Utc>>,
    rule: Option<String>,
    time_zone: String,
    missed: MissedTime,
    now: DateTime<Utc>,
) -> Result<Times> {
    let zone: Tz = time_zone.parse().map_err(|_| {
        let message = "This is no time zone. Name one as IANA does, such as Europe/Berlin or UTC.";
        Error::rejected(ErrorCode::Invalid, &["timeZone"], message)
    })?;
    let starts_at = match (send_at, &rule) {
        (Some(at), _) => at.trunc_subsecs(6),
        (None, Some(_)) => now.trunc_subsecs(0),
        (None, None) => {
            let message = "Say when this is to be sent, or give a rule.";
            return Err(Error::rejected(ErrorCode::Required, &["sendAt"], message));
        }
    };
    // A rule that began long ago would have all its times since then counted.
    let too_long_ago = rule.is_some() && now - starts_at > FARTHEST;
    if starts_at - now > FARTHEST || too_long_ago {
        let message = "This is too far away: messages can be scheduled for the next five years, and a rule began at most five years ago.";
        return Err(Error::rejected(ErrorCode::Invalid, &["sendAt"], message));
    }
    let next_at = match &rule {
        Some(text) => {
            let text = text.clone();
            let checked = move || Rule::parse(&text, zone, starts_at).and_then(|rule| rule.check(now));
            let checked = tokio::task::spawn_blocking(checked).await.map_err(Error::surprise)?;
            checked.map_err(|error| Error::rejected(ErrorCode::Invalid, &["rule"], error.to_string()))?
        }
        None if missed == MissedTime::Skip && starts_at < now => {
            let message = "This time has passed. Choose a later one.";
            return Err(Error::rejected(ErrorCode::Invalid, &["sendAt"], message));
        }
        None => starts_at,
    };
    Ok(Times {
        starts_at,
        next_at,
        rule: rule.map(|rule| rule.trim().to_owned()),
        time_zone,
    })
}

async fn first_result(
    connection: &mut Connection,
    owner: UserId,
    key: &str,
    hash: &[u8],
) -> Result<Option<ScheduledMessage>> {
    let first: Option<(Vec<u8>, ScheduledMessage)> = scheduled_messages::table
        .filter(scheduled_messages::user_id.eq(owner))
        .filter(scheduled_messages::idempotency_key.eq(key))
        .select((scheduled_messages::request_hash, ScheduledMessage::as_select()))
        .first(connection)
        .await
        .optional()?;
    match first {
        Some((first_hash, _)) if first_hash != hash => {
            let message = "This idempotency key was used to schedule something else. Use a new key for a new message.";
            Err(Error::rejected(ErrorCode::Conflict, &["idempotencyKey"], message))
        }
        first => Ok(first.map(|(_, first)| first)),
    }
}

async fn refuse_more(connection: &mut Connection, owner: UserId) -> Result<()> {
    let waiting = scheduled_messages::table
        .filter(scheduled_messages::user_id.eq(owner))
        .filter(scheduled_messages::state.eq(ScheduleState::Active))
        .count();
    if waiting.get_result::<i64>(connection).await? >= MOST {
        let message = format!("{MOST} messages are scheduled for you already. Cancel one first.");
        return Err(Error::rejected(ErrorCode::LimitReached, &[], message));
    }
    Ok(())
}

async fn lock(connection: &mut Connection, owner: UserId, id: ScheduledMessageId) -> Result<ScheduledMessage> {
    let row = scheduled_messages::table
        .find(id)
        .filter(scheduled_messages::user_id.eq(owner))
        .select(ScheduledMessage::as_select())
        .for_update();
    let found = row.first(connection).await.optional()?;
    found.ok_or_else(|| Error::not_found(&["scheduledMessageId"], "scheduled message"))
}
