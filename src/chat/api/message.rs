//! The message as clients see it, and who writes messages.

use async_graphql::{Context, Interface, Object};
use chrono::{DateTime, Utc};

use super::edit::{FormerTextConnection, edit_page};
use super::generation::Answer;
use super::loader::{RowOf, SiblingsOf, WriterOf, load_one};
use super::member::{NoteOf, SystemNote};
use super::mention;
use super::reaction::ReactionsTo;
use super::receipt::{FloorOf, ReceiptConnection, receipt_page};
use crate::account::api::load_user;
use crate::account::user::User;
use crate::assistant::Assistant;
use crate::chat::chat::Chat;
use crate::chat::extras::{Importance, MessageKind};
use crate::chat::message::{Message, MessageRole};
use crate::chat::reaction::Reactions;
use crate::chat::receipt::DeliveryStatus;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::id::MessageId;
use crate::scalar::Long;

/// Who writes messages.
#[derive(Debug, Interface)]
#[graphql(
    field(name = "id", ty = "async_graphql::ID", desc = "Opaque and typed."),
    field(name = "display_name", ty = "String", desc = "The name to show.")
)]
pub enum Actor {
    /// A person.
    User(User),
    /// An AI.
    Assistant(Assistant),
}

/// What somebody said.
#[Object]
impl Message {
    /// Opaque and typed.
    pub async fn id(&self) -> MessageId {
        self.id
    }

    /// Where it was said.
    async fn chat(&self, context: &Context<'_>) -> Result<Chat> {
        load_one(context, RowOf(self.chat_id))
            .await?
            .ok_or_else(|| Error::not_found(&[], "chat"))
    }

    /// Its place in the chat: the order of messages, with gaps where some were removed.
    async fn sequence(&self) -> Long {
        Long(self.sequence)
    }

    /// Whose turn it is in the conversation that a model is shown.
    async fn role(&self) -> MessageRole {
        self.role
    }

    /// Who wrote it; of an account that was deleted, a `User` that says so.
    async fn author(&self, context: &Context<'_>) -> Result<Option<Actor>> {
        match (self.role, self.author_id) {
            (MessageRole::Assistant, _) => {
                let id = self.assistant_id.unwrap_or(Assistant::DEFAULT);
                Ok(load_one(context, id).await?.map(Actor::Assistant))
            }
            (_, Some(id)) => Ok(load_user(context, id).await?.map(Actor::User)),
            _ => Ok(None),
        }
    }

    /// What happened, on messages of the role SYSTEM: who did it is the `author`. Null on others.
    async fn system(&self, context: &Context<'_>) -> Result<Option<SystemNote>> {
        if self.role != MessageRole::System {
            return Ok(None);
        }
        Ok(load_one(context, NoteOf(self.id)).await?.map(SystemNote))
    }

    /// The text, byte for byte as it was written; of system messages, what happened in plain English. While an answer is being written this is what has been stored of it;
    /// `generationEvents` shows it as it comes.
    async fn content(&self, context: &Context<'_>) -> &str {
        if self.deleted_at.is_some() {
            // A lane that has lost its race is a tombstone before the last of it is counted and removed.
            return "";
        }
        self.content_for(context.signed_in().ok().map(|who| who.user_id))
    }

    /// Whether it is on the branch that is shown: the one that `chat.messages` reads.
    async fn active(&self) -> bool {
        self.active
    }

    /// The other versions of it, oldest first: answers to the same question, or the same question in other words. Its own
    /// place among them is by `sequence`. `selectBranch` shows one of them.
    async fn siblings(&self, context: &Context<'_>) -> Result<Vec<Message>> {
        Ok(load_one(context, SiblingsOf(self.id)).await?.unwrap_or_default())
    }

    /// The message before it in its branch; null where a branch begins.
    async fn parent(&self, context: &Context<'_>) -> Result<Option<Message>> {
        match self.parent_id {
            Some(id) => load_one(context, id).await,
            None => Ok(None),
        }
    }

    /// The message of the same chat that it replies to; of a system message, the one that it speaks of. Null when it replies
    /// to none, and when the viewer does not see that one any more; a tombstone when it was deleted.
    async fn reply_to(&self, context: &Context<'_>) -> Result<Option<Message>> {
        match self.extras.reply_to_id {
            Some(id) => load_one(context, id).await,
            None => Ok(None),
        }
    }

