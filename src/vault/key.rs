//! The rows of provider keys: listed, deleted, revealed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use secrecy::SecretString;
use serde_json::json;

use super::envelope::Binding;
use crate::account::audit::{self, Actor};
use crate::account::login;
use crate::account::viewer::{Client, SignedIn};
use crate::ai::{Format, Provider};
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::api_keys;
use crate::error::{Error, Result};
use crate::id::{ApiKeyId, UserId};

/// A stored key, sealed. Not a GraphQL type: the API shows an [`super::api::ApiKey`].
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = api_keys, check_for_backend(diesel::pg::Pg))]
pub struct StoredKey {
    /// Its id.
    pub id: ApiKeyId,
    user_id: UserId,
    provider: String,
    /// What its owner calls it.
    pub label: Option<String>,
    /// Where it is used.
    pub base_url: Option<String>,
    /// The ends of the key.
    pub hint: String,
    /// A hash that tells keys apart.
    pub fingerprint: String,
    sealed: Vec<u8>,
    /// When it was first set.
    pub created_at: DateTime<Utc>,
    /// When it was last set.
    pub updated_at: DateTime<Utc>,
    /// When it last started an answer.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When the provider last accepted it.
    pub last_verified_at: Option<DateTime<Utc>>,
    /// What it was last refused with.
    pub last_error_code: Option<String>,
    /// When that was.
    pub last_error_at: Option<DateTime<Utc>>,
    format: Option<String>,
    /// Until when the provider asked to wait.
    pub throttled_until: Option<DateTime<Utc>>,
    /// How many requests the provider takes in its window.
    pub requests_limit: Option<i64>,
    /// How many of them were left.
    pub requests_remaining: Option<i64>,
    /// How many tokens the provider takes in its window.
    pub tokens_limit: Option<i64>,
    /// How many of them were left.
    pub tokens_remaining: Option<i64>,
    /// When there is more of what was scarcest.
    pub headroom_resets_at: Option<DateTime<Utc>>,
    /// When the provider said so.
    pub headroom_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for StoredKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("StoredKey")
            .field("id", &self.id)
            .field("sealed", &"[redacted]")
            .finish_non_exhaustive()
    }
}

impl StoredKey {
    /// Whose key it is.
    pub fn provider(&self) -> Provider {
        self.provider.parse().unwrap_or(Provider::OpenAiCompatible)
    }

    /// In which format the provider is asked; none for its usual one.
    pub fn format(&self) -> Option<Format> {
        self.format.as_deref()?.parse().ok()
    }

    /// Its owner.
    pub(super) fn user_id(&self) -> UserId {
        self.user_id
    }

    /// What the sealed bytes are bound to: moved to another row they do not open.
    pub fn binding(&self) -> Binding {
        binding(self.id, self.user_id, self.provider())
    }

    /// This key, for what an answer shows of it.
    pub fn used(&self) -> UsedKey {
        UsedKey {
            id: self.id,
            fingerprint: self.fingerprint.clone(),
        }
    }

    /// The sealed bytes.
    pub fn sealed(&self) -> &[u8] {
        &self.sealed
    }
}

pub(super) fn binding(id: ApiKeyId, user_id: UserId, provider: Provider) -> Binding {
    Binding {
        table: "api_keys",
        row: id.0,
        user: user_id.0,
        provider: provider.name().to_owned(),
    }
}

/// The keys of a person, in the order in which they are tried.
///
/// # Errors
/// When Postgres fails.
pub async fn list(mut connection: &Connection, user_id: UserId) -> Result<Vec<StoredKey>> {
    let mine = api_keys::table
        .filter(api_keys::user_id.eq(user_id))
        .order((api_keys::provider.asc(), api_keys::id.asc()));
    Ok(mine.select(StoredKey::as_select()).load(&mut connection).await?)
}

/// One key of a person.
///
/// # Errors
/// When Postgres fails.
pub async fn find(connection: &mut Connection, user_id: UserId, id: ApiKeyId) -> Result<Option<StoredKey>> {
    let mine = api_keys::table.find(id).filter(api_keys::user_id.eq(user_id));
    Ok(mine.select(StoredKey::as_select()).first(connection).await.optional()?)
}

/// Deletes a key.
///
/// # Errors
/// NOT_FOUND for `apiKeyId`.
pub async fn delete(app: &App, who: &SignedIn, client: &Client, id: ApiKeyId) -> Result<ApiKeyId> {
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| {
            let mine = api_keys::table.find(id).filter(api_keys::user_id.eq(who.user_id));
            if diesel::delete(mine).execute(connection).await? == 0 {
                return Err(Error::not_found(&["apiKeyId"], "API key"));
            }
            audit::record(
                connection,
                Actor::signed_in(who, client),
                "key.deleted",
                Some(id.to_string()),
                json!({}),
            )
            .await?;
            Ok(id)
        })
        .await
}

/// Shows a key to its owner, who proves the password again; this is audited.
///
/// # Errors
/// NOT_FOUND or WRONG_CREDENTIALS.
pub async fn reveal(
    app: &App,
    who: &SignedIn,
    client: &Client,
    id: ApiKeyId,
    password: SecretString,
) -> Result<SecretString> {
    login::prove_password(app, who, client, "password", password).await?;
    let mut connection = app.connection().await?;
    let key = find(&mut connection, who.user_id, id)
        .await?
        .ok_or_else(|| Error::not_found(&["apiKeyId"], "API key"))?;
    audit::record(
        &mut connection,
        Actor::signed_in(who, client),
        "key.revealed",
        Some(id.to_string()),
        json!({}),
    )
    .await?;
    app.vault().reveal(&key)
}

/// Which key an answer was made with: the row, and the key that was in it then.
#[derive(Debug, Clone)]
pub struct UsedKey {
    /// The row.
    pub id: ApiKeyId,
    /// The key that was in it.
    pub fingerprint: String,
}
