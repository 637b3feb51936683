//! The end of a conversation, as far back as a model can be shown it.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::fit::TOKENS_PER_TURN;
use crate::ai::tokens;
use crate::chat::message::MessageRole;
use crate::chat::recall::Covering;
use crate::db::{Connection, prepared};
use crate::id::{ChatId, MessageId};

/// The most messages that are looked at, however short they are.
pub const MOST_MESSAGES: usize = 400;

/// Where a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tip {
    /// At the newest message of the active branch.
    Newest,
    /// At this message, on whichever branch it is.
    At(MessageId),
    /// Before there is any message.
    Nowhere,
}

impl From<Option<MessageId>> for Tip {
    fn from(parent: Option<MessageId>) -> Self {
        parent.map_or(Tip::Nowhere, Tip::At)
    }
}

/// A message as a model is shown it.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Line {
    /// Which message.
    #[diesel(sql_type = SqlUuid)]
    pub id: MessageId,
    /// Its place in the chat.
    #[diesel(sql_type = BigInt)]
    pub sequence: i64,
    /// Whose turn it is.
    #[diesel(sql_type = Text)]
    pub role: MessageRole,
    /// The text; empty for an answer that failed and for a tombstone.
    #[diesel(sql_type = Text)]
    pub content: String,
    /// The tokens of its text.
    #[diesel(sql_type = Integer)]
    tokens: i32,
}

impl Line {
    /// A message that is shown like this.
    pub fn new(id: MessageId, sequence: i64, role: MessageRole, content: String, tokens: i32) -> Self {
        Line {
            id,
            sequence,
            role,
            content,
            tokens,
        }
    }

    /// Shows no more than the first bytes of its text.
    pub fn cut(&mut self, octets: usize) {
        self.content.truncate(self.content.floor_char_boundary(octets));
        self.tokens = i32::try_from(tokens::count(&self.content)).unwrap_or(i32::MAX);
    }

    /// The tokens that it costs; none when it is not shown at all.
    pub fn tokens(&self) -> u32 {
        if self.content.is_empty() {
            return 0;
        }
        u32::try_from(self.tokens).unwrap_or_default() + TOKENS_PER_TURN
    }
}

/// The end of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Its messages, newest first.
    pub lines: Vec<Line>,
    /// Whether they reach back as far as was asked.
    pub complete: bool,
}

impl History {
    /// Leaves out what a summary covers, if it is of this branch; says whether it is.
    pub fn begin_behind(&mut self, summary: &Covering, tip: Tip) -> bool {
        match self.lines.iter().position(|line| line.id == summary.through) {
            Some(covered) => {
                self.lines.truncate(covered);
                self.complete = true;
                true
            }
            // Further back than was read: known to be of the active branch, and of no other.
            None => tip == Tip::Newest,
        }
    }
}

/// The newest messages up to `tip` and behind the one numbered `floor`, until their texts have `room` tokens or more.
/// Costs what is read, however long the chat is.
///
/// # Errors
/// When Postgres fails.
pub async fn read(
    mut connection: &Connection,
    chat_id: ChatId,
    tip: Tip,
    floor: i64,
    room: u32,
) -> QueryResult<History> {
    let most = i64::try_from(MOST_MESSAGES).unwrap_or(i64::MAX);
    let lines: Vec<Line> = match tip {
        Tip::Nowhere => Vec::new(),
        Tip::Newest => {
            prepared(
                diesel::sql_query(NEWEST)
                    .bind::<SqlUuid, _>(chat_id)
                    .bind::<BigInt, _>(floor)
                    .bind::<BigInt, _>(i64::from(room))
                    .bind::<BigInt, _>(most),
            )
            .load(&mut connection)
            .await?
        }
        Tip::At(id) => {
            prepared(
                diesel::sql_query(UP_TO)
                    .bind::<SqlUuid, _>(chat_id)
                    .bind::<BigInt, _>(floor)
                    .bind::<BigInt, _>(i64::from(room))
                    .bind::<BigInt, _>(most)
                    .bind::<SqlUuid, _>(id),
            )
            .load(&mut connection)
            .await?
        }
    };
    let tokens: i64 = lines.iter().map(|line| i64::from(line.tokens)).sum();
    let complete = lines.len() < MOST_MESSAGES && tokens <= i64::from(room);
    Ok(History { lines, complete })
}

/// The active branch is a range of its index.
const NEWEST: &str = "SELECT id, sequence, role, content, tokens FROM (\
      SELECT *, sum(tokens) OVER (ORDER BY sequence DESC) - tokens AS newer FROM (\
        SELECT id, sequence, role, CASE WHEN deleted_at IS NULL THEN content ELSE '' END AS content, \
          coalesce(tokens, octet_length(content) / 3) AS tokens \
        FROM messages WHERE chat_id = $1 AND active AND sequence > $2 ORDER BY sequence DESC LIMIT $4) AS newest) AS counted \
    WHERE newer <= $3 ORDER BY sequence DESC";

/// Another branch is followed step by step, from each message to the one it follows, until there is enough.
const UP_TO: &str = "WITH RECURSIVE path AS (\
      SELECT id, parent_id, sequence, role, content, deleted_at, coalesce(tokens, octet_length(content) / 3) AS tokens, \
        0::bigint AS newer, 1::bigint AS depth \
      FROM messages WHERE id = $5 AND chat_id = $1 AND sequence > $2 \
      UNION ALL \
      SELECT m.id, m.parent_id, m.sequence, m.role, m.content, m.deleted_at, coalesce(m.tokens, octet_length(m.content) / 3), \
        path.newer + path.tokens, path.depth + 1 \
      FROM path JOIN messages m ON m.id = path.parent_id \
      WHERE path.newer + path.tokens <= $3 AND path.depth < $4 AND m.sequence > $2) \
    SELECT id, sequence, role, CASE WHEN deleted_at IS NULL THEN content ELSE '' END AS content, tokens \
    FROM path ORDER BY sequence DESC";
