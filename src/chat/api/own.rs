//! The events of what is no chat or message: assistants, keys, memories, preferences, summaries, scheduled messages, webhooks, contacts.

use std::collections::HashMap;

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

use super::event::{Event, Payload};
use super::receipt::ReceiptsUpdated;
use crate::account::event::USER_UPDATED;
use crate::account::user::User;
use crate::assistant::{self, Assistant};
use crate::chat::event::{RECEIPTS_UPDATED, SUMMARY_REMOVED, SUMMARY_UPSERTED};
use crate::chat::receipt::{self, Mark};
use crate::chat::schedule::ScheduledMessage;
use crate::chat::schedule::row::{self as schedule, SCHEDULED_MESSAGE_CHANGED};
use crate::chat::summary::{self, Summary};
use crate::contact::event::CONTACT_CHANGED;
use crate::contact::{Contact, Standing, standing};
use crate::db::Connection;
use crate::error::Result;
use crate::event::LoggedEvent;
use crate::export::event::DATA_EXPORT_CHANGED;
use crate::export::{DataExport, row};
use crate::id::{AssistantId, ChatId, DataExportId, MemoryId, ScheduledMessageId, SummaryId, UserId, WebhookId};
use crate::memory::event::{MEMORY_REMOVED, MEMORY_UPSERTED, PREFERENCES_CHANGED};
use crate::memory::{Memory, Preferences, memory, preferences};
use crate::notify::webhook::row::{self as webhook, WEBHOOK_CHANGED, Webhook};
use crate::vault::api::ApiKey;
use crate::vault::health;
use crate::vault::key::{self, StoredKey};

/// An assistant that the viewer can use appeared or changed: put it in the place of what the client has, if its version
/// is higher.
#[derive(Debug, SimpleObject)]
pub struct AssistantUpserted {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The assistant as it is now.
    pub assistant: Assistant,
}

/// The viewer cannot use an assistant any more: it was deleted, or is shared no more. Take it out of lists; where a chat
/// or a message names it, it stays and is not `available`.
#[derive(Debug, SimpleObject)]
pub struct AssistantRemoved {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The assistant.
    pub assistant_id: AssistantId,
}

/// A key of the viewer's fares otherwise than before: it is new, was refused or accepted again, or the provider asks to
/// wait. Not sent for every answer that it makes.
#[derive(Debug, SimpleObject)]
pub struct ApiKeyHealthChanged {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The key as it fares now.
    pub api_key: ApiKey,
}

/// A memory appeared or changed: put it in the place of what the client has, if its version is higher.
#[derive(Debug, SimpleObject)]
pub struct MemoryUpserted {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The memory as it is now.
    pub memory: Memory,
}

/// A memory is gone, for good.
#[derive(Debug, SimpleObject)]
pub struct MemoryRemoved {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The memory that is gone.
    pub memory_id: MemoryId,
}

/// The viewer's preferences changed: put them in the place of what the client has, if their version is higher.
#[derive(Debug, SimpleObject)]
pub struct PreferencesChanged {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The preferences as they are now.
    pub preferences: Preferences,
}

/// A summary of a chat appeared or changed: put it in the place of what the client has, if its version is higher.
#[derive(Debug, SimpleObject)]
pub struct SummaryUpserted {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The summary as it is now.
    pub summary: Summary,
}

/// A summary of a chat is gone, for something that it may tell of was deleted.
#[derive(Debug, SimpleObject)]
pub struct SummaryRemoved {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The summary that is gone.
    pub summary_id: SummaryId,
}

/// A scheduled message appeared or changed: put it in the place of what the client has, if its version is higher.
#[derive(Debug, SimpleObject)]
pub struct ScheduledMessageChanged {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The scheduled message as it is now.
    pub scheduled_message: ScheduledMessage,
}

/// A webhook of the viewer's, or for administrators one of the server's, appeared, changed, or is gone: put it in the place
/// of what the client has, if its version is higher.
#[derive(Debug, SimpleObject)]
pub struct WebhookChanged {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Which webhook.
    pub webhook_id: WebhookId,
    /// The webhook as it is now; null when it is gone.
    pub webhook: Option<Webhook>,
}

/// The viewer, somebody in a room with them, or one of their contacts changed their profile, or deleted their account: show
/// them so wherever they are shown.
#[derive(Debug, SimpleObject)]
pub struct UserUpdated {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The person as they are now.
    pub user: User,
}

