//! Pinned messages as clients see them.

use std::collections::HashMap;

use async_graphql::Context;
use async_graphql::dataloader::Loader;

use super::loader::{ChatLoader, load_one};
use crate::chat::message::Message;
use crate::chat::pin::{self, PinKey, Wanted};
use crate::error::{Error, Result};
use crate::id::ChatId;
use crate::page::{Page, PageArguments, Window};

/// A page of pinned messages.
pub type PinConnection = Page<PinKey, Message>;

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
) -> Result<PinConnection> {
    let arguments = PageArguments {
        first: Some(first),
        after,
        ..PageArguments::default()
    };
    let window: Window<PinKey> = Window::forward(arguments, 0)?;
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
    // One that was taken down in this moment is in no list.
    let rows = rows.into_iter().filter(|message| message.pinned_at.is_some()).collect();
    Ok(window.connection(rows, |message: &Message| {
        (message.pinned_at.unwrap_or(message.created_at), message.id)
    }))
}
