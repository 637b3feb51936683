//! The answer as clients see it, and its stream.

use async_graphql::{Context, Enum, Interface, Object, SimpleObject};
use chrono::{DateTime, Utc};
use tokio::sync::OnceCell;

use super::failure::{GenerationError, GenerationErrorCode};
use super::loader::{CachedOf, CallsOf, PayerOf, TextOf, load_one};
use super::tool_call::ToolCall;
use crate::account::api::load_user;
use crate::account::user::User;
use crate::ai::{FailureKind, Provider};
use crate::chat::message::Message;
use crate::chat::reply::generation::{Generation, GenerationStatus, KeySource, StoredText};
use crate::chat::reply::live::{Channel, Notice};
use crate::chat::reply::watch::Watched;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::id::GenerationId;
use crate::scalar::{Decimal, Long};
use crate::usage::terms::CostState;
use crate::vault::api::ProviderName;

/// What an answer used and cost, all its attempts together: as the provider counts, or else as counted here.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct TokenUsage {
    /// Tokens of the prompt, cached ones included.
    input_tokens: Long,
    /// Tokens of the prompt that the provider had cached.
    cached_input_tokens: Long,
    /// Tokens of the answer, reasoning included.
    output_tokens: Long,
    /// Tokens of the reasoning.
    reasoning_tokens: Long,
    /// Prompt and answer together.
    total_tokens: Long,
    /// What it cost, in USD; null when nobody knows the price, which is not the same as nothing.
    cost_usd: Option<Decimal>,
    /// How sure these figures are.
    cost_state: CostState,
    /// The prices that it was charged by; null when nobody knows them.
    price_version: Option<String>,
}

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum FinishReason {
    /// It had said everything.
    Stop,
    /// It had reached the longest answer allowed.
    Length,
    /// The provider's filter stopped it.
    ContentFilter,
    /// It wants to use a tool.
    ToolCalls,
    /// Something else.
    Other,
}

/// An answer's row, and its text as this request sees it: text and sequence belong together, so they are read once.
#[derive(Debug, Clone)]
pub struct Answer {
    row: Generation,
    text: OnceCell<StoredText>,
}

impl From<Generation> for Answer {
    fn from(row: Generation) -> Self {
        Answer {
            row,
            text: OnceCell::new(),
        }
    }
}

impl Answer {
    /// An answer whose stored text was read with its row.
    fn with_text(row: Generation, text: String) -> Self {
        let stored = StoredText {
            sequence: row.sequence,
            reasoning: row.reasoning.clone(),
            text,
        };
        Answer {
            row,
            text: OnceCell::new_with(Some(stored)),
        }
    }

    async fn text_now(&self, context: &Context<'_>) -> Result<&StoredText> {
        let read = async || match context.app().engine().live(self.row.id) {
            Some(live) => {
                let progress = live.progress();
                let reasoning = (!progress.reasoning.is_empty()).then_some(progress.reasoning);
                Ok(StoredText {
                    sequence: progress.sequence,
                    text: progress.text,
                    reasoning,
                })
            }
            // Removed since its row was read: an event will say so, and this one need not fail for it.
            None => Ok(load_one(context, TextOf(self.row.id))
                .await?
                .unwrap_or_else(|| StoredText {
                    sequence: self.row.sequence,
                    text: String::new(),
                    reasoning: self.row.reasoning.clone(),
                })),
        };
        self.text.get_or_try_init(read).await
    }
}

/// One AI answer. It belongs to no request: it goes on when everybody leaves, and its text is kept when it fails.
#[Object(name = "Generation")]
impl Answer {
    /// Opaque and typed.
    pub async fn id(&self) -> GenerationId {
        self.row.id
    }

    /// The message that the answer is written into.
    async fn message(&self, context: &Context<'_>) -> Result<Message> {
        load_one(context, self.row.message_id)
            .await?
            .ok_or_else(|| Error::not_found(&[], "message"))
    }

    /// Where it stands.
    async fn status(&self) -> GenerationStatus {
        self.row.status
    }

    /// Whose model answers.
    async fn provider(&self) -> Option<ProviderName> {
        self.row.provider.parse::<Provider>().ok().map(Into::into)
    }

    /// The model that answers.
    async fn model(&self) -> &str {
        &self.row.model
    }

    /// Who asked; null when the account is gone.
    async fn asked_by(&self, context: &Context<'_>) -> Result<Option<User>> {
        load_user(context, self.row.user_id).await
    }

    /// Who pays, with a key of their own or from their budget for the server's: whoever asked, unless it is in a group whose
    /// owner pays. Null when the account is gone.
    async fn payer(&self, context: &Context<'_>) -> Result<Option<User>> {
        match load_one(context, PayerOf(self.row.id)).await? {
            Some(id) => load_user(context, id).await,
            None => Ok(None),
        }
    }

