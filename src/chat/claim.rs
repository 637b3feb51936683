//! An action's idempotency key: claimed once for good, and what a repeat gets.

use aws_lc_rs::digest::{SHA256, digest};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::lifetime::lives;
use super::message::Message;
use super::reply::generation::{self, Generation};
use crate::db::Connection;
use crate::db::schema::{messages, sends};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ChatId, GenerationId, MessageId, UserId};
use crate::input;

/// What came of asking a model.
#[derive(Debug)]
pub struct Sent {
    /// The message that was sent; where nothing was, the answer.
    pub message: Message,
    /// The answers that it started, in the order of their lanes.
    pub generations: Vec<Generation>,
    /// The text that the answer goes on with.
    pub so_far: String,
}

/// A person's key for one action, and what tells a repeat of it from another action.
#[derive(Debug)]
pub struct Claim {
    /// Whose key.
    pub user_id: UserId,
    /// The key.
    pub key: String,
    hash: Vec<u8>,
}

/// What a key was taken for.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = sends, check_for_backend(diesel::pg::Pg))]
struct Claimed {
    request_hash: Vec<u8>,
    chat_id: ChatId,
    message_id: MessageId,
    generation_id: Option<GenerationId>,
}

impl Claim {
    /// The claim of `key` for what was `asked`.
    ///
    /// # Errors
    /// A key that cannot be one.
    pub fn new(user_id: UserId, key: &str, asked: &serde_json::Value) -> Result<Self> {
        let key = input::idempotency_key(key).map_err(|error| Error::Rejected(vec![error]))?;
        let hash = digest(&SHA256, asked.to_string().as_bytes()).as_ref().to_vec();
        Ok(Claim { user_id, key, hash })
    }

    /// What the key was taken for; none when it is new.
    async fn first(&self, mut connection: &Connection) -> Result<Option<Claimed>> {
        let claimed = sends::table
            .find((self.user_id, &self.key))
            .select(Claimed::as_select())
            .first(&mut connection)
            .await
            .optional()?;
        if claimed.as_ref().is_some_and(|first| first.request_hash != self.hash) {
            let message = "This idempotency key was used to send something else. Use a new key for a new message.";
            return Err(Error::rejected(ErrorCode::Conflict, &["idempotencyKey"], message));
        }
        Ok(claimed)
    }

    /// The chat that the same action under the same key made before, whatever of what was said in it is still there; none
    /// when the key is new.
    ///
    /// # Errors
    /// CONFLICT when the key was used for something else.
    pub async fn first_chat(&self, connection: &Connection) -> Result<Option<ChatId>> {
        Ok(self.first(connection).await?.map(|first| first.chat_id))
    }

    /// What the same action under the same key came to before; none when the key is new.
    ///
    /// # Errors
    /// CONFLICT when the key was used for something else, or its message is gone.
    pub async fn first_result(&self, mut connection: &Connection) -> Result<Option<Sent>> {
        let Some(first) = self.first(connection).await? else {
            return Ok(None);
        };
        let Claimed {
            message_id,
            generation_id,
            ..
        } = first;
        let message: Option<Message> = messages::table
            .find(message_id)
            .filter(lives())
            .select(Message::as_select())
            .first(&mut connection)
            .await
            .optional()?;
        let Some(message) = message else {
            let message =
                "This message was sent before and has been removed since. Use a new idempotency key to send it again.";
            return Err(Error::rejected(ErrorCode::Conflict, &["idempotencyKey"], message));
        };
        let generations = match generation_id {
            Some(id) => generation::find_lanes(connection, self.user_id, id).await?,
            None => Vec::new(),
        };
        Ok(Some(Sent {
            message,
            generations,
            so_far: String::new(),
        }))
    }

    /// Takes the key for good; false when it is taken.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn take(
        &self,
        mut connection: &Connection,
        chat_id: ChatId,
        message_id: MessageId,
        generation_id: Option<GenerationId>,
    ) -> QueryResult<bool> {
        let claim = (
            sends::user_id.eq(self.user_id),
            sends::idempotency_key.eq(&self.key),
            sends::request_hash.eq(&self.hash),
            sends::chat_id.eq(chat_id),
            sends::message_id.eq(message_id),
            sends::generation_id.eq(generation_id),
        );
        let taken = diesel::insert_into(sends::table)
            .values(claim)
            .on_conflict_do_nothing()
            .execute(&mut connection)
            .await?;
        Ok(taken == 1)
    }
}
