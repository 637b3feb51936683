//! Going on with an answer that broke off: another generation writes on in the same message.

use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::ask::Ask;
use super::claim::{Claim, Sent};
use super::event;
use super::lane::{Lane, Lanes};
use super::member::Membership;
use super::message::{self, Message};
use super::plan::Plan;
use super::reply::generation::{self, Generation, GenerationStatus, NewGeneration};
use super::send::{admit, begin};
use super::turn::check_running;
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{chats, generations, messages};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{GenerationId, UserId};

/// Has the model that wrote an answer go on with it.
///
/// # Errors
/// NOT_FOUND, INVALID_STATE for answers that cannot be gone on with, LIMIT_REACHED, KEY_MISSING, CONFLICT.
pub async fn go_on(app: &App, user_id: UserId, id: GenerationId, idempotency_key: &str) -> Result<Sent> {
    let claim = Claim::new(user_id, idempotency_key, &serde_json::json!(["continue", id.0]))?;
    let mut connection = app.connection().await?;
    if let Some(first) = claim.first_result(&connection).await? {
        return Ok(first);
    }
    admit(app, user_id)?;
    let old = find(&mut connection, user_id, id).await?;
    let message = message::find_many_visible(&mut connection, user_id, &[old.message_id]).await?;
    let assistant_id = message.values().next().and_then(|message| message.assistant_id);
    let lane = Lane::again(&mut connection, app, user_id, &old, assistant_id).await?;
    let chat = Membership::of(&connection, user_id, old.chat_id)
        .await?
        .ok_or_else(not_found)?
        .chat;
    chat.answers("generationId")?;
    let ask = Ask::going_on(user_id, &chat, old.message_id);
    let plans = ask.plan(&mut connection, app, Lanes::one(lane)).await?;
    let stored = connection
        .transaction(async |connection| store(connection, app, &claim, &old, &plans).await)
        .await?;
    begin(app, &mut connection, &claim, stored, plans).await
}

async fn find(connection: &mut Connection, user_id: UserId, id: GenerationId) -> Result<Generation> {
    generation::find(connection, user_id, id).await?.ok_or_else(not_found)
}

fn not_found() -> Error {
    Error::not_found(&["generationId"], "generation")
}

/// Refuses what has nothing to go on with, or has gone on already.
async fn check(connection: &mut Connection, old: &Generation) -> Result<()> {
    let refuse = |message: &str| Err(Error::rejected(ErrorCode::InvalidState, &["generationId"], message));
    if old.text_octets.is_some() {
        return refuse("This answer was continued already. Continue the newest part of it.");
    }
    match old.status {
        GenerationStatus::Queued | GenerationStatus::Streaming => {
            return refuse("This answer is still being written. Stop it first, or wait for its end.");
        }
        GenerationStatus::WaitingForApproval => {
            return refuse("This answer waits for you: approve or deny what it wants to do.");
        }
        GenerationStatus::Completed if old.finish_reason.as_deref() != Some("LENGTH") => {
            return refuse("This answer is complete. Send a message to ask for more.");
        }
        // What another answer had written before the failure can be gone on with again.
        GenerationStatus::Failed if !was_going_on(connection, old).await? => {
            return refuse("This answer failed. Regenerate it instead.");
        }
        _ => {}
    }
    let followed = diesel::select(diesel::dsl::exists(
        messages::table.filter(messages::parent_id.eq(old.message_id)),
    ));
    if followed.get_result(connection).await? {
        return refuse("The conversation has gone on after this answer. Regenerate it instead, or send a message.");
    }
    Ok(())
}

async fn was_going_on(connection: &mut Connection, generation: &Generation) -> QueryResult<bool> {
    let earlier = generations::table
        .filter(generations::message_id.eq(generation.message_id))
        .filter(generations::text_octets.is_not_null());
    diesel::select(diesel::dsl::exists(earlier))
        .get_result(connection)
        .await
}

async fn store(
    connection: &mut Connection,
    app: &App,
    claim: &Claim,
    old: &Generation,
    plans: &Lanes<Plan>,
) -> Result<Option<Sent>> {
    let hidden = |error| match error {
        Error::Rejected(_) => not_found(),
        other => other,
    };
    let Membership { chat, .. } = Membership::lock(connection, claim.user_id, old.chat_id)
        .await
        .map_err(hidden)?;
    let [plan] = plans.lanes.as_slice() else {
        return Err(Error::internal("an answer goes on in one lane"));
    };
    let payer = &plan.lane.payer;
    let new_id = GenerationId::new();
    if !claim.take(connection, chat.id, old.message_id, Some(new_id)).await? {
        return Ok(None);
    }
    check_running(connection, claim.user_id, 1).await?;
    // Now that nobody else can go on with it.
    let old = find(connection, claim.user_id, old.id).await?;
    check(connection, &old).await?;
    let message: Message = diesel::update(
        messages::table
            .find(old.message_id)
            .filter(messages::deleted_at.is_null()),
    )
    .set(messages::version.eq(messages::version + 1))
    .returning(Message::as_returning())
    .get_result(connection)
    .await
    .optional()?
    .ok_or_else(not_found)?;
    let octets = i32::try_from(message.content.len()).unwrap_or(i32::MAX);
    diesel::update(generations::table.find(old.id))
        .set(generations::text_octets.eq(octets))
        .execute(connection)
        .await?;
    let new = NewGeneration {
        id: new_id,
        message_id: old.message_id,
        chat_id: chat.id,
        user_id: claim.user_id,
        provider: payer.endpoint.provider.name().to_owned(),
        model: payer.model.clone(),
        key_source: payer.source,
        leased_by: app.engine().node(),
        lanes_of: None,
        race: false,
    };
    let generation = generation::insert(connection, new, payer, plan.input_tokens).await?;
    diesel::update(chats::table.find(chat.id))
        .set((
            chats::version.eq(chats::version + 1),
            chats::updated_at.eq(now),
            chats::last_activity_at.eq(now),
        ))
        .execute(connection)
        .await?;
    let events = [
        event::message_updated(chat.id, message.id, &["GENERATION"]),
        event::chat_upserted(chat.id),
    ];
    append(connection, events).await?;
    let content = message.content.clone();
    Ok(Some(Sent {
        message,
        generations: vec![generation],
        so_far: content,
    }))
}
