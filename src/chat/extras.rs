//! What a message carries besides its text: what it replies to, of what kind it is, how much it matters, and what clients
//! add for clients.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};

use super::lifetime::lives;
use super::member::Membership;
use crate::db::schema::messages;
use crate::db::{Connection, text_enum};
use crate::error::{Error, ErrorCode, Result};
use crate::id::MessageId;

/// The longest metadata, in bytes of JSON.
const METADATA: usize = 8 * 1024;
/// How deep metadata may be nested.
const DEPTH: usize = 8;

text_enum! {
    /// What is in a message.
    MessageKind {
        /// A text.
        Text = "TEXT",
        /// A picture, which the text describes.
        Image = "IMAGE",
        /// Something to listen to.
        Audio = "AUDIO",
        /// A film.
        Video = "VIDEO",
        /// A file of any other kind.
        File = "FILE",
        /// What Parlor tells; nobody sends it.
        System = "SYSTEM",
        /// What only the members of an end-to-end encrypted chat can read.
        Encrypted = "ENCRYPTED",
    }
}

text_enum! {
    /// How much a message matters to its author.
    Importance {
        /// It can wait.
        Low = "LOW",
        /// Like any other.
        Normal = "NORMAL",
        /// More than others.
        High = "HIGH",
        /// At once.
        Urgent = "URGENT",
    }
}

/// What a message carries besides its text.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, QueryableByName, Insertable)]
#[diesel(table_name = messages, check_for_backend(diesel::pg::Pg), treat_none_as_default_value = false)]
pub struct Extras {
    /// The message that it replies to; of a system message, the one that it speaks of.
    pub reply_to_id: Option<MessageId>,
    /// What is in it.
    pub kind: MessageKind,
    /// How much it matters.
    pub importance: Importance,
    /// What clients add for clients.
    pub metadata: Option<Value>,
}

impl Default for Extras {
    fn default() -> Self {
        Extras::of(MessageKind::Text)
    }
}

impl Extras {
    /// Nothing but a kind.
    pub fn of(kind: MessageKind) -> Self {
        Extras {
            reply_to_id: None,
            kind,
            importance: Importance::Normal,
            metadata: None,
        }
    }

    /// What tells a repeat of the same message from another under the same key; none where there is nothing to tell.
    pub fn asked(&self) -> Option<Value> {
        let Extras {
            reply_to_id,
            kind,
            importance,
            metadata,
        } = self;
        (*self != Extras::default()).then(|| {
            let reply_to = reply_to_id.map(|id| id.0);
            json!({ "replyTo": reply_to, "kind": kind.as_str(), "importance": importance.as_str(), "metadata": metadata })
        })
    }

    /// Refuses what nobody may send.
    ///
    /// # Errors
    /// INVALID for `kind`; INVALID or TOO_LONG for `metadata`.
    pub fn check(&self) -> Result<()> {
        match self.kind {
            MessageKind::System => {
                let message = "Only Parlor writes messages of this kind. Send a TEXT instead.";
                return Err(Error::rejected(ErrorCode::Invalid, &["kind"], message));
            }
            MessageKind::Encrypted => {
                let message = "This chat is not end-to-end encrypted. Send a TEXT instead.";
                return Err(Error::rejected(ErrorCode::Invalid, &["kind"], message));
            }
            _ => {}
        }
        let Some(metadata) = &self.metadata else { return Ok(()) };
        let refuse = |code, message: String| Err(Error::rejected(code, &["metadata"], message));
        if !metadata.is_object() {
            return refuse(ErrorCode::Invalid, "The metadata must be a JSON object.".into());
        }
        if metadata.to_string().len() > METADATA {
            let message = format!("The metadata must be at most {METADATA} bytes of JSON.");
            return refuse(ErrorCode::TooLong, message);
        }
        if !fits(metadata, DEPTH) {
            let message = format!("The metadata must be nested at most {DEPTH} levels deep.");
            return refuse(ErrorCode::Invalid, message);
        }
        Ok(())
    }

    /// Refuses a reply to what the sender does not see in the chat, whose rows are locked.
    ///
    /// # Errors
    /// NOT_FOUND for `replyToId`, or when Postgres fails.
    pub async fn check_reply(&self, mut connection: &Connection, membership: &Membership) -> Result<()> {
        let Some(id) = self.reply_to_id else { return Ok(()) };
        let seen = messages::table
            .find(id)
            .filter(messages::chat_id.eq(membership.chat.id))
            .filter(messages::sequence.gt(membership.history_after))
            .filter(messages::withheld_from.is_distinct_from(membership.user_id))
            .filter(messages::deleted_at.is_null())
            .filter(lives());
        let seen = diesel::select(diesel::dsl::exists(seen)).get_result(&mut connection);
        if seen.await? {
            return Ok(());
        }
        Err(Error::not_found(&["replyToId"], "message"))
    }
}

/// Whether a value is nested no deeper than this.
fn fits(value: &Value, depth: usize) -> bool {
    match value {
        Value::Array(values) => depth > 0 && values.iter().all(|value| fits(value, depth - 1)),
        Value::Object(fields) => depth > 0 && fields.values().all(|value| fits(value, depth - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
