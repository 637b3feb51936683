//! The cache of answers: who asks the same again within a time is given the same answer again, at once and for nothing.
//! Off unless the operator sets a time.
//!
//! ```text
//! first step ─ same key, same person, in time? ─ yes ─ attempt settled as CACHED ─ the text, in one piece ─ COMPLETED
//!     │ no
//! ask the model ─ all it wanted to say, no tools ─ the closing transaction keeps the key beside the answer
//! ```
//!
//! No text is stored twice: a row names the answer, and is gone with it, so that what was deleted is given to nobody. An
//! answer whose model had said everything is never written on, so its message's text is what the model said.

mod key;

use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Double, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

pub use self::key::Key;
use super::closing::Outcome;
use super::live::{Channel, Live};
use super::replay;
use crate::ai::{Endpoint, Failure, FailureKind, FinishReason, Replay, Request};
use crate::app::App;
use crate::chat::plan::Plan;
use crate::db::schema::cached_answers;
use crate::db::{Connection, lives, prepared};
use crate::error::Result;
use crate::id::{GenerationId, UserId};
use crate::usage::aside;
use crate::usage::terms::AttemptOutcome;

/// What was answered before, as it was.
#[derive(Debug, QueryableByName)]
struct Found {
    #[diesel(sql_type = Text)]
    text: String,
    #[diesel(sql_type = Nullable<Text>)]
    reasoning: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    replay_format: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    replay_model: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    replay_content: Option<String>,
}

impl Found {
    fn replay(&self) -> Option<Replay> {
        Some(Replay {
            format: self.replay_format.as_deref()?.parse().ok()?,
            model: self.replay_model.clone()?,
            content: self.replay_content.clone()?,
        })
    }
}

/// The key of a question; none while the cache is off.
pub(super) fn key(app: &App, endpoint: &Endpoint, request: &Request) -> Option<Key> {
    is_on(app).then(|| Key::new(endpoint, request))
}

fn is_on(app: &App) -> bool {
    app.config().settings.answer_cache_seconds > 0
}

/// Answers from the cache; none when there is nothing to answer with, and the model has to be asked.
pub(super) async fn answer(app: &App, live: &Live, key: &Key) -> Option<Outcome> {
    let found = async {
        let mut connection = app.connection().await?;
        find(&mut connection, app, live.user_id, key, Some(live.id)).await
    };
    let found = match found.await {
        Ok(found) => found?,
        Err(error) => {
            tracing::warn!(%error, generation = %live.id, "cannot look for an earlier answer");
            return None;
        }
    };
    // Before the first word: should this process die now, the words are not taken for a model's that has to be paid.
    let tab = live.tab();
    tab.ended(AttemptOutcome::Cached, None);
    if let Err(error) = app.patiently(|| aside::settle_now(app, &tab)).await {
        tracing::error!(%error, generation = %live.id, "cannot store that nobody was asked");
        let words = "what it costs could not be stored";
        return Some(Outcome::Failed(Failure::new(FailureKind::Internal, words)));
    }
    let replay = found.replay();
    let said = chrono::Utc::now();
    live.push(Channel::Reasoning, found.reasoning.as_deref().unwrap_or_default(), said);
    live.push(Channel::Answer, &found.text, said);
    if let Some(replay) = replay {
        live.replay(replay);
    }
    Some(Outcome::Completed(FinishReason::Stop))
}

/// Whether an answer came from here.
pub(super) fn answered(live: &Live) -> bool {
    let end = live.tab().current().and_then(|entry| entry.end);
    end.is_some_and(|end| end.outcome == AttemptOutcome::Cached)
}

/// Whether what is planned would be answered from the cache at this moment.
///
/// # Errors
/// When Postgres fails.
pub async fn would_answer(connection: &mut Connection, app: &App, user_id: UserId, plan: &mut Plan) -> Result<bool> {
    if !plan.from_cache || !is_on(app) {
        return Ok(false);
    }
    if plan.lane.payer.endpoint.replays() {
        replay::restore(connection, plan).await?;
    }
    let key = Key::new(&plan.lane.payer.endpoint, &plan.request);
    Ok(find(connection, app, user_id, &key, None).await?.is_some())
}

/// The answer with this key. What was answered after `asking` was asked is none of it: the lanes of one question, and
/// questions at the same moment, each get an answer of their own.
async fn find(
    connection: &mut Connection,
    app: &App,
    user_id: UserId,
    key: &Key,
    asking: Option<GenerationId>,
) -> Result<Option<Found>> {
    let query = concat!(
        "SELECT m.content AS text, g.reasoning, r.format AS replay_format, r.model AS replay_model, r.content AS replay_content \
        FROM cached_answers c JOIN generations g ON g.id = c.generation_id JOIN messages m ON m.id = g.message_id \
          LEFT JOIN replays r ON r.generation_id = g.id \
        WHERE c.user_id = $1 AND c.hash = $2 AND c.created_at > now() - make_interval(secs => $3) \
          AND c.created_at < coalesce((SELECT queued_at FROM generations WHERE id = $4), now()) \
          AND g.status = 'COMPLETED' AND g.finish_reason = 'STOP' AND g.text_octets IS NULL \
          AND m.deleted_at IS NULL AND m.content <> '' AND ",
        lives!("m"),
        " \
          AND EXISTS (SELECT FROM chat_members WHERE chat_id = g.chat_id AND user_id = $1)"
    );
    let statement = diesel::sql_query(query)
        .bind::<SqlUuid, _>(user_id)
        .bind::<Binary, _>(key.bytes())
        .bind::<Double, _>(f64::from(app.config().settings.answer_cache_seconds))
        .bind::<Nullable<SqlUuid>, _>(asking);
    let found: Vec<Found> = prepared(statement).load(connection).await?;
    Ok(found.into_iter().next())
}

/// Keeps an answer for the next time, in the transaction that ends it. The newest one counts.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn keep(connection: &mut Connection, user_id: UserId, key: &Key, id: GenerationId) -> QueryResult<()> {
    let row = (
        cached_answers::user_id.eq(user_id),
        cached_answers::hash.eq(key.bytes()),
        cached_answers::generation_id.eq(id),
    );
    diesel::insert_into(cached_answers::table)
        .values(row)
        .on_conflict((cached_answers::user_id, cached_answers::hash))
        .do_update()
        .set((cached_answers::generation_id.eq(id), cached_answers::created_at.eq(now)))
        .execute(connection)
        .await
        .map(drop)
}

/// Forgets which answers are older than this many seconds; returns how many.
///
/// # Errors
/// When Postgres fails.
pub async fn sweep(connection: &mut Connection, seconds: u32) -> QueryResult<usize> {
    let query = "DELETE FROM cached_answers WHERE created_at <= now() - make_interval(secs => $1)";
    let statement = diesel::sql_query(query).bind::<Double, _>(f64::from(seconds));
    statement.execute(connection).await
}
