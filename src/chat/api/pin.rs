//! Pinned messages as clients see them.

use std::collections::HashMap;

use async_graphql::Context;
use async_graphql::dataloader::Loader;

use super::chat::MessageConnection;
use super::loader::{ChatLoader, load_one};
use crate::chat::message::Message;
use crate::chat::pin::{self, Wanted};
use crate::error::{Error, Result};
use crate::id::ChatId;
use crate::page::{PageArguments, Window};

impl Loader<Wanted> for ChatLoader {
    type Value = Vec<Message>;
    type Error = Error;

    async fn load(&self, keys: &[Wanted]) -> Result<HashMap<Wanted, Vec<Message>>> {
        Ok(pin::pages(&mut *self.app.connection().await?, self.viewer, keys).await?)
    }
}

/// A page of the pinned messages of a chat, of those behind `history_after`; of none where that is none.
///
/// # Errors
/// Refused arguments.
pub async fn pin_page(
    context: &Context<'_>,
    chat_id: ChatId,
    history_after: Option<i64>,
    first: i32,
    after: Option<String>,
) -> Result<MessageConnection> {
    let arguments = PageArguments {
        first: Some(first),
        after,
        ..PageArguments::default()
    };
    let window: Window<i64> = Window::forward(arguments, 0)?;
    let rows = match history_after {
        Some(history_after) => {
            let wanted = Wanted {
                chat_id,
                history_after,
                after: window.after,
                most: window.fetch(),
            };
            load_one(context, wanted).await?.unwrap_or_default()
        }
        None => Vec::new(),
    };
    Ok(window.connection(rows, |message| message.sequence))
}
