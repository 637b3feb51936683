//! The job that wakes one browser for one message: web push (RFC 8030), encrypted for the browser alone (RFC 8291).

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use web_push_native::p256::PublicKey;
use web_push_native::{Auth, WebPushBuilder};

use super::content::Shown;
use super::places::Place;
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
/// After how many refusals in a row a browser is forgotten.
const MOST_REFUSALS: i32 = 5;
/// How long a push service may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// When a push is tried again to a person to whom enough are on their way.
const CROWDED: Duration = Duration::from_secs(1);

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
    /// When it was called for.
    since: Option<DateTime<Utc>>,
}

/// What there is to do.
enum Wanted<'a> {
    /// To push this.
    Now(Box<(PushSubscription, Shown)>, Place<'a>),
    /// To look again.
    Later(Duration),
    /// Nothing.
    Nothing,
}

fn run(app: App, payload: Value) -> Running {
    Box::pin(async move {
        let task: Task =
            serde_json::from_value(payload).map_err(|error| Trouble::hopeless(format!("unreadable: {error}")))?;
        match still_wanted(&app, &task).await? {
            Wanted::Now(told, _place) => send(&app, &told.0, &told.1).await,
            Wanted::Later(wait) => Err(Trouble::postpone(wait)),
            Wanted::Nothing => Ok(()),
        }
    })
}

/// What there is to do, as things are now.
async fn still_wanted<'a>(app: &'a App, task: &Task) -> Result<Wanted<'a>> {
    let mut connection = app.connection().await?;
    let Some(browser) = subscription::find(&mut connection, task.subscription_id).await? else {
        return Ok(Wanted::Nothing);
    };
    let Some(place) = app.pushes().place(browser.user_id) else {
        return Ok(Wanted::Later(CROWDED));
    };
    let concerned = rules::concerned(&mut connection, &[task.message_id], Some(browser.user_id)).await?;
    if concerned.is_empty() {
        return Ok(Wanted::Nothing);
    }
    // Its own session's streams are this browser's; those of others say nothing of it.
    if live::streams(app, &mut connection, browser.user_id, browser.session_id).await? {
        let left = task.since.and_then(live::left);
        return Ok(left.map_or(Wanted::Nothing, Wanted::Later));
    }
    let shown = Shown::read(&mut connection, task.message_id).await?;
    Ok(shown.map_or(Wanted::Nothing, |shown| Wanted::Now(Box::new((browser, shown)), place)))
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
    let left = shown
        .expires_at
        .map(|at| (at - Utc::now()).to_std().unwrap_or_default());
    let kept = left.unwrap_or(KEPT).min(KEPT);
    let builder = WebPushBuilder::new(endpoint, key, Auth::from(auth)).with_valid_duration(kept);
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
        let well = (
            push_subscriptions::last_pushed_at.eq(diesel::dsl::now),
            push_subscriptions::refusals.eq(0),
        );
        diesel::update(row)
            .set(well)
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
        _ => {
            // Of this once it may be the message's fault; of one after the other it is the subscription's.
            let mut connection = app.connection().await?;
            diesel::delete(row.filter(push_subscriptions::refusals.ge(MOST_REFUSALS - 1)))
                .execute(&mut connection)
                .await?;
            diesel::update(row)
                .set(push_subscriptions::refusals.eq(push_subscriptions::refusals + 1))
                .execute(&mut connection)
                .await?;
            Err(Trouble::hopeless(format!("the push service says {status}")))
        }
    }
}
