//! One answer, from the first request to its closing transaction.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::{FutureExt, StreamExt};

use super::activity;
use super::cache;
use super::closing::{self, Outcome};
use super::fallback;
use super::live::{Channel, Ending, Live, Notice};
use super::replay;
use super::steps::{self, Work};
use crate::ai::{Delta, Endpoint, Failure, FailureKind, FinishReason, Headroom, Replay, Request, ToolCall};
use crate::app::App;
use crate::chat::plan::Plan;
use crate::presence::wire::Doing;
use crate::usage::budget;
use crate::usage::tab::Tab;
use crate::vault::health::{self, Report, Verdict};
use crate::vault::key::UsedKey;

/// The longest pause between two attempts to store an answer's end.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Makes an answer, and stores its end whatever happens.
pub(super) async fn run(app: App, live: Arc<Live>, plans: Vec<Plan>) {
    let made = AssertUnwindSafe(make(app.clone(), Arc::clone(&live), plans))
        .catch_unwind()
        .await;
    if made.is_err() {
        tracing::error!(generation = %live.id, "the task of an answer panicked");
        let failure = Failure::new(FailureKind::Internal, "the task panicked");
        close(&app, &live, &Outcome::Failed(failure)).await;
    }
}

/// What came of asking one model.
pub(super) struct Asked {
    outcome: Outcome,
    key: Option<UsedKey>,
    headroom: Option<Headroom>,
}

/// Asks one model after the other, as long as none has said a word.
async fn make(app: App, live: Arc<Live>, plans: Vec<Plan>) {
    let mut plans = plans.into_iter();
    let mut next = plans.next();
    while let Some(plan) = next.take() {
        let asked = attempt(&app, &live, plan).await;
        if let Outcome::Failed(failure) = &asked.outcome {
            tracing::warn!(generation = %live.id, kind = failure.kind.name(), status = failure.http_status, request = failure.provider_request_id, detail = failure.detail, "an answer failed");
            if let Some(substitute) = plans.next().filter(|_| live.is_silent()) {
                note(&app, &asked).await;
                match fallback::fall_back(&app, &live, &substitute, failure.kind).await {
                    Ok(true) => {
                        next = Some(substitute);
                        continue;
                    }
                    // Stored as it is: the failure, of the one who was asked.
                    Ok(false) => {}
                    Err(error) => tracing::error!(%error, generation = %live.id, "cannot go over to another model"),
                }
            }
        }
        end(&app, &live, asked).await;
    }
}

/// Asks one model.
async fn attempt(app: &App, live: &Live, mut plan: Plan) -> Asked {
    restore(app, live, &mut plan).await;
    let (work, key) = Work::of(plan, Vec::new());
    do_work(app, live, work, key).await
}

/// Does the work of an answer until it ends, or has to wait.
pub(super) async fn do_work(app: &App, live: &Live, work: Work, key: Option<UsedKey>) -> Asked {
    let mut headroom = None;
    let outcome = tokio::select! {
        biased;
        ending = live.ending() => match ending {
            Ending::Stopped => Outcome::Stopped,
            Ending::Interrupted => Outcome::Interrupted,
            Ending::Lost => Outcome::Lost,
        },
        outcome = steps::answer(app, live, work, &mut headroom) => outcome,
    };
    // Leaving the select has dropped the provider's stream and the calls of tools, and with them the connections.
    // A key that nobody was asked with fares as before.
    let key = key.filter(|_| !cache::answered(live));
    Asked { outcome, key, headroom }
}

/// Stores the end, and what it says about the key; or parks what has to wait.
pub(super) async fn end(app: &App, live: &Live, mut asked: Asked) {
    if let Outcome::Waiting(waiting) = &asked.outcome {
        match steps::park(app, live, waiting).await {
            None => return note(app, &asked).await,
            Some(outcome) => asked.outcome = outcome,
        }
    }
    if asked.outcome.decides() {
        // At once, not only when the end is stored: every further word of the others is paid for in vain.
        app.engine().outrun(live);
    }
    // Who hears that a key was refused looks at the key next; a good answer waits for nothing.
    if matches!(asked.outcome, Outcome::Failed(_)) {
        note(app, &asked).await;
        close(app, live, &asked.outcome).await;
    } else {
        close(app, live, &asked.outcome).await;
        note(app, &asked).await;
    }
}

/// Puts back what providers have signed; without it the model gets the text.
pub(super) async fn restore(app: &App, live: &Live, plan: &mut Plan) {
    if !plan.lane.payer.endpoint.replays() {
        return;
    }
    let restored = async {
        let mut connection = app.connection().await?;
        replay::restore(&mut connection, plan).await
    };
    if let Err(error) = restored.await {
        tracing::warn!(%error, generation = %live.id, "cannot read what was signed");
    }
}

