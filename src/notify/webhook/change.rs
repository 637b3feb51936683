//! Making webhooks, changing and deleting them.

use std::collections::BTreeSet;

use aws_lc_rs::rand;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use super::queue;
use super::row::{Webhook, WebhookDisabledReason, WebhookEvent, is_keeper};
use crate::account::audit::{self, Actor};
use crate::account::user::Role;
use crate::account::viewer::{Client, SignedIn};
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{users, webhooks};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append_all;
use crate::id::{UserId, WebhookId};
use crate::input;
use crate::notify::{explained, reader};
use crate::vault::envelope::Binding;

/// The most webhooks of one person, and of the server.
pub const MOST: i64 = 20;
/// The longest address, in bytes.
const LONGEST: usize = 2_000;

/// A webhook that is to be.
#[derive(Debug)]
pub struct NewWebhook {
    /// Where.
    pub url: String,
    /// Of what.
    pub kinds: Vec<WebhookEvent>,
    /// What its keeper calls it.
    pub description: Option<String>,
    /// Whether it is the server's own.
    pub server: bool,
}

/// What is to be different.
#[derive(Debug, Default)]
pub struct WebhookChange {
    /// Where.
    pub url: Option<String>,
    /// Of what.
    pub kinds: Option<Vec<WebhookEvent>>,
    /// What its keeper calls it; the inner none for nothing.
    pub description: Option<Option<String>>,
    /// Whether it is told of anything.
    pub enabled: Option<bool>,
    /// Whether it is given another secret.
    pub new_secret: bool,
}

/// Makes a webhook; gives its secret too, which is shown this once.
///
/// # Errors
/// FORBIDDEN, LIMIT_REACHED, or what is wrong with the input.
pub async fn create(app: &App, who: &SignedIn, client: &Client, new: NewWebhook) -> Result<(Webhook, SecretString)> {
    if new.server && who.role != Role::Admin {
        let message = "Only administrators keep webhooks of the server.";
        return Err(Error::rejected(ErrorCode::Forbidden, &["server"], message));
    }
    let owner = (!new.server).then_some(who.user_id);
    let url = checked_url(app, &new.url)?;
    let kinds = checked_kinds(new.kinds)?;
    let description = checked_description(new.description)?;
    let id = WebhookId::new();
    let secret = new_secret()?;
    let (sealed, master) = app.vault().seal(&Binding::of_webhook(id, owner), &secret)?;
    let mut connection = app.connection().await?;
    let webhook = connection
        .transaction(async |connection| {
            reader::wake(connection).await?;
            let person = users::table.find(who.user_id).select(users::id).for_no_key_update();
            person.first::<UserId>(connection).await?;
            let have = webhooks::table
                .filter(webhooks::owner_id.is_not_distinct_from(owner))
                .count();
            if have.get_result::<i64>(connection).await? >= MOST {
                let message = format!("There are {MOST} webhooks already. Delete one first.");
                return Err(Error::rejected(ErrorCode::LimitReached, &[], message));
            }
            let row = (
                webhooks::id.eq(id),
                webhooks::owner_id.eq(owner),
                webhooks::url.eq(url),
                webhooks::description.eq(description),
                webhooks::kinds.eq(kinds),
                webhooks::sealed.eq(sealed),
                webhooks::master_key_id.eq(master),
            );
            let webhook: Webhook = diesel::insert_into(webhooks::table)
                .values(row)
                .returning(Webhook::as_returning())
                .get_result(connection)
                .await?;
            told(connection, who, client, &webhook, "webhook.created").await?;
            Ok::<_, Error>(webhook)
        })
        .await?;
    app.log().wake();
    Ok((webhook, secret))
}

