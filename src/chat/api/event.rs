//! The events of chats as clients see them. Each is an idempotent upsert: it carries the thing as it is now, with a
//! version.

use async_graphql::{Enum, Interface, SimpleObject};
use chrono::{DateTime, Utc};

use super::live::{AssistantActivity, PresenceChanged, TypingChanged};
use super::own::{
    ApiKeyHealthChanged, AssistantRemoved, AssistantUpserted, ContactChanged, DataExportChanged, MemoryRemoved,
    MemoryUpserted, PreferencesChanged, ScheduledMessageChanged, SummaryRemoved, SummaryUpserted, UserUpdated,
    WebhookChanged,
};
use super::receipt::ReceiptsUpdated;
use crate::chat::chat::Chat;
use crate::chat::message::Message;
use crate::id::{
    ApiKeyId, AssistantId, ChatId, DataExportId, MemoryId, MessageId, ScheduledMessageId, SummaryId, UserId, WebhookId,
};
use crate::scalar::Long;

/// Something that happened.
#[derive(Debug, Interface)]
#[graphql(
    field(
        name = "cursor",
        ty = "&Option<String>",
        desc = "Where the client stands once it has this event; null on events that are never replayed."
    ),
    field(name = "occurred_at", ty = "&DateTime<Utc>", desc = "When it happened.")
)]
pub enum Event {
    /// The stream begins.
    StreamReady(StreamReady),
    /// Too much was missed.
    ResyncRequired(ResyncRequired),
    /// A chat appeared or changed.
    ChatUpserted(ChatUpserted),
    /// A chat is gone.
    ChatRemoved(ChatRemoved),
    /// A chat was cleared.
    HistoryCleared(HistoryCleared),
    /// Another branch of a chat is shown.
    BranchChanged(BranchChanged),
    /// A message was sent.
    MessageCreated(MessageCreated),
    /// A message changed.
    MessageUpdated(MessageUpdated),
    /// People have come further in a room.
    ReceiptsUpdated(ReceiptsUpdated),
    /// An assistant appeared or changed.
    AssistantUpserted(AssistantUpserted),
    /// An assistant is gone for the viewer.
    AssistantRemoved(AssistantRemoved),
    /// A key of the viewer's fares otherwise than before.
    ApiKeyHealthChanged(ApiKeyHealthChanged),
    /// A memory appeared or changed.
    MemoryUpserted(MemoryUpserted),
    /// A memory is gone.
    MemoryRemoved(MemoryRemoved),
    /// The preferences changed.
    PreferencesChanged(PreferencesChanged),
    /// A summary appeared or changed.
    SummaryUpserted(SummaryUpserted),
    /// A summary is gone.
    SummaryRemoved(SummaryRemoved),
    /// A scheduled message appeared or changed.
    ScheduledMessageChanged(ScheduledMessageChanged),
    /// A webhook appeared, changed, or is gone.
    WebhookChanged(WebhookChanged),
    /// Somebody became a contact or blocked, or is so no more.
    ContactChanged(ContactChanged),
    /// Somebody changed their profile.
    UserUpdated(UserUpdated),
    /// An archive of the viewer's data appeared or got further.
    DataExportChanged(DataExportChanged),
    /// Somebody types, or does no more.
    TypingChanged(TypingChanged),
    /// Somebody came, went, or is away.
    PresenceChanged(PresenceChanged),
    /// What an assistant does.
    AssistantActivity(AssistantActivity),
}

impl Event {
    /// The message that it tells of.
    pub(super) fn message(&self) -> Option<&Message> {
        match self {
            Event::MessageCreated(created) => Some(&created.message),
            Event::MessageUpdated(updated) => Some(&updated.message),
            _ => None,
        }
    }
}

/// The stream begins. Always first: then comes what was missed, then what happens.
#[derive(Debug, SimpleObject)]
pub struct StreamReady {
    /// Where the stream begins.
    pub cursor: Option<String>,
    /// When it began.
    pub occurred_at: DateTime<Utc>,
    /// Whether it continues from `after`; false when it begins with what happens from now on.
    pub resumed: bool,
}

/// Why a stream cannot be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ResyncReason {
    /// The cursor is older than the log.
    CursorTooOld,
    /// The cursor belongs to another database, such as one from before a restored backup.
    CursorUnknown,
}

