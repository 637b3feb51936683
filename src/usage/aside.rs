//! Asking a model in the background: for a title, for a summary. It is counted, paid and limited like an answer.

use diesel_async::AsyncConnection;
use futures_util::StreamExt;

use super::tab::Tab;
use super::terms::{Asker, AttemptOutcome, Terms};
use super::{budget, ledger};
use crate::ai::{Delta, Endpoint, Failure, FailureKind, Request, tokens};
use crate::app::App;
use crate::error::{Error, Result};

/// A question that nobody watches.
#[derive(Debug)]
pub struct Aside {
    /// For whom and what for.
    pub asker: Asker,
    /// Where it is put; nothing is on it yet.
    pub tab: Tab,
    /// Where to ask, with which key.
    pub endpoint: Endpoint,
    /// What to ask.
    pub request: Request,
}

/// Asks and waits for the whole answer. What goes wrong with the provider or the budget is the inner failure.
///
/// # Errors
/// When Postgres fails.
pub async fn ask(app: &App, aside: Aside) -> Result<Result<String, Failure>> {
    let Aside {
        asker,
        tab,
        endpoint,
        mut request,
    } = aside;
    let expected = request
        .turns
        .iter()
        .map(|turn| tokens::count(turn.text()))
        .fold(0, u32::saturating_add);
    tab.ask(asker, expected);
    let mut connection = app.connection().await?;
    let opened = connection
        .transaction(async |connection| ledger::open(connection, &tab).await)
        .await;
    drop(connection);
    match opened {
        Ok(()) => {}
        Err(Error::Rejected(errors)) => {
            let why = errors.into_iter().next().map(|error| error.message);
            return Ok(Err(Failure::new(FailureKind::BudgetExceeded, why.unwrap_or_default())));
        }
        Err(error) => return Err(error),
    }
    request.max_output_tokens = tab.cap(request.max_output_tokens);
    let answer = read(app, &tab, endpoint, request).await;
    let (outcome, error) = match &answer {
        Ok(_) => (AttemptOutcome::Completed, None),
        Err(failure) if failure.broke_off() => (AttemptOutcome::Interrupted, Some(failure.kind)),
        Err(failure) => (AttemptOutcome::Failed, Some(failure.kind)),
    };
    tab.ended(outcome, error);
    settle_now(app, &tab).await?;
    Ok(answer)
}

async fn read(app: &App, tab: &Tab, endpoint: Endpoint, request: Request) -> Result<String, Failure> {
    let mut text = String::new();
    let mut answer = app.ai().stream(endpoint, request);
    while let Some(item) = answer.next().await {
        let enough = match item? {
            Delta::Text(piece) => {
                text.push_str(&piece);
                tab.wrote(&piece)
            }
            Delta::Reasoning(piece) => tab.thought(&piece),
            Delta::Started {
                provider_request_id, ..
            } => {
                tab.accepted(provider_request_id.as_deref());
                true
            }
            Delta::Usage(usage) => {
                tab.told(&usage);
                true
            }
            Delta::Retrying { kind, .. } => {
                tab.repeated(kind);
                true
            }
            Delta::Finished { .. } => return Ok(text),
            Delta::ToolCall(_) | Delta::Replay(_) | Delta::Headroom(_) => true,
        };
        if !enough && !budget::cover(app, tab).await.unwrap_or(false) {
            return Err(Failure::new(FailureKind::BudgetExceeded, "the budget is used up"));
        }
    }
    Err(Failure::new(
        FailureKind::Interrupted,
        "the stream ended without an end",
    ))
}

/// Stores the ends of a tab's ended attempts in a transaction of their own: between the steps of an answer, and where
/// there is none.
///
/// # Errors
/// When Postgres fails.
pub async fn settle_now(app: &App, tab: &Tab) -> Result<()> {
    let mut connection = app.upkeep_connection().await?;
    connection
        .transaction(async |connection| ledger::settle(connection, tab).await)
        .await?;
    let ended = tab.entries().into_iter().filter(|entry| entry.end.is_some());
    tab.settled(&ended.map(|entry| entry.id).collect::<Vec<_>>());
    Ok(())
}

/// Opens another attempt on a tab, such as the next step of an answer or the model that takes over, in a transaction of
/// its own.
///
/// # Errors
/// BUDGET_EXCEEDED, PRICE_UNKNOWN, or when Postgres fails; then the tab's new attempt has ended, or is gone while
/// Postgres is away.
pub async fn open_next(app: &App, tab: &Tab, terms: Terms, expected_input: u32) -> Result<()> {
    tab.begin(terms, expected_input);
    let opened = async {
        let mut connection = app.upkeep_connection().await?;
        connection
            .transaction(async |connection| ledger::open(connection, tab).await)
            .await
    };
    let opened = opened.await;
    match &opened {
        // It may be tried again.
        Err(Error::Unavailable(_)) => tab.withdraw(),
        Err(_) => tab.ended(AttemptOutcome::Failed, Some(FailureKind::BudgetExceeded)),
        Ok(()) => {}
    }
    opened
}
