//! One answer, from the first request to its closing transaction.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::{FutureExt, StreamExt};

use super::closing::{self, Outcome};
use super::live::{Channel, Ending, Live, Notice};
use super::payer::Payer;
use crate::ai::{Delta, Failure, FailureKind};
use crate::app::App;
use crate::chat::plan::Plan;
use crate::vault::key::{self, UsedKey, Verdict};

/// The longest pause between two attempts to store an answer's end.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Makes an answer, and stores its end whatever happens.
pub(super) async fn run(app: App, live: Arc<Live>, plan: Plan) {
    let made = AssertUnwindSafe(make(app.clone(), Arc::clone(&live), plan))
        .catch_unwind()
        .await;
    if made.is_err() {
        tracing::error!(generation = %live.id, "the task of an answer panicked");
        let failure = Failure::new(FailureKind::Internal, "the task panicked");
        close(&app, &live, &Outcome::Failed(failure)).await;
    }
}

async fn make(app: App, live: Arc<Live>, plan: Plan) {
    let Plan { lane, request, .. } = plan;
    let Payer { endpoint, key, .. } = lane.payer;
    let answer = app.ai().stream(endpoint, request);
    let outcome = tokio::select! {
        biased;
        ending = live.ending() => match ending {
            Ending::Stopped => Outcome::Stopped,
            Ending::Interrupted => Outcome::Interrupted,
        },
        outcome = read(&live, answer) => outcome,
    };
    // Leaving the select has dropped the provider's stream, and with it the connection.
    if let Outcome::Failed(failure) = &outcome {
        tracing::warn!(generation = %live.id, kind = failure.kind.name(), status = failure.http_status, request = failure.provider_request_id, detail = failure.detail, "an answer failed");
    }
    match &outcome {
        // Who hears that a key was refused looks at the key next.
        Outcome::Failed(failure) => {
            note_health(&app, key.as_ref(), Verdict::Refused(failure.kind)).await;
            close(&app, &live, &outcome).await;
        }
        Outcome::Completed(_) => {
            close(&app, &live, &outcome).await;
            note_health(&app, key.as_ref(), Verdict::Accepted).await;
        }
        Outcome::Stopped | Outcome::Interrupted => {
            close(&app, &live, &outcome).await;
            note_health(&app, key.as_ref(), Verdict::Unknown).await;
        }
    }
}

async fn read(live: &Live, mut answer: crate::ai::Answer) -> Outcome {
    while let Some(item) = answer.next().await {
        match item {
            Ok(Delta::Text(text)) => live.push(Channel::Answer, &text, Utc::now()),
            Ok(Delta::Reasoning(text)) => live.push(Channel::Reasoning, &text, Utc::now()),
            Ok(Delta::Started {
                provider_request_id, ..
            }) => live.started(provider_request_id),
            Ok(Delta::Usage(usage)) => live.used(usage),
            Ok(Delta::Retrying { attempt, after, kind }) => {
                tracing::info!(generation = %live.id, attempt, ?after, kind = kind.name(), "asking the provider again");
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

/// Stores the end; when Postgres is away, again and again until it is back or the server stops.
async fn close(app: &App, live: &Live, outcome: &Outcome) {
    let progress = live.progress();
    let mut pause = Duration::from_millis(50);
    loop {
        let stored = async {
            let _turn = app.engine().closing_turn().await;
            let mut connection = app.upkeep_connection().await?;
            closing::finish(&mut connection, live.id, outcome, Some(&progress)).await
        };
        match stored.await {
            Ok(closed) => {
                if closed.is_some_and(|closed| closed.calls_for_work) {
                    app.jobs().wake();
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
