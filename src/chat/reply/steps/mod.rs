//! An answer in several steps: the model asks for tools, they run, and it goes on with what they gave.
//!
//! ```text
//! ask the model ─ no calls ─ done
//!   │ calls
//! store the turn and its calls ─ one needs a person ─ park: WAITING_FOR_APPROVAL, and the task ends
//!   │                                                          ⋮ approved: another task goes on from here
//! run them, tell the model what came of them, and again
//! ```
//!
//! Whatever is wrong with a tool is told to the model and fails no answer. Everything is in Postgres before it happens,
//! so that an answer can wait for days, and be gone on with by another process.

pub mod approve;
pub mod row;

mod again;
mod park;
mod window;

use chrono::Utc;
use diesel_async::AsyncConnection;
use futures_util::future::join_all;

use self::row::{NewCall, Step, StepRow, StoredCall, ToolCallStatus};
use self::window::Window;
use super::cache;
use super::closing::{Outcome, Waiting};
use super::live::{Live, Notice};
use super::run::{Said, ask, spent};
use crate::ai::{Endpoint, Failure, FailureKind, FinishReason, Headroom, Request, ToolCall};
use crate::app::App;
use crate::chat::plan::Plan;
use crate::error::{Error, Result};
use crate::id::ToolCallId;
use crate::tool::builtin::Caller;
use crate::tool::offer::{self, Offer, Target};
use crate::usage::terms::{Asker, AttemptOutcome, Purpose};
use crate::usage::{aside, ledger};
use crate::vault::key::UsedKey;

pub(super) use self::again::again;
pub(super) use self::park::park;

/// The most calls that one answer may make: enough for real work, few enough that a model in a circle ends soon.
const MOST_CALLS: usize = 16;
/// The most turns of the model in one answer.
const MOST_STEPS: usize = 20;
/// The most bytes of arguments that are kept.
const ARGUMENT_BYTES: usize = 64 * 1024;

/// What a model is asked, and what it may use.
#[derive(Debug)]
pub struct Work {
    /// Where to ask.
    pub endpoint: Endpoint,
    /// What.
    pub request: Request,
    /// How many tokens that is, about.
    pub input_tokens: u32,
    /// How much of its steps the model can read.
    window: Window,
    /// The tools.
    pub offer: Offer,
    /// Whether an earlier answer may be given again.
    pub from_cache: bool,
    /// Whether this one may be given again later.
    pub cacheable: bool,
    /// The steps that were made already, of an answer that waited.
    pub before: Vec<Step>,
}

impl Work {
    /// What a plan comes to, after these steps, and the key that is used for it.
    pub(super) fn of(plan: Plan, before: Vec<Step>) -> (Self, Option<UsedKey>) {
        let window = Window::of(&plan);
        let Plan {
            lane,
            request,
            offer,
            from_cache,
            cacheable,
            input_tokens,
            ..
        } = plan;
        let work = Work {
            endpoint: lane.payer.endpoint,
            request,
            input_tokens,
            window,
            offer,
            from_cache,
            cacheable,
            before,
        };
        (work, lane.payer.key)
    }
}

/// What a step has led to.
enum Next {
    /// The model is to be told what came of its calls.
    Ask,
    /// The answer ends here, or waits.
    End(Outcome),
}

