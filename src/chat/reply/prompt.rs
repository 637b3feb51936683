//! The conversation that a model is shown: the newest messages that fit.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::replay;
use crate::ai::{Format, Replay, Turn};
use crate::app::App;
use crate::chat::message::MessageRole;
use crate::error::Result;
use crate::id::{ChatId, MessageId};

/// The most messages that are looked at, however short they are.
const MOST_MESSAGES: i64 = 400;
/// Bytes that a token stands for. Three is low for English and near for most other languages, so the estimate errs to
/// the side that fits.
const BYTES_PER_TOKEN: i64 = 3;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: MessageId,
    #[diesel(sql_type = Text)]
    role: MessageRole,
    #[diesel(sql_type = Text)]
    content: String,
}

/// The messages up to the one at `through`, oldest first: that one, and as many before it as fit into the settings'
/// context. Removed and empty ones are left out.
///
/// # Errors
/// When Postgres fails.
pub async fn conversation(app: &App, chat_id: ChatId, through: i64, format: Option<Format>) -> Result<Vec<Turn>> {
    let budget = i64::from(app.config().settings.context_tokens) * BYTES_PER_TOKEN;
    let query = "SELECT id, role, content FROM (\
          SELECT id, sequence, role, content, sum(octet_length(content) + 12) OVER (ORDER BY sequence DESC) AS bytes FROM (\
            SELECT id, sequence, role, content FROM messages WHERE chat_id = $1 AND sequence <= $2 AND deleted_at IS NULL AND content <> '' \
            ORDER BY sequence DESC LIMIT $4) AS newest) AS counted \
        WHERE bytes <= $3 OR sequence = $2 ORDER BY sequence";
    let mut connection = app.connection().await?;
    let rows: Vec<Row> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(chat_id)
        .bind::<BigInt, _>(through)
        .bind::<BigInt, _>(budget)
        .bind::<BigInt, _>(MOST_MESSAGES)
        .load(&mut connection)
        .await?;
    let replays = match format.is_some_and(Format::replays) {
        true => {
            let ids: Vec<MessageId> = rows.iter().map(|row| row.id).collect();
            replay::of_messages(&mut connection, &ids).await?
        }
        false => HashMap::new(),
    };
    Ok(rows.into_iter().map(|row| turn(row, &replays)).collect())
}

fn turn(row: Row, replays: &HashMap<MessageId, Replay>) -> Turn {
    match row.role {
        MessageRole::User => Turn::User(row.content),
        MessageRole::Assistant => Turn::Assistant {
            text: row.content,
            tool_calls: Vec::new(),
            replay: replays.get(&row.id).cloned(),
        },
        MessageRole::System | MessageRole::Tool => Turn::System(row.content),
    }
}
