//! Scheduled messages in GraphQL: for the person who sends them.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::loader::{ChatLoader, load_one};
use crate::chat::chat::{self, Chat};
use crate::chat::message::Message;
use crate::chat::schedule::ScheduledMessage;
use crate::chat::schedule::make::{self, NewSchedule, ScheduleChange};
use crate::chat::schedule::row::{self, MissedTime, ScheduleErrorCode, ScheduleState, Wanted};
use crate::context::RequestContext;
use crate::error::{Error, Result, UserError, payload};
use crate::id::{ChatId, ScheduledMessageId, UserId};
use crate::page::{Page, PageArguments, Window};

/// A page of scheduled messages.
pub type ScheduledMessageConnection = Page<ScheduledMessageId, ScheduledMessage>;

/// How many scheduled messages a page has when nobody says.
const SCHEDULED: i64 = 50;

/// A page of the scheduled messages of `user_id`.
///
/// # Errors
/// Refused arguments.
pub async fn list(
    context: &Context<'_>,
    user_id: UserId,
    wanted: Wanted,
    arguments: PageArguments,
) -> Result<ScheduledMessageConnection> {
    let window = Window::forward(arguments, SCHEDULED)?;
    let rows = row::list(&mut *context.app().connection().await?, user_id, wanted, &window).await?;
    Ok(window.connection(rows, |scheduled| scheduled.id))
}

/// The chat that a scheduled message goes to, if the viewer may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SentTo(ChatId);

impl Loader<SentTo> for ChatLoader {
    type Value = Chat;
    type Error = Error;

    async fn load(&self, keys: &[SentTo]) -> Result<HashMap<SentTo, Chat>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let found = chat::find_many_visible(&mut *self.app.connection().await?, self.viewer, &ids).await?;
        Ok(found.into_iter().map(|(id, chat)| (SentTo(id), chat)).collect())
    }
}

/// Why a scheduled message was not sent.
#[derive(Debug, SimpleObject)]
pub struct ScheduleError {
    /// The reason, for programs.
    code: ScheduleErrorCode,
    /// The same for people.
    message: String,
}

/// A message that is sent later, once or again and again, as if its owner sent it by hand.
#[Object]
impl ScheduledMessage {
    /// Opaque and typed.
    pub async fn id(&self) -> ScheduledMessageId {
        self.id
    }

    /// Where to; null when the chat is gone or the viewer is not in it any more.
    async fn chat(&self, context: &Context<'_>) -> Result<Option<Chat>> {
        load_one(context, SentTo(self.chat_id)).await
    }

    /// The text.
    async fn content(&self) -> &str {
        &self.content
    }

    /// When it is to be sent, or the beginning of the rule.
    async fn send_at(&self) -> DateTime<Utc> {
        self.starts_at
    }

    /// When again: a recurrence rule (RFC 5545) or a cron pattern; null for once.
    async fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// The time zone that the rule is in, as IANA names it.
    async fn time_zone(&self) -> &str {
        &self.time_zone
    }

    /// What becomes of a time that passed while no server ran.
    async fn missed(&self) -> MissedTime {
        self.missed
    }

    /// What has become of it.
    async fn state(&self) -> ScheduleState {
        self.state
    }

    /// When the next message is due; null when there is none any more.
    async fn next_at(&self) -> Option<DateTime<Utc>> {
        self.next_at
    }

    /// How many messages were sent.
    async fn sent_count(&self) -> i32 {
        self.sent_count
    }

    /// When the last one was sent.
    async fn last_sent_at(&self) -> Option<DateTime<Utc>> {
        self.last_sent_at
    }

    /// The last one; null when there is none that the viewer can see.
    async fn last_message(&self, context: &Context<'_>) -> Result<Option<Message>> {
        match self.last_message_id {
            Some(id) => load_one(context, id).await,
            None => Ok(None),
        }
    }

    /// The newest time that was not kept: its message was sent more than a minute late, or there was none.
    async fn missed_at(&self) -> Option<DateTime<Utc>> {
        self.missed_at
    }

    /// How many times passed without a message, because no server ran; up to 1000 at once are counted.
    async fn missed_count(&self) -> i32 {
        self.missed_count
    }

    /// Why the last one was not sent; null when it was.
    async fn last_error(&self) -> Option<ScheduleError> {
        self.error_code.map(|code| ScheduleError {
            code,
            message: self.error_message.clone().unwrap_or_default(),
        })
    }

    /// Grows with each change: apply an event only when its version is higher.
    async fn version(&self) -> i32 {
        self.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.updated_at
    }
}

