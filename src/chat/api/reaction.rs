//! Reactions as clients see them.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, Object};
use futures_util::future::try_join_all;

use super::loader::ChatLoader;
use crate::account::api::load_user;
use crate::account::user::User;
use crate::chat::reaction::{self, Reactions};
use crate::error::{Error, Result};
use crate::id::MessageId;

/// The reactions to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReactionsTo(pub MessageId);

impl Loader<ReactionsTo> for ChatLoader {
    type Value = Vec<Reactions>;
    type Error = Error;

    async fn load(&self, keys: &[ReactionsTo]) -> Result<HashMap<ReactionsTo, Vec<Reactions>>> {
        let ids: Vec<MessageId> = keys.iter().map(|key| key.0).collect();
        let found = reaction::of_messages(&mut *self.app.connection().await?, self.viewer, &ids).await?;
        Ok(found
            .into_iter()
            .map(|(id, groups)| (ReactionsTo(id), groups))
            .collect())
    }
}

/// Those who react in the same way to a message.
#[Object(name = "ReactionGroup")]
impl Reactions {
    /// In which way: an emoji, or a word or two.
    async fn emoji(&self) -> &str {
        &self.emoji
    }

    /// How many they are.
    async fn count(&self) -> i32 {
        self.people
    }

    /// Whether the viewer is one of them.
    async fn viewer_reacted(&self) -> bool {
        self.mine
    }

    /// The first of them, at most 5.
    async fn users(&self, context: &Context<'_>) -> Result<Vec<User>> {
        let people = try_join_all(self.first.iter().map(|id| load_user(context, *id))).await?;
        Ok(people.into_iter().flatten().collect())
    }
}
