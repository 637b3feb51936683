//! From rows of the log to events: what they speak of is loaded as it is now. What is gone by now has a later event that
//! says so, and is skipped.

use std::collections::HashMap;
use std::sync::Arc;

use super::event::{
    BranchChanged, ChatRemoved, ChatUpserted, Event, HistoryCleared, MessageChange, MessageCreated, MessageUpdated,
    Payload,
};
use super::follow::Follower;
use super::own::{AssistantRemoved, AssistantUpserted, Own};
use super::share::{Shared, Told};
use crate::account::event::USER_UPDATED;
use crate::assistant::assistant::find_named;
use crate::assistant::event::ASSISTANT_UPSERTED;
use crate::chat::chat::Chat;
use crate::chat::message::Message;
use crate::chat::{chat, event as kinds, message};
use crate::error::{Error, Result};
use crate::event::{Audience, Delivery, Handed, LoggedEvent, Position};
use crate::id::{ChatId, MessageId};
use crate::scalar::Long;

/// The kinds of events of rooms that are the same to everybody who may see them.
const SAME: [&str; 5] = [
    kinds::CHAT_UPSERTED,
    kinds::HISTORY_CLEARED,
    kinds::BRANCH_CHANGED,
    kinds::MESSAGE_CREATED,
    kinds::MESSAGE_UPDATED,
];

fn payload_of(row: &LoggedEvent) -> Result<Payload> {
    serde_json::from_value(row.payload.clone()).map_err(Error::surprise)
}

/// The event of a chat or a message; none when what it speaks of is not given, or when it is of another kind.
fn shown(
    row: &LoggedEvent,
    payload: &Payload,
    cursor: String,
    chat: Option<Chat>,
    message: Option<Message>,
) -> Option<Event> {
    let (cursor, occurred_at) = (Some(cursor), row.occurred_at);
    Some(match row.kind.as_str() {
        kinds::CHAT_UPSERTED => Event::ChatUpserted(ChatUpserted {
            cursor,
            occurred_at,
            chat: chat?,
        }),
        kinds::CHAT_REMOVED => Event::ChatRemoved(ChatRemoved {
            cursor,
            occurred_at,
            chat_id: payload.chat_id?,
        }),
        kinds::HISTORY_CLEARED => Event::HistoryCleared(HistoryCleared {
            cursor,
            occurred_at,
            chat_id: payload.chat_id?,
            through_sequence: Long(payload.through),
        }),
        kinds::BRANCH_CHANGED => Event::BranchChanged(BranchChanged {
            cursor,
            occurred_at,
            chat: chat?,
            after_sequence: Long(payload.after),
        }),
        kinds::MESSAGE_CREATED => Event::MessageCreated(MessageCreated {
            cursor,
            occurred_at,
            message: message?,
        }),
        kinds::MESSAGE_UPDATED => {
            let changed = payload.changed.iter();
            Event::MessageUpdated(MessageUpdated {
                cursor,
                occurred_at,
                message: message?,
                changed: changed.filter_map(|name| MessageChange::named(name)).collect(),
            })
        }
        _ => return None,
    })
}

fn is_of_chat(kind: &str) -> bool {
    kind == kinds::CHAT_REMOVED || SAME.contains(&kind)
}

impl Follower {
    /// Loads what events speak of, as this client's person may see it.
    pub(super) async fn hydrate(&self, rows: &[(LoggedEvent, Position)]) -> Result<Vec<Option<Event>>> {
        let rows: Vec<(&LoggedEvent, &Position)> = rows.iter().map(|(row, at)| (row, at)).collect();
        self.hydrate_alone(&rows).await
    }

