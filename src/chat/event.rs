//! The chat's events: their names in the log, and what each speaks of.

use serde_json::json;

use crate::event::{Audience, NewEvent};
use crate::id::{ChatId, MessageId, SummaryId, UserId};

/// A chat appeared or changed.
pub const CHAT_UPSERTED: &str = "chat.upserted";
pub use crate::event::CHAT_REMOVED;
/// A chat's messages up to a number are gone.
pub const HISTORY_CLEARED: &str = "chat.cleared";
/// A message was sent.
pub const MESSAGE_CREATED: &str = "message.created";
/// A message changed.
pub const MESSAGE_UPDATED: &str = "message.updated";

/// A summary appeared or changed.
pub const SUMMARY_UPSERTED: &str = "summary.upserted";
/// People have come further in a chat.
pub const RECEIPTS_UPDATED: &str = "receipts.updated";
/// A summary is gone.
pub const SUMMARY_REMOVED: &str = "summary.removed";
/// Another branch of a chat is shown.
pub const BRANCH_CHANGED: &str = "chat.branch";

/// The chat changed for all its members.
pub fn chat_upserted(chat_id: ChatId) -> NewEvent {
    NewEvent::new(Audience::Chat(chat_id), CHAT_UPSERTED, json!({ "chatId": chat_id.0 }))
}

/// The chat looks different to one member.
pub fn chat_upserted_for(chat_id: ChatId, user_id: UserId) -> NewEvent {
    NewEvent::new(Audience::User(user_id), CHAT_UPSERTED, json!({ "chatId": chat_id.0 }))
}

/// The chat is gone for one person.
pub fn chat_removed(chat_id: ChatId, user_id: UserId) -> NewEvent {
    NewEvent::new(Audience::User(user_id), CHAT_REMOVED, json!({ "chatId": chat_id.0 }))
}

/// The chat's messages up to `through` are gone.
pub fn history_cleared(chat_id: ChatId, through: i64) -> NewEvent {
    let payload = json!({ "chatId": chat_id.0, "through": through });
    NewEvent::new(Audience::Chat(chat_id), HISTORY_CLEARED, payload)
}

/// One person cleared the chat for themselves.
pub fn history_cleared_for(chat_id: ChatId, user_id: UserId, through: i64) -> NewEvent {
    let payload = json!({ "chatId": chat_id.0, "through": through });
    NewEvent::new(Audience::User(user_id), HISTORY_CLEARED, payload)
}

/// A message was sent.
pub fn message_created(chat_id: ChatId, message_id: MessageId) -> NewEvent {
    let payload = json!({ "chatId": chat_id.0, "messageId": message_id.0 });
    NewEvent::new(Audience::Chat(chat_id), MESSAGE_CREATED, payload)
}

/// A message was sent that only its author is told of.
pub fn message_created_for(chat_id: ChatId, user_id: UserId, message_id: MessageId) -> NewEvent {
    let payload = json!({ "chatId": chat_id.0, "messageId": message_id.0 });
    NewEvent::new(Audience::User(user_id), MESSAGE_CREATED, payload)
}

/// A message changed; `changed` names what.
pub fn message_updated(chat_id: ChatId, message_id: MessageId, changed: &[&str]) -> NewEvent {
    let payload = json!({ "chatId": chat_id.0, "messageId": message_id.0, "changed": changed });
    NewEvent::new(Audience::Chat(chat_id), MESSAGE_UPDATED, payload)
}

/// A message changed that only its author is told of.
pub fn message_updated_for(chat_id: ChatId, user_id: UserId, message_id: MessageId, changed: &[&str]) -> NewEvent {
    let payload = json!({ "chatId": chat_id.0, "messageId": message_id.0, "changed": changed });
    NewEvent::new(Audience::User(user_id), MESSAGE_UPDATED, payload)
}

/// Messages wait for others than before, for somebody has come or gone: told with the marks of these people, as they are.
pub fn receipts_updated(chat_id: ChatId, people: &[UserId]) -> NewEvent {
    let people: Vec<_> = people.iter().map(|id| id.0).collect();
    let payload = json!({ "chatId": chat_id.0, "userIds": people });
    NewEvent::new(Audience::Chat(chat_id), RECEIPTS_UPDATED, payload)
}

/// A summary appeared or changed.
pub fn summary_upserted(chat_id: ChatId, id: SummaryId) -> NewEvent {
    let payload = json!({ "chatId": chat_id.0, "summaryId": id.0 });
    NewEvent::new(Audience::Chat(chat_id), SUMMARY_UPSERTED, payload)
}

/// A summary is gone.
pub fn summary_removed(chat_id: ChatId, id: SummaryId) -> NewEvent {
    let payload = json!({ "chatId": chat_id.0, "summaryId": id.0 });
    NewEvent::new(Audience::Chat(chat_id), SUMMARY_REMOVED, payload)
}

/// The chat's active branch is another one after the message at `after`.
pub fn branch_changed(chat_id: ChatId, after: i64) -> NewEvent {
    let payload = json!({ "chatId": chat_id.0, "after": after });
    NewEvent::new(Audience::Chat(chat_id), BRANCH_CHANGED, payload)
}

/// One person has come to see what was said in a chat before.
pub fn history_opened_for(chat_id: ChatId, user_id: UserId) -> NewEvent {
    let payload = json!({ "chatId": chat_id.0, "after": 0 });
    NewEvent::new(Audience::User(user_id), BRANCH_CHANGED, payload)
}
