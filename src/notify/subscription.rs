//! The browsers that somebody wants to be woken.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use url::Url;
use web_push_native::p256::PublicKey;

use super::{explained, reader};
use crate::account::viewer::SignedIn;
use crate::ai::guard::Allowed;
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{push_subscriptions, sessions, users};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{PushSubscriptionId, SessionId, UserId};

/// The most browsers of one person.
pub const MOST: i64 = 20;
/// The longest endpoint, in bytes.
const LONGEST: usize = 1_000;
/// The length of the secret that a browser shares with us.
const AUTH: usize = 16;

/// A browser that is to be woken.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = push_subscriptions, check_for_backend(diesel::pg::Pg))]
pub struct PushSubscription {
    /// Its id.
    pub id: PushSubscriptionId,
    /// Whose.
    pub user_id: UserId,
    /// The sign-in that it was registered with.
    pub session_id: SessionId,
    /// Where its push service takes messages for it.
    pub endpoint: String,
    /// Its public key.
    pub p256dh: Vec<u8>,
    /// The secret that it shares with us.
    pub auth: Vec<u8>,
    /// When its push service last took something.
    pub last_pushed_at: Option<DateTime<Utc>>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// Shows of the endpoint, whose path is a secret, only whose it is.
impl std::fmt::Debug for PushSubscription {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("PushSubscription");
        shown.field("id", &self.id).field("service", &self.service());
        shown.finish_non_exhaustive()
    }
}

impl PushSubscription {
    /// The origin of its push service.
    pub fn service(&self) -> String {
        let url = Url::parse(&self.endpoint);
        url.map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
    }
}

/// What a browser gives to be woken by.
#[derive(Debug)]
pub struct NewSubscription {
    endpoint: String,
    p256dh: Vec<u8>,
    auth: Vec<u8>,
}

impl NewSubscription {
    /// Checks what a browser gives.
    ///
    /// # Errors
    /// INVALID for what no browser gives, or BASE_URL_NOT_ALLOWED.
    pub fn check(allowed: &Allowed, endpoint: &str, p256dh: Option<Vec<u8>>, auth: Option<Vec<u8>>) -> Result<Self> {
        let invalid = |field: &str, words: &str| Error::rejected(ErrorCode::Invalid, &[field], words);
        let url = Url::parse(endpoint).ok().filter(|_| endpoint.len() <= LONGEST);
        let url = url.ok_or_else(|| invalid("endpoint", "Give the endpoint of the browser's push subscription."))?;
        allowed
            .check(&url)
            .map_err(|refusal| Error::rejected(ErrorCode::BaseUrlNotAllowed, &["endpoint"], explained(refusal)))?;
        let p256dh = p256dh.filter(|key| PublicKey::from_sec1_bytes(key).is_ok());
        let p256dh =
            p256dh.ok_or_else(|| invalid("p256dh", "Give the key p256dh of the browser's push subscription."))?;
        let auth = auth.filter(|auth| auth.len() == AUTH);
        let auth = auth.ok_or_else(|| invalid("auth", "Give the key auth of the browser's push subscription."))?;
        Ok(NewSubscription {
            endpoint: endpoint.to_owned(),
            p256dh,
            auth,
        })
    }
}

/// Registers a browser, or registers it anew: whoever signed in on it last has it.
///
/// # Errors
/// LIMIT_REACHED.
pub async fn register(app: &App, who: &SignedIn, new: NewSubscription) -> Result<PushSubscription> {
    let mut connection = app.connection().await?;
    let registered = connection
        .transaction(async |connection| {
            reader::wake(connection).await?;
            let person = users::table.find(who.user_id).select(users::id).for_no_key_update();
            person.first::<UserId>(connection).await?;
            let others = push_subscriptions::table
                .filter(push_subscriptions::user_id.eq(who.user_id))
                .filter(push_subscriptions::endpoint.ne(&new.endpoint))
                .count();
            if others.get_result::<i64>(connection).await? >= MOST {
                let message = format!("You have {MOST} push subscriptions. Remove one first.");
                return Err(Error::rejected(ErrorCode::LimitReached, &[], message));
            }
            let columns = (
                push_subscriptions::user_id.eq(who.user_id),
                push_subscriptions::session_id.eq(who.session_id),
                push_subscriptions::p256dh.eq(&new.p256dh),
                push_subscriptions::auth.eq(&new.auth),
            );
            let row = (
                push_subscriptions::id.eq(PushSubscriptionId::new()),
                push_subscriptions::endpoint.eq(&new.endpoint),
                columns,
            );
            Ok::<_, Error>(
                diesel::insert_into(push_subscriptions::table)
                    .values(row)
                    .on_conflict(push_subscriptions::endpoint)
                    .do_update()
                    .set(columns)
                    .returning(PushSubscription::as_returning())
                    .get_result(connection)
                    .await?,
            )
        })
        .await?;
    Ok(registered)
}

/// Forgets a browser.
///
/// # Errors
/// NOT_FOUND.
pub async fn remove(connection: &mut Connection, owner: UserId, id: PushSubscriptionId) -> Result<PushSubscriptionId> {
    let mine = push_subscriptions::table
        .find(id)
        .filter(push_subscriptions::user_id.eq(owner));
    match diesel::delete(mine).execute(connection).await? {
        0 => Err(Error::not_found(&["pushSubscriptionId"], "push subscription")),
        _ => Ok(id),
    }
}

/// The browsers of a person, newest first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut Connection, owner: UserId) -> QueryResult<Vec<PushSubscription>> {
    push_subscriptions::table
        .inner_join(sessions::table)
        .filter(push_subscriptions::user_id.eq(owner))
        .filter(sessions::revoked_at.is_null())
        .order(push_subscriptions::id.desc())
        .select(PushSubscription::as_select())
        .load(connection)
        .await
}

/// A browser whose sign-in is not over.
///
/// # Errors
/// When Postgres fails.
pub async fn find(connection: &mut Connection, id: PushSubscriptionId) -> QueryResult<Option<PushSubscription>> {
    push_subscriptions::table
        .inner_join(sessions::table)
        .filter(push_subscriptions::id.eq(id))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(diesel::dsl::now))
        .select(PushSubscription::as_select())
        .first(connection)
        .await
        .optional()
}