/// What is to be sent, and when.
#[derive(Debug, InputObject)]
pub struct ScheduleMessageInput {
    /// Where to: any chat in which the viewer may post. In one with an AI, each message is answered.
    chat_id: ChatId,
    /// The text, as for `sendMessage`.
    content: String,
    /// When to send it; one that has passed is sent at once, and counts as late. With a rule, its beginning, and what it
    /// leaves open, such as the time of day; now when left out.
    send_at: Option<DateTime<Utc>>,
    /// When to send it again: a recurrence rule (RFC 5545) such as `FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9;BYMINUTE=0`, or a cron
    /// pattern of five fields such as `0 9 * * 1,5`. Times are at least a minute apart.
    rule: Option<String>,
    /// The time zone of the rule, as IANA names it.
    #[graphql(default_with = "\"UTC\".to_owned()")]
    time_zone: String,
    /// What becomes of a time that passes while no server runs.
    #[graphql(default_with = "MissedTime::SendLate")]
    missed: MissedTime,
    /// The client's own key for this, such as a UUID: however often it is sent, it counts once, for good.
    idempotency_key: String,
}

/// The result of `scheduleMessage`.
#[derive(Debug, SimpleObject)]
pub struct ScheduleMessagePayload {
    /// What was scheduled.
    scheduled_message: Option<ScheduledMessage>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What to change about a scheduled message; what is left away stays as it is.
#[derive(Debug, InputObject)]
pub struct UpdateScheduledMessageInput {
    /// One of `viewer.scheduledMessages` that is ACTIVE or FAILED.
    scheduled_message_id: ScheduledMessageId,
    /// The text.
    content: Option<String>,
    /// When to send it, or the beginning of the rule.
    send_at: Option<DateTime<Utc>>,
    /// When to send it again; null for once: at `sendAt`, or when that is left away, at what was `nextAt`.
    #[graphql(default)]
    rule: MaybeUndefined<String>,
    /// The time zone of the rule, as IANA names it.
    time_zone: Option<String>,
    /// What becomes of a time that passes while no server runs.
    missed: Option<MissedTime>,
}

/// The result of `updateScheduledMessage`.
#[derive(Debug, SimpleObject)]
pub struct UpdateScheduledMessagePayload {
    /// It as it is now.
    scheduled_message: Option<ScheduledMessage>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which scheduled message to call off.
#[derive(Debug, InputObject)]
pub struct CancelScheduledMessageInput {
    /// One of `viewer.scheduledMessages`.
    scheduled_message_id: ScheduledMessageId,
}

/// The result of `cancelScheduledMessage`.
#[derive(Debug, SimpleObject)]
pub struct CancelScheduledMessagePayload {
    /// It as it is now.
    scheduled_message: Option<ScheduledMessage>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people do with messages that are sent later.
#[derive(Debug, Default)]
pub struct ScheduleMutation;

#[Object]
impl ScheduleMutation {
    /// Schedules a message, once or again and again. Each is sent exactly once, by whichever server is up, as if it were
    /// sent by hand: with the same payer and the same refusals, of which `lastError` then tells.
    async fn schedule_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What and when.")] input: ScheduleMessageInput,
    ) -> Result<ScheduleMessagePayload> {
        let who = context.signed_in()?;
        let new = NewSchedule {
            chat_id: input.chat_id,
            content: input.content,
            send_at: input.send_at,
            rule: input.rule,
            time_zone: input.time_zone,
            missed: input.missed,
            idempotency_key: input.idempotency_key,
        };
        let (scheduled_message, errors) = payload(make::schedule(context.app(), who.user_id, new).await)?;
        Ok(ScheduleMessagePayload {
            scheduled_message,
            errors,
        })
    }

    /// Changes what was scheduled. One that has failed is ACTIVE again; once, it needs another `sendAt`.
    async fn update_scheduled_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateScheduledMessageInput,
    ) -> Result<UpdateScheduledMessagePayload> {
        let who = context.signed_in()?;
        let change = ScheduleChange {
            content: input.content,
            send_at: input.send_at,
            rule: match input.rule {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(rule) => Some(Some(rule)),
            },
            time_zone: input.time_zone,
            missed: input.missed,
        };
        let updated = make::update(context.app(), who.user_id, input.scheduled_message_id, change).await;
        let (scheduled_message, errors) = payload(updated)?;
        Ok(UpdateScheduledMessagePayload {
            scheduled_message,
            errors,
        })
    }

    /// Calls off what was scheduled. What is being sent at that very moment is sent.
    async fn cancel_scheduled_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which one.")] input: CancelScheduledMessageInput,
    ) -> Result<CancelScheduledMessagePayload> {
        let who = context.signed_in()?;
        let cancelled = make::cancel(context.app(), who.user_id, input.scheduled_message_id).await;
        let (scheduled_message, errors) = payload(cancelled)?;
        Ok(CancelScheduledMessagePayload {
            scheduled_message,
            errors,
        })
    }
}
