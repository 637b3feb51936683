//! The end of an answer: its outcome, and the one transaction that stores it.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::cache;
use super::generation::{self, GenerationStatus};
use super::race;
use super::replay;
use super::steps::row::{self, NewCall, StepRow};
use crate::ai::{Failure, FailureKind, FinishReason, Replay, tokens};
use crate::chat::{event, title};
use crate::db::schema::{chats, generations, messages};
use crate::db::{Connection, prepared};
use crate::error::{Error, Result, whole_seconds};
use crate::event::append;
use crate::id::{ChatId, GenerationId, MessageId, UserId};
use crate::model::catalogue::Catalogue;
use crate::usage::tab::{Figures, Tab};
use crate::usage::terms::{AttemptOutcome, CostState};
use crate::usage::{self, ledger};

/// The longest text whose tokens are counted in passing: about two milliseconds.
const INLINE_BYTES: usize = 32 * 1024;

/// How an answer ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The model said that it is done.
    Completed(FinishReason),
    /// The provider refused or failed, or broke off.
    Failed(Failure),
    /// Somebody stopped it.
    Stopped,
    /// The process that ran it ended.
    Interrupted,
    /// Another lane of its race was faster.
    Lost,
    /// A person has to approve calls of tools: it has not ended, and is parked.
    Waiting(Box<Waiting>),
}

/// What an answer waits with.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The turn of the model that called tools.
    pub row: StepRow,
    /// The calls, of which a person has to approve some.
    pub calls: Vec<NewCall>,
}

/// What an answer has come to.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The text.
    pub text: String,
    /// What the model showed of its thinking.
    pub reasoning: String,
    /// The number of the last delta in both.
    pub sequence: i32,
    /// When the first one came.
    pub first_token_at: Option<DateTime<Utc>>,
    /// What its attempts use and cost.
    pub tab: Tab,
    /// The provider's own id for the call.
    pub provider_request_id: Option<String>,
    /// The answer as the provider wrote it, where that matters.
    pub replay: Option<Replay>,
    /// The question that it is the whole answer to, if the cache is on.
    pub keep_as: Option<cache::Key>,
}

#[derive(AsChangeset)]
#[diesel(table_name = generations)]
struct Final {
    status: GenerationStatus,
    sequence: Option<i32>,
    reasoning: Option<String>,
    finish_reason: Option<String>,
    error_code: Option<String>,
    error_retry_after_seconds: Option<i32>,
    provider_request_id: Option<String>,
    #[diesel(embed)]
    spent: Spent,
    raw_usage: Option<serde_json::Value>,
    first_token_at: Option<DateTime<Utc>>,
    finished_at: DateTime<Utc>,
}

/// What an answer came to, as its row keeps it.
#[derive(AsChangeset)]
#[diesel(table_name = generations)]
pub(in crate::chat) struct Spent {
    input_tokens: Option<i64>,
    cached_input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    cost_micro_usd: Option<i64>,
    cost_state: Option<CostState>,
    price_version: Option<String>,
}

impl From<Figures> for Spent {
    fn from(figures: Figures) -> Self {
        // Without a state there is nothing to tell: an answer whose attempts nobody knows.
        let known = |count: i64| figures.state.map(|_| count);
        Spent {
            input_tokens: known(figures.tokens.input),
            cached_input_tokens: known(figures.tokens.cached_input),
            output_tokens: known(figures.tokens.output),
            reasoning_tokens: known(figures.tokens.reasoning),
            cost_micro_usd: figures.cost.filter(|_| figures.state.is_some()),
            cost_state: figures.state,
            price_version: figures.price_version,
        }
    }
}

impl Outcome {
    /// Whether it decides a race: the answer is complete, or somebody wants no more of it.
    pub(super) fn decides(&self) -> bool {
        match self {
            Outcome::Completed(reason) => *reason != FinishReason::ContentFilter,
            Outcome::Stopped => true,
            Outcome::Failed(_) | Outcome::Interrupted | Outcome::Lost | Outcome::Waiting(_) => false,
        }
    }

    /// What it counts as when another lane has won already: who was complete a moment later was stopped, too.
    fn after_losing(&self) -> &Self {
        if self.decides() { &Outcome::Lost } else { self }
    }

    /// How the attempt that it came from ended.
    pub(super) fn of_attempt(&self) -> AttemptOutcome {
        match self {
            Outcome::Completed(FinishReason::ContentFilter) => AttemptOutcome::Failed,
            Outcome::Completed(_) => AttemptOutcome::Completed,
            Outcome::Stopped | Outcome::Lost => AttemptOutcome::Stopped,
            Outcome::Interrupted | Outcome::Waiting(_) => AttemptOutcome::Interrupted,
            Outcome::Failed(failure) if failure.broke_off() => AttemptOutcome::Interrupted,
            Outcome::Failed(_) => AttemptOutcome::Failed,
        }
    }