/// Somebody became a contact of the viewer's or blocked by them, or is so no more: put this in the place of what the client
/// has of this person, if its version is higher.
#[derive(Debug, SimpleObject)]
pub struct ContactChanged {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Who it is.
    pub user: User,
    /// Their entry in the viewer's contacts; null when they are not among them.
    pub contact: Option<Contact>,
    /// Whether the viewer blocks them.
    pub is_blocked: bool,
    /// Grows with each change.
    pub version: i32,
}

/// An archive of the viewer's data was asked for, got further, is ready, failed, or expired: put it in the place of what the
/// client has, if its version is higher.
#[derive(Debug, SimpleObject)]
pub struct DataExportChanged {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The archive as it is now.
    pub data_export: DataExport,
}

/// What a batch of events speaks of besides chats and messages, as it is now.
#[derive(Default)]
pub(super) struct Own {
    assistants: HashMap<AssistantId, Assistant>,
    memories: HashMap<MemoryId, Memory>,
    summaries: HashMap<SummaryId, Summary>,
    scheduled: HashMap<ScheduledMessageId, ScheduledMessage>,
    webhooks: HashMap<WebhookId, Webhook>,
    preferences: Option<Preferences>,
    keys: Vec<StoredKey>,
    standings: HashMap<UserId, Standing>,
    marks: HashMap<(ChatId, UserId), Mark>,
    exports: HashMap<DataExportId, DataExport>,
    users: HashMap<UserId, User>,
}

