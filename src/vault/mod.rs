//! The provider keys that people bring: encrypted at rest, opened only to ask a provider or when their owner proves
//! who they are.

pub mod api;
pub mod envelope;
pub mod health;
pub mod key;
pub mod offer;
pub mod rotate;
pub mod server;
pub mod set;

use std::sync::Arc;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use self::envelope::{Binding, MasterKeys};
use self::key::StoredKey;
use self::offer::Lists;
use crate::ai::guard::Allowed;
use crate::ai::{Endpoint, Reach};
use crate::config::Config;
use crate::db::Connection;
use crate::db::schema::{api_keys, master_keys, tool_servers, vapid_keys, webhooks};
use crate::error::{Error, Result};

/// What the canary says; whoever can read it has the right key.
const CANARY: &str = "parlor";

/// Seals and opens provider keys. A cheap handle.
#[derive(Debug, Clone)]
pub struct Vault {
    masters: Arc<MasterKeys>,
    allowed: Arc<Allowed>,
    lists: Arc<Lists>,
}

/// Why the vault does not open; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A master key of the settings cannot be used.
    #[error("{0}")]
    Key(String),
    /// PARLOR_BASE_URLS cannot be read.
    #[error("PARLOR_BASE_URLS: {0}")]
    BaseUrls(String),
    /// Keys in the database were sealed with a master key that is not there.
    #[error(
        "The database holds provider keys that were sealed with the master key {0}, which is not the one given. Set PARLOR_MASTER_KEY to \
         that key; if it was replaced, set PARLOR_MASTER_KEY_PREVIOUS to it and run `parlor keys rotate`."
    )]
    WrongMaster(String),
    /// Postgres failed.
    #[error("Cannot read the provider keys: {0}")]
    Database(#[from] diesel::result::Error),
}

impl Vault {
    /// Opens the vault: the master keys given must be able to open every key in the database.
    ///
    /// # Errors
    /// A [`VaultError`].
    pub async fn open(connection: &mut Connection, config: &Config) -> Result<Self, VaultError> {
        let (current, previous) = config
            .master_keys
            .split_first()
            .ok_or_else(|| VaultError::Key("There is no master key.".into()))?;
        let masters = MasterKeys::new(current, previous).map_err(|error| VaultError::Key(error.to_string()))?;
        let allowed =
            Allowed::parse(&config.settings.base_urls).map_err(|error| VaultError::BaseUrls(error.to_string()))?;
        let known: Vec<(String, Vec<u8>)> = master_keys::table
            .select((master_keys::id, master_keys::canary))
            .load(connection)
            .await?;
        for (id, canary) in &known {
            let opened = masters
                .open(&canary_binding(), canary)
                .is_ok_and(|text| text.expose_secret() == CANARY);
            if !opened {
                return Err(VaultError::WrongMaster(id.clone()));
            }
        }
        // A server that still ran with a former key may have sealed with it after the last rotation.
        let mut sealed_with: Vec<String> = api_keys::table
            .select(api_keys::master_key_id)
            .distinct()
            .load(connection)
            .await?;
        let of_tools = tool_servers::table.select(tool_servers::master_key_id.assume_not_null());
        let of_tools = of_tools.filter(tool_servers::master_key_id.is_not_null()).distinct();
        sealed_with.extend(of_tools.load::<String>(connection).await?);
        let of_push = vapid_keys::table.select(vapid_keys::master_key_id);
        sealed_with.extend(of_push.load::<String>(connection).await?);
        let of_hooks = webhooks::table.select(webhooks::master_key_id).distinct();
        sealed_with.extend(of_hooks.load::<String>(connection).await?);
        if let Some(unknown) = sealed_with.into_iter().find(|id| !masters.knows(id)) {
            return Err(VaultError::WrongMaster(unknown));
        }
        let id = masters.current_id().to_owned();
        if !known.iter().any(|(known, _)| *known == id) {
            let canary = masters
                .seal(&canary_binding(), &CANARY.into())
                .map_err(|error| VaultError::Key(error.to_string()))?;
            let row = (master_keys::id.eq(id), master_keys::canary.eq(canary));
            diesel::insert_into(master_keys::table)
                .values(row)
                .on_conflict_do_nothing()
                .execute(connection)
                .await?;
        }
        Ok(Vault {
            masters: Arc::new(masters),
            allowed: Arc::new(allowed),
            lists: Arc::default(),
        })
    }

    /// Which base URLs people may give.
    pub fn allowed(&self) -> Arc<Allowed> {
        Arc::clone(&self.allowed)
    }

    /// The provider key itself.
    ///
    /// # Errors
    /// When the row was tampered with.
    pub fn reveal(&self, key: &StoredKey) -> Result<SecretString> {
        self.masters
            .open(&key.binding(), key.sealed())
            .map_err(|error| Error::internal(format!("{} cannot be opened: {error}", key.id)))
    }

    /// Where this key is used, with the key itself.
    ///
    /// # Errors
    /// When the row was tampered with.
    pub fn endpoint(&self, key: &StoredKey) -> Result<Endpoint> {
        let secret = self.reveal(key)?;
        Ok(Endpoint {
            provider: key.provider(),
            format: key.format(),
            base_url: key.base_url.as_deref().and_then(|url| url.parse().ok()),
            // A local server may need no key; it is stored all the same, as one space.
            secret: (!secret.expose_secret().trim().is_empty()).then_some(secret),
            reach: Reach::User(self.allowed()),
        })
    }

    /// Seals something else than a provider key. Gives the name of the master key too, which belongs beside it.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn seal(&self, binding: &Binding, secret: &SecretString) -> Result<(Vec<u8>, String)> {
        let sealed = self.masters.seal(binding, secret);
        let sealed = sealed.map_err(|error| Error::internal(error.to_string()))?;
        Ok((sealed, self.masters.current_id().to_owned()))
    }

    /// Opens what [`Vault::seal`] sealed.
    ///
    /// # Errors
    /// When it was tampered with, or moved.
    pub fn open_sealed(&self, binding: &Binding, sealed: &[u8]) -> Result<SecretString> {
        let opened = self.masters.open(binding, sealed);
        opened.map_err(|error| Error::internal(format!("row {} of {}: {error}", binding.row, binding.table)))
    }

    fn lists(&self) -> &Lists {
        &self.lists
    }

    fn masters(&self) -> &MasterKeys {
        &self.masters
    }
}

fn canary_binding() -> Binding {
    Binding {
        table: "master_keys",
        row: Uuid::nil(),
        user: Uuid::nil(),
        provider: String::new(),
    }
}
