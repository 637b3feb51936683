//! Questions about single chats, messages and answers. What one may not see is null, like what does not exist.

use async_graphql::{Context, Object};

use super::generation::Answer;
use super::loader::load_one;
use crate::chat::chat::Chat;
use crate::chat::member::Membership;
use crate::chat::message::Message;
use crate::chat::reply::generation;
use crate::context::RequestContext;
use crate::error::Result;
use crate::id::{ChatId, GenerationId, MessageId};

/// Questions about chats.
#[derive(Debug, Default)]
pub struct ChatQuery;

#[Object]
impl ChatQuery {
    /// The chat with this id; null when there is none or the viewer is not in it.
    pub async fn chat(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which chat.")] id: ChatId,
    ) -> Result<Option<Chat>> {
        let who = context.signed_in()?;
        let membership = Membership::of(&*context.app().connection().await?, who.user_id, id).await?;
        Ok(membership.map(|membership| membership.chat))
    }

    /// The message with this id; null when there is none or the viewer may not see it.
    pub async fn message(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which message.")] id: MessageId,
    ) -> Result<Option<Message>> {
        context.signed_in()?;
        load_one(context, id).await
    }

    /// The answer with this id; null when there is none or the viewer may not see it.
    pub async fn generation(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which answer.")] id: GenerationId,
    ) -> Result<Option<Answer>> {
        let who = context.signed_in()?;
        let found = generation::find(&mut *context.app().connection().await?, who.user_id, id).await?;
        Ok(found.map(Answer::from))
    }
}