impl Own {
    /// Loads it for `user_id`.
    pub(super) async fn load<'a>(
        connection: &mut Connection,
        user_id: UserId,
        events: impl Iterator<Item = (&'a LoggedEvent, &'a Payload)>,
    ) -> Result<Self> {
        let (mut assistants, mut memories, mut summaries) = (Vec::new(), Vec::new(), Vec::new());
        let (mut scheduled, mut hooks) = (Vec::new(), Vec::new());
        let (mut keyed, mut preferred) = (false, false);
        let (mut people, mut marked, mut exports) = (Vec::new(), Vec::new(), Vec::new());
        let mut profiles = Vec::new();
        for (event, payload) in events {
            assistants.extend(payload.assistant_id);
            memories.extend(payload.memory_id);
            exports.extend(payload.data_export_id);
            scheduled.extend(payload.scheduled_message_id);
            hooks.extend(payload.webhook_id);
            if event.kind == SUMMARY_UPSERTED {
                summaries.extend(payload.summary_id);
            }
            if event.kind == CONTACT_CHANGED {
                people.extend(payload.user_id);
            }
            if event.kind == USER_UPDATED {
                profiles.extend(payload.user_id);
            }
            if event.kind == RECEIPTS_UPDATED
                && let Some(chat_id) = payload.chat_id
            {
                marked.extend(payload.user_ids.iter().map(|user_id| (chat_id, *user_id)));
            }
            keyed |= payload.api_key_id.is_some();
            preferred |= event.kind == PREFERENCES_CHANGED;
        }
        let mut own = Own::default();
        if !assistants.is_empty() {
            own.assistants = assistant::assistant::find_open(connection, user_id, &assistants).await?;
        }
        if !memories.is_empty() {
            own.memories = memory::find_many(connection, user_id, &memories).await?;
        }
        if !summaries.is_empty() {
            own.summaries = summary::find_many_visible(connection, user_id, &summaries).await?;
        }
        if !scheduled.is_empty() {
            own.scheduled = schedule::find_many(connection, user_id, &scheduled).await?;
        }
        if !hooks.is_empty() {
            own.webhooks = webhook::find_many(connection, user_id, &hooks).await?;
        }
        if keyed {
            own.keys = key::list(connection, user_id).await?;
        }
        if preferred {
            own.preferences = Some(preferences::of(connection, user_id).await?);
        }
        if !exports.is_empty() {
            own.exports = row::find_many(connection, user_id, &exports).await?;
        }
        if !people.is_empty() {
            own.standings = standing::find_many(connection, user_id, &people).await?;
        }
        if !profiles.is_empty() {
            own.users = User::find_many(connection, &profiles).await?;
        }
        if !marked.is_empty() {
            marked.sort_unstable();
            marked.dedup();
            let found = receipt::find_many(connection, user_id, &marked).await?;
            own.marks = found
                .into_iter()
                .map(|mark| ((mark.chat_id, mark.user_id), mark))
                .collect();
        }
        Ok(own)
    }

    /// The event of this kind, if it is one of these.
    pub(super) fn event(
        &self,
        kind: &str,
        payload: &Payload,
        cursor: Option<String>,
        occurred_at: DateTime<Utc>,
    ) -> Option<Event> {
        match kind {
            assistant::event::ASSISTANT_UPSERTED => {
                let assistant_id = payload.assistant_id?;
                Some(match self.assistants.get(&assistant_id).cloned() {
                    Some(assistant) => Event::AssistantUpserted(AssistantUpserted {
                        cursor,
                        occurred_at,
                        assistant,
                    }),
                    None => Event::AssistantRemoved(AssistantRemoved {
                        cursor,
                        occurred_at,
                        assistant_id,
                    }),
                })
            }
            health::KEY_HEALTH_CHANGED => {
                // One that is gone by now fares no way at all.
                let key = self.keys.iter().find(|key| Some(key.id) == payload.api_key_id)?;
                Some(Event::ApiKeyHealthChanged(ApiKeyHealthChanged {
                    cursor,
                    occurred_at,
                    api_key: ApiKey(key.clone()),
                }))
            }
            MEMORY_UPSERTED => {
                let memory = self.memories.get(&payload.memory_id?)?.clone();
                Some(Event::MemoryUpserted(MemoryUpserted {
                    cursor,
                    occurred_at,
                    memory,
                }))
            }
            MEMORY_REMOVED => Some(Event::MemoryRemoved(MemoryRemoved {
                cursor,
                occurred_at,
                memory_id: payload.memory_id?,
            })),
            PREFERENCES_CHANGED => Some(Event::PreferencesChanged(PreferencesChanged {
                cursor,
                occurred_at,
                preferences: self.preferences.clone()?,
            })),
            SUMMARY_UPSERTED => {
                let summary = self.summaries.get(&payload.summary_id?)?.clone();
                Some(Event::SummaryUpserted(SummaryUpserted {
                    cursor,
                    occurred_at,
                    summary,
                }))
            }
            RECEIPTS_UPDATED => {
                let chat_id = payload.chat_id?;
                let marks = payload.user_ids.iter();
                let receipts: Vec<Mark> = marks
                    .filter_map(|user_id| self.marks.get(&(chat_id, *user_id)).copied())
                    .collect();
                (!receipts.is_empty()).then_some(Event::ReceiptsUpdated(ReceiptsUpdated {
                    cursor,
                    occurred_at,
                    chat_id,
                    receipts,
                }))
            }
            SUMMARY_REMOVED => Some(Event::SummaryRemoved(SummaryRemoved {
                cursor,
                occurred_at,
                summary_id: payload.summary_id?,
            })),
            WEBHOOK_CHANGED => {
                let webhook_id = payload.webhook_id?;
                Some(Event::WebhookChanged(WebhookChanged {
                    cursor,
                    occurred_at,
                    webhook_id,
                    webhook: self.webhooks.get(&webhook_id).cloned(),
                }))
            }
            SCHEDULED_MESSAGE_CHANGED => {
                let scheduled_message = self.scheduled.get(&payload.scheduled_message_id?)?.clone();
                Some(Event::ScheduledMessageChanged(ScheduledMessageChanged {
                    cursor,
                    occurred_at,
                    scheduled_message,
                }))
            }
            USER_UPDATED => Some(Event::UserUpdated(UserUpdated {
                cursor,
                occurred_at,
                user: self.users.get(&payload.user_id?)?.clone(),
            })),
            CONTACT_CHANGED => {
                let Standing {
                    user,
                    contact,
                    blocked,
                    version,
                } = self.standings.get(&payload.user_id?)?.clone();
                Some(Event::ContactChanged(ContactChanged {
                    cursor,
                    occurred_at,
                    user,
                    contact,
                    is_blocked: blocked,
                    version,
                }))
            }
            DATA_EXPORT_CHANGED => Some(Event::DataExportChanged(DataExportChanged {
                cursor,
                occurred_at,
                data_export: self.exports.get(&payload.data_export_id?)?.clone(),
            })),
            other => {
                tracing::warn!(kind = other, "an event of a kind that this version does not know");
                None
            }
        }
    }
}
