//! Going on with an answer that has waited for a person.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use diesel::dsl::max;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::FutureExt;

use super::{Work, row};
use crate::ai::{Failure, FailureKind};
use crate::app::App;
use crate::chat::ask::Ask;
use crate::chat::lane::{Lane, Lanes};
use crate::chat::member::Membership;
use crate::chat::plan::Plan;
use crate::chat::plan::history::Tip;
use crate::chat::reply::closing::Outcome;
use crate::chat::reply::generation::Generation;
use crate::chat::reply::live::{Ending, Live};
use crate::chat::reply::run::{close, do_work, end, restore};
use crate::db::Connection;
use crate::db::schema::{generations, messages};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AssistantId, MessageId};
use crate::usage::recover;
use crate::vault::key::UsedKey;

/// Goes on with an answer from what is stored of it, and stores its end whatever happens.
pub(in crate::chat::reply) async fn again(app: App, generation: Generation) {
    let read = app.patiently(|| read(&app, &generation)).await;
    let (live, made) = match read {
        Ok((live, made)) => (Arc::new(live), made),
        Err(error) => {
            // Its lease will be out, and it is taken for interrupted.
            tracing::error!(%error, generation = %generation.id, "cannot go on with an answer");
            return;
        }
    };
    app.engine().watchable(&live);
    match made {
        Ok((mut plan, before)) => {
            restore(&app, &live, &mut plan).await;
            let (work, key) = Work::of(plan, before);
            let done = AssertUnwindSafe(finish(&app, &live, work, key));
            if done.catch_unwind().await.is_err() {
                tracing::error!(generation = %live.id, "the task of an answer panicked");
                let failure = Failure::new(FailureKind::Internal, "the task panicked");
                close(&app, &live, &Outcome::Failed(failure)).await;
            }
        }
        Err(outcome) => close(&app, &live, &outcome).await,
    }
}

async fn finish(app: &App, live: &Live, work: Work, key: Option<UsedKey>) {
    let asked = do_work(app, live, work, key).await;
    end(app, live, asked).await;
}

type Made = Result<(Plan, Vec<row::Step>), Outcome>;

async fn read(app: &App, generation: &Generation) -> Result<(Live, Made)> {
    let mut connection = app.upkeep_connection().await?;
    let message: Option<(String, Option<MessageId>, Option<AssistantId>)> = messages::table
        .find(generation.message_id)
        .select((messages::content, messages::parent_id, messages::assistant_id))
        .first(&mut connection)
        .await
        .optional()?;
    let (text, parent_id, assistant_id) = message.ok_or_else(|| Error::internal("an answer without a message"))?;
    let own: Option<i32> = generations::table
        .filter(generations::message_id.eq(generation.message_id))
        .select(max(generations::text_octets))
        .first(&mut connection)
        .await?;
    let own = own.and_then(|own| usize::try_from(own).ok()).unwrap_or_default();
    let live = Live::again(generation, text, own);
    let used = recover::settled(&mut connection, generation.id).await?;
    if app.shutdown().is_cancelled() {
        live.end(Ending::Interrupted);
    }
    let tip = match own {
        0 => Tip::from(parent_id),
        _ => Tip::At(generation.message_id),
    };
    let made = plan(&mut connection, app, generation, assistant_id, tip).await;
    let (live, made) = match made {
        Ok(made) => (live.on(made.0.lane.payer.tab.clone()), Ok(made)),
        Err(Error::Rejected(refusals)) => {
            let kind = match refusals.as_slice().first().map(|refusal| refusal.code) {
                Some(ErrorCode::KeyMissing) => FailureKind::KeyMissing,
                Some(ErrorCode::ContextTooLong) => FailureKind::ContextTooLong,
                _ => FailureKind::InvalidRequest,
            };
            let failure = Failure::new(kind, "it was refused when it went on");
            (live, Err(Outcome::Failed(failure)))
        }
        Err(error) => return Err(error),
    };
    live.tab().carry(used);
    Ok((live, made))
}

async fn plan(
    connection: &mut Connection,
    app: &App,
    generation: &Generation,
    assistant_id: Option<AssistantId>,
    tip: Tip,
) -> Result<(Plan, Vec<row::Step>)> {
    let user_id = generation.user_id;
    let membership = Membership::of(connection, user_id, generation.chat_id).await?;
    let chat = membership.ok_or_else(|| Error::not_found(&[], "chat"))?.chat;
    let lane = Lane::again(connection, app, user_id, generation, assistant_id).await?;
    let ask = match tip {
        Tip::At(id) if id == generation.message_id => Ask::going_on(user_id, &chat, id),
        tip => Ask::new(user_id, &chat, tip, None),
    };
    let plans = ask.plan(connection, app, Lanes::one(lane)).await?;
    let plan = plans.lanes.into_iter().next();
    let plan = plan.ok_or_else(|| Error::internal("a lane without a plan"))?;
    Ok((plan, row::of(connection, generation.id).await?))
}
