//! Who pays for the answers in a group: whoever asks, its owner, or the server. A key never leaves whose it is: others
//! have its models answer, and learn nothing of it.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::note::{ChatDetail, Note};
use super::permission::MemberRole;
use crate::app::App;
use crate::chat::chat::Chat;
use crate::chat::reply::payer::{self, Payer, Wish};
use crate::db::schema::{chat_members, chats};
use crate::db::{Connection, text_enum};
use crate::error::{Error, ErrorCode, Result, UserError};
use crate::id::{MessageId, UserId};
use crate::vault::key::{self, StoredKey};

text_enum! {
    /// Who pays for the answers in a group.
    ChatPayer {
        /// Whoever asks: with a key of their own, else from their budget for the server's keys.
        Asker = "ASKER",
        /// The owner of the group: with a key of their own, else from their budget for the server's keys. Their key is
        /// shown to nobody. When the group gets another owner, whoever asks pays again.
        Owner = "OWNER",
        /// The server, from the asker's budget for its keys, also when they have keys of their own.
        Server = "SERVER",
    }
}

/// What pays in a group.
#[derive(Debug)]
pub(super) struct Purse {
    kind: ChatPayer,
    /// Whose keys and budget it is.
    user_id: UserId,
    keys: Vec<StoredKey>,
}

impl Purse {
    /// What pays when `asker` asks.
    pub(super) async fn of(connection: &mut Connection, chat: &Chat, asker: UserId) -> Result<Self> {
        let user_id = match chat.payer {
            ChatPayer::Asker | ChatPayer::Server => asker,
            ChatPayer::Owner => owner(connection, chat).await?,
        };
        let keys = match chat.payer {
            ChatPayer::Asker | ChatPayer::Owner => key::list(connection, user_id).await?,
            ChatPayer::Server => Vec::new(),
        };
        Ok(Purse {
            kind: chat.payer,
            user_id,
            keys,
        })
    }

    /// The key that pays for what is wished.
    ///
    /// # Errors
    /// KEY_MISSING in words for whoever asks.
    pub(super) fn pays(&self, app: &App, wish: Wish) -> Result<Payer> {
        let name = wish.provider.map_or("", |provider| provider.title());
        let paid = payer::choose(app, self.user_id, self.keys.clone(), wish);
        paid.map_err(|error| {
            let said = match self.kind {
                ChatPayer::Asker => return error.at(&[]),
                ChatPayer::Owner => format!(
                    "The owner of this group pays for its assistants and has no {name} API key for this one. Ask them to add one, or to let \
                     whoever asks pay."
                ),
                ChatPayer::Server => format!(
                    "This server pays for the assistants of this group and has no {name} API key for this one. Ask the owner to let whoever \
                     asks pay."
                ),
            };
            said_instead(error, ErrorCode::KeyMissing, &said.replace("  ", " "))
        })
    }
}

/// What a refusal for `payer`'s sake says to `asker`.
pub fn said_of(payer: UserId, asker: UserId, refusal: UserError) -> UserError {
    if payer == asker {
        return refusal;
    }
    UserError::new(refusal.code, &[], ANOTHERS_BUDGET)
}

/// What is said of another's budget.
const ANOTHERS_BUDGET: &str = "The owner of this group pays for its assistants, and their budget does not pay for this. Ask them to raise it, \
    or to let whoever asks pay.";

/// The same refusal in other words, where it is of this kind.
fn said_instead(error: Error, code: ErrorCode, said: &str) -> Error {
    let Error::Rejected(errors) = error else { return error };
    let reworded = errors.into_iter().map(|error| {
        if error.code == code {
            UserError::new(code, &[], said)
        } else {
            error
        }
    });
    Error::Rejected(reworded.collect())
}

/// A group that is locked gets another owner, who has not said that they pay: whoever asks does from now on. What is being
/// written is paid for by whom it was begun for. Gives what is to be told of it.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn given_over(connection: &mut Connection, chat: &Chat) -> QueryResult<Option<(MessageId, Note)>> {
    if chat.payer != ChatPayer::Owner {
        return Ok(None);
    }
    diesel::update(chats::table.find(chat.id))
        .set(chats::payer.eq(ChatPayer::Asker))
        .execute(connection)
        .await?;
    Ok(Some((MessageId::new(), Note::details(vec![ChatDetail::Payer]))))
}

/// Whose group it is.
async fn owner(connection: &mut Connection, chat: &Chat) -> Result<UserId> {
    let owner = chat_members::table
        .filter(chat_members::chat_id.eq(chat.id))
        .filter(chat_members::role.eq(MemberRole::Owner))
        .select(chat_members::user_id);
    let found = owner.first(connection).await.optional()?;
    found.ok_or_else(|| Error::internal("a group without an owner"))
}
