//! Answers as their provider wrote them, kept for the next question where something in them is signed.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::generation::GenerationStatus;
use crate::ai::{Replay, Turn};
use crate::chat::plan::Plan;
use crate::db::Connection;
use crate::db::schema::{generations, replays};
use crate::error::Result;
use crate::id::{GenerationId, MessageId};

/// Keeps an answer's replay, in the transaction that ends it.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn keep(connection: &mut Connection, id: GenerationId, replay: &Replay) -> QueryResult<()> {
    // Postgres has no NUL; with one inside it could not go back as it came.
    if replay.content.contains('\0') {
        return Ok(());
    }
    let row = (
        replays::generation_id.eq(id),
        replays::format.eq(replay.format.name()),
        replays::model.eq(&replay.model),
        replays::content.eq(&replay.content),
    );
    diesel::insert_into(replays::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(connection)
        .await
        .map(drop)
}

/// Puts the replays of the messages that a plan shows into its turns.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn restore(connection: &mut Connection, plan: &mut Plan) -> Result<()> {
    let mut kept = of_messages(connection, &plan.messages).await?;
    // The messages stand together, with nothing but the question behind them.
    let behind = usize::from(plan.question_tokens.is_some());
    let turns = plan.request.turns.iter_mut().rev().skip(behind);
    for (turn, id) in turns.zip(plan.messages.iter().rev()) {
        if let Turn::Assistant { replay, .. } = turn {
            *replay = kept.remove(id);
        }
    }
    Ok(())
}

/// The replays of complete answers in these messages, in one query. A message that more than one answer was written
/// into has none: what one of them signed is not the whole of it.
///
/// # Errors
/// When Postgres fails.
pub async fn of_messages(connection: &mut Connection, ids: &[MessageId]) -> QueryResult<HashMap<MessageId, Replay>> {
    type Row = (MessageId, String, String, String);
    let others = diesel::alias!(generations as others);
    let another = others
        .filter(others.field(generations::message_id).eq(generations::message_id))
        .filter(others.field(generations::id).ne(generations::id));
    let found: Vec<Row> = replays::table
        .inner_join(generations::table)
        .filter(generations::message_id.eq_any(ids))
        .filter(generations::status.eq(GenerationStatus::Completed))
        .filter(diesel::dsl::not(diesel::dsl::exists(another)))
        .select((
            generations::message_id,
            replays::format,
            replays::model,
            replays::content,
        ))
        .load(connection)
        .await?;
    let known = found.into_iter().filter_map(|(message_id, format, model, content)| {
        let format = format.parse().ok()?;
        Some((message_id, Replay { format, model, content }))
    });
    Ok(known.collect())
}
