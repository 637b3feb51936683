//! Letting a call of a tool run, or not; and going on with the answer once nothing waits any more.

use diesel::dsl::{IntervalDsl, now};
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::park::{is_waiting, tell};
use super::row::{StoredCall, ToolCallStatus};
use crate::app::App;
use crate::chat::member::Membership;
use crate::chat::reply::generation::{self, Generation, GenerationStatus, LEASE_SECONDS};
use crate::db::Connection;
use crate::db::schema::{generations, tool_calls};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{ToolCallId, UserId};
use crate::tool::grant::{self, ToolGrantScope};

/// What a person says about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may run; and further ones of the same tool may too, as far as this says.
    Approved(Option<ToolGrantScope>),
    /// It may not.
    Denied,
}

/// What the model is told about a call that a person declined.
const DECLINED: &str = "The person declined this call. Do not try it again in another way; ask what they want instead.";

/// Lets a call run, or not. It is decided by the one who asked the model, as long as they are in the chat: tools act in
/// their name.
///
/// # Errors
/// NOT_FOUND, or INVALID_STATE for a call that waits for nobody.
pub async fn decide(app: &App, user_id: UserId, id: ToolCallId, verdict: Verdict) -> Result<(StoredCall, Generation)> {
    let mut connection = app.connection().await?;
    let (call, generation, goes_on) = connection
        .transaction(async |connection| store(connection, app, user_id, id, verdict).await)
        .await?;
    drop(connection);
    app.log().wake();
    if goes_on {
        app.engine().go_on(app, &generation);
    }
    Ok((call, generation))
}

async fn find(connection: &mut Connection, user_id: UserId, id: ToolCallId) -> Result<(StoredCall, Generation)> {
    let found: Option<(StoredCall, Generation)> = tool_calls::table
        .inner_join(generations::table)
        .filter(tool_calls::id.eq(id))
        .filter(generations::user_id.eq(user_id))
        .select((StoredCall::as_select(), Generation::as_select()))
        .first(connection)
        .await
        .optional()?;
    found.ok_or_else(not_found)
}

fn not_found() -> Error {
    Error::not_found(&["toolCallId"], "tool call")
}

async fn store(
    connection: &mut Connection,
    app: &App,
    user_id: UserId,
    id: ToolCallId,
    verdict: Verdict,
) -> Result<(StoredCall, Generation, bool)> {
    let (call, generation) = find(connection, user_id, id).await?;
    // The chat's lock first: it orders the event, and two verdicts take turns.
    let hidden = |error| match error {
        Error::Rejected(_) => not_found(),
        other => other,
    };
    let membership = Membership::lock(connection, user_id, generation.chat_id)
        .await
        .map_err(hidden)?;
    let waits = is_waiting(connection, generation.id).await?;
    let pending = tool_calls::table
        .filter(tool_calls::generation_id.eq(generation.id))
        .filter(tool_calls::status.eq(ToolCallStatus::PendingApproval));
    let decided = (tool_calls::decided_by.eq(user_id), tool_calls::decided_at.eq(now));
    let one = pending.filter(tool_calls::id.eq(id));
    let changed = match verdict {
        _ if !waits => 0,
        Verdict::Approved(_) => {
            diesel::update(one)
                .set((tool_calls::status.eq(ToolCallStatus::Queued), decided))
                .execute(connection)
                .await?
        }
        Verdict::Denied => {
            let denied = (
                tool_calls::status.eq(ToolCallStatus::Denied),
                tool_calls::result.eq(DECLINED),
                tool_calls::ended_at.eq(now),
            );
            diesel::update(one).set((denied, decided)).execute(connection).await?
        }
    };
    if changed == 0 {
        let message = "This call does not wait for an approval any more.";
        return Err(Error::rejected(ErrorCode::InvalidState, &["toolCallId"], message));
    }
    if let (Verdict::Approved(Some(scope)), Some(server)) = (verdict, call.tool_server_id) {
        let chat_id = (scope == ToolGrantScope::ThisChat).then_some(membership.chat.id);
        grant::remember(connection, user_id, (server, &call.name), chat_id).await?;
        // Its other calls were asked for at the same time, and need no other answer.
        let same = pending
            .filter(tool_calls::tool_server_id.eq(server))
            .filter(tool_calls::name.eq(&call.name));
        diesel::update(same)
            .set((tool_calls::status.eq(ToolCallStatus::Queued), decided))
            .execute(connection)
            .await?;
    }
    let left: i64 = pending.count().get_result(connection).await?;
    if left == 0 {
        // The database's clock: processes may disagree about the time.
        let runs = (
            generations::status.eq(GenerationStatus::Streaming),
            generations::leased_by.eq(app.engine().node()),
            generations::lease_expires_at.eq((now.into_sql::<Timestamptz>() + LEASE_SECONDS.seconds()).nullable()),
        );
        diesel::update(generations::table.find(generation.id))
            .set(runs)
            .execute(connection)
            .await?;
    }
    tell(connection, generation.chat_id, generation.message_id, &["GENERATION"]).await?;
    let call = tool_calls::table
        .find(id)
        .select(StoredCall::as_select())
        .first(connection)
        .await?;
    let generation = generation::find(connection, user_id, generation.id)
        .await?
        .ok_or_else(not_found)?;
    Ok((call, generation, left == 0))
}
