//! The job that wakes one browser for one message: web push (RFC 8030), encrypted for the browser alone (RFC 8291).

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use web_push_native::p256::PublicKey;
use web_push_native::{Auth, WebPushBuilder};

use super::content::Shown;
use super::subscription::{self, PushSubscription};
use super::{live, rules};
use crate::ai::{Reach, guard};
use crate::app::App;
use crate::db::schema::push_subscriptions;
use crate::error::Result;
use crate::id::{MessageId, PushSubscriptionId};
use crate::job::{Kind, Running, Trouble};

/// How long a push service keeps what it cannot deliver.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a push service may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The kind of job.
pub const KIND: Kind = Kind {
    name: "notify.push",
    attempts: 6,
    limit: Duration::from_secs(45),
    run,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    subscription_id: PushSubscriptionId,
    message_id: MessageId,
}

fn run(app: App, payload: Value) -> Running {
    Box::pin(async move {
        let task: Task =
            serde_json::from_value(payload).map_err(|error| Trouble::hopeless(format!("unreadable: {error}")))?;
        let Some((browser, shown)) = still_wanted(&app, &task).await? else {
            return Ok(());
        };
        send(&app, &browser, &shown).await
    })
}

/// The browser and what to show; none when it is no news any more, or is seen anyway.
async fn still_wanted(app: &App, task: &Task) -> Result<Option<(PushSubscription, Shown)>> {
    let mut connection = app.connection().await?;
    let Some(browser) = subscription::find(&mut connection, task.subscription_id).await? else {
        return Ok(None);
    };
    if live::looks_on(app, &mut connection, browser.user_id).await? {
        return Ok(None);
    }
    let concerned = rules::concerned(&mut connection, &[task.message_id], Some(browser.user_id)).await?;
    if concerned.is_empty() {
        return Ok(None);
    }
    let shown = Shown::read(&mut connection, task.message_id).await?;
    Ok(shown.map(|shown| (browser, shown)))
}

async fn send(app: &App, browser: &PushSubscription, shown: &Shown) -> Result<(), Trouble> {
    let endpoint = Url::parse(&browser.endpoint).map_err(|_| Trouble::hopeless("an endpoint that is none"))?;
    let reach = Reach::User(app.reachable());
    let http = app
        .ai()
        .connections(&endpoint, &reach)
        .map_err(|failure| Trouble::hopeless(failure.to_string()))?;
    let mut request = request(browser, shown)?;
    let authorization = app.vapid().authorization(&endpoint)?;
    let authorization = HeaderValue::from_str(&authorization).map_err(|_| Trouble::hopeless("no header"))?;
    request.headers_mut().insert(header::AUTHORIZATION, authorization);
    let (head, body) = request.into_parts();
    let sent = http
        .post(endpoint)
        .headers(head.headers)
        .body(body)
        .timeout(PATIENCE)
        .send();
    let answer = sent.await.map_err(|error| match guard::refusal_behind(&error) {
        Some(refusal) => Trouble::hopeless(refusal.to_string()),
        None => Trouble::passing("the push service cannot be reached", None),
    })?;
    let wait = answer
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|after| after.to_str().ok()?.parse().ok());
    settle(app, browser, answer.status(), wait.map(Duration::from_secs)).await
}

fn request(browser: &PushSubscription, shown: &Shown) -> Result<http::Request<Vec<u8>>, Trouble> {
    let odd = || Trouble::hopeless("a push subscription that is none");
    let key = PublicKey::from_sec1_bytes(&browser.p256dh).map_err(|_| odd())?;
    let auth: [u8; 16] = browser.auth.as_slice().try_into().map_err(|_| odd())?;
    let endpoint = browser.endpoint.parse().map_err(|_| odd())?;
    let builder = WebPushBuilder::new(endpoint, key, Auth::from(auth)).with_valid_duration(KEPT);
    let mut request = builder.build(shown.to_json().to_string()).map_err(|_| odd())?;
    // Of several that a browser could not be given, the newest of a chat is enough.
    let topic = HeaderValue::from_str(&shown.chat_id.0.simple().to_string()).map_err(|_| odd())?;
    request.headers_mut().insert("topic", topic);
    request
        .headers_mut()
        .insert("urgency", HeaderValue::from_static("high"));
    Ok(request)
}

async fn settle(
    app: &App,
    browser: &PushSubscription,
    status: StatusCode,
    wait: Option<Duration>,
) -> Result<(), Trouble> {
    let row = push_subscriptions::table.find(browser.id);
    if status.is_success() {
        let now = push_subscriptions::last_pushed_at.eq(diesel::dsl::now);
        diesel::update(row)
            .set(now)
            .execute(&mut *app.connection().await?)
            .await?;
        return Ok(());
    }
    match status {
        // The browser is there no more, or wants nothing more.
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            diesel::delete(row).execute(&mut *app.connection().await?).await?;
            Ok(())
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Err(Trouble::passing(format!("the push service says {status}"), wait))
        }
        _ if status.is_server_error() => Err(Trouble::passing(format!("the push service says {status}"), wait)),
        _ => Err(Trouble::hopeless(format!("the push service says {status}"))),
    }
}
