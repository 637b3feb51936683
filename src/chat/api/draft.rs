//! Drafts in GraphQL.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::loader::load_one;
use crate::chat::chat::Chat;
use crate::chat::draft::{self, NewDraft, StoredDraft};
use crate::chat::message::Message;
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::{ChatId, MessageId};

/// What the viewer has begun to write.
#[derive(Debug)]
pub struct Draft {
    text: String,
    reply_to_id: Option<MessageId>,
    updated_at: DateTime<Utc>,
}

impl Draft {
    /// The draft that is stored, if there is one.
    pub fn of(stored: &StoredDraft) -> Option<Self> {
        Some(Draft {
            text: stored.text.clone()?,
            reply_to_id: stored.reply_to_id,
            updated_at: stored.updated_at?,
        })
    }
}

/// What the viewer has begun to write in a chat, on whichever device. Nobody else sees it.
#[Object]
impl Draft {
    /// The text; empty where only a reply was begun.
    async fn text(&self) -> &str {
        &self.text
    }

    /// The message that it is about to reply to; null when to none, and when the viewer does not see that one any more.
    async fn reply_to(&self, context: &Context<'_>) -> Result<Option<Message>> {
        match self.reply_to_id {
            Some(id) => load_one(context, id).await,
            None => Ok(None),
        }
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.updated_at
    }
}

/// A draft to save.
#[derive(Debug, InputObject)]
pub struct SaveDraftInput {
    /// In which chat.
    chat_id: ChatId,
    /// The text, at most as long as a message; empty, and without `replyToId`, to have no draft.
    text: String,
    /// The message that it is about to reply to.
    reply_to_id: Option<MessageId>,
    /// The `viewerState.draftVersion` that this goes on from: when there is a newer one, nothing is changed and the error is
    /// a CONFLICT. Without it the last device to save wins.
    version: Option<i32>,
}

/// The result of `saveDraft`.
#[derive(Debug, SimpleObject)]
pub struct SaveDraftPayload {
    /// The chat; the draft is in its `viewerState`.
    chat: Option<Chat>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people do with drafts.
#[derive(Debug, Default)]
pub struct DraftMutation;

#[Object]
impl DraftMutation {
    /// Keeps what the viewer has begun to write, for all their devices. Sending a message ends the draft of its chat.
    async fn save_draft(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to keep.")] input: SaveDraftInput,
    ) -> Result<SaveDraftPayload> {
        let who = context.signed_in()?;
        let new = NewDraft {
            chat_id: input.chat_id,
            text: input.text,
            reply_to_id: input.reply_to_id,
            version: input.version,
        };
        let (chat, errors) = payload(draft::save(context.app(), who.user_id, new).await)?;
        Ok(SaveDraftPayload { chat, errors })
    }
}
