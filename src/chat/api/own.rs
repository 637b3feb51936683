//! The events of what is no chat's: assistants, keys.

use std::collections::HashMap;

use async_graphql::SimpleObject;
use chrono::{DateTime, Utc};

use super::event::{Event, Payload};
use crate::assistant::{self, Assistant};
use crate::db::Connection;
use crate::error::Result;
use crate::id::{AssistantId, UserId};
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

/// What a batch of events speaks of besides chats, as it is now.
pub(super) struct Own {
    assistants: HashMap<AssistantId, Assistant>,
    keys: Vec<StoredKey>,
}

impl Own {
    /// Loads it for `user_id`.
    pub(super) async fn load(connection: &mut Connection, user_id: UserId, payloads: &[Payload]) -> Result<Self> {
        let ids: Vec<AssistantId> = payloads.iter().filter_map(|payload| payload.assistant_id).collect();
        let assistants = if ids.is_empty() {
            HashMap::new()
        } else {
            assistant::assistant::find_open(connection, user_id, &ids).await?
        };
        let speaks_of_keys = payloads.iter().any(|payload| payload.api_key_id.is_some());
        let keys = if speaks_of_keys {
            key::list(connection, user_id).await?
        } else {
            Vec::new()
        };
        Ok(Own { assistants, keys })
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
            other => {
                tracing::warn!(kind = other, "an event of a kind that this version does not know");
                None
            }
        }
    }
}
