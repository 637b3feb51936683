//! Delivering one thing: signed as Standard Webhooks says, again and again for about a day, and nowhere else than to the
//! address that was given.

use std::time::Duration;

use chrono::Utc;
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret;
use url::Url;

use super::body::Told;
use super::change::Fared;
use super::log::{WebhookDelivery, WebhookDeliveryState};
use super::row::{Webhook, WebhookDisabledReason};
use super::{body, change};
use crate::ai::{Reach, guard};
use crate::app::App;
use crate::db::schema::webhook_deliveries;
use crate::error::{Error, Result};
use crate::id::WebhookDeliveryId;
use crate::vault::envelope::Binding;

/// How long to wait after each attempt but the last; about a day in all.
const PAUSES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 60 * 60),
    Duration::from_secs(5 * 60 * 60),
    Duration::from_secs(8 * 60 * 60),
    Duration::from_secs(8 * 60 * 60),
];
/// How long a webhook may fail before it is disabled with the next delivery that is given up.
const LASTING: chrono::Duration = chrono::Duration::days(1);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came of an attempt.
struct Attempt {
    status: Option<StatusCode>,
    error: Option<&'static str>,
    /// Whether it kept us waiting for nothing.
    silent: bool,
}

/// Tries to deliver, and notes what came of it.
///
/// # Errors
/// When Postgres fails, or what is stored cannot be read.
pub(super) async fn attempt(app: &App, webhook: &Webhook, delivery: &WebhookDelivery) -> Result<()> {
    let told = match body::of(app, webhook, delivery).await? {
        Told::Now(told) => told,
        Told::Later(wait) => {
            diesel::update(webhook_deliveries::table.find(delivery.id))
                .set(webhook_deliveries::next_at.eq(Utc::now() + wait))
                .execute(&mut *app.connection().await?)
                .await?;
            return Ok(());
        }
        Told::Nothing => return finish(app, delivery.id, WebhookDeliveryState::Skipped).await,
    };
    let attempt = deliver(app, webhook, delivery, told.to_string()).await?;
    settle(app, webhook, delivery, &attempt).await
}

async fn finish(app: &App, id: WebhookDeliveryId, state: WebhookDeliveryState) -> Result<()> {
    let columns = (
        webhook_deliveries::state.eq(state),
        webhook_deliveries::finished_at.eq(now),
    );
    diesel::update(webhook_deliveries::table.find(id))
        .set(columns)
        .execute(&mut *app.connection().await?)
        .await?;
    Ok(())
}

async fn deliver(app: &App, webhook: &Webhook, delivery: &WebhookDelivery, body: String) -> Result<Attempt> {
    let failed = |error| Attempt {
        status: None,
        error: Some(error),
        silent: false,
    };
    let Ok(url) = Url::parse(&webhook.url) else {
        return Ok(failed("The address is none."));
    };
    let Ok(http) = app.ai().connections(&url, &Reach::User(app.reachable())) else {
        return Ok(failed("This server does not connect to that address."));
    };
    let headers = headers(app, webhook, delivery, &body)?;
    let sent = http.post(url).headers(headers).body(body).timeout(PATIENCE).send();
    // Of the answer nothing is read but how it went.
    Ok(match sent.await {
        Ok(answer) => {
            let status = answer.status();
            let words = match status {
                _ if status.is_success() => None,
                _ if status.is_redirection() => {
                    Some("It points elsewhere, which is not followed. Give the address itself.")
                }
                _ => Some("It answers with an error."),
            };
            Attempt {
                status: Some(status),
                error: words,
                silent: false,
            }
        }
        Err(error) if guard::refusal_behind(&error).is_some() => failed("That address is not a public one."),
        Err(error) if error.is_timeout() => Attempt {
            silent: true,
            ..failed("It does not answer in time.")
        },
        Err(_) => failed("It cannot be reached."),
    })
}

fn headers(app: &App, webhook: &Webhook, delivery: &WebhookDelivery, body: &str) -> Result<HeaderMap> {
    let secret = app
        .vault()
        .open_sealed(&Binding::of_webhook(webhook.id, webhook.owner_id), &webhook.sealed)?;
    let odd = |_| Error::internal("a webhook's secret that is none");
    let signer = standardwebhooks::Webhook::new(secret.expose_secret()).map_err(odd)?;
    let (id, at) = (delivery.id.to_string(), Utc::now().timestamp());
    let signature = signer.sign(&id, at, body.as_bytes()).map_err(odd)?;
    let value = |text: &str| HeaderValue::from_str(text).map_err(Error::surprise);
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(standardwebhooks::HEADER_WEBHOOK_ID, value(&id)?);
    headers.insert(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP, value(&at.to_string())?);
    headers.insert(standardwebhooks::HEADER_WEBHOOK_SIGNATURE, value(&signature)?);
    Ok(headers)
}

/// Notes what came of an attempt.
async fn settle(app: &App, webhook: &Webhook, delivery: &WebhookDelivery, attempt: &Attempt) -> Result<()> {
    let gone = attempt.status == Some(StatusCode::GONE);
    let well = attempt.error.is_none();
    let before = usize::try_from(delivery.attempts).unwrap_or_default();
    let wait = PAUSES.get(before).copied().filter(|_| !well && !gone);
    let state = match (well, wait) {
        (true, _) => WebhookDeliveryState::Delivered,
        (false, Some(_)) => WebhookDeliveryState::Pending,
        (false, None) => WebhookDeliveryState::Failed,
    };
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| {
            let columns = (
                webhook_deliveries::state.eq(state),
                webhook_deliveries::attempts.eq(delivery.attempts + 1),
                webhook_deliveries::response_status.eq(attempt.status.map(|status| i32::from(status.as_u16()))),
                webhook_deliveries::error.eq(attempt.error),
                webhook_deliveries::finished_at.eq(wait.is_none().then(Utc::now)),
                webhook_deliveries::next_at.eq(Utc::now() + wait.unwrap_or_default()),
            );
            diesel::update(webhook_deliveries::table.find(delivery.id))
                .set(columns)
                .execute(connection)
                .await?;
            let fared = match (well, attempt.silent) {
                (true, _) => Fared::Well,
                (false, false) => Fared::Badly,
                (false, true) => Fared::Silently,
            };
            let since = change::fared(connection, webhook.id, fared).await?;
            let lasting = since.is_some_and(|since| Utc::now() - since >= LASTING);
            if gone {
                change::disable(connection, webhook.id, WebhookDisabledReason::Gone).await?;
            } else if state == WebhookDeliveryState::Failed && lasting {
                change::disable(connection, webhook.id, WebhookDisabledReason::Failing).await?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    app.log().wake();
    Ok(())
}