    async fn hydrate_alone(&self, rows: &[(&LoggedEvent, &Position)]) -> Result<Vec<Option<Event>>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let payloads = rows
            .iter()
            .map(|(row, _)| payload_of(row))
            .collect::<Result<Vec<_>>>()?;
        let chat_ids: Vec<ChatId> = payloads.iter().filter_map(|payload| payload.chat_id).collect();
        let message_ids: Vec<MessageId> = payloads.iter().filter_map(|payload| payload.message_id).collect();
        let mut connection = self.app.connection().await?;
        let chats = if chat_ids.is_empty() {
            HashMap::new()
        } else {
            chat::find_many_visible(&mut connection, self.user_id(), &chat_ids).await?
        };
        let messages = if message_ids.is_empty() {
            HashMap::new()
        } else {
            message::find_many_visible(&mut connection, self.user_id(), &message_ids).await?
        };
        let spoken = rows.iter().map(|(row, _)| *row).zip(&payloads);
        let own = Own::load(&mut connection, self.user_id(), spoken).await?;
        drop(connection);
        let events = rows.iter().zip(payloads).map(|((row, at), payload)| {
            let cursor = self.cursor(at);
            if !is_of_chat(&row.kind) {
                return own.event(&row.kind, &payload, Some(cursor), row.occurred_at);
            }
            let chat = payload.chat_id.and_then(|id| chats.get(&id)).cloned();
            let message = payload.message_id.and_then(|id| messages.get(&id)).cloned();
            shown(row, &payload, cursor, chat, message)
        });
        let events = events.collect();
        self.loader
            .keep(chats.into_iter().map(|(id, chat)| (id, Arc::new(chat))).collect());
        Ok(events)
    }

    /// What others were told of all that was just handed out, if they were: most followers of a room have to wait for
    /// nothing.
    pub(super) fn known(&self, new: &[Delivery]) -> Option<Vec<Option<Told>>> {
        let known = |delivery: &Delivery| {
            let shared = delivery.handed.made.get::<Shared>()?;
            let (after, _) = (delivery.history_after?, shared.event.as_ref()?);
            if !is_visible(&shared, after) {
                return Some(None);
            }
            let told = Told::shared(&shared, &self.selections)?;
            told.written().is_some().then_some(Some(told))
        };
        new.iter().map(known).collect()
    }

    /// The same of what was just handed out, in which this client has part with others: of a room, the reader of the log
    /// has found that this client's person is a member, and which of its messages are theirs to see.
    pub(super) async fn share(&self, new: &[Delivery]) -> Result<Vec<Option<Told>>> {
        let mut told: Vec<Option<Told>> = Vec::with_capacity(new.len());
        told.resize_with(new.len(), || None);
        let mut rooms: HashMap<ChatId, Vec<usize>> = HashMap::new();
        let mut alone = Vec::new();
        let mut many = Vec::new();
        for (index, delivery) in new.iter().enumerate() {
            let event = &delivery.handed.event;
            match (event.audience(), delivery.history_after) {
                // What two people see of each other may differ, and is not worth sharing.
                (Audience::Chat(chat_id), Some(_))
                    if delivery.handed.members > 2 && SAME.contains(&event.kind.as_str()) =>
                {
                    rooms.entry(chat_id).or_default().push(index);
                }
                (Audience::Everybody, _) if event.kind == ASSISTANT_UPSERTED => many.push(index),
                (Audience::Chat(_), _) if event.kind == USER_UPDATED => many.push(index),
                _ => alone.push(index),
            }
        }
        let rows: Vec<_> = alone
            .iter()
            .map(|index| (&new[*index].handed.event, &new[*index].handed.position))
            .collect();
        let events = self.hydrate_alone(&rows).await?;
        for (index, event) in alone.into_iter().zip(events) {
            told[index] = event.map(Told::alone);
        }
        for index in many {
            told[index] = self.of_many(&new[index].handed).await?;
        }
        let mut chats = HashMap::new();
        let mut particular = Vec::new();
        for (chat_id, indexes) in rooms {
            let handed: Vec<&Handed> = indexes.iter().map(|index| &*new[*index].handed).collect();
            let wanted: Vec<_> = handed.iter().map(|handed| (handed.event.id, &handed.made)).collect();
            let read = async |missing: &[i64]| {
                let missing = handed.iter().filter(|handed| missing.contains(&handed.event.id));
                self.read(missing.copied().collect()).await
            };
            self.app.sharing().all(chat_id.0, &wanted, read).await?;
            for index in indexes {
                let Some(shared) = new[index].handed.made.get::<Shared>() else {
                    continue;
                };
                if let Some(chat) = &shared.chat {
                    chats.insert(chat_id, Arc::clone(chat));
                }
                if shared.event.is_none() {
                    // Gone, or withheld from somebody: then it is its author's still.
                    particular.push(index);
                } else if new[index].history_after.is_some_and(|after| is_visible(&shared, after)) {
                    told[index] = Told::shared(&shared, &self.selections);
                }
            }
        }
        let rows: Vec<_> = particular
            .iter()
            .map(|index| (&new[*index].handed.event, &new[*index].handed.position))
            .collect();
        let events = self.hydrate_alone(&rows).await?;
        for (index, event) in particular.into_iter().zip(events) {
            told[index] = event.map(Told::alone);
        }
        if !chats.is_empty() {
            self.loader.keep(chats);
        }
        Ok(told)
    }

    /// What everybody is told who knows an assistant that was shared, is or was, or a person: read once for all.
    async fn of_many(&self, handed: &Handed) -> Result<Option<Told>> {
        let payload = payload_of(&handed.event)?;
        let (cursor, occurred_at) = (Some(self.cursor(&handed.position)), handed.event.occurred_at);
        let read = async |_: &[i64]| {
            let mut connection = self.app.connection().await?;
            let event = if let Some(id) = payload.assistant_id {
                let assistant = find_named(&mut connection, &[id]).await?.remove(&id);
                assistant.map(|assistant| {
                    Event::AssistantUpserted(AssistantUpserted {
                        cursor: cursor.clone(),
                        occurred_at,
                        assistant,
                    })
                })
            } else {
                let row = [(&handed.event, &payload)].into_iter();
                let own = Own::load(&mut connection, self.user_id(), row).await?;
                own.event(&handed.event.kind, &payload, cursor.clone(), occurred_at)
            };
            Ok(HashMap::from([(handed.event.id, Shared::new(event, None))]))
        };
        let about = payload.assistant_id.map(|id| id.0).or(payload.user_id.map(|id| id.0));
        let wanted = [(handed.event.id, &handed.made)];
        self.app.sharing().all(about.unwrap_or_default(), &wanted, read).await?;
        let event = handed.made.get::<Shared>().and_then(|shared| shared.event.clone());
        let told = match (event.as_deref(), payload.assistant_id) {
            (Some(Event::AssistantUpserted(upserted)), _) if upserted.assistant.is_open_to(self.user_id()) => {
                event.map(Told::read)
            }
            (_, Some(assistant_id)) => Some(Told::alone(Event::AssistantRemoved(AssistantRemoved {
                cursor,
                occurred_at,
                assistant_id,
            }))),
            (_, None) => event.map(Told::read),
        };
        Ok(told)
    }

    /// Loads what events of one room speak of, for all who may see it.
    async fn read(&self, events: Vec<&Handed>) -> Result<HashMap<i64, Shared>> {
        let payloads = events
            .iter()
            .map(|handed| payload_of(&handed.event))
            .collect::<Result<Vec<_>>>()?;
        let mut chat_ids: Vec<ChatId> = payloads.iter().filter_map(|payload| payload.chat_id).collect();
        chat_ids.dedup();
        let message_ids: Vec<MessageId> = payloads.iter().filter_map(|payload| payload.message_id).collect();
        let mut connection = self.app.connection().await?;
        let chats = chat::find_many(&mut connection, &chat_ids).await?;
        let messages = if message_ids.is_empty() {
            HashMap::new()
        } else {
            message::find_many(&mut connection, &message_ids).await?
        };
        drop(connection);
        let chats: HashMap<ChatId, Arc<Chat>> = chats.into_iter().map(|(id, chat)| (id, Arc::new(chat))).collect();
        let read = events.iter().zip(payloads).map(|(handed, payload)| {
            let chat = payload.chat_id.and_then(|id| chats.get(&id));
            let message = payload.message_id.and_then(|id| messages.get(&id)).cloned();
            let cursor = self.cursor(&handed.position);
            let event = shown(
                &handed.event,
                &payload,
                cursor,
                chat.map(|chat| Chat::clone(chat)),
                message,
            );
            (handed.event.id, Shared::new(event, chat.cloned()))
        });
        Ok(read.collect())
    }
}

/// Whether somebody may see an event of a room whose messages after this number are theirs to see.
fn is_visible(shared: &Shared, after: i64) -> bool {
    let Some(event) = shared.event.as_deref() else {
        return false;
    };
    event.message().is_none_or(|message| message.sequence > after)
}