/// Changes a webhook; gives its new secret, if it gets one.
///
/// # Errors
/// NOT_FOUND, or what is wrong with the input.
pub async fn update(
    app: &App,
    who: &SignedIn,
    client: &Client,
    id: WebhookId,
    change: WebhookChange,
) -> Result<(Webhook, Option<SecretString>)> {
    let url = change.url.map(|url| checked_url(app, &url)).transpose()?;
    let kinds = change.kinds.map(checked_kinds).transpose()?;
    let description = change.description.map(checked_description).transpose()?;
    let secret = change.new_secret.then(new_secret).transpose()?;
    let mut connection = app.connection().await?;
    let webhook = connection
        .transaction(async |connection| {
            reader::wake(connection).await?;
            let old = lock(connection, who, id).await?;
            let (enabled, reason) = match change.enabled {
                None => (old.enabled, old.disabled_reason),
                Some(true) => (true, None),
                Some(false) => (false, Some(WebhookDisabledReason::ByHand)),
            };
            let failing = old.failing_since.filter(|_| change.enabled != Some(true));
            if let Some(secret) = &secret {
                let (sealed, master) = app.vault().seal(&Binding::of_webhook(id, old.owner_id), secret)?;
                diesel::update(webhooks::table.find(id))
                    .set((webhooks::sealed.eq(sealed), webhooks::master_key_id.eq(master)))
                    .execute(connection)
                    .await?;
            }
            let columns = (
                webhooks::url.eq(url.unwrap_or(old.url)),
                webhooks::kinds.eq(kinds.unwrap_or(old.kinds)),
                webhooks::description.eq(description.unwrap_or(old.description)),
                webhooks::enabled.eq(enabled),
                webhooks::disabled_reason.eq(reason),
                webhooks::failing_since.eq(failing),
                webhooks::silences.eq(0),
                webhooks::rests_until.eq(None::<DateTime<Utc>>),
                webhooks::version.eq(webhooks::version + 1),
                webhooks::updated_at.eq(now),
            );
            let webhook: Webhook = diesel::update(webhooks::table.find(id))
                .set(columns)
                .returning(Webhook::as_returning())
                .get_result(connection)
                .await?;
            // Whatever made it rest may be mended.
            queue::call(connection, &[(id, webhook.owner_id)]).await?;
            told(connection, who, client, &webhook, "webhook.updated").await?;
            Ok::<_, Error>(webhook)
        })
        .await?;
    app.log().wake();
    app.deliveries().wake();
    Ok((webhook, secret))
}

/// Deletes a webhook with all that was to be delivered to it.
///
/// # Errors
/// NOT_FOUND.
pub async fn delete(app: &App, who: &SignedIn, client: &Client, id: WebhookId) -> Result<WebhookId> {
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| {
            let webhook = lock(connection, who, id).await?;
            diesel::delete(webhooks::table.find(id)).execute(connection).await?;
            told(connection, who, client, &webhook, "webhook.deleted").await
        })
        .await?;
    app.log().wake();
    Ok(id)
}

