//! The streams: everything that happens in one's chats, and the tokens of one answer.

use async_graphql::{Context, Subscription};
use futures_util::{Stream, StreamExt};

use super::apart::{self, Events};
use super::follow::{Follower, Narrowed};
use super::generation::GenerationEvent;
use crate::chat::reply::watch;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::id::{ChatId, GenerationId};

/// The most chats that one stream can be narrowed to.
const MOST_CHATS: usize = 100;

/// The streams of chats.
#[derive(Debug, Default)]
pub struct ChatSubscription;

#[Subscription]
impl ChatSubscription {
    /// Everything that happens in the viewer's chats. With `after` it first brings what was missed: no gap, whatever
    /// happened to the connection; a repeated event is the same change again. As long as it is live the viewer is here:
    /// see `setPresence`.
    async fn events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "`viewer.syncCursor`, or the cursor of the last event that was handled.")] after: Option<
            String,
        >,
        #[graphql(desc = "Only events of these chats, at most 100, and of assistants.")] chat_ids: Option<Vec<ChatId>>,
        #[graphql(
            desc = "Whether to be told, too, what is not replayed: who types, who comes and goes, what assistants do. Their cursor is null.",
            default = true
        )]
        ephemeral: bool,
    ) -> Result<Events> {
        if let Some(given) = apart::given(context) {
            return Ok(given);
        }
        if chat_ids.as_ref().is_some_and(|ids| ids.len() > MOST_CHATS) {
            return Err(Error::BadInput(format!(
                "Name at most {MOST_CHATS} chats, or none for all."
            )));
        }
        let narrowed = chat_ids.map_or(Narrowed::No, Narrowed::To);
        Follower::new(context, narrowed, ephemeral)?.begin(context, after)
    }

    /// The same for one chat, and for assistants. Completes after the `ChatRemoved` of the chat.
    async fn chat_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which chat.")] chat_id: ChatId,
        #[graphql(desc = "`viewer.syncCursor`, or the cursor of the last event that was handled.")] after: Option<
            String,
        >,
        #[graphql(
            desc = "Whether to be told, too, what is not replayed: who types, what assistants do. Their cursor is null.",
            default = true
        )]
        ephemeral: bool,
    ) -> Result<Events> {
        if let Some(given) = apart::given(context) {
            return Ok(given);
        }
        Follower::new(context, Narrowed::EndsWith(chat_id), ephemeral)?.begin(context, after)
    }

    /// The tokens of one answer, as they come. Begins with a `GenerationSnapshot`, unless `after` can be continued;
    /// ends with `GenerationFinished`, whatever the outcome. An answer that has ended is told in the same way.
    async fn generation_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which answer.")] generation_id: GenerationId,
        #[graphql(desc = "The sequence of the last event that was handled.")] after: Option<i32>,
    ) -> Result<impl Stream<Item = Result<GenerationEvent>> + 'static> {
        let who = context.signed_in()?;
        let watched = watch::watch(context.app().clone(), who.user_id, generation_id, after).await?;
        Ok(watched.map(move |item| item.map(|watched| GenerationEvent::new(generation_id, watched))))
    }
}
