//! Calls of tools as clients see them, and what people say about them.

use async_graphql::{Context, Enum, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::generation::Answer;
use super::loader::{CallOf, load_one};
use crate::chat::reply::steps::approve::{self, Verdict};
use crate::chat::reply::steps::row::{StoredCall, ToolCallStatus};
use crate::context::RequestContext;
use crate::error::{Error, Result, UserError, payload};
use crate::id::ToolCallId;
use crate::tool::grant::ToolGrantScope;

/// Which tools an answer may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum ReplyTools {
    /// Those of the chat.
    Auto,
    /// None.
    None,
}

/// A model's call of a tool.
#[derive(Debug, Clone)]
pub struct ToolCall(pub StoredCall);

/// The call with this id, if the viewer may see its answer.
///
/// # Errors
/// When Postgres fails.
pub async fn find(context: &Context<'_>, id: ToolCallId) -> Result<Option<ToolCall>> {
    Ok(load_one(context, CallOf(id)).await?.map(ToolCall))
}

/// A model's call of a tool.
#[Object]
impl ToolCall {
    /// Opaque and typed.
    pub async fn id(&self) -> ToolCallId {
        self.0.id
    }

    /// The answer that it is for.
    async fn generation(&self, context: &Context<'_>) -> Result<Answer> {
        let found = load_one(context, self.0.generation_id).await?;
        found
            .map(Answer::from)
            .ok_or_else(|| Error::not_found(&[], "generation"))
    }

    /// The turn of the model that asked, from 0: what it says between two calls is another turn.
    async fn step(&self) -> i32 {
        self.0.step
    }

    /// Its place among the calls of that turn, from 0.
    async fn position(&self) -> i32 {
        self.0.position
    }

    /// The name of the server that runs it; null for Parlor's own tools, and for tools that there are not.
    async fn server(&self) -> Option<&str> {
        self.0.server.as_deref()
    }

    /// The tool, as its server calls it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is called with, as the model wrote it: JSON, unless the model erred.
    async fn arguments(&self) -> &str {
        &self.0.arguments
    }

    /// Where it stands.
    async fn status(&self) -> ToolCallStatus {
        self.0.status
    }

    /// What the model is told about it: the tool's answer, or why there is none. Null until there is one.
    async fn result(&self) -> Option<&str> {
        self.0.result.as_deref()
    }

    /// When the model asked.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it began to run.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    /// When it was over.
    async fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.0.ended_at
    }
}

/// Which call to let run.
#[derive(Debug, InputObject)]
pub struct ApproveToolCallInput {
    /// A call that waits for an approval.
    tool_call_id: ToolCallId,
    /// For how long not to be asked again about this tool; without it, for this call only.
    remember: Option<ToolGrantScope>,
}

/// The result of `approveToolCall`.
#[derive(Debug, SimpleObject)]
pub struct ApproveToolCallPayload {
    /// The call as it is now.
    tool_call: Option<ToolCall>,
    /// The answer that it is for; it goes on once none of its calls waits any more.
    generation: Option<Answer>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which call to decline.
#[derive(Debug, InputObject)]
pub struct DenyToolCallInput {
    /// A call that waits for an approval.
    tool_call_id: ToolCallId,
}

/// The result of `denyToolCall`.
#[derive(Debug, SimpleObject)]
pub struct DenyToolCallPayload {
    /// The call as it is now.
    tool_call: Option<ToolCall>,
    /// The answer that it is for; it goes on once none of its calls waits any more, and the model is told of the refusal.
    generation: Option<Answer>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people say about calls of tools.
#[derive(Debug, Default)]
pub struct ToolCallMutation;

#[Object]
impl ToolCallMutation {
    /// Lets a call of a tool run. The answer goes on once none of its calls waits any more, also after a restart and
    /// whatever becomes of the client.
    async fn approve_tool_call(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which call.")] input: ApproveToolCallInput,
    ) -> Result<ApproveToolCallPayload> {
        let who = context.signed_in()?;
        let verdict = Verdict::Approved(input.remember);
        let decided = approve::decide(context.app(), who.user_id, input.tool_call_id, verdict).await;
        let (decided, errors) = payload(decided)?;
        let (call, generation) = decided.unzip();
        Ok(ApproveToolCallPayload {
            tool_call: call.map(ToolCall),
            generation: generation.map(Answer::from),
            errors,
        })
    }

    /// Declines a call of a tool. The model is told so, and goes on without it.
    async fn deny_tool_call(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which call.")] input: DenyToolCallInput,
    ) -> Result<DenyToolCallPayload> {
        let who = context.signed_in()?;
        let decided = approve::decide(context.app(), who.user_id, input.tool_call_id, Verdict::Denied).await;
        let (decided, errors) = payload(decided)?;
        let (call, generation) = decided.unzip();
        Ok(DenyToolCallPayload {
            tool_call: call.map(ToolCall),
            generation: generation.map(Answer::from),
            errors,
        })
    }
}
