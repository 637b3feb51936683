//! Other versions in GraphQL: answers made anew, questions put in other words, branches, answers that go on.

use async_graphql::{ComplexObject, Context, InputObject, Object, SimpleObject};

use super::generation::Answer;
use super::mutation::cursor_behind;
use super::reply::{ReplyOptions, started};
use crate::chat::chat::Chat;
use crate::chat::lane::Reply;
use crate::chat::message::Message;
use crate::chat::revise::{self, Edit, Regeneration};
use crate::chat::{resume, select};
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::{GenerationId, MessageId};

/// Which answer to have made anew.
#[derive(Debug, InputObject)]
pub struct RegenerateMessageInput {
    /// An answer, on any branch. It stays as it is, also when it is still being written.
    message_id: MessageId,
    /// The client's own key for this, such as a UUID: however often it is sent, it counts once, for good.
    idempotency_key: String,
    /// How to answer, this once; without it as the chat says.
    reply: Option<ReplyOptions>,
}

/// The result of `regenerateMessage`.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct RegenerateMessagePayload {
    /// The new answer's message, on the active branch; the first where there are several.
    message: Option<Message>,
    /// The new answer, the first where there are several; follow it with `generationEvents`.
    generation: Option<Answer>,
    /// All new answers, in the order of their lanes.
    generations: Vec<Answer>,
    /// What was refused; nothing is stored then.
    errors: Vec<UserError>,
}

#[ComplexObject]
impl RegenerateMessagePayload {
    /// A position in the event log after all events of this.
    async fn cursor(&self, context: &Context<'_>) -> Result<Option<String>> {
        cursor_behind(context, self.message.as_ref()).await
    }
}

/// A question in other words.
#[derive(Debug, InputObject)]
pub struct EditMessageInput {
    /// A message of one's own, on any branch. It stays as it is, with all that followed it.
    message_id: MessageId,
    /// The new text, of 1 to 4000 characters unless the server says otherwise.
    content: String,
    /// The client's own key for this, such as a UUID: however often it is sent, it counts once, for good.
    idempotency_key: String,
    /// How to answer, this once; without it as the chat says.
    reply: Option<ReplyOptions>,
}

/// The result of `editMessage`.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct EditMessagePayload {
    /// The new version, a message of its own on the active branch.
    message: Option<Message>,
    /// The answer to it, the first where there are several; follow it with `generationEvents`.
    generation: Option<Answer>,
    /// All answers to it, in the order of their lanes.
    generations: Vec<Answer>,
    /// What was refused; nothing is stored then.
    errors: Vec<UserError>,
}

#[ComplexObject]
impl EditMessagePayload {
    /// A position in the event log after all events of this.
    async fn cursor(&self, context: &Context<'_>) -> Result<Option<String>> {
        cursor_behind(context, self.message.as_ref()).await
    }
}

/// Which branch to show.
#[derive(Debug, InputObject)]
pub struct SelectBranchInput {
    /// A message that the branch leads through, such as one of another message's `siblings`.
    message_id: MessageId,
}

/// The result of `selectBranch`.
#[derive(Debug, SimpleObject)]
pub struct SelectBranchPayload {
    /// The chat, whose `messages` are those of the branch now.
    chat: Option<Chat>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which answer to go on with.
#[derive(Debug, InputObject)]
pub struct ContinueGenerationInput {
    /// An answer that was STOPPED or INTERRUPTED, or is COMPLETED with the finish reason LENGTH; also one that FAILED while
    /// it went on with such a one. It must be the newest of its message, and nothing may follow it in the conversation.
    generation_id: GenerationId,
    /// The client's own key for this, such as a UUID: however often it is sent, it counts once, for good.
    idempotency_key: String,
}

/// The result of `continueGeneration`.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct ContinueGenerationPayload {
    /// The message that is written on.
    message: Option<Message>,
    /// The new answer: its text begins with what there was. Follow it with `generationEvents`.
    generation: Option<Answer>,
    /// What was refused; nothing is stored then.
    errors: Vec<UserError>,
}

#[ComplexObject]
impl ContinueGenerationPayload {
    /// A position in the event log after all events of this.
    async fn cursor(&self, context: &Context<'_>) -> Result<Option<String>> {
        cursor_behind(context, self.message.as_ref()).await
    }
}

/// What people do with the branches of a chat.
#[derive(Debug, Default)]
pub struct BranchMutation;

#[Object]
impl BranchMutation {
    /// Has a question answered once more. The new answer is a sibling of the one that there is, and its branch becomes the
    /// active one. At most 50 versions of one message. In a group there are no branches: the new answer is a message at
    /// the end, and whoever asked may have it made, and its moderators and owner.
    async fn regenerate_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which answer.")] input: RegenerateMessageInput,
    ) -> Result<RegenerateMessagePayload> {
        let who = context.signed_in()?;
        let new = Regeneration {
            message_id: input.message_id,
            idempotency_key: input.idempotency_key,
            reply: input.reply.map(Reply::from).unwrap_or_default(),
        };
        let (sent, errors) = payload(revise::regenerate(context.app(), who.user_id, new).await)?;
        let (message, generations) = started(sent);
        Ok(RegenerateMessagePayload {
            message,
            generation: generations.first().cloned(),
            generations,
            errors,
        })
    }

    /// Asks a question in other words. The new version is a sibling of the one that there is, with an answer of its own,
    /// and its branch becomes the active one. At most 50 versions of one message.
    async fn edit_message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which message, and what it is to say.")] input: EditMessageInput,
    ) -> Result<EditMessagePayload> {
        let who = context.signed_in()?;
        let new = Edit {
            message_id: input.message_id,
            content: input.content,
            idempotency_key: input.idempotency_key,
            reply: input.reply.map(Reply::from).unwrap_or_default(),
        };
        let (sent, errors) = payload(revise::edit(context.app(), who.user_id, new).await)?;
        let (message, generations) = started(sent);
        Ok(EditMessagePayload {
            message,
            generation: generations.first().cloned(),
            generations,
            errors,
        })
    }

    /// Shows the branch that leads through a message, and on from there as it was last shown. Answers that are being
    /// written on the branch that one leaves go on.
    async fn select_branch(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which branch.")] input: SelectBranchInput,
    ) -> Result<SelectBranchPayload> {
        let who = context.signed_in()?;
        let (chat, errors) = payload(select::select_branch(context.app(), who.user_id, input.message_id).await)?;
        Ok(SelectBranchPayload { chat, errors })
    }

    /// Goes on with an answer that broke off, in the same message and with the same model. It is shown what there is of the
    /// answer, and told to go on exactly where it ends.
    async fn continue_generation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which answer.")] input: ContinueGenerationInput,
    ) -> Result<ContinueGenerationPayload> {
        let who = context.signed_in()?;
        let gone_on = resume::go_on(context.app(), who.user_id, input.generation_id, &input.idempotency_key);
        let (sent, errors) = payload(gone_on.await)?;
        let (message, generations) = started(sent);
        Ok(ContinueGenerationPayload {
            message,
            generation: generations.into_iter().next(),
            errors,
        })
    }
}