/// Asks, if the budget pays for what is asked.
pub(super) async fn ask(
    app: &App,
    live: &Live,
    endpoint: Endpoint,
    mut request: Request,
    (said, headroom): (&mut Said, &mut Option<Headroom>),
) -> Outcome {
    let tab = live.tab();
    let wanted = request.max_output_tokens;
    request.max_output_tokens = tab.cap(wanted);
    let outcome = match budget::cover(app, &tab).await {
        Ok(true) => read(app, live, app.ai().stream(endpoint, request), said, headroom).await,
        Ok(false) => spent(),
        Err(error) => {
            tracing::error!(%error, generation = %live.id, "cannot hold a part of the budget");
            Outcome::Failed(Failure::new(FailureKind::Internal, "the budget could not be read"))
        }
    };
    match outcome {
        Outcome::Completed(FinishReason::Length) if tab.is_capped(wanted) => spent(),
        outcome => outcome,
    }
}

/// What a model has said in one step, besides what is shown of it.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The text, byte for byte.
    pub(super) text: String,
    /// The tools that it wants.
    pub(super) calls: Vec<ToolCall>,
    /// The turn as the provider wants it back.
    pub(super) replay: Option<Replay>,
}

pub(super) fn spent() -> Outcome {
    Outcome::Failed(Failure::new(FailureKind::BudgetExceeded, "the budget is used up"))
}

async fn read(
    app: &App,
    live: &Live,
    mut answer: crate::ai::Answer,
    said: &mut Said,
    headroom: &mut Option<Headroom>,
) -> Outcome {
    let tab = live.tab();
    while let Some(item) = answer.next().await {
        match item {
            Ok(Delta::Text(text)) => {
                activity::turn(app, live, Some(Doing::Writing));
                live.push(Channel::Answer, &text, Utc::now());
                said.text.push_str(&text);
                if !tab.wrote(&text) && !covered(app, &tab).await {
                    return spent();
                }
            }
            Ok(Delta::Reasoning(text)) => {
                activity::turn(app, live, Some(Doing::Thinking));
                live.push(Channel::Reasoning, &text, Utc::now());
                if !tab.thought(&text) && !covered(app, &tab).await {
                    return spent();
                }
            }
            Ok(Delta::Started {
                provider_request_id, ..
            }) => {
                tab.accepted(provider_request_id.as_deref());
                live.started(provider_request_id);
            }
            Ok(Delta::Usage(usage)) => tab.told(&usage),
            Ok(Delta::Retrying { attempt, after, kind }) => {
                tracing::info!(generation = %live.id, attempt, ?after, kind = kind.name(), "asking the provider again");
                tab.repeated(kind);
                live.notice(Notice::Retrying {
                    attempt,
                    after,
                    code: kind,
                });
            }
            Ok(Delta::Replay(replay)) => said.replay = Some(replay),
            Ok(Delta::Headroom(told)) => *headroom = Some(told),
            Ok(Delta::ToolCall(call)) => {
                let fits = tab.wrote(&call.arguments);
                said.calls.push(call);
                if !fits && !covered(app, &tab).await {
                    return spent();
                }
            }
            Ok(Delta::Finished { reason, .. }) => return Outcome::Completed(reason),
            Err(failure) => return Outcome::Failed(failure),
        }
    }
    Outcome::Failed(Failure::new(
        FailureKind::Interrupted,
        "the stream ended without an end",
    ))
}

/// Whether the budget pays for the next words. When Postgres is away it is looked at again after the next ones.
async fn covered(app: &App, tab: &Tab) -> bool {
    budget::cover(app, tab).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot hold more of a budget");
        true
    })
}

/// Stores the end; when Postgres is away, again and again until it is back or the server stops.
pub(super) async fn close(app: &App, live: &Live, outcome: &Outcome) {
    let progress = live.progress();
    progress.tab.ended(outcome.of_attempt(), outcome.error());
    let mut pause = Duration::from_millis(50);
    loop {
        let stored = async {
            let _turn = app.engine().closing_turn().await;
            let mut connection = app.upkeep_connection().await?;
            closing::finish(&mut connection, app.models(), live.id, outcome, Some(&progress)).await
        };
        match stored.await {
            Ok(closed) => {
                if let Some(closed) = closed {
                    app.engine().lose(&closed.lost);
                    if closed.calls_for_work {
                        app.jobs().wake();
                    }
                }
                break;
            }
            Err(error) => tracing::error!(%error, generation = %live.id, "cannot store the end of an answer"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = app.stopped().cancelled() => break,
        }
    }
    app.engine().forget(live);
    app.log().wake();
    activity::turn(app, live, None);
    live.finish();
}

async fn note(app: &App, asked: &Asked) {
    let Some(key) = &asked.key else { return };
    let (verdict, wait) = match &asked.outcome {
        Outcome::Failed(failure) => (Verdict::Refused(failure.kind), failure.retry_after),
        Outcome::Completed(_) | Outcome::Waiting(_) => (Verdict::Accepted, None),
        Outcome::Stopped | Outcome::Interrupted | Outcome::Lost => (Verdict::Unknown, None),
    };
    let report = Report {
        verdict,
        wait,
        headroom: asked.headroom,
    };
    health::report(app, key, report).await;
}
