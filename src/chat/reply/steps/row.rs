//! The rows of an answer's steps: what the model said before it called tools, the calls, and what came of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::ai::{Replay, ToolCall, Turn};
use crate::chat::reply::generation::GenerationStatus;
use crate::db::schema::{chat_members, generation_steps, generations, tool_calls};
use crate::db::{Connection, prepared, text_enum};
use crate::id::{GenerationId, ToolCallId, ToolServerId, UserId};
use crate::tool::Outcome;

text_enum! {
    /// Where a call of a tool stands. The last four are final.
    ToolCallStatus {
        /// A person has to approve it first.
        PendingApproval = "PENDING_APPROVAL",
        /// It may run, and will.
        Queued = "QUEUED",
        /// It is running.
        Running = "RUNNING",
        /// The tool has answered.
        Completed = "COMPLETED",
        /// The tool has failed, and the model was told so.
        Failed = "FAILED",
        /// A person has declined it, and the model was told so.
        Denied = "DENIED",
        /// The answer ended before.
        Cancelled = "CANCELLED",
    }
}

impl ToolCallStatus {
    /// Whether nothing more will come of it.
    pub fn is_final(self) -> bool {
        use ToolCallStatus::{Cancelled, Completed, Denied, Failed};
        matches!(self, Completed | Failed | Denied | Cancelled)
    }
}

/// A model's call of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = tool_calls, check_for_backend(diesel::pg::Pg))]
pub struct StoredCall {
    /// Its id.
    pub id: ToolCallId,
    /// The answer that it is for.
    pub generation_id: GenerationId,
    /// The turn of the model that asked.
    pub step: i32,
    /// Its place among the calls of that turn.
    pub position: i32,
    /// What the model calls it.
    pub call_id: String,
    /// The tool as the model named it.
    pub function: String,
    /// The server that runs it.
    pub tool_server_id: Option<ToolServerId>,
    /// The name of that server then.
    pub server: Option<String>,
    /// The tool as its server names it.
    pub name: String,
    /// What it is called with.
    pub arguments: String,
    /// Where it stands.
    pub status: ToolCallStatus,
    /// What the model is told about it.
    pub result: Option<String>,
    /// When the model asked.
    pub created_at: DateTime<Utc>,
    /// When it began to run.
    pub started_at: Option<DateTime<Utc>>,
    /// When it was over.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A call to be stored.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = tool_calls, treat_none_as_default_value = false)]
pub struct NewCall {
    /// Its id.
    pub id: ToolCallId,
    /// The answer that it is for.
    pub generation_id: GenerationId,
    /// The turn of the model that asked.
    pub step: i32,
    /// Its place among the calls of that turn.
    pub position: i32,
    /// What the model calls it.
    pub call_id: String,
    /// The tool as the model named it.
    pub function: String,
    /// The server that runs it.
    pub tool_server_id: Option<ToolServerId>,
    /// Its name.
    pub server: Option<String>,
    /// The tool as its server names it.
    pub name: String,
    /// What it is called with.
    pub arguments: String,
    /// Where it stands.
    pub status: ToolCallStatus,
    /// What the model is told about it, if that is known already.
    pub result: Option<String>,
    /// When it was over, if it is.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A turn of the model that ended with calls.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = generation_steps, check_for_backend(diesel::pg::Pg))]
pub struct StepRow {
    /// Which answer.
    pub generation_id: GenerationId,
    /// Which turn of it.
    pub step: i32,
    /// What the model said.
    pub text: String,
    replay_format: Option<String>,
    replay_model: Option<String>,
    replay_content: Option<String>,
}

impl StepRow {
    /// The row of a turn.
    pub fn new(generation_id: GenerationId, step: i32, text: &str, replay: Option<&Replay>) -> Self {
        // Postgres has no NUL; with one inside, the replay could not go back as it came, and the text goes instead.
        let replay = replay.filter(|replay| !replay.content.contains('\0'));
        StepRow {
            generation_id,
            step,
            text: text.replace('\0', "\u{FFFD}"),
            replay_format: replay.map(|replay| replay.format.name().to_owned()),
            replay_model: replay.map(|replay| replay.model.clone()),
            replay_content: replay.map(|replay| replay.content.clone()),
        }
    }