    /// Whose key pays.
    async fn key_source(&self) -> KeySource {
        self.row.key_source
    }

    /// Whether it was not asked for: an earlier answer to the same question, given again. It used and cost nothing.
    async fn cached(&self, context: &Context<'_>) -> Result<bool> {
        Ok(load_one(context, CachedOf(self.row.id)).await?.is_some())
    }

    /// The text so far: everything up to the delta numbered `sequence`.
    async fn text(&self, context: &Context<'_>) -> Result<&str> {
        Ok(&self.text_now(context).await?.text)
    }

    /// What the model showed of its thinking so far.
    async fn reasoning(&self, context: &Context<'_>) -> Result<Option<&str>> {
        Ok(self.text_now(context).await?.reasoning.as_deref())
    }

    /// The number of the last delta in `text` and `reasoning`; give it to `generationEvents(after:)`.
    async fn sequence(&self, context: &Context<'_>) -> Result<i32> {
        Ok(self.text_now(context).await?.sequence)
    }

    /// What it used; null while nobody knows.
    async fn usage(&self) -> Option<TokenUsage> {
        let (input, output) = (self.row.input_tokens?, self.row.output_tokens?);
        Some(TokenUsage {
            input_tokens: Long(input),
            cached_input_tokens: Long(self.row.cached_input_tokens.unwrap_or_default()),
            output_tokens: Long(output),
            reasoning_tokens: Long(self.row.reasoning_tokens.unwrap_or_default()),
            total_tokens: Long(input + output),
            cost_usd: self.row.cost_micro_usd.map(Decimal),
            cost_state: self.row.cost_state.unwrap_or(CostState::Estimated),
            price_version: self.row.price_version.clone(),
        })
    }

    /// Why there is no complete answer; null unless it failed or broke off.
    async fn error(&self, context: &Context<'_>) -> Result<Option<GenerationError>> {
        let Some(code) = self.row.error_code.as_deref() else {
            return Ok(None);
        };
        let kind = code.to_lowercase().parse().unwrap_or(FailureKind::Internal);
        let error = GenerationError::new(
            kind,
            &self.row.provider,
            self.row.error_retry_after_seconds,
            self.row.provider_request_id.clone(),
        );
        let viewer = context.signed_in()?.user_id;
        // Whoever asked for it in a chat of their own pays for it, too.
        let payer = match error.is_about_paying() {
            true => load_one(context, PayerOf(self.row.id)).await?,
            false => None,
        };
        Ok(Some(match payer {
            Some(payer) if payer != viewer => error.told_to_others(),
            _ => error,
        }))
    }

    /// Why the model stopped; null unless it said so.
    async fn finish_reason(&self) -> Option<FinishReason> {
        Some(match self.row.finish_reason.as_deref()? {
            "STOP" => FinishReason::Stop,
            "LENGTH" => FinishReason::Length,
            "CONTENT_FILTER" => FinishReason::ContentFilter,
            "TOOL_CALLS" => FinishReason::ToolCalls,
            _ => FinishReason::Other,
        })
    }

    /// The tools that the model has called so far, in order.
    async fn tool_calls(&self, context: &Context<'_>) -> Result<Vec<ToolCall>> {
        let calls = load_one(context, CallsOf(self.row.id)).await?.unwrap_or_default();
        Ok(calls.into_iter().map(ToolCall).collect())
    }

    /// When it was asked for.
    async fn queued_at(&self) -> DateTime<Utc> {
        self.row.queued_at
    }

    /// When the model's first word came.
    async fn first_token_at(&self) -> Option<DateTime<Utc>> {
        self.row.first_token_at
    }

    /// How long the model's first word took, in milliseconds from the question; null until it came.
    async fn first_token_ms(&self) -> Option<i32> {
        let took = self.row.first_token_at? - self.row.queued_at;
        // Two clocks: the database's and the server's.
        Some(took.num_milliseconds().max(0).try_into().unwrap_or(i32::MAX))
    }

    /// How fast it was written, from its first word to its end; null while it is, when nobody knows how many tokens it has,
    /// and when no model wrote it.
    async fn tokens_per_second(&self) -> Option<f64> {
        let took = self.row.finished_at? - self.row.first_token_at?;
        let seconds = took.to_std().ok()?.as_secs_f64();
        let tokens = u32::try_from(self.row.output_tokens?).ok()?;
        (seconds > 0.0 && tokens > 0).then(|| f64::from(tokens) / seconds)
    }

    /// When it ended.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.row.finished_at
    }
}

