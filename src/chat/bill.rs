//! Asking a provider afterwards what an answer has cost whose end was not heard: stopped, or broken off.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::Value;

use super::event;
use super::reply::closing::Spent;
use crate::ai::{Endpoint, Provider, Usage};
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{chats, generations, messages};
use crate::error::Result;
use crate::event::append;
use crate::id::{ChatId, GenerationId, MessageId};
use crate::job::{Kind, Running, Trouble};
use crate::usage::reconcile::{self, Owed, Task};
use crate::usage::recover;
use crate::usage::terms::KeySource;
use crate::vault::{key, server};

/// The kind of job.
pub const KIND: Kind = Kind {
    name: reconcile::JOB,
    attempts: 6,
    limit: Duration::from_secs(90),
    run,
};

fn run(app: App, payload: Value) -> Running {
    Box::pin(async move {
        let task: Task =
            serde_json::from_value(payload).map_err(|error| Trouble::hopeless(format!("unreadable: {error}")))?;
        let mut connection = app.connection().await?;
        let Some(owed) = reconcile::owed(&mut connection, task.attempt_id).await? else {
            return Ok(());
        };
        let endpoint = purse(&mut connection, &app, &owed).await?;
        drop(connection);
        // With the key, what it paid for is out of reach.
        let Some(endpoint) = endpoint else { return Ok(()) };
        let billed = app.ai().billed(&endpoint, &owed.provider_request_id).await;
        let bill = billed.map_err(|failure| match failure.retryable() {
            true => Trouble::passing(failure.to_string(), failure.retry_after),
            false => Trouble::hopeless(failure.to_string()),
        })?;
        let bill = bill.ok_or_else(|| Trouble::passing("the provider does not know yet", None))?;
        if !store(&app, &owed, &bill).await? {
            return Err(Trouble::passing("the answer is still being written", None));
        }
        Ok(())
    })
}

/// Where to ask, with the key that has paid; none when it is there no more.
async fn purse(connection: &mut Connection, app: &App, owed: &Owed) -> Result<Option<Endpoint>> {
    let endpoint = match (owed.key_source, owed.api_key_id) {
        (KeySource::User, Some(id)) => match key::find(connection, owed.payer_id, id).await? {
            Some(key) => Some(app.vault().endpoint(&key)?),
            None => None,
        },
        (KeySource::Server, _) => server::endpoint(&app.config().settings, Provider::OpenRouter),
        (KeySource::User | KeySource::None, _) => None,
    };
    Ok(endpoint.filter(|endpoint| endpoint.provider == Provider::OpenRouter))
}

/// Puts the provider's figures in the place of ours wherever these stand: the ledger, the budget, the answer. False while
/// the answer is being written, whose end stores its figures anew.
async fn store(app: &App, owed: &Owed, bill: &Usage) -> Result<bool> {
    let mut connection = app.connection().await?;
    let stored = connection
        .transaction(async |connection| {
            if let Some(chat_id) = owed.chat_id {
                // The chat's lock first: it orders the event.
                let chat = chats::table.find(chat_id).select(chats::id).for_no_key_update();
                chat.first::<ChatId>(connection).await.optional()?;
            }
            let answer = match owed.generation_id {
                Some(id) => lock(connection, id).await?,
                None => None,
            };
            if answer.as_ref().is_some_and(|answer| !answer.finished) {
                return Ok(false);
            }
            if reconcile::settle(connection, owed.id, bill).await?
                && let Some(answer) = answer
            {
                correct(connection, &answer).await?;
            }
            Ok::<_, crate::error::Error>(true)
        })
        .await?;
    app.log().wake();
    Ok(stored)
}

/// An answer whose figures change.
#[derive(Queryable)]
struct Locked {
    id: GenerationId,
    chat_id: ChatId,
    message_id: MessageId,
    finished: bool,
}

async fn lock(connection: &mut Connection, id: GenerationId) -> QueryResult<Option<Locked>> {
    let columns = (
        generations::id,
        generations::chat_id,
        generations::message_id,
        generations::finished_at.is_not_null(),
    );
    let row = generations::table.find(id).select(columns).for_no_key_update();
    row.first(connection).await.optional()
}

/// Gives an answer the sum of its attempts, and tells of it.
async fn correct(connection: &mut Connection, answer: &Locked) -> Result<()> {
    let figures = recover::settled(connection, answer.id).await?;
    diesel::update(generations::table.find(answer.id))
        .set(Spent::from(figures))
        .execute(connection)
        .await?;
    diesel::update(messages::table.find(answer.message_id))
        .set(messages::version.eq(messages::version + 1))
        .execute(connection)
        .await?;
    let updated = event::message_updated(answer.chat_id, answer.message_id, &["GENERATION"]);
    append(connection, [updated]).await?;
    Ok(())
}