    fn replay(&self) -> Option<Replay> {
        Some(Replay {
            format: self.replay_format.as_deref()?.parse().ok()?,
            model: self.replay_model.clone()?,
            content: self.replay_content.clone()?,
        })
    }
}

/// A turn of the model and its calls, as they are stored.
#[derive(Debug, Clone)]
pub struct Step {
    /// The turn.
    pub row: StepRow,
    /// Its calls, in order.
    pub calls: Vec<StoredCall>,
}

impl Step {
    /// What the model is shown of it in the next turn.
    pub fn turns(&self) -> Vec<Turn> {
        let calls = self.calls.iter().map(|call| ToolCall {
            id: call.call_id.clone(),
            name: call.function.clone(),
            arguments: call.arguments.clone(),
        });
        let asked = Turn::Assistant {
            text: self.row.text.clone(),
            tool_calls: calls.collect(),
            replay: self.row.replay(),
        };
        let answered = self.calls.iter().map(|call| Turn::ToolResult {
            call_id: call.call_id.clone(),
            name: call.function.clone(),
            text: call.result.clone().unwrap_or_default(),
            failed: call.status != ToolCallStatus::Completed,
        });
        std::iter::once(asked).chain(answered).collect()
    }
}

/// Stores a turn and its calls; none when the answer has ended or is gone.
///
/// # Errors
/// When Postgres fails.
pub async fn insert(
    connection: &mut Connection,
    row: &StepRow,
    calls: &[NewCall],
) -> QueryResult<Option<Vec<StoredCall>>> {
    let running: Option<GenerationId> = generations::table
        .find(row.generation_id)
        .filter(generations::finished_at.is_null())
        .select(generations::id)
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?;
    if running.is_none() {
        return Ok(None);
    }
    // Something has come of it, if it is no word.
    let queued = generations::table
        .find(row.generation_id)
        .filter(generations::status.eq(GenerationStatus::Queued));
    diesel::update(queued)
        .set(generations::status.eq(GenerationStatus::Streaming))
        .execute(connection)
        .await?;
    diesel::insert_into(generation_steps::table)
        .values(row)
        .execute(connection)
        .await?;
    let mut stored: Vec<StoredCall> = diesel::insert_into(tool_calls::table)
        .values(calls)
        .returning(StoredCall::as_returning())
        .get_results(connection)
        .await?;
    stored.sort_by_key(|call| call.position);
    Ok(Some(stored))
}

/// Notes that a call begins to run; none when it may not any more.
///
/// # Errors
/// When Postgres fails.
pub async fn begin(connection: &mut Connection, id: ToolCallId) -> QueryResult<Option<StoredCall>> {
    let queued = tool_calls::table
        .find(id)
        .filter(tool_calls::status.eq(ToolCallStatus::Queued));
    diesel::update(queued)
        .set((
            tool_calls::status.eq(ToolCallStatus::Running),
            tool_calls::started_at.eq(now),
        ))
        .returning(StoredCall::as_returning())
        .get_result(connection)
        .await
        .optional()
}

/// Notes what came of a call; none when the answer has ended meanwhile.
///
/// # Errors
/// When Postgres fails.
pub async fn end(connection: &mut Connection, id: ToolCallId, outcome: &Outcome) -> QueryResult<Option<StoredCall>> {
    let status = match outcome.failed {
        true => ToolCallStatus::Failed,
        false => ToolCallStatus::Completed,
    };
    let running = tool_calls::table
        .find(id)
        .filter(tool_calls::status.eq(ToolCallStatus::Running));
    diesel::update(running)
        .set((
            tool_calls::status.eq(status),
            tool_calls::result.eq(&outcome.text),
            tool_calls::ended_at.eq(now),
        ))
        .returning(StoredCall::as_returning())
        .get_result(connection)
        .await
        .optional()
}

/// Cancels what is left of an answer's calls, in the transaction that ends it.
///
/// # Errors
/// When Postgres fails.
pub async fn cancel(connection: &mut Connection, id: GenerationId) -> QueryResult<()> {
    let open = [
        ToolCallStatus::PendingApproval,
        ToolCallStatus::Queued,
        ToolCallStatus::Running,
    ];
    let left = tool_calls::table
        .filter(tool_calls::generation_id.eq(id))
        .filter(tool_calls::status.eq_any(open));
    let cancelled = diesel::update(left).set((
        tool_calls::status.eq(ToolCallStatus::Cancelled),
        tool_calls::ended_at.eq(now),
    ));
    prepared(cancelled).execute(connection).await.map(drop)
}

/// The steps of an answer so far.
///
/// # Errors
/// When Postgres fails.
pub async fn of(connection: &mut Connection, id: GenerationId) -> QueryResult<Vec<Step>> {
    let rows: Vec<StepRow> = generation_steps::table
        .filter(generation_steps::generation_id.eq(id))
        .order(generation_steps::step)
        .select(StepRow::as_select())
        .load(connection)
        .await?;
    let mut calls = calls_of(connection, &[id]).await?.remove(&id).unwrap_or_default();
    let steps = rows.into_iter().map(|row| {
        let later = calls.iter().position(|call| call.step != row.step);
        let rest = calls.split_off(later.unwrap_or(calls.len()));
        let calls = std::mem::replace(&mut calls, rest);
        Step { row, calls }
    });
    Ok(steps.collect())
}

/// Those of the calls with these ids whose chats `user_id` is in.
///
/// # Errors
/// When Postgres fails.
pub async fn find_visible(
    connection: &mut Connection,
    user_id: UserId,
    ids: &[ToolCallId],
) -> QueryResult<Vec<StoredCall>> {
    let mine = chat_members::table
        .filter(chat_members::user_id.eq(user_id))
        .select(chat_members::chat_id);
    tool_calls::table
        .inner_join(generations::table)
        .filter(tool_calls::id.eq_any(ids))
        .filter(generations::chat_id.eq_any(mine))
        .select(StoredCall::as_select())
        .load(connection)
        .await
}

/// The calls of these answers, in the order in which they were asked for, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn calls_of(
    connection: &mut Connection,
    ids: &[GenerationId],
) -> QueryResult<HashMap<GenerationId, Vec<StoredCall>>> {
    let found: Vec<StoredCall> = tool_calls::table
        .filter(tool_calls::generation_id.eq_any(ids))
        .order((tool_calls::generation_id, tool_calls::step, tool_calls::position))
        .select(StoredCall::as_select())
        .load(connection)
        .await?;
    let mut calls: HashMap<GenerationId, Vec<StoredCall>> = HashMap::new();
    for call in found {
        calls.entry(call.generation_id).or_default().push(call);
    }
    Ok(calls)
}
