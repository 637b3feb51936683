//! What people do with messages that are there.

use async_graphql::{Context, InputObject, Object, SimpleObject};

use crate::chat::message::Message;
use crate::chat::tombstone;
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
}
