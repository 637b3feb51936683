//! What messages said before they were edited, as clients see it.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};

use super::loader::{ChatLoader, load_one};
use crate::chat::room::amend::{self, FormerText, Wanted};
use crate::error::{Error, Result};
use crate::id::MessageId;
use crate::page::{Page, PageArguments, Window};

/// A page of what a message said once.
pub type FormerTextConnection = Page<i32, FormerText>;

impl Loader<Wanted> for ChatLoader {
    type Value = Vec<FormerText>;
    type Error = Error;

    async fn load(&self, keys: &[Wanted]) -> Result<HashMap<Wanted, Vec<FormerText>>> {
        Ok(amend::pages(&mut *self.app.connection().await?, self.viewer, keys).await?)
    }
}

/// A page of what a message said once that the asker was shown.
///
/// # Errors
/// Refused arguments.
pub async fn edit_page(
    context: &Context<'_>,
    message_id: MessageId,
    first: i32,
    after: Option<String>,
) -> Result<FormerTextConnection> {
    let arguments = PageArguments {
        first: Some(first),
        after,
        ..PageArguments::default()
    };
    let window: Window<i32> = Window::forward(arguments, 0)?;
    let wanted = Wanted {
        message_id,
        after: window.after,
        most: window.fetch(),
    };
    let rows = load_one(context, wanted).await?.unwrap_or_default();
    Ok(window.connection(rows, |text| text.number))
}

/// What a message said before its author changed it.
#[Object(name = "MessageEdit")]
impl FormerText {
    /// The text, byte for byte.
    async fn content(&self) -> &str {
        &self.content
    }

    /// Since when the message said so.
    async fn written_at(&self) -> DateTime<Utc> {
        self.written_at
    }

    /// When it was changed.
    async fn replaced_at(&self) -> DateTime<Utc> {
        self.replaced_at
    }
}