    /// The people and assistants of the room whom it mentions: those whom its sender's client has named, then those
    /// whom the text names with `@username` or `@Name of an Assistant`.
    async fn mentions(&self, context: &Context<'_>) -> Result<Vec<Actor>> {
        mention::mentions(context, self).await
    }

    /// What is in it.
    async fn kind(&self) -> MessageKind {
        self.extras.kind
    }

    /// How much it matters to its author.
    async fn importance(&self) -> Importance {
        self.extras.importance
    }

    /// What its sender's client has added for other clients: a JSON object, which Parlor does not read. Null when nothing.
    async fn metadata(&self) -> Option<&serde_json::Value> {
        self.extras.metadata.as_ref()
    }

    /// What people have answered to it in one sign, the first first.
    async fn reactions(&self, context: &Context<'_>) -> Result<Vec<Reactions>> {
        Ok(load_one(context, ReactionsTo(self.id)).await?.unwrap_or_default())
    }

    /// How an assistant's message is made: its state, what it used, why it ended; where it was continued, the newest. Null on
    /// people's messages.
    async fn generation(&self, context: &Context<'_>) -> Result<Option<Answer>> {
        if self.role != MessageRole::Assistant {
            return Ok(None);
        }
        Ok(load_one(context, WriterOf(self.id)).await?.map(Answer::from))
    }

    /// When it was sent.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// When its text was last changed by its author.
    async fn edited_at(&self, context: &Context<'_>) -> Option<DateTime<Utc>> {
        self.edited_at_for(context.signed_in().ok().map(|who| who.user_id))
    }

    /// What it said before its author changed it, oldest first; for everybody who sees the message. Versions in a chat with an
    /// assistant are messages of their own, its `siblings`.
    async fn edits(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, at most 100.", default = 20)] first: i32,
        #[graphql(desc = "Only texts after this cursor.")] after: Option<String>,
    ) -> Result<FormerTextConnection> {
        edit_page(context, self.id, first, after).await
    }

    /// Since when it is only a tombstone: it keeps its place, and has no content any more.
    async fn deleted_at(&self) -> Option<DateTime<Utc>> {
        self.deleted_at
    }

    /// Who deleted it; null on what is no tombstone, and when the account is gone.
    async fn deleted_by(&self, context: &Context<'_>) -> Result<Option<User>> {
        match self.deleted_by {
            Some(id) => load_user(context, id).await,
            None => Ok(None),
        }
    }

    /// Since when it is kept in sight for all in the chat; null when it is not.
    async fn pinned_at(&self) -> Option<DateTime<Utc>> {
        self.pinned_at
    }

    /// Who has pinned it; null when it is not pinned, and when the account is gone.
    async fn pinned_by(&self, context: &Context<'_>) -> Result<Option<User>> {
        match self.pinned_by {
            Some(id) => load_user(context, id).await,
            None => Ok(None),
        }
    }

    /// How far a message of the viewer's has come: DELIVERED once a device of each of the others in the room has it, READ once
    /// each of them has read it, as `markRead` says; SENT while nobody else is there. Those who come later are not waited for,
    /// nor those who have left. While a group has more than 100 people nobody comes further in it, so that what is sent then
    /// stays SENT. Null on what others wrote, and in chats with an assistant. It changes with `ReceiptsUpdated`, without
    /// another `version`.
    async fn status(&self, context: &Context<'_>) -> Result<Option<DeliveryStatus>> {
        let viewer = context.signed_in()?.user_id;
        if self.author_id != Some(viewer) || self.role != MessageRole::User {
            return Ok(None);
        }
        let floor = load_one(context, FloorOf(self.chat_id)).await?;
        Ok(floor.map(|floor| floor.status(self.sequence)))
    }

    /// Whom it has reached of those who are in the room and were so when it was sent, besides its author.
    async fn receipts(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, at most 100.", default = 50)] first: i32,
        #[graphql(desc = "Only people after this cursor.")] after: Option<String>,
    ) -> Result<ReceiptConnection> {
        receipt_page(context, self.id, first, after).await
    }

    /// Grows with each change: apply an event only when its version is higher.
    async fn version(&self) -> i32 {
        self.version
    }

    /// The key that it was sent with; seen by its sender alone.
    async fn idempotency_key(&self, context: &Context<'_>) -> Option<&str> {
        let asker = context.signed_in().ok().map(|who| who.user_id);
        self.idempotency_key
            .as_deref()
            .filter(|_| asker.is_some() && asker == self.author_id)
    }
}
