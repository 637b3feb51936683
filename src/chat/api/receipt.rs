//! Receipts as clients see them.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::loader::{ChatLoader, load_one};
use crate::account::api::load_user;
use crate::account::user::User;
use crate::chat::receipt::{self, DeliveryStatus, Floor, Mark, Receipt, Wanted};
use crate::error::{Error, Result};
use crate::id::{ChatId, MessageId, UserId};
use crate::page::{Page, PageArguments, Window};
use crate::scalar::Long;

/// A page of those whom a message has reached.
pub type ReceiptConnection = Page<UserId, Receipt>;

/// How far all others have come in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FloorOf(pub ChatId);

impl Loader<FloorOf> for ChatLoader {
    type Value = Floor;
    type Error = Error;

    async fn load(&self, keys: &[FloorOf]) -> Result<HashMap<FloorOf, Floor>> {
        let ids: Vec<ChatId> = keys.iter().map(|key| key.0).collect();
        let found = receipt::floors(&mut *self.app.connection().await?, self.viewer, &ids).await?;
        Ok(found.into_iter().map(|(id, floor)| (FloorOf(id), floor)).collect())
    }
}

impl Loader<Wanted> for ChatLoader {
    type Value = Vec<Receipt>;
    type Error = Error;

    async fn load(&self, keys: &[Wanted]) -> Result<HashMap<Wanted, Vec<Receipt>>> {
        Ok(receipt::pages(&mut *self.app.connection().await?, keys).await?)
    }
}

/// A page of those whom a message has reached that the asker was shown.
///
/// # Errors
/// Refused arguments.
pub async fn receipt_page(
    context: &Context<'_>,
    message_id: MessageId,
    first: i32,
    after: Option<String>,
) -> Result<ReceiptConnection> {
    let arguments = PageArguments {
        first: Some(first),
        after,
        ..PageArguments::default()
    };
    let window: Window<UserId> = Window::forward(arguments, 0)?;
    let wanted = Wanted {
        message_id,
        after: window.after,
        most: window.fetch(),
    };
    let rows = load_one(context, wanted).await?.unwrap_or_default();
    Ok(window.connection(rows, |receipt| receipt.user_id))
}

/// Somebody whom a message has reached.
#[Object]
impl Receipt {
    /// Who.
    async fn user(&self, context: &Context<'_>) -> Result<User> {
        let user = load_user(context, self.user_id).await?;
        user.ok_or_else(|| Error::not_found(&[], "account"))
    }

    /// DELIVERED or READ.
    async fn status(&self) -> DeliveryStatus {
        self.status
    }
}

/// How far somebody has come in a chat.
#[Object(name = "ReceiptMark")]
impl Mark {
    /// Who; null when the account is gone.
    async fn user(&self, context: &Context<'_>) -> Result<Option<User>> {
        load_user(context, self.user_id).await
    }

    /// The `sequence` of the newest message that a device of theirs was handed.
    async fn delivered_sequence(&self) -> Long {
        Long(self.delivered)
    }

    /// The `sequence` of the newest message that they have read.
    async fn read_sequence(&self) -> Long {
        Long(self.read)
    }
}

/// People have come further in a room: put these marks in the place of those of the same people in `Chat.members`, if they
/// are higher. A message of the viewer's is READ once all others have read it, DELIVERED once all of them were handed it: so
/// it is told also when somebody leaves for whom messages have waited, or joins a group of one, with marks that need not
/// be higher. At most two a second for each chat besides those; in groups of more than 100 nobody comes further.
#[derive(Debug, SimpleObject)]
pub struct ReceiptsUpdated {
    /// Where the client stands then.
    pub cursor: Option<String>,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// In which chat.
    pub chat_id: ChatId,
    /// How far they have come.
    pub receipts: Vec<Mark>,
}
