//! What was said before there was a search: filled in by a job, a few rows at a time, the oldest first.

use std::time::{Duration, Instant};

use chrono::Utc;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::db::Connection;
use crate::id::MessageId;
use crate::job::{self, Kind, Running, Trouble};

/// The kind of job. The migration calls for it where there are messages.
pub const KIND: Kind = Kind {
    name: "search.fill",
    attempts: 1_000,
    limit: Duration::from_secs(120),
    run,
};
/// How many messages one statement fills in: their rows are locked meanwhile, for some milliseconds.
const AT_ONCE: i64 = 200;
/// When what somebody else held is looked at again.
const LATER: Duration = Duration::from_secs(1);
/// After how long it notes how far it is.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// Read as they are under their locks. What somebody else holds is left for later: who waits for nobody makes no deadlock.
const FILL: &str = "WITH batch AS MATERIALIZED (SELECT id FROM messages WHERE id > $1 ORDER BY id LIMIT $2), \
    missing AS MATERIALIZED (SELECT id FROM messages JOIN batch USING (id) WHERE content <> '' AND deleted_at IS NULL \
      AND NOT EXISTS (SELECT FROM message_words WHERE message_id = id)), \
    filled AS (INSERT INTO message_words SELECT id, search_entry(messages) FROM messages \
      WHERE id IN (SELECT id FROM missing) AND content <> '' AND deleted_at IS NULL FOR SHARE SKIP LOCKED \
      ON CONFLICT DO NOTHING RETURNING message_id) \
    SELECT id AS last, (SELECT count(*) FROM missing) > (SELECT count(*) FROM filled) AS again \
    FROM batch ORDER BY id DESC LIMIT 1";

/// How far it is.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Task {
    after: Option<MessageId>,
}

#[derive(QueryableByName)]
struct Batch {
    #[diesel(sql_type = SqlUuid)]
    last: MessageId,
    #[diesel(sql_type = Bool)]
    again: bool,
}

fn run(app: App, payload: Value) -> Running {
    Box::pin(async move {
        let task: Task = serde_json::from_value(payload).map_err(|error| Trouble::hopeless(error.to_string()))?;
        let mut after = task.after;
        let begun = Instant::now();
        loop {
            let mut connection = app.connection().await?;
            let Some(batch) = fill(&mut connection, after).await? else {
                return Ok(());
            };
            if !batch.again {
                after = Some(batch.last);
            }
            if batch.again || begun.elapsed() >= NOTE_EVERY || app.shutdown().is_cancelled() {
                // Called for again, it goes on from here.
                let when = Utc::now() + if batch.again { LATER } else { Duration::ZERO };
                job::enqueue(&mut connection, KIND.name, "all", json!(Task { after }), when).await?;
                app.jobs().wake();
                return Ok(());
            }
        }
    })
}

/// Fills in some messages behind this one.
async fn fill(connection: &mut Connection, after: Option<MessageId>) -> QueryResult<Option<Batch>> {
    diesel::sql_query(FILL)
        .bind::<SqlUuid, _>(after.unwrap_or(MessageId(uuid::Uuid::nil())))
        .bind::<BigInt, _>(AT_ONCE)
        .get_result(connection)
        .await
        .optional()
}
