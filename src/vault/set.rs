//! Setting a provider key: checked, verified with the provider, sealed.

use chrono::{DateTime, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;

use super::envelope;
use super::health::{self, Verdict};
use super::key::{StoredKey, binding, find};
use crate::account::audit::{self, Actor};
use crate::account::viewer::{Client, SignedIn};
use crate::ai::{Endpoint, Failure, FailureKind, Format, Provider, Reach};
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::api_keys;
use crate::error::{Error, ErrorCode, Result, UserError};
use crate::event::append;
use crate::id::ApiKeyId;
use crate::input;

/// The most characters in a provider key; real ones have at most a few hundred.
const LONGEST_SECRET: usize = 4096;

/// A key as a person brings it.
#[derive(Debug)]
pub struct NewKey {
    /// Whose key it is.
    pub provider: Provider,
    /// The key; may be empty for a local server that needs none.
    pub secret: SecretString,
    /// What to call it.
    pub label: Option<String>,
    /// Where it is used, if not at the provider's own address.
    pub base_url: Option<String>,
    /// In which format the provider is asked, if not in its usual one.
    pub format: Option<Format>,
    /// Whether to ask the provider first if it accepts the key.
    pub verify: bool,
}

/// Sets the person's key for a provider, replacing the former one, once the provider has accepted it.
///
/// # Errors
/// KEY_INVALID, BASE_URL_NOT_ALLOWED, PROVIDER_UNAVAILABLE and what the fields themselves refuse; nothing is stored then.
pub async fn set(app: &App, who: &SignedIn, client: &Client, new: NewKey) -> Result<StoredKey> {
    let checked = check(app, &new)?;
    if new.verify {
        app.throttle().password(who.user_id)?;
        app.ai()
            .verify(&checked.endpoint)
            .await
            .map_err(|failure| refusal(new.provider, &failure))?;
    }
    let mut connection = app.connection().await?;
    let stored = connection
        .transaction(async |connection| store(connection, app, who, client, &new, checked).await)
        .await?;
    app.log().wake();
    Ok(stored)
}

struct Checked {
    endpoint: Endpoint,
    secret: SecretString,
    label: Option<String>,
    base_url: Option<Url>,
}

fn check(app: &App, new: &NewKey) -> Result<Checked> {
    let rejected = |code, field: &str, message: &str| Error::rejected(code, &[field], message);
    let secret = new.secret.expose_secret().trim();
    if new.provider == Provider::Scripted {
        return Err(rejected(
            ErrorCode::Invalid,
            "provider",
            "The scripted provider needs no key.",
        ));
    }
    if let Some(format) = new.format.filter(|format| !new.provider.speaks(*format)) {
        let name = new.provider.title();
        let message = format!("{name} is not asked in this format ({format}). Leave the format away.");
        return Err(rejected(ErrorCode::Invalid, "format", &message));
    }
    if secret.is_empty() && new.provider.needs_key() {
        return Err(rejected(
            ErrorCode::Required,
            "secret",
            "The key is empty. Paste the key that the provider gave you.",
        ));
    }
    if secret.len() > LONGEST_SECRET {
        return Err(rejected(
            ErrorCode::TooLong,
            "secret",
            "The key is too long to be one. Paste only the key.",
        ));
    }
    if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(rejected(
            ErrorCode::Invalid,
            "secret",
            "A key holds no spaces, line breaks or special characters. Paste only the key.",
        ));
    }
    let label = match new.label.as_deref().map(str::trim).filter(|label| !label.is_empty()) {
        Some(label) => {
            Some(input::line(&["label"], "The label", label, 80).map_err(|error| Error::Rejected(vec![error]))?)
        }
        None => None,
    };
    let base_url = match new.base_url.as_deref().map(str::trim).filter(|url| !url.is_empty()) {
        Some(url) => Some(check_base_url(app, url)?),
        None if new.provider.home().is_none() => {
            return Err(rejected(
                ErrorCode::Required,
                "baseUrl",
                "This provider has no address of its own. Give its base URL, such as https://llm.example.com/v1.",
            ));
        }
        None => None,
    };
    // A local server that needs no key gets none; the row holds a space, since nothing cannot be sealed.
    let endpoint = Endpoint {
        provider: new.provider,
        format: new.format.filter(|format| Some(*format) != new.provider.usual_format()),
        base_url: base_url.clone(),
        secret: (!secret.is_empty()).then(|| secret.into()),
        reach: Reach::User(app.vault().allowed()),
    };
    Ok(Checked {
        endpoint,
        secret: if secret.is_empty() { " ".into() } else { secret.into() },
        label,
        base_url,
    })
}

fn check_base_url(app: &App, url: &str) -> Result<Url> {
    let invalid = |message: String| Error::rejected(ErrorCode::BaseUrlNotAllowed, &["baseUrl"], message);
    if url.len() > 500 {
        return Err(invalid("The base URL is too long.".into()));
    }
    let parsed: Url = url
        .parse()
        .map_err(|_| invalid("This is not a URL. It looks like https://llm.example.com/v1.".into()))?;
    app.vault()
        .allowed()
        .check(&parsed)
        .map_err(|refusal| invalid(refusal.to_string()))?;
    Ok(parsed)
}

