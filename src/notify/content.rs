//! What a notification says: little, and nothing of what the server cannot read.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Timestamptz};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};

use crate::db::schema::{assistants, chats, messages, users};
use crate::db::{Connection, fixed, lives};
use crate::id::{AssistantId, ChatId, MessageId, UserId};

/// How much of a text is shown, in characters.
const TEXT: usize = 240;
/// How much of a name or a title.
const NAME: usize = 80;

/// Of what disappears sooner than this, no words are shown.
const BRIEF: TimeDelta = TimeDelta::hours(1);

/// What is shown of a message to whom it is news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Which chat.
    pub chat_id: ChatId,
    /// Which message.
    pub message_id: MessageId,
    /// Who wrote it, and where.
    pub title: String,
    /// The beginning of it.
    pub body: String,
    /// When it disappears; none when it stays.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Shown {
    /// The message as it is now; none when it is gone.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn read(connection: &mut Connection, id: MessageId) -> QueryResult<Option<Self>> {
        type Row = (
            ChatId,
            String,
            String,
            Option<UserId>,
            Option<AssistantId>,
            String,
            Option<String>,
            Option<DateTime<Utc>>,
        );
        let row: Option<Row> = messages::table
            .inner_join(chats::table)
            .filter(messages::id.eq(id))
            .filter(messages::deleted_at.is_null())
            .filter(fixed::<Bool>(lives!("messages")))
            .select((
                messages::chat_id,
                messages::content,
                messages::kind,
                messages::author_id,
                messages::assistant_id,
                chats::kind,
                chats::title,
                fixed::<Nullable<Timestamptz>>(
                    "(SELECT messages.created_at + make_interval(secs => seconds) FROM chat_lifetimes WHERE chat_lifetimes.chat_id = messages.chat_id)",
                ),
            ))
            .first(connection)
            .await
            .optional()?;
        let Some((chat_id, content, kind, author_id, assistant_id, room, title, expires_at)) = row else {
            return Ok(None);
        };
        let author: Option<String> = match (author_id, assistant_id) {
            (Some(id), _) => {
                let name = users::table.find(id).select(users::display_name);
                name.first(connection).await.optional()?
            }
            (None, Some(id)) => {
                let name = assistants::table.find(id).select(assistants::display_name);
                name.first(connection).await.optional()?
            }
            (None, None) => None,
        };
        let author = author.unwrap_or_else(|| "Parlor".to_owned());
        let title = match title.filter(|_| room == "GROUP") {
            Some(title) => format!("{} · {}", shortened(&author, NAME), shortened(&title, NAME)),
            None => shortened(&author, NAME),
        };
        // What is shown stays on a screen until somebody takes it away.
        let brief = expires_at.is_some_and(|at| at - Utc::now() < BRIEF);
        let body = if kind == "ENCRYPTED" || brief {
            "A new message".to_owned()
        } else {
            shortened(&content, TEXT)
        };
        Ok(Some(Shown {
            chat_id,
            message_id: id,
            title,
            body,
            expires_at,
        }))
    }

    /// The same as it goes out.
    pub fn to_json(&self) -> Value {
        json!({
            "type": "message",
            "chatId": self.chat_id.to_string(),
            "messageId": self.message_id.to_string(),
            "title": self.title,
            "body": self.body,
            "expiresAt": self.expires_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)),
        })
    }
}

/// The beginning of a text in one line, with a mark where there is more.
fn shortened(text: &str, most: usize) -> String {
    let mut line = text.split_whitespace().flat_map(|word| [" ", word]).skip(1);
    let mut short = String::new();
    let more = line.any(|piece| {
        let room = most.saturating_sub(short.chars().count());
        short.extend(piece.chars().take(room));
        piece.chars().count() > room
    });
    if more {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn texts_are_shortened_to_one_line() {
        assert_eq!(shortened(" Hello,\n\n  world ", 240), "Hello, world");
        assert_eq!(shortened("Hello, world", 12), "Hello, world");
        assert_eq!(shortened("Hello, world", 7), "Hello, …");
        assert_eq!(shortened("äöü", 2), "äö…");
        assert_eq!(shortened("", 2), "");
    }
}