/// Makes an answer, step by step.
pub(super) async fn answer(app: &App, live: &Live, work: Work, headroom: &mut Option<Headroom>) -> Outcome {
    let Work {
        endpoint,
        mut request,
        input_tokens,
        window,
        offer,
        from_cache,
        cacheable,
        before,
    } = work;
    // The first attempt at a new answer was opened with it.
    let mut opened = before.is_empty();
    let key = cache::key(app, &endpoint, &request).filter(|_| opened && cacheable);
    if let Some(key) = key.as_ref().filter(|_| from_cache)
        && let Some(outcome) = cache::answer(app, live, key).await
    {
        return outcome;
    }
    let mut calls_before = 0;
    let mut is_told = false;
    let mut step = 0;
    for mut done in before {
        calls_before += done.calls.len();
        step += 1;
        if let Err(outcome) = run_all(app, live, &offer, &mut done).await {
            return outcome;
        }
        request.turns.extend(done.turns());
    }
    loop {
        live.begin_step();
        let Some(steps) = window.fit(&mut request) else {
            let words = "the steps of the answer are more than the model can read";
            return Outcome::Failed(Failure::new(FailureKind::ContextTooLong, words));
        };
        if !opened && let Err(outcome) = open(app, live, input_tokens.saturating_add(steps)).await {
            return outcome;
        }
        opened = false;
        let mut said = Said::default();
        let outcome = ask(app, live, endpoint.clone(), request.clone(), (&mut said, headroom)).await;
        let cut = matches!(
            outcome,
            Outcome::Completed(FinishReason::Length | FinishReason::ContentFilter)
        );
        if !matches!(outcome, Outcome::Completed(_)) || cut || said.calls.is_empty() || offer.is_empty() {
            // What is signed of the last step alone is not the whole answer.
            if let Some(replay) = said.replay.filter(|_| step == 0) {
                live.replay(replay);
            }
            if let Some(key) = key.filter(|_| step == 0 && said.calls.is_empty()) {
                live.keep_as(key);
            }
            return outcome;
        }
        if step >= MOST_STEPS || is_told {
            return Outcome::Completed(FinishReason::ToolCalls);
        }
        // What this step cost is known, and how long the tools take is not.
        let tab = live.tab();
        tab.ended(AttemptOutcome::Completed, None);
        if let Err(error) = app.patiently(|| aside::settle_now(app, &tab)).await {
            return fault(live, &error);
        }
        let mut asked = Step {
            row: StepRow::new(live.id, number(step), &said.text, said.replay.as_ref()),
            calls: Vec::new(),
        };
        let calls = decide(live, &offer, step, &said.calls, calls_before);
        calls_before += calls.len();
        // Once more, so that it can answer with what it knows.
        is_told = calls_before > MOST_CALLS;
        step += 1;
        match take(app, live, &offer, &mut asked, &calls).await {
            Next::Ask => request.turns.extend(asked.turns()),
            Next::End(outcome) => return outcome,
        }
    }
}

/// Opens the attempt of the next step, if the budget pays for it.
async fn open(app: &App, live: &Live, expected_input: u32) -> Result<(), Outcome> {
    let tab = live.tab();
    // Of the model that answers now, which may be a substitute.
    let terms = tab.current().map(|entry| entry.terms).or_else(|| tab.terms());
    let Some(terms) = terms else { return Ok(()) };
    let opened = app.patiently(|| async {
        match tab.asker() {
            Some(_) => aside::open_next(app, &tab, terms.clone(), expected_input).await,
            None => open_first(app, live, expected_input).await,
        }
    });
    opened.await.map_err(|error| match error {
        Error::Rejected(_) => spent(),
        error => fault(live, &error),
    })
}

/// Opens the first attempt after an answer has waited.
async fn open_first(app: &App, live: &Live, expected_input: u32) -> Result<()> {
    let tab = live.tab();
    let asker = Asker {
        user_id: live.user_id,
        // Only answers that use tools come here, and none of a group does.
        payer_id: live.user_id,
        chat_id: Some(live.chat_id),
        generation_id: Some(live.id),
        purpose: Purpose::Answer,
    };
    let mut connection = app.upkeep_connection().await?;
    tab.ask(asker, expected_input);
    let opened = connection.transaction(async |connection| ledger::open(connection, &tab).await);
    opened.await.inspect_err(|_| tab.withdraw())
}

/// Stores a step and does it, unless a person is needed.
async fn take(app: &App, live: &Live, offer: &Offer, step: &mut Step, calls: &[NewCall]) -> Next {
    if calls.iter().any(|call| call.status == ToolCallStatus::PendingApproval) {
        return Next::End(Outcome::Waiting(Box::new(Waiting {
            row: step.row.clone(),
            calls: calls.to_vec(),
        })));
    }
    let stored = app.patiently(|| store(app, &step.row, calls)).await;
    match stored {
        Ok(Some(stored)) => step.calls = stored,
        Ok(None) => return Next::End(Outcome::Interrupted),
        Err(error) => return Next::End(fault(live, &error)),
    }
    for call in &step.calls {
        live.notice(Notice::ToolCall(Box::new(call.clone())));
    }
    match run_all(app, live, offer, step).await {
        Ok(()) => Next::Ask,
        Err(outcome) => Next::End(outcome),
    }
}