/// What happens to an answer.
#[derive(Debug, Interface)]
#[graphql(
    field(name = "generation_id", ty = "&async_graphql::ID", desc = "Which answer."),
    field(
        name = "sequence",
        ty = "&i32",
        desc = "The number of the last delta that the client has then; give it to `after` when reconnecting."
    )
)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way out")]
pub enum GenerationEvent {
    /// Everything so far.
    Snapshot(GenerationSnapshot),
    /// What comes next.
    Delta(GenerationDelta),
    /// The provider is about to be asked again.
    Retrying(GenerationRetrying),
    /// Another model takes over.
    FellBack(GenerationFellBack),
    /// A tool is called, or has answered.
    ToolCall(GenerationToolCall),
    /// The end.
    Finished(GenerationFinished),
}

/// Everything so far: replaces what the client holds. The first event, unless `after` could be continued.
#[derive(Debug, SimpleObject)]
pub struct GenerationSnapshot {
    /// Which answer.
    generation_id: async_graphql::ID,
    /// The number of the last delta in it.
    sequence: i32,
    /// The text so far.
    text: String,
    /// What the model showed of its thinking so far.
    reasoning: Option<String>,
}

/// What comes next: append it. One delta may hold several tokens that came close together.
#[derive(Debug, SimpleObject)]
pub struct GenerationDelta {
    /// Which answer.
    generation_id: async_graphql::ID,
    /// Its number; may grow by more than one when tokens travel together.
    sequence: i32,
    /// Which text it continues.
    channel: Channel,
    /// What to append.
    text: String,
}

/// The provider failed before the first word, and is about to be asked again. Nothing to do: the answer may still come.
#[derive(Debug, SimpleObject)]
pub struct GenerationRetrying {
    /// Which answer.
    generation_id: async_graphql::ID,
    /// Its number.
    sequence: i32,
    /// 1 for the first repetition.
    attempt: i32,
    /// How many milliseconds pass before it.
    after_ms: i32,
    /// What went wrong.
    code: GenerationErrorCode,
}

/// The provider failed before the first word, and another one, or another model, takes over.
#[derive(Debug, SimpleObject)]
pub struct GenerationFellBack {
    /// Which answer.
    generation_id: async_graphql::ID,
    /// Its number.
    sequence: i32,
    /// Whose model takes over.
    provider: ProviderName,
    /// Which model takes over.
    model: String,
    /// What went wrong with the one before.
    code: GenerationErrorCode,
}

/// A tool is called, or a call stands otherwise than before: put it in the place of the one with the same id. Not
/// repeated on reconnecting: `Generation.toolCalls` has them all.
#[derive(Debug, SimpleObject)]
pub struct GenerationToolCall {
    /// Which answer.
    generation_id: async_graphql::ID,
    /// Its number.
    sequence: i32,
    /// The call as it stands now.
    tool_call: ToolCall,
}

/// The end, whatever the outcome. It comes once, after everything else is stored, and the stream completes.
#[derive(Debug, SimpleObject)]
pub struct GenerationFinished {
    /// Which answer.
    generation_id: async_graphql::ID,
    /// The number of its last delta.
    sequence: i32,
    /// The answer as it ended.
    generation: Answer,
}

impl GenerationEvent {
    /// The event for what a watcher of `id` is told.
    pub fn new(id: GenerationId, watched: Watched) -> Self {
        let generation_id = async_graphql::ID::from(id);
        match watched {
            Watched::Snapshot {
                text,
                reasoning,
                sequence,
            } => GenerationEvent::Snapshot(GenerationSnapshot {
                generation_id,
                sequence,
                text,
                reasoning,
            }),
            Watched::Piece(piece) => GenerationEvent::Delta(GenerationDelta {
                generation_id,
                sequence: piece.sequence,
                channel: piece.channel,
                text: piece.text,
            }),
            Watched::Notice { sequence, notice } => match notice {
                Notice::Retrying { attempt, after, code } => GenerationEvent::Retrying(GenerationRetrying {
                    generation_id,
                    sequence,
                    attempt: attempt.try_into().unwrap_or(i32::MAX),
                    after_ms: after.as_millis().try_into().unwrap_or(i32::MAX),
                    code: code.into(),
                }),
                Notice::FellBack { provider, model, code } => GenerationEvent::FellBack(GenerationFellBack {
                    generation_id,
                    sequence,
                    provider: provider.into(),
                    model,
                    code: code.into(),
                }),
                Notice::ToolCall(call) => GenerationEvent::ToolCall(GenerationToolCall {
                    generation_id,
                    sequence,
                    tool_call: ToolCall(*call),
                }),
            },
            Watched::Finished { generation, text } => GenerationEvent::Finished(GenerationFinished {
                generation_id,
                sequence: generation.sequence,
                generation: Answer::with_text(*generation, text),
            }),
        }
    }
}
