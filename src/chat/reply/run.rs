//! One answer, from the first request to its closing transaction.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::{FutureExt, StreamExt};

use super::closing::{self, Outcome};
use super::fallback;
use super::live::{Channel, Ending, Live, Notice};
use super::payer::Payer;
use crate::ai::{Delta, Endpoint, Failure, FailureKind, FinishReason, Request};
use crate::app::App;
use crate::chat::plan::Plan;
use crate::usage::budget;
use crate::usage::tab::Tab;
use crate::vault::key::{self, UsedKey, Verdict};

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

/// Asks one model after the other, as long as none has said a word.
async fn make(app: App, live: Arc<Live>, plans: Vec<Plan>) {
    let mut plans = plans.into_iter();
    let mut next = plans.next();
    while let Some(plan) = next.take() {
        let (outcome, key) = attempt(&app, &live, plan).await;
        if let Outcome::Failed(failure) = &outcome {
            tracing::warn!(generation = %live.id, kind = failure.kind.name(), status = failure.http_status, request = failure.provider_request_id, detail = failure.detail, "an answer failed");
            if let Some(substitute) = plans.next().filter(|_| live.is_silent()) {
                note_health(&app, key.as_ref(), Verdict::Refused(failure.kind)).await;
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
        end(&app, &live, outcome, key).await;
    }
}

/// Asks one model.
async fn attempt(app: &App, live: &Live, plan: Plan) -> (Outcome, Option<UsedKey>) {
    let Plan { lane, mut request, .. } = plan;
    let Payer { endpoint, key, .. } = lane.payer;
    let tab = live.tab();
    let wanted = request.max_output_tokens;
    request.max_output_tokens = tab.cap(wanted);
    let outcome = tokio::select! {
        biased;
        ending = live.ending() => match ending {
            Ending::Stopped => Outcome::Stopped,
            Ending::Interrupted => Outcome::Interrupted,
            Ending::Lost => Outcome::Lost,
        },
        outcome = ask(app, live, endpoint, request) => outcome,
    };
    // Leaving the select has dropped the provider's stream, and with it the connection.
    let outcome = match outcome {
        Outcome::Completed(FinishReason::Length) if tab.is_capped(wanted) => spent(),
        outcome => outcome,
    };
    (outcome, key)
}

/// Stores the end, and what it says about the key.
async fn end(app: &App, live: &Live, outcome: Outcome, key: Option<UsedKey>) {
    if outcome.decides() {
        // At once, not only when the end is stored: every further word of the others is paid for in vain.
        app.engine().outrun(live);
    }
    match &outcome {
        // Who hears that a key was refused looks at the key next.
        Outcome::Failed(failure) => {
            note_health(app, key.as_ref(), Verdict::Refused(failure.kind)).await;
            close(app, live, &outcome).await;
        }
        Outcome::Completed(_) => {
            close(app, live, &outcome).await;
            note_health(app, key.as_ref(), Verdict::Accepted).await;
        }
        Outcome::Stopped | Outcome::Interrupted | Outcome::Lost => {
            close(app, live, &outcome).await;
            note_health(app, key.as_ref(), Verdict::Unknown).await;
        }
    }
}

/// Asks, if the budget pays for what is asked.
async fn ask(app: &App, live: &Live, endpoint: Endpoint, request: Request) -> Outcome {
    match budget::cover(app, &live.tab()).await {
        Ok(true) => read(app, live, app.ai().stream(endpoint, request)).await,
        Ok(false) => spent(),
        Err(error) => {
            tracing::error!(%error, generation = %live.id, "cannot hold a part of the budget");
            Outcome::Failed(Failure::new(FailureKind::Internal, "the budget could not be read"))
        }
    }
}

fn spent() -> Outcome {
    Outcome::Failed(Failure::new(FailureKind::BudgetExceeded, "the budget is used up"))
}

async fn read(app: &App, live: &Live, mut answer: crate::ai::Answer) -> Outcome {
    let tab = live.tab();
    while let Some(item) = answer.next().await {
        match item {
            Ok(Delta::Text(text)) => {
                live.push(Channel::Answer, &text, Utc::now());
                if !tab.wrote(&text) && !covered(app, &tab).await {
                    return spent();
                }
            }
            Ok(Delta::Reasoning(text)) => {
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
            // Of no use here: no tools are offered, and what is left of a key's limits is nobody's business yet.
            Ok(Delta::ToolCall(_) | Delta::Replay(_) | Delta::Headroom(_)) => {}
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
async fn close(app: &App, live: &Live, outcome: &Outcome) {
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
    app.engine().forget(live.id);
    app.log().wake();
    live.finish();
}

async fn note_health(app: &App, key: Option<&UsedKey>, verdict: Verdict) {
    let Some(key) = key else { return };
    let noted = async {
        let mut connection = app.connection().await?;
        key::note_health(&mut connection, key, verdict).await
    };
    if let Err(error) = noted.await {
        tracing::warn!(%error, "cannot note a key's health");
    }
}
