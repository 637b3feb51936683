//! The row of a scheduled message, and how its owner finds it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;

use super::rule::{BadRule, Rule};
use crate::db::schema::scheduled_messages;
use crate::db::{Connection, text_enum};
use crate::event::{Audience, NewEvent};
use crate::id::{ChatId, MessageId, ScheduledMessageId, UserId};
use crate::page::Window;

/// A scheduled message appeared or changed.
pub const SCHEDULED_MESSAGE_CHANGED: &str = "scheduled_message.changed";

text_enum! {
    /// What has become of a scheduled message.
    ScheduleState {
        /// It will be sent at `nextAt`.
        Active = "ACTIVE",
        /// All was sent.
        Done = "DONE",
        /// It will not be sent; `lastError` says why. A change makes it ACTIVE again.
        Failed = "FAILED",
        /// Its owner has called it off.
        Cancelled = "CANCELLED",
    }
}

text_enum! {
    /// What becomes of a time that passed while no server ran.
    MissedTime {
        /// The message is sent as soon as a server is up; of several that were missed, one.
        SendLate = "SEND_LATE",
        /// It is passed over.
        Skip = "SKIP",
    }
}

text_enum! {
    /// Why a scheduled message was not sent.
    ScheduleErrorCode {
        /// The chat is gone, or its owner is not in it any more.
        ChatGone = "CHAT_GONE",
        /// Its owner may not post in the chat any more.
        Forbidden = "FORBIDDEN",
        /// Its owner's account was deactivated.
        AccountDeactivated = "ACCOUNT_DEACTIVATED",
        /// There is no key for the model that was to answer.
        KeyMissing = "KEY_MISSING",
        /// The budget that pays for the answer is used up.
        BudgetExceeded = "BUDGET_EXCEEDED",
        /// It could not be sent when it was due, as when no server ran, and it was not to be sent late.
        Missed = "MISSED",
        /// The server could not send it, again and again.
        Unavailable = "UNAVAILABLE",
        /// It was refused for another reason; the message says which.
        Refused = "REFUSED",
    }
}

/// A message that is sent later.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = scheduled_messages, check_for_backend(diesel::pg::Pg))]
pub struct ScheduledMessage {
    /// Its id.
    pub id: ScheduledMessageId,
    /// Who sends it.
    pub user_id: UserId,
    /// Where to.
    pub chat_id: ChatId,
    /// The text.
    pub content: String,
    /// When again.
    pub rule: Option<String>,
    /// The time zone of the rule.
    pub time_zone: String,
    /// When it is to be sent, or the beginning of the rule.
    pub starts_at: DateTime<Utc>,
    /// When the next message is due.
    pub next_at: Option<DateTime<Utc>>,
    /// What becomes of a time that passed while no server ran.
    pub missed: MissedTime,
    /// What has become of it.
    pub state: ScheduleState,
    /// How many messages were sent.
    pub sent_count: i32,
    /// When the last one was.
    pub last_sent_at: Option<DateTime<Utc>>,
    /// The last one.
    pub last_message_id: Option<MessageId>,
    /// How many times passed without a message.
    pub missed_count: i32,
    /// The newest time that was not kept.
    pub missed_at: Option<DateTime<Utc>>,
    /// How often the next message was tried in vain for what may pass.
    pub attempts: i32,
    /// How many times in a row were refused.
    pub failures: i32,
    /// Why the last one was not sent.
    pub error_code: Option<ScheduleErrorCode>,
    /// The same in words.
    pub error_message: Option<String>,
    /// Grows with each change.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl ScheduledMessage {
    /// Its rule; none for what is sent once.
    ///
    /// # Errors
    /// When what is stored is none, or is none any more.
    pub fn repetition(&self) -> Result<Option<Rule>, BadRule> {
        let Some(text) = &self.rule else { return Ok(None) };
        let zone = self.time_zone.parse().map_err(|_| BadRule::Unreadable)?;
        Rule::parse(text, zone, self.starts_at).map(Some)
    }

    /// The event that it appeared or changed, for its owner.
    pub(super) fn changed(&self) -> NewEvent {
        let payload = json!({ "scheduledMessageId": self.id.0, "chatId": self.chat_id.0 });
        NewEvent::new(Audience::User(self.user_id), SCHEDULED_MESSAGE_CHANGED, payload)
    }
}

/// Which of a person's scheduled messages are wanted.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Those to this chat; none for all.
    pub chat_id: Option<ChatId>,
    /// Those in these states; none for all.
    pub states: Option<Vec<ScheduleState>>,
}

/// A page of a person's scheduled messages, newest first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(
    connection: &mut Connection,
    owner: UserId,
    wanted: Wanted,
    window: &Window<ScheduledMessageId>,
) -> QueryResult<Vec<ScheduledMessage>> {
    let mut query = scheduled_messages::table
        .filter(scheduled_messages::user_id.eq(owner))
        .select(ScheduledMessage::as_select())
        .limit(window.fetch())
        .into_boxed();
    query = if window.backwards {
        query.order(scheduled_messages::id.asc())
    } else {
        query.order(scheduled_messages::id.desc())
    };
    if let Some(chat_id) = wanted.chat_id {
        query = query.filter(scheduled_messages::chat_id.eq(chat_id));
    }
    if let Some(states) = wanted.states {
        query = query.filter(scheduled_messages::state.eq_any(states));
    }
    if let Some(after) = window.after {
        query = query.filter(scheduled_messages::id.lt(after));
    }
    if let Some(before) = window.before {
        query = query.filter(scheduled_messages::id.gt(before));
    }
    query.load(connection).await
}

/// Those of these that are the person's.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(
    connection: &mut Connection,
    owner: UserId,
    ids: &[ScheduledMessageId],
) -> QueryResult<HashMap<ScheduledMessageId, ScheduledMessage>> {
    let found: Vec<ScheduledMessage> = scheduled_messages::table
        .filter(scheduled_messages::id.eq_any(ids))
        .filter(scheduled_messages::user_id.eq(owner))
        .select(ScheduledMessage::as_select())
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|found| (found.id, found)).collect())
}