    /// Why there is no complete answer.
    pub(super) fn error(&self) -> Option<FailureKind> {
        match self {
            Outcome::Completed(FinishReason::ContentFilter) => Some(FailureKind::ContentFiltered),
            Outcome::Completed(_) | Outcome::Stopped | Outcome::Lost => None,
            Outcome::Interrupted | Outcome::Waiting(_) => Some(FailureKind::Interrupted),
            Outcome::Failed(failure) => Some(failure.kind),
        }
    }
}

impl Final {
    fn new(outcome: &Outcome, progress: Option<&Progress>) -> Self {
        let (status, finish_reason, error, retry_after) = match outcome {
            // What the provider withholds is no answer, however politely it ends.
            Outcome::Completed(reason @ FinishReason::ContentFilter) => (
                GenerationStatus::Failed,
                Some(reason.name()),
                Some(FailureKind::ContentFiltered),
                None,
            ),
            Outcome::Completed(reason) => (GenerationStatus::Completed, Some(reason.name()), None, None),
            Outcome::Stopped | Outcome::Lost => (GenerationStatus::Stopped, None, None, None),
            // One that cannot wait has broken off.
            Outcome::Interrupted | Outcome::Waiting(_) => (
                GenerationStatus::Interrupted,
                None,
                Some(FailureKind::Interrupted),
                None,
            ),
            Outcome::Failed(failure) if failure.broke_off() => {
                (GenerationStatus::Interrupted, None, Some(failure.kind), None)
            }
            Outcome::Failed(failure) => (GenerationStatus::Failed, None, Some(failure.kind), failure.retry_after),
        };
        let figures = progress.map(|progress| progress.tab.figures());
        let spent = Spent::from(figures.unwrap_or_default());
        let last = progress.and_then(|progress| progress.tab.current());
        Final {
            status,
            sequence: progress.map(|progress| progress.sequence),
            reasoning: progress
                .map(|progress| progress.reasoning.clone())
                .filter(|reasoning| !reasoning.is_empty()),
            finish_reason: finish_reason.map(str::to_uppercase),
            error_code: error.map(|kind| kind.name().to_uppercase()),
            error_retry_after_seconds: retry_after.map(|wait| whole_seconds(wait).try_into().unwrap_or(i32::MAX)),
            provider_request_id: match outcome {
                Outcome::Failed(failure) => failure.provider_request_id.clone(),
                _ => None,
            }
            .or_else(|| progress.and_then(|progress| progress.provider_request_id.clone())),
            raw_usage: last.and_then(|last| last.raw_usage()),
            spent,
            first_token_at: progress.and_then(|progress| progress.first_token_at),
            finished_at: Utc::now(),
        }
    }
}

/// What the end of an answer has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The answers that have lost the race against it and are to be stopped.
    pub lost: Vec<GenerationId>,
    /// Whether jobs were called for: the worker is to be woken.
    pub calls_for_work: bool,
}

/// Ends an answer, with its text and its event, in one transaction. Returns none when it had ended before or is
/// gone. Without `progress` what was stored last is kept; then it is ended only if nobody runs it: its lease is out (a
/// dead process' answer), or it waits for a person who stops it. What is left of its calls of tools is cancelled.
///
/// # Errors
/// When Postgres fails.
pub async fn finish(
    connection: &mut Connection,
    models: &Catalogue,
    id: GenerationId,
    outcome: &Outcome,
    progress: Option<&Progress>,
) -> Result<Option<Closed>> {
    // Counted before anything is locked.
    let tokens = match progress {
        Some(progress) => Some(count_tokens(&progress.text).await?),
        None => None,
    };
    connection
        .transaction(async |connection| {
            let ended = end(connection, models, id, (outcome, tokens), progress).await?;
            // Also when the answer is gone: what it cost is not.
            if let Some(progress) = progress {
                ledger::settle(connection, &progress.tab).await?;
            }
            Ok(ended)
        })
        .await
}

