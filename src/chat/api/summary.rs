//! Summaries in GraphQL.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::loader::load_one;
use crate::ai::Provider;
use crate::chat::chat::Chat;
use crate::chat::message::Message;
use crate::chat::summary::{self, Summary};
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::{ChatId, SummaryId};
use crate::scalar::Long;
use crate::vault::api::ProviderName;

/// What was said in a chat up to a message, in few words: what models are shown in the place of it. The messages
/// themselves stay. Of those that are not reverted, and whose `throughMessage` is in the shown history and was not gone
/// on with since, the one that goes furthest is used.
#[Object(name = "ChatSummary")]
impl Summary {
    /// Opaque and typed.
    pub async fn id(&self) -> SummaryId {
        self.id
    }

    /// Of which chat.
    async fn chat_id(&self) -> ChatId {
        self.chat_id
    }

    /// The last message that it covers, and with it all before it in its branch.
    async fn through_message(&self, context: &Context<'_>) -> Result<Option<Message>> {
        load_one(context, self.through_message_id).await
    }

    /// The number of that message: it is gone, and so is the summary, once the history is cleared up to there.
    async fn through_sequence(&self) -> Long {
        Long(self.through_sequence)
    }

    /// The words.
    async fn content(&self) -> &str {
        &self.content
    }

    /// How many tokens they have.
    async fn tokens(&self) -> i32 {
        self.tokens
    }

    /// Whose model wrote it.
    async fn provider(&self) -> Option<ProviderName> {
        self.provider.parse::<Provider>().ok().map(Into::into)
    }

    /// The model that wrote it.
    async fn model(&self) -> &str {
        &self.model
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// Since when it is not used because somebody does not want it; null while it may be used.
    async fn reverted_at(&self) -> Option<DateTime<Utc>> {
        self.reverted_at
    }

    /// Grows with each change: apply an event only when its version is higher.
    async fn version(&self) -> i32 {
        self.version
    }
}

/// Which chat to summarise.
#[derive(Debug, InputObject)]
pub struct SummarizeChatInput {
    /// The chat.
    chat_id: ChatId,
}

/// The result of `summarizeChat`.
#[derive(Debug, SimpleObject)]
pub struct SummarizeChatPayload {
    /// The chat as it is now; the summary comes as an event.
    chat: Option<Chat>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which summary to put aside.
#[derive(Debug, InputObject)]
pub struct RevertSummaryInput {
    /// The summary.
    summary_id: SummaryId,
}

/// The result of `revertSummary`.
#[derive(Debug, SimpleObject)]
pub struct RevertSummaryPayload {
    /// The summary as it is now.
    summary: Option<Summary>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which summary to bring back.
#[derive(Debug, InputObject)]
pub struct RestoreSummaryInput {
    /// The summary.
    summary_id: SummaryId,
}

/// The result of `restoreSummary`.
#[derive(Debug, SimpleObject)]
pub struct RestoreSummaryPayload {
    /// The summary as it is now.
    summary: Option<Summary>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people do with summaries.
#[derive(Debug, Default)]
pub struct SummaryMutation;

#[Object]
impl SummaryMutation {
    /// Has the model that answers in a chat summarise all that was said so far. The summary comes as an event; from then
    /// on models are shown it in the place of what it covers.
    async fn summarize_chat(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which chat.")] input: SummarizeChatInput,
    ) -> Result<SummarizeChatPayload> {
        let who = context.signed_in()?;
        let (chat, errors) = payload(summary::summarize(context.app(), who.user_id, input.chat_id).await)?;
        Ok(SummarizeChatPayload { chat, errors })
    }

    /// Puts a summary aside: models are shown the messages again, as many as fit, or the summary before it. While the one
    /// that goes furthest is put aside, no other is made by itself.
    async fn revert_summary(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which summary.")] input: RevertSummaryInput,
    ) -> Result<RevertSummaryPayload> {
        let who = context.signed_in()?;
        let set = summary::set_reverted(context.app(), who.user_id, input.summary_id, true).await;
        let (summary, errors) = payload(set)?;
        Ok(RevertSummaryPayload { summary, errors })
    }

    /// Brings a summary back that was put aside.
    async fn restore_summary(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which summary.")] input: RestoreSummaryInput,
    ) -> Result<RestoreSummaryPayload> {
        let who = context.signed_in()?;
        let set = summary::set_reverted(context.app(), who.user_id, input.summary_id, false).await;
        let (summary, errors) = payload(set)?;
        Ok(RestoreSummaryPayload { summary, errors })
    }
}
