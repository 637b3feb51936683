//! Mentions as clients see them.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{ComplexObject, Context};
use futures_util::future::try_join_all;

use super::chat::ChatViewerState;
use super::loader::{ChatLoader, load_one};
use super::message::Actor;
use crate::account::api::load_user;
use crate::chat::mention::{self, Mentioned};
use crate::chat::message::Message;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::id::{ChatId, MessageId};

/// Whom a message mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MentionsOf(pub MessageId);
/// How many messages of a chat mention the viewer that they have not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MentionedIn(pub ChatId);

impl Loader<MentionsOf> for ChatLoader {
    type Value = Vec<Mentioned>;
    type Error = Error;

    async fn load(&self, keys: &[MentionsOf]) -> Result<HashMap<MentionsOf, Vec<Mentioned>>> {
        let ids: Vec<MessageId> = keys.iter().map(|key| key.0).collect();
        let found = mention::of_messages(&mut *self.app.connection().await?, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, mentioned)| (MentionsOf(id), mentioned))
            .collect())
    }
}

impl Loader<MentionedIn> for ChatLoader {
    type Value = i64;
    type Error = Error;

    async fn load(&self, keys: &[MentionedIn]) -> Result<HashMap<MentionedIn, i64>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let found = mention::unread_counts(&mut *self.app.connection().await?, self.viewer, &ids).await?;
        Ok(found.into_iter().map(|(id, count)| (MentionedIn(id), count)).collect())
    }
}

/// The people and assistants whom a message mentions.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn mentions(context: &Context<'_>, message: &Message) -> Result<Vec<Actor>> {
    if message.deleted_at.is_some() {
        return Ok(Vec::new());
    }
    let mentioned = load_one(context, MentionsOf(message.id)).await?.unwrap_or_default();
    let actors = mentioned.into_iter().map(async |mentioned| match mentioned {
        Mentioned::User(id) => Ok::<_, Error>(load_user(context, id).await?.map(Actor::User)),
        Mentioned::Assistant(id) => Ok(load_one(context, id).await?.map(Actor::Assistant)),
    });
    Ok(try_join_all(actors).await?.into_iter().flatten().collect())
}

#[ComplexObject]
impl ChatViewerState {
    /// How many of the unread messages mention the viewer, counted up to 1000.
    async fn mention_count(&self, context: &Context<'_>) -> Result<i32> {
        context.signed_in()?;
        let count = load_one(context, MentionedIn(self.chat_id)).await?.unwrap_or_default();
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }
}