async fn store(app: &App, row: &StepRow, calls: &[NewCall]) -> Result<Option<Vec<StoredCall>>> {
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| Ok(row::insert(connection, row, calls).await?))
        .await
}

/// What becomes of a model's calls: which may run, which have to be approved, and which are hopeless.
fn decide(live: &Live, offer: &Offer, step: usize, calls: &[ToolCall], before: usize) -> Vec<NewCall> {
    let decided = calls.iter().enumerate().map(|(position, call)| {
        let found = offer.find(&call.name);
        let hopeless = if before + position >= MOST_CALLS {
            Some("No more tools may be used for this answer. Answer with what you know.")
        } else if found.is_none() {
            Some("There is no tool of this name.")
        } else if call.arguments.len() > ARGUMENT_BYTES {
            Some("The arguments are too long. Call the tool again with shorter ones.")
        } else {
            None
        };
        let status = match (hopeless, found) {
            (Some(_), _) => ToolCallStatus::Failed,
            (None, Some(found)) if found.asks => ToolCallStatus::PendingApproval,
            (None, _) => ToolCallStatus::Queued,
        };
        let (server, name) = match found.map(|found| &found.target) {
            Some(Target::Server { server, name }) => (Some(server), name.clone()),
            Some(Target::Builtin(builtin)) => (None, builtin.name().to_owned()),
            None => (None, call.name.clone()),
        };
        // Nothing is kept of what will never run; and a name that the model made up is written so that every provider
        // takes it back.
        let keeps = hopeless.is_none();
        let function = if found.is_some() {
            call.name.clone()
        } else {
            offer::plain_name(&call.name)
        };
        let clean = |text: &str| text.replace('\0', "\u{FFFD}");
        NewCall {
            id: ToolCallId::new(),
            generation_id: live.id,
            step: number(step),
            position: number(position),
            call_id: clean(&call.id),
            function,
            tool_server_id: server.map(|server| server.id),
            server: server.map(|server| server.name.clone()),
            name: clean(&name),
            arguments: if keeps { clean(&call.arguments) } else { "{}".to_owned() },
            status,
            result: hopeless.map(str::to_owned),
            ended_at: hopeless.map(|_| Utc::now()),
        }
    });
    decided.collect()
}

/// Runs those calls of a step that may run and have not.
async fn run_all(app: &App, live: &Live, offer: &Offer, step: &mut Step) -> Result<(), Outcome> {
    let runs = step.calls.iter_mut().filter(|call| !call.status.is_final());
    let runs = join_all(runs.map(|call| run_one(app, live, offer, call))).await;
    runs.into_iter().collect()
}

async fn run_one(app: &App, live: &Live, offer: &Offer, call: &mut StoredCall) -> Result<(), Outcome> {
    let id = call.id;
    let begun = app.patiently(|| async { Ok(row::begin(&mut *app.connection().await?, id).await?) });
    note(live, call, begun.await)?;
    let caller = Caller {
        user_id: live.user_id,
        chat_id: live.chat_id,
    };
    // The server may have been switched off, or moved out of the chat, while a person thought about it.
    let found = offer.find(&call.function);
    let same = found.filter(|found| match &found.target {
        Target::Server { server, name } => Some(server.id) == call.tool_server_id && *name == call.name,
        Target::Builtin(_) => call.tool_server_id.is_none(),
    });
    let outcome = match same {
        Some(found) => found.target.run(app, caller, &call.arguments).await,
        None => crate::tool::Outcome::failed("This tool is not available any more."),
    };
    let ended = app.patiently(|| async { Ok(row::end(&mut *app.connection().await?, id, &outcome).await?) });
    note(live, call, ended.await)
}

/// Tells those who watch how a call stands now.
fn note(live: &Live, call: &mut StoredCall, changed: Result<Option<StoredCall>>) -> Result<(), Outcome> {
    match changed {
        Ok(Some(changed)) => {
            *call = changed;
            live.notice(Notice::ToolCall(Box::new(call.clone())));
            Ok(())
        }
        // The answer has ended, or its chat is gone.
        Ok(None) => Err(Outcome::Interrupted),
        Err(error) => Err(fault(live, &error)),
    }
}

fn fault(live: &Live, error: &Error) -> Outcome {
    tracing::error!(%error, generation = %live.id, "cannot store a step of an answer");
    let words = "a step could not be stored";
    Outcome::Failed(Failure::new(FailureKind::Internal, words))
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