async fn end(
    connection: &mut Connection,
    models: &Catalogue,
    id: GenerationId,
    (outcome, tokens): (&Outcome, Option<i32>),
    progress: Option<&Progress>,
) -> Result<Option<Closed>> {
    type Begun = (ChatId, Option<GenerationId>, bool);
    let begun: Option<Begun> = generations::table
        .find(id)
        .select((generations::chat_id, generations::lanes_of, generations::race))
        .first(connection)
        .await
        .optional()?;
    let Some((chat_id, lanes_of, race)) = begun else {
        return Ok(None);
    };
    let race = lanes_of.filter(|_| race);
    // The chat's lock first: it orders the event.
    let titled: Option<title::Titled> = chats::table
        .find(chat_id)
        .select(title::Titled::as_select())
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?;
    let Some(titled) = titled else { return Ok(None) };
    let has_lost = race.is_some() && race::is_lost(connection, chat_id, id).await?;
    let outcome = if has_lost { outcome.after_losing() } else { outcome };
    let changes = Final::new(outcome, progress);
    let completed = changes.status == GenerationStatus::Completed;
    let mut open = diesel::update(generations::table)
        .filter(generations::id.eq(id))
        .filter(generations::finished_at.is_null())
        .into_boxed();
    open = match (progress, changes.status) {
        (Some(_), _) => open,
        (None, GenerationStatus::Stopped) => open.filter(generations::lease_expires_at.is_null()),
        (None, _) => open.filter(generations::lease_expires_at.lt(now)),
    };
    type Ended = (MessageId, UserId, String, String);
    // Not kept prepared: what it sets has hundreds of forms.
    let ended: Option<Ended> = open
        .set(changes)
        .returning((
            generations::message_id,
            generations::user_id,
            generations::provider,
            generations::model,
        ))
        .get_result(connection)
        .await
        .optional()?;
    let Some((message_id, user_id, provider, model)) = ended else {
        return Ok(None);
    };
    row::cancel(connection, id).await?;
    if progress.is_none() {
        recover(connection, models, id).await?;
    }
    // The text of a tombstone is gone.
    let text = match progress {
        _ if has_lost => Some(("", None)),
        Some(progress) => Some((progress.text.as_str(), tokens)),
        None => None,
    };
    let message = diesel::update(messages::table.find(message_id));
    match text {
        Some((text, tokens)) => {
            let whole = message.set((
                messages::content.eq(text),
                messages::tokens.eq(tokens),
                messages::version.eq(messages::version + 1),
            ));
            prepared(whole).execute(connection).await?
        }
        // What its checkpoints have left is said for good now: named as set, it can be found.
        None => {
            message
                .set((
                    messages::content.eq(messages::content),
                    messages::version.eq(messages::version + 1),
                ))
                .execute(connection)
                .await?
        }
    };

    let replay = progress.and_then(|progress| progress.replay.as_ref());
    if let Some(replay) = replay.filter(|_| completed) {
        replay::keep(connection, id, replay).await?;
    }
    let whole = matches!(outcome, Outcome::Completed(FinishReason::Stop));
    if let Some(progress) = progress.filter(|progress| whole && !progress.text.trim().is_empty())
        && let Some(key) = &progress.keep_as
    {
        cache::keep(connection, user_id, key, id).await?;
    }
    let grown = diesel::update(chats::table.find(chat_id)).set(chats::version.eq(chats::version + 1));
    prepared(grown).execute(connection).await?;
    let events = [
        event::message_updated(chat_id, message_id, &["CONTENT", "GENERATION"]),
        event::chat_upserted(chat_id),
    ];
    append(connection, events).await?;
    let lost = match race.filter(|_| !has_lost) {
        Some(race) => race::ended(connection, chat_id, race, id, outcome.decides()).await?,
        None => Vec::new(),
    };
    let calls_for_work = completed && title::wanted(connection, chat_id, &titled, (user_id, provider, model)).await?;
    Ok(Some(Closed { calls_for_work, lost }))
}

/// Settles what a dead process has left open.
async fn recover(connection: &mut Connection, models: &Catalogue, id: GenerationId) -> Result<()> {
    let stored = generation::texts(connection, &[id]).await?;
    let Some(stored) = stored.get(&id) else { return Ok(()) };
    // What it went on with was paid for before.
    let so_far = generation::octets_before(connection, id).await?;
    let text = stored.text.get(so_far..).unwrap_or_default();
    let reasoning = stored.reasoning.as_deref().unwrap_or_default();
    let steps = row::of(connection, id).await?;
    let settled = steps.iter().map(|step| tokens::count(&step.row.text)).sum();
    let figures = usage::recover::recover(connection, models, id, (text, settled), reasoning).await?;
    diesel::update(generations::table.find(id))
        .set(Spent::from(figures))
        .execute(connection)
        .await?;
    Ok(())
}

/// The tokens of a text; a long one is counted where it holds nobody up.
async fn count_tokens(text: &str) -> Result<i32> {
    let tokens = if text.len() <= INLINE_BYTES {
        tokens::count(text)
    } else {
        let text = text.to_owned();
        tokio::task::spawn_blocking(move || tokens::count(&text))
            .await
            .map_err(Error::surprise)?
    };
    Ok(i32::try_from(tokens).unwrap_or(i32::MAX))
}