async fn store(
    connection: &mut Connection,
    app: &App,
    who: &SignedIn,
    client: &Client,
    new: &NewKey,
    checked: Checked,
) -> Result<StoredKey> {
    let provider = new.provider.name();
    let mine = api_keys::table
        .filter(api_keys::user_id.eq(who.user_id))
        .filter(api_keys::provider.eq(provider));
    // The row keeps its id for good, so that what is bound to it stays bound.
    let existing: Option<ApiKeyId> = mine
        .select(api_keys::id)
        .for_update()
        .first(connection)
        .await
        .optional()?;
    let id = existing.unwrap_or_else(ApiKeyId::new);
    let masters = app.vault().masters();
    let sealed = masters
        .seal(&binding(id, who.user_id, new.provider), &checked.secret)
        .map_err(|error| Error::internal(error.to_string()))?;
    let verified = new.verify.then(Utc::now);
    let shown = if checked.secret.expose_secret() == " " {
        (String::new(), String::new())
    } else {
        (envelope::hint(&checked.secret), envelope::fingerprint(&checked.secret))
    };
    let columns = (
        api_keys::label.eq(checked.label),
        api_keys::base_url.eq(checked.base_url.map(String::from)),
        api_keys::format.eq(checked.endpoint.format.map(Format::name)),
        api_keys::hint.eq(shown.0),
        api_keys::fingerprint.eq(&shown.1),
        api_keys::sealed.eq(sealed),
        api_keys::master_key_id.eq(masters.current_id()),
        api_keys::last_verified_at.eq(verified),
        api_keys::last_error_code.eq(None::<String>),
        api_keys::last_error_at.eq(None::<DateTime<Utc>>),
        api_keys::updated_at.eq(now),
    );
    let unknown = (
        api_keys::throttled_until.eq(None::<DateTime<Utc>>),
        api_keys::requests_limit.eq(None::<i64>),
        api_keys::requests_remaining.eq(None::<i64>),
        api_keys::tokens_limit.eq(None::<i64>),
        api_keys::tokens_remaining.eq(None::<i64>),
        api_keys::headroom_resets_at.eq(None::<DateTime<Utc>>),
        api_keys::headroom_at.eq(None::<DateTime<Utc>>),
    );
    let identity = (
        api_keys::id.eq(id),
        api_keys::user_id.eq(who.user_id),
        api_keys::provider.eq(provider),
    );
    let stored: Option<StoredKey> = match existing {
        Some(id) => diesel::update(api_keys::table.find(id))
            .set((columns, unknown))
            .returning(StoredKey::as_returning())
            .get_result(connection)
            .await
            .optional()?,
        None => {
            let insert = diesel::insert_into(api_keys::table)
                .values((identity, columns))
                .on_conflict_do_nothing();
            insert
                .returning(StoredKey::as_returning())
                .get_result(connection)
                .await
                .optional()?
        }
    };
    let stored = stored.ok_or_else(|| {
        Error::rejected(
            ErrorCode::Conflict,
            &["provider"],
            "This key was changed at the same moment. Please try again.",
        )
    })?;
    let detail = json!({ "provider": provider, "fingerprint": shown.1 });
    audit::record(
        connection,
        Actor::signed_in(who, client),
        "key.set",
        Some(id.to_string()),
        detail,
    )
    .await?;
    // Nothing is known of the new key yet: that is how it fares.
    append(connection, [health::changed(who.user_id, id)]).await?;
    Ok(stored)
}

pub(super) fn refusal(provider: Provider, failure: &Failure) -> Error {
    let name = provider.title();
    let (code, field, message) = match failure.kind {
        FailureKind::KeyInvalid | FailureKind::KeyMissing => (
            ErrorCode::KeyInvalid,
            "secret",
            format!("Invalid API key. Please check your {name} API key in profile settings."),
        ),
        FailureKind::QuotaExceeded => (
            ErrorCode::KeyInvalid,
            "secret",
            format!("{name} accepts this key but its account has no credit. Add credit there, or use another key."),
        ),
        FailureKind::RateLimited => (
            ErrorCode::ProviderUnavailable,
            "secret",
            "API rate limit exceeded. Please try again later.".to_owned(),
        ),
        FailureKind::ModelNotFound | FailureKind::InvalidRequest => (
            ErrorCode::ProviderUnavailable,
            "baseUrl",
            match provider.usual_format() {
                Some(Format::ChatCompletions) => {
                    "There is no OpenAI-compatible API at this address. Check the base URL; it usually ends in /v1."
                        .to_owned()
                }
                _ => format!("There is no API of {name} at this address. Check the base URL."),
            },
        ),
        _ => (
            ErrorCode::ProviderUnavailable,
            "baseUrl",
            format!("{name} could not be asked. Please try again later, or check the base URL."),
        ),
    };
    let mut error = UserError::new(code, &[field], message);
    error.retry_after_seconds = failure
        .retry_after
        .map(|wait| crate::error::whole_seconds(wait).try_into().unwrap_or(i32::MAX));
    Error::Rejected(vec![error])
}

/// Asks the provider whether it still accepts a stored key, and notes the answer.
///
/// # Errors
/// NOT_FOUND, or why the provider refuses it.
pub async fn verify(app: &App, who: &SignedIn, id: ApiKeyId) -> Result<StoredKey> {
    app.throttle().password(who.user_id)?;
    let not_found = || Error::not_found(&["apiKeyId"], "API key");
    let key = find(&mut *app.connection().await?, who.user_id, id)
        .await?
        .ok_or_else(not_found)?;
    let endpoint = app.vault().endpoint(&key)?;
    let verified = app.ai().verify(&endpoint).await;
    let mut connection = app.connection().await?;
    let verdict = match &verified {
        Ok(()) => Verdict::Accepted,
        Err(failure) => Verdict::Refused(failure.kind),
    };
    let report = health::Report {
        wait: verified.as_ref().err().and_then(|failure| failure.retry_after),
        ..verdict.into()
    };
    if health::note(&mut connection, &key.used(), report).await? {
        app.log().wake();
    }
    verified.map_err(|failure| refusal(key.provider(), &failure))?;
    find(&mut connection, who.user_id, id).await?.ok_or_else(not_found)
}
