//! What people do with messages that are there.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::chat::message::Message;
use crate::chat::{pin, reaction, tombstone};
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::MessageId;

/// Which message to delete.
#[derive(Debug, InputObject)]
pub struct DeleteMessageInput {
    /// A message, on any branch.
    message_id: MessageId,
}

/// The result of `deleteMessage`.
#[derive(Debug, SimpleObject)]
pub struct DeleteMessagePayload {
    /// The tombstone.
    message: Option<Message>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// A reaction to add.
#[derive(Debug, InputObject)]
pub struct AddReactionInput {
    /// To which message.
    message_id: MessageId,
    /// An emoji, or a word or two: one line of 1 to 16 characters.
    emoji: String,
}

/// The result of `addReaction`.
#[derive(Debug, SimpleObject)]
pub struct AddReactionPayload {
    /// The message as it is now.
    message: Option<Message>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// A reaction to take away.
#[derive(Debug, InputObject)]
pub struct RemoveReactionInput {
    /// From which message.
    message_id: MessageId,
    /// Which one of the viewer's.
    emoji: String,
}

/// The result of `removeReaction`.
#[derive(Debug, SimpleObject)]
pub struct RemoveReactionPayload {
    /// The message as it is now.
    message: Option<Message>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which message to pin.
#[derive(Debug, InputObject)]
pub struct PinMessageInput {
    /// The message.
    message_id: MessageId,
}

/// The result of `pinMessage`.
#[derive(Debug, SimpleObject)]
pub struct PinMessagePayload {
    /// The message as it is now.
    message: Option<Message>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which message to pin no more.
#[derive(Debug, InputObject)]
pub struct UnpinMessageInput {
    /// The message.
    message_id: MessageId,
}

/// The result of `unpinMessage`.
#[derive(Debug, SimpleObject)]
pub struct UnpinMessagePayload {
    /// The message as it is now.
    message: Option<Message>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people do with messages that are there.
#[derive(Debug, Default)]
pub struct DeedMutation;

#[Object]
impl DeedMutation {
    /// Deletes a message for everybody. Its place stays, as a tombstone without content, so that what replies to it still
    /// does. One's own messages, and answers that one has asked for; in groups moderators and the owner also delete those of
    /// lower roles. In a chat with an assistant a question goes with all its answers, and models are shown nothing of it
    /// any more; the summaries that may tell of it go, too. An answer that is being written has to be stopped first.
    async fn delete_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which message.")] input: DeleteMessageInput,
    ) -> Result<DeleteMessagePayload> {
        let who = context.signed_in()?;
        let (message, errors) = payload(tombstone::delete(context.app(), who.user_id, input.message_id).await)?;
        Ok(DeleteMessagePayload { message, errors })
    }

    /// Answers to a message in one sign. Everybody who sees a message may react to it, in several ways; once in each. A
    /// message has at most 20 different reactions. It counts as a message for how often one may do it, and so does taking it
    /// away.
    async fn add_reaction(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "To what, and how.")] input: AddReactionInput,
    ) -> Result<AddReactionPayload> {
        let who = context.signed_in()?;
        let reacted = reaction::react(context.app(), who.user_id, input.message_id, &input.emoji, true);
        let (message, errors) = payload(reacted.await)?;
        Ok(AddReactionPayload { message, errors })
    }

    /// Takes a reaction of the viewer's away again; nothing changes where there is none.
    async fn remove_reaction(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "From what, and which.")] input: RemoveReactionInput,
    ) -> Result<RemoveReactionPayload> {
        let who = context.signed_in()?;
        let removed = reaction::react(context.app(), who.user_id, input.message_id, &input.emoji, false);
        let (message, errors) = payload(removed.await)?;
        Ok(RemoveReactionPayload { message, errors })
    }

    /// Keeps a message in sight for all in its chat, which tells it in a group. Who may is up to the group; of a chat of two,
    /// both. At most 50 in one chat.
    async fn pin_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which message.")] input: PinMessageInput,
    ) -> Result<PinMessagePayload> {
        let who = context.signed_in()?;
        let (message, errors) = payload(pin::set_pinned(context.app(), who.user_id, input.message_id, true).await)?;
        Ok(PinMessagePayload { message, errors })
    }

    /// Pins a message no more.
    async fn unpin_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which message.")] input: UnpinMessageInput,
    ) -> Result<UnpinMessagePayload> {
        let who = context.signed_in()?;
        let (message, errors) = payload(pin::set_pinned(context.app(), who.user_id, input.message_id, false).await)?;
        Ok(UnpinMessagePayload { message, errors })
    }
}
