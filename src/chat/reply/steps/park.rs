//! Parking an answer that needs a person: nobody runs it then, and nothing of it is in memory.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::row::{self, StoredCall};
use crate::app::App;
use crate::chat::event;
use crate::chat::reply::activity;
use crate::chat::reply::closing::{Outcome, Spent, Waiting};
use crate::chat::reply::generation::GenerationStatus;
use crate::chat::reply::live::{Live, Notice};
use crate::db::Connection;
use crate::db::schema::{chats, generations, messages};
use crate::error::Result;
use crate::event::append;
use crate::id::{ChatId, GenerationId, MessageId};
use crate::presence::wire::Doing;

/// The longest pause between two attempts to park an answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What has become of an answer that was to be parked.
enum Parked {
    /// It waits.
    Waits(Vec<StoredCall>),
    /// Somebody asked to stop it meanwhile.
    Stopped,
    /// It ended meanwhile, or is gone.
    Gone,
}

/// Parks an answer; when Postgres is away, again and again until it is back or the server stops. Gives what the answer
/// ends with instead, when it cannot wait.
pub(in crate::chat::reply) async fn park(app: &App, live: &Live, waiting: &Waiting) -> Option<Outcome> {
    let mut pause = Duration::from_millis(50);
    loop {
        let stored = async {
            let mut connection = app.upkeep_connection().await?;
            let stored = connection.transaction(async |connection| store(connection, live, waiting).await);
            stored.await
        };
        match stored.await {
            Ok(Parked::Waits(calls)) => {
                app.engine().forget(live);
                app.log().wake();
                activity::turn(app, live, Some(Doing::WaitingForApproval));
                // Only now may they be approved, and somebody who watches does so at once.
                for call in calls {
                    live.notice(Notice::ToolCall(Box::new(call)));
                }
                live.finish();
                return None;
            }
            Ok(Parked::Stopped) => return Some(Outcome::Stopped),
            Ok(Parked::Gone) => return Some(Outcome::Interrupted),
            Err(error) => tracing::error!(%error, generation = %live.id, "cannot park an answer"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = app.stopped().cancelled() => return Some(Outcome::Interrupted),
        }
    }
}

#[derive(AsChangeset)]
#[diesel(table_name = generations)]
struct Parking {
    status: GenerationStatus,
    sequence: i32,
    reasoning: Option<String>,
    first_token_at: Option<DateTime<Utc>>,
    provider_request_id: Option<String>,
}

async fn store(connection: &mut Connection, live: &Live, waiting: &Waiting) -> Result<Parked> {
    // The chat's lock first: it orders the event.
    let chat: Option<ChatId> = chats::table
        .find(live.chat_id)
        .select(chats::id)
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?;
    if chat.is_none() {
        return Ok(Parked::Gone);
    }
    // The transaction before this one may have been committed without our hearing of it.
    let mut steps = row::of(connection, live.id).await?.into_iter();
    if let Some(step) = steps.find(|step| step.row.step == waiting.row.step) {
        return Ok(Parked::Waits(step.calls));
    }
    let Some(stored) = row::insert(connection, &waiting.row, &waiting.calls).await? else {
        return Ok(Parked::Gone);
    };
    let asked_to_stop: Option<DateTime<Utc>> = generations::table
        .find(live.id)
        .select(generations::stop_requested_at)
        .first(connection)
        .await?;
    if asked_to_stop.is_some() {
        return Ok(Parked::Stopped);
    }
    let progress = live.progress();
    let told = i32::try_from(stored.len()).unwrap_or_default();
    let parking = Parking {
        status: GenerationStatus::WaitingForApproval,
        // Behind the notices that tell of the calls.
        sequence: progress.sequence + told,
        reasoning: Some(progress.reasoning.clone()).filter(|reasoning| !reasoning.is_empty()),
        first_token_at: progress.first_token_at,
        provider_request_id: progress.provider_request_id.clone(),
    };
    let no_lease = generations::lease_expires_at.eq(None::<DateTime<Utc>>);
    diesel::update(generations::table.find(live.id))
        .set((parking, Spent::from(progress.tab.figures()), no_lease))
        .execute(connection)
        .await?;
    diesel::update(messages::table.find(live.message_id))
        .set(messages::content.eq(&progress.text))
        .execute(connection)
        .await?;
    tell(connection, live.chat_id, live.message_id, &["CONTENT", "GENERATION"]).await?;
    Ok(Parked::Waits(stored))
}

/// Tells everybody in the chat that something about an answer's message changed.
pub(super) async fn tell(
    connection: &mut Connection,
    chat_id: ChatId,
    message_id: MessageId,
    changed: &[&str],
) -> Result<()> {
    diesel::update(messages::table.find(message_id))
        .set(messages::version.eq(messages::version + 1))
        .execute(connection)
        .await?;
    diesel::update(chats::table.find(chat_id))
        .set(chats::version.eq(chats::version + 1))
        .execute(connection)
        .await?;
    let events = [
        event::message_updated(chat_id, message_id, changed),
        event::chat_upserted(chat_id),
    ];
    append(connection, events).await?;
    Ok(())
}

/// Whether an answer waits.
pub(super) async fn is_waiting(connection: &mut Connection, id: GenerationId) -> QueryResult<bool> {
    let waiting = generations::table
        .find(id)
        .filter(generations::status.eq(GenerationStatus::WaitingForApproval))
        .select(generations::id)
        .for_no_key_update();
    let found: Option<GenerationId> = waiting.first(connection).await.optional()?;
    Ok(found.is_some())
}
