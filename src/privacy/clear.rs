//! Clearing away what belonged to a deleted account, step by step. Each step may be repeated, and does nothing then.
//!
//! ```text
//! the account ends ── at once: answers stop, keys and all that is only theirs go ── the job: rooms, books, accounts
//!                                                                                     └ a minute later, all once more:
//!                                                                                       what requests that were under way
//!                                                                                       have still written
//! ```

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use diesel::sql_types::{Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fate::{COLUMNS, Fate};
use crate::app::App;
use crate::assistant::change as assistants;
use crate::chat::room::farewell as rooms;
use crate::contact::farewell as books;
use crate::error::Result;
use crate::id::UserId;
use crate::job::{self, Kind, Running, Trouble};

/// The kind of job.
pub const KIND: Kind = Kind {
    name: "privacy.clear",
    // It must not be given up: Postgres may be away for days.
    attempts: i32::MAX,
    limit: Duration::from_secs(3600),
    run,
};

/// How many rows one statement deletes or changes.
const AT_ONCE: usize = 2_000;
/// After how long no request that began before the account ended can still be under way.
const AGAIN: TimeDelta = TimeDelta::seconds(60);

/// Whose, and whether it is the last time.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    user_id: UserId,
    again: bool,
}

fn run(app: App, payload: Value) -> Running {
    Box::pin(async move {
        let task: Task = serde_json::from_value(payload).map_err(|error| Trouble::hopeless(error.to_string()))?;
        all(&app, task.user_id).await?;
        if !task.again {
            let again = json!({ "userId": task.user_id.0, "again": true });
            let mut connection = app.connection().await?;
            job::enqueue(
                &mut connection,
                KIND.name,
                &task.user_id.to_string(),
                again,
                Utc::now() + AGAIN,
            )
            .await?;
        }
        Ok(())
    })
}

/// What must not wait: answers that cost something, secrets, and what is only the person's own.
///
/// # Errors
/// When Postgres fails.
pub async fn at_once(app: &App, gone: UserId) -> Result<()> {
    app.engine().stop_all(app, gone).await?;
    for column in COLUMNS.iter().filter(|column| column.fate == Fate::Deleted) {
        // One statement for each, and no transaction around them: whoever holds a row and waits for another of the same
        // person waits for nobody who waits for them.
        let query = format!(
            "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {name} = $1 LIMIT {AT_ONCE}))",
            table = column.table,
            name = column.name,
        );
        in_steps(app, gone, &query).await?;
    }
    Ok(())
}

/// All of it.
///
/// # Errors
/// When Postgres fails.
pub async fn all(app: &App, gone: UserId) -> Result<()> {
    at_once(app, gone).await?;
    assistants::forget(app, gone).await?;
    while rooms::depart_next(app, gone).await? {}
    let traces = rooms::traces(&mut *app.connection().await?, gone).await?;
    for (chat_id, notes) in traces {
        rooms::rename(app, chat_id, &notes).await?;
    }
    while books::forget(app, gone).await? {}
    // An id that nobody has: not even one that stands elsewhere for somebody who is gone.
    for (name, besides) in [
        (
            "user_id",
            ", chat_id = NULL, api_key_id = NULL, provider_request_id = NULL, raw_usage = NULL",
        ),
        ("payer_id", ", api_key_id = NULL"),
    ] {
        let query = format!(
            "UPDATE attempts SET {name} = '00000000-0000-0000-0000-000000000000'{besides} \
             WHERE id = ANY (ARRAY(SELECT id FROM attempts WHERE {name} = $1 LIMIT {AT_ONCE}))"
        );
        in_steps(app, gone, &query).await?;
    }
    // The server's own webhooks were told whom a message was news to; the others' went with them.
    let told = format!(
        "DELETE FROM webhook_deliveries WHERE id = ANY (ARRAY(SELECT id FROM webhook_deliveries \
           WHERE kind = 'NOTIFICATION' AND payload->>'userId' = $1::text LIMIT {AT_ONCE}))"
    );
    in_steps(app, gone, &told).await?;
    // What they did as administrators is told of others, too; where they were is nobody's business any more.
    let acted = format!(
        "UPDATE audit_log SET address = NULL, detail = CASE WHEN action LIKE 'admin.%' THEN detail ELSE '{{}}' END \
         WHERE id = ANY (ARRAY(SELECT id FROM audit_log WHERE actor_id = $1 \
           AND (address IS NOT NULL OR (detail <> '{{}}' AND action NOT LIKE 'admin.%')) LIMIT {AT_ONCE}))"
    );
    in_steps(app, gone, &acted).await?;
    let tried = "UPDATE audit_log SET address = NULL WHERE target = $1 AND actor_id IS NULL AND address IS NOT NULL";
    let mut connection = app.connection().await?;
    diesel::sql_query(tried)
        .bind::<Text, _>(gone.to_string())
        .execute(&mut connection)
        .await?;
    drop(connection);
    // The farewells have told the person's own devices of what nobody will ask for.
    at_once(app, gone).await
}

/// Runs a statement until it finds nothing more to do.
async fn in_steps(app: &App, gone: UserId, query: &str) -> Result<()> {
    loop {
        let mut connection = app.connection().await?;
        let done = diesel::sql_query(query).bind::<SqlUuid, _>(gone);
        if done.execute(&mut connection).await? < AT_ONCE {
            return Ok(());
        }
    }
}