/// The stream cannot be continued from `after`: read everything anew, beginning with `viewer.syncCursor`, and subscribe
/// from there. The stream completes after this.
#[derive(Debug, SimpleObject)]
pub struct ResyncRequired {
    /// Always null.
    pub cursor: Option<String>,
    /// When it was found.
    pub occurred_at: DateTime<Utc>,
    /// Why.
    pub reason: ResyncReason,
}

/// A chat appeared or changed: put it in the place of what the client has, if its version is higher.
#[derive(Debug, SimpleObject)]
pub struct ChatUpserted {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The chat as it is now.
    pub chat: Chat,
}

/// A chat is gone for the viewer, with all its messages: it was deleted, or they left or were removed. It is there again
/// with a later `ChatUpserted`, should they be added once more.
#[derive(Debug, SimpleObject)]
pub struct ChatRemoved {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The chat that is gone.
    #[graphql(name = "chatId")]
    pub chat_id: ChatId,
}

/// The messages of a chat up to a number are gone for the viewer, for good, and with them the summaries that go no further.
#[derive(Debug, SimpleObject)]
pub struct HistoryCleared {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The chat.
    pub chat_id: ChatId,
    /// Messages whose `sequence` is at most this are gone.
    pub through_sequence: Long,
}

/// Another branch of a chat is shown, or the viewer has joined a group that shows what was said before: drop the chat's messages whose `sequence` is higher than `afterSequence`, and read on
/// from there, or select the newest right here: `chat { messages(last: 50) { … } }`.
#[derive(Debug, SimpleObject)]
pub struct BranchChanged {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The chat as it is now.
    pub chat: Chat,
    /// The newest message that both branches share has this number; 0 when they share none.
    pub after_sequence: Long,
}

/// A message was sent: put it in the place of what the client has, if its version is higher. One that is not `active` is
/// on another branch than the one that is shown.
#[derive(Debug, SimpleObject)]
pub struct MessageCreated {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The message as it is now.
    pub message: Message,
}

/// What changed about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum MessageChange {
    /// Its text.
    Content,
    /// The state of the answer that writes it.
    Generation,
    /// The other versions of it.
    Siblings,
    /// What it replies to.
    ReplyTo,
    /// The reactions to it.
    Reactions,
    /// Whether it is pinned.
    Pinned,
    /// It is a tombstone now.
    Deleted,
}

impl MessageChange {
    /// What a name in the log stands for.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "CONTENT" => Some(MessageChange::Content),
            "GENERATION" => Some(MessageChange::Generation),
            "SIBLINGS" => Some(MessageChange::Siblings),
            "REACTIONS" => Some(MessageChange::Reactions),
            "PINNED" => Some(MessageChange::Pinned),
            "DELETED" => Some(MessageChange::Deleted),
            "REPLY_TO" => Some(MessageChange::ReplyTo),
            _ => None,
        }
    }
}

/// A message changed: put it in the place of what the client has, if its version is higher. One that is not `active` is on
/// another branch than the one that is shown.
#[derive(Debug, SimpleObject)]
pub struct MessageUpdated {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// The message as it is now.
    pub message: Message,
    /// What changed.
    pub changed: Vec<MessageChange>,
}

/// The ids in an event's payload.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Payload {
    /// None for what is no chat's.
    pub(super) chat_id: Option<ChatId>,
    pub(super) assistant_id: Option<AssistantId>,
    pub(super) api_key_id: Option<ApiKeyId>,
    pub(super) memory_id: Option<MemoryId>,
    pub(super) summary_id: Option<SummaryId>,
    pub(super) scheduled_message_id: Option<ScheduledMessageId>,
    pub(super) webhook_id: Option<WebhookId>,
    pub(super) message_id: Option<MessageId>,
    pub(super) data_export_id: Option<DataExportId>,
    pub(super) user_id: Option<UserId>,
    #[serde(default)]
    pub(super) user_ids: Vec<UserId>,
    #[serde(default)]
    pub(super) through: i64,
    #[serde(default)]
    pub(super) after: i64,
    #[serde(default)]
    pub(super) changed: Vec<String>,
}
