//! How keys fare: what an answer has shown of its key, told to its owner when it makes a difference.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::json;

use super::key::{StoredKey, UsedKey};
use crate::ai::{FailureKind, Headroom};
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::api_keys;
use crate::error::Result;
use crate::event::{Audience, NewEvent, append};
use crate::id::{ApiKeyId, UserId};

/// A key fares otherwise than before.
pub const KEY_HEALTH_CHANGED: &str = "key.health";

/// How much later a key has to be asked to wait than it is waiting already, to be worth telling.
const WORTH_TELLING: TimeDelta = TimeDelta::seconds(5);

/// The event of a key that fares otherwise than before.
pub(super) fn changed(user_id: UserId, id: ApiKeyId) -> NewEvent {
    NewEvent::new(Audience::User(user_id), KEY_HEALTH_CHANGED, json!({ "apiKeyId": id.0 }))
}

/// What an answer has shown of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// What the provider did.
    pub verdict: Verdict,
    /// How long it asked to wait.
    pub wait: Option<Duration>,
    /// What it said is left of the key's limits.
    pub headroom: Option<Headroom>,
}

/// What a provider did with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It answered.
    Accepted,
    /// It refused, for this reason.
    Refused(FailureKind),
    /// It did not get to say.
    Unknown,
}

impl From<Verdict> for Report {
    fn from(verdict: Verdict) -> Self {
        Report {
            verdict,
            wait: None,
            headroom: None,
        }
    }
}

#[derive(AsChangeset)]
#[diesel(table_name = api_keys)]
struct Now {
    last_used_at: DateTime<Utc>,
    last_verified_at: Option<Option<DateTime<Utc>>>,
    last_error_code: Option<Option<String>>,
    last_error_at: Option<Option<DateTime<Utc>>>,
    throttled_until: Option<Option<DateTime<Utc>>>,
    requests_limit: Option<Option<i64>>,
    requests_remaining: Option<Option<i64>>,
    tokens_limit: Option<Option<i64>>,
    tokens_remaining: Option<Option<i64>>,
    headroom_resets_at: Option<Option<DateTime<Utc>>>,
    headroom_at: Option<Option<DateTime<Utc>>>,
}

/// Notes what an answer has shown of its key, and tells its owner when it makes a difference. That it could not be noted
/// is no reason for anything else to fail.
pub async fn report(app: &App, used: &UsedKey, report: Report) {
    let noted = async { note(&mut *app.connection().await?, used, report).await };
    match noted.await {
        Ok(true) => app.log().wake(),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, key = %used.id, "cannot note how a key fares"),
    }
}

/// Notes what an answer has shown of its key, unless the key was replaced meanwhile. Returns whether its owner is told:
/// wake the log then.
///
/// # Errors
/// When Postgres fails.
pub async fn note(connection: &mut Connection, used: &UsedKey, report: Report) -> Result<bool> {
    connection
        .transaction(async |connection| {
            let row = api_keys::table
                .find(used.id)
                .filter(api_keys::fingerprint.eq(&used.fingerprint));
            let before: Option<StoredKey> = row
                .select(StoredKey::as_select())
                .for_no_key_update()
                .first(connection)
                .await
                .optional()?;
            let Some(before) = before else { return Ok(false) };
            let now = now();
            let changes = changes(&before, report, now);
            diesel::update(row).set(&changes).execute(connection).await?;
            let tells = is_news(&before, &changes);
            if tells {
                append(connection, [changed(before.user_id(), before.id)]).await?;
            }
            Ok(tells)
        })
        .await
}

/// To the microsecond, as Postgres keeps it.
fn now() -> DateTime<Utc> {
    let now = Utc::now();
    DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
}

fn changes(before: &StoredKey, report: Report, now: DateTime<Utc>) -> Now {
    let mut changes = Now {
        last_used_at: now,
        last_verified_at: None,
        last_error_code: None,
        last_error_at: None,
        throttled_until: None,
        requests_limit: None,
        requests_remaining: None,
        tokens_limit: None,
        tokens_remaining: None,
        headroom_resets_at: None,
        headroom_at: None,
    };
    if let Some(headroom) = report.headroom {
        let count = |count: Option<u64>| Some(count.and_then(|count| i64::try_from(count).ok()));
        changes.requests_limit = count(headroom.requests_limit);
        changes.requests_remaining = count(headroom.requests_remaining);
        changes.tokens_limit = count(headroom.tokens_limit);
        changes.tokens_remaining = count(headroom.tokens_remaining);
        changes.headroom_resets_at = Some(headroom.resets_after.and_then(|after| later(now, after)));
        changes.headroom_at = Some(Some(now));
    }
    let waits = before.throttled_until.filter(|until| *until > now);
    match report.verdict {
        Verdict::Accepted => {
            changes.last_verified_at = Some(Some(now));
            changes.last_error_code = Some(None);
            changes.last_error_at = Some(None);
            changes.throttled_until = waits.map(|_| None);
        }
        Verdict::Refused(kind) if speaks_of_the_key(kind) => {
            changes.last_error_code = Some(Some(kind.name().to_uppercase()));
            changes.last_error_at = Some(Some(now));
            let until = report.wait.and_then(|wait| later(now, wait));
            let later = until.filter(|until| waits.is_none_or(|waits| *until > waits + WORTH_TELLING));
            changes.throttled_until = later.map(Some);
        }
        Verdict::Refused(_) | Verdict::Unknown => {}
    }
    changes
}

fn later(now: DateTime<Utc>, after: Duration) -> Option<DateTime<Utc>> {
    now.checked_add_signed(TimeDelta::from_std(after).ok()?)
}

/// Whether its owner would see a difference.
fn is_news(before: &StoredKey, after: &Now) -> bool {
    let was_never_asked = before.last_verified_at.is_none() && before.last_error_code.is_none();
    let code = after.last_error_code.as_ref();
    code.is_some_and(|code| *code != before.last_error_code)
        || after
            .throttled_until
            .is_some_and(|until| until != before.throttled_until)
        || (was_never_asked && after.last_verified_at.is_some())
}

fn speaks_of_the_key(kind: FailureKind) -> bool {
    use FailureKind::{KeyInvalid, KeyMissing, QuotaExceeded, RateLimited};
    matches!(kind, KeyInvalid | KeyMissing | QuotaExceeded | RateLimited)
}