/// Ends a webhook that fails, in the transaction that finds it so.
pub(super) async fn disable(connection: &mut Connection, id: WebhookId, reason: WebhookDisabledReason) -> Result<()> {
    let columns = (
        webhooks::enabled.eq(false),
        webhooks::disabled_reason.eq(reason),
        webhooks::version.eq(webhooks::version + 1),
        webhooks::updated_at.eq(now),
    );
    let disabled: Option<Webhook> = diesel::update(webhooks::table.find(id).filter(webhooks::enabled))
        .set(columns)
        .returning(Webhook::as_returning())
        .get_result(connection)
        .await
        .optional()?;
    let Some(webhook) = disabled else { return Ok(()) };
    let changed = webhook.changed(connection).await?;
    append_all(connection, changed).await?;
    let target = Some(id.to_string());
    let detail = json!({ "reason": reason.as_str() });
    audit::record(connection, Actor::default(), "webhook.disabled", target, detail).await
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fared {
    /// It was taken.
    Well,
    /// It was not.
    Badly,
    /// There was no answer in time.
    Silently,
}

/// After how many silences in a row a webhook rests: it costs more than others to be told anything.
pub(super) const MOST_SILENCES: i32 = 3;

/// For how long: longer each time, up to a quarter of an hour.
const RESTS: &str = "CASE WHEN silences + 1 >= $3 THEN now() + make_interval(secs => least(900, 60 * power(2, least(silences + 1 - $3, 8)))) END";

/// Notes whether a delivery went through; gives since when none has.
pub(super) async fn fared(
    connection: &mut Connection,
    id: WebhookId,
    fared: Fared,
) -> QueryResult<Option<DateTime<Utc>>> {
    #[derive(QueryableByName)]
    struct Since {
        #[diesel(sql_type = Nullable<Timestamptz>)]
        failing_since: Option<DateTime<Utc>>,
    }
    if fared == Fared::Well {
        // Rows that say so already are left alone.
        let failing = webhooks::table.find(id).filter(webhooks::failing_since.is_not_null());
        let well = (
            webhooks::failing_since.eq(None::<DateTime<Utc>>),
            webhooks::silences.eq(0),
            webhooks::rests_until.eq(None::<DateTime<Utc>>),
        );
        diesel::update(failing).set(well).execute(connection).await?;
        return Ok(None);
    }
    let query = format!(
        "UPDATE webhooks SET failing_since = coalesce(failing_since, now()), silences = CASE WHEN $2 THEN silences + 1 ELSE 0 END, \
           rests_until = CASE WHEN $2 THEN {RESTS} END WHERE id = $1 RETURNING failing_since"
    );
    let since: Option<Since> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(id)
        .bind::<Bool, _>(fared == Fared::Silently)
        .bind::<Integer, _>(MOST_SILENCES)
        .get_result(connection)
        .await
        .optional()?;
    Ok(since.and_then(|since| since.failing_since))
}

async fn lock(connection: &mut Connection, who: &SignedIn, id: WebhookId) -> Result<Webhook> {
    let row = webhooks::table.find(id).select(Webhook::as_select()).for_update();
    let found: Option<Webhook> = row.first(connection).await.optional()?;
    found
        .filter(|webhook| is_keeper(who, webhook))
        .ok_or_else(|| Error::not_found(&["webhookId"], "webhook"))
}

/// Tells the owner; or for the server's own the administrators, and the audit log.
async fn told(
    connection: &mut Connection,
    who: &SignedIn,
    client: &Client,
    webhook: &Webhook,
    action: &str,
) -> Result<()> {
    let changed = webhook.changed(connection).await?;
    append_all(connection, changed).await?;
    if webhook.owner_id.is_some() {
        return Ok(());
    }
    let kinds: Vec<&str> = webhook.kinds.iter().flatten().map(|kind| kind.as_str()).collect();
    let detail = json!({ "kinds": kinds, "enabled": webhook.enabled });
    let target = Some(webhook.id.to_string());
    audit::record(connection, Actor::signed_in(who, client), action, target, detail).await
}

fn checked_url(app: &App, url: &str) -> Result<String> {
    let parsed = Url::parse(url).ok().filter(|_| url.len() <= LONGEST);
    let parsed = parsed.ok_or_else(|| {
        let message = "Give the address that is to be told, such as https://example.com/hook.";
        Error::rejected(ErrorCode::Invalid, &["url"], message)
    })?;
    app.reachable()
        .check(&parsed)
        .map_err(|refusal| Error::rejected(ErrorCode::BaseUrlNotAllowed, &["url"], explained(refusal)))?;
    Ok(parsed.to_string())
}

fn checked_kinds(kinds: Vec<WebhookEvent>) -> Result<Vec<Option<WebhookEvent>>> {
    let once: BTreeSet<WebhookEvent> = kinds.into_iter().collect();
    if once.is_empty() {
        let message = "Say what it is to be told of.";
        return Err(Error::rejected(ErrorCode::Required, &["events"], message));
    }
    Ok(once.into_iter().map(Some).collect())
}

fn checked_description(description: Option<String>) -> Result<Option<String>> {
    let description = description.filter(|description| !description.trim().is_empty());
    let line = |text: String| input::line(&["description"], "The description", &text, 200);
    let checked = description.map(line).transpose();
    checked.map_err(|error| Error::Rejected(vec![error]))
}

fn new_secret() -> Result<SecretString> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    rand::fill(bytes.as_mut_slice()).map_err(|_| Error::internal("the system gave no randomness"))?;
    Ok(format!("whsec_{}", BASE64_STANDARD.encode(bytes.as_slice())).into())
}
