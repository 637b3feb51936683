//! The conversation that a model is shown: the newest messages that fit.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::ai::Turn;
use crate::app::App;
use crate::chat::message::MessageRole;
use crate::db::prepared;
use crate::error::Result;
use crate::id::MessageId;

/// The most messages that are looked at, however short they are.
const MOST_MESSAGES: i32 = 400;
/// Bytes that a token stands for. Three is low for English and near for most other languages, so the estimate errs to
/// the side that fits.
const BYTES_PER_TOKEN: i64 = 3;

/// What a model is told behind the part of an answer that it is to go on with.
const GO_ON: &str = "Your last message broke off. Go on exactly where it ends, in the middle of a word if need be. \
    Repeat nothing of it and say nothing about going on.";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    role: MessageRole,
    #[diesel(sql_type = Text)]
    content: String,
}

/// The branch that leads to the message `tip`, oldest first: what is newest always, and as much before it as fits into
/// the settings' context. Removed and empty ones are left out. Who goes on with an answer is shown it as `tip`, and
/// told so.
///
/// # Errors
/// When Postgres fails.
pub async fn conversation(app: &App, tip: MessageId, goes_on: bool) -> Result<Vec<Turn>> {
    let budget = i64::from(app.config().settings.context_tokens) * BYTES_PER_TOKEN;
    // Step by step up the branch, so that it stops as soon as there is enough.
    let query = "WITH RECURSIVE branch AS (\
          SELECT parent_id, sequence, role, content, deleted_at, 1 AS depth, \
            CASE WHEN content = '' THEN 0 ELSE octet_length(content) + 12 END::bigint AS bytes FROM messages WHERE id = $1 \
          UNION ALL \
          SELECT m.parent_id, m.sequence, m.role, m.content, m.deleted_at, branch.depth + 1, \
            branch.bytes + CASE WHEN m.content = '' THEN 0 ELSE octet_length(m.content) + 12 END \
          FROM branch JOIN messages AS m ON m.id = branch.parent_id WHERE branch.bytes <= $2 AND branch.depth < $3) \
        SELECT role, content FROM branch WHERE deleted_at IS NULL AND content <> '' AND (bytes <= $2 OR depth <= 2) ORDER BY sequence";
    let mut connection = app.connection().await?;
    let query = diesel::sql_query(query)
        .bind::<SqlUuid, _>(tip)
        .bind::<BigInt, _>(budget)
        .bind::<Integer, _>(MOST_MESSAGES);
    let rows: Vec<Row> = prepared(query).load(&mut connection).await?;
    let told = goes_on.then(|| Turn::User(GO_ON.to_owned()));
    Ok(rows.into_iter().map(turn).chain(told).collect())
}

fn turn(row: Row) -> Turn {
    match row.role {
        MessageRole::User => Turn::User(row.content),
        MessageRole::Assistant => Turn::assistant(row.content),
        MessageRole::System | MessageRole::Tool => Turn::System(row.content),
    }
}
