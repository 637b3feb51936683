//! By what push services know this server: a key of its own, and tokens signed with it (VAPID, RFC 8292).

use std::sync::Arc;

use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{Duration, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use url::Url;
use web_push_native::p256::SecretKey;
use web_push_native::p256::elliptic_curve::sec1::ToEncodedPoint;

use crate::db::Connection;
use crate::db::schema::vapid_keys;
use crate::error::{Error, Result};
use crate::vault::Vault;
use crate::vault::envelope::Binding;

/// How long a token is good for; at most a day is allowed.
const LIFETIME: Duration = Duration::hours(12);
/// How often randomness is tried until it is a key; once in four billion times it is none.
const TRIES: usize = 8;

/// The server's key. A cheap handle.
#[derive(Clone)]
pub struct Vapid {
    keys: Arc<EcdsaKeyPair>,
    public: String,
    contact: Option<String>,
}

impl std::fmt::Debug for Vapid {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Vapid")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

impl Vapid {
    /// The key of the settings, else the one in the database, which is made when there is none.
    ///
    /// # Errors
    /// When the key of the settings is none, or the one in the database cannot be opened.
    pub async fn open(
        connection: &mut Connection,
        vault: &Vault,
        given: Option<&SecretString>,
        contact: Option<String>,
    ) -> Result<Self> {
        if let Some(given) = given.filter(|given| !given.expose_secret().trim().is_empty()) {
            let made = Vapid::new(given.expose_secret().trim(), contact);
            return made.ok_or_else(|| {
                Error::internal(
                    "PARLOR_VAPID_KEY is no P-256 private key: 32 bytes in base64url, as web push tools make them",
                )
            });
        }
        let stored = stored(connection).await?;
        let sealed = match stored {
            Some(sealed) => sealed,
            None => {
                let (sealed, master) = vault.seal(&binding(), &new_key()?)?;
                let row = (vapid_keys::sealed.eq(sealed), vapid_keys::master_key_id.eq(master));
                diesel::insert_into(vapid_keys::table)
                    .values(row)
                    .on_conflict_do_nothing()
                    .execute(connection)
                    .await?;
                // Of two servers that start at once, one was first.
                stored_now(connection).await?
            }
        };
        let key = vault.open_sealed(&binding(), &sealed)?;
        Vapid::new(key.expose_secret(), contact).ok_or_else(|| Error::internal("the stored VAPID key is none"))
    }

    fn new(private: &str, contact: Option<String>) -> Option<Self> {
        let private = BASE64_URL_SAFE_NO_PAD.decode(private.trim_end_matches('=')).ok()?;
        let public = SecretKey::from_slice(&private)
            .ok()?
            .public_key()
            .to_encoded_point(false);
        let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let keys = EcdsaKeyPair::from_private_key_and_public_key(signing, &private, public.as_bytes()).ok()?;
        Some(Vapid {
            keys: Arc::new(keys),
            public: BASE64_URL_SAFE_NO_PAD.encode(public.as_bytes()),
            contact: contact.filter(|contact| !contact.trim().is_empty()),
        })
    }

    /// The public half in base64url, for `pushManager.subscribe`.
    pub fn public_key(&self) -> &str {
        &self.public
    }

    /// What to send to a push service as `Authorization`.
    ///
    /// # Errors
    /// When the machine has no randomness.
    pub fn authorization(&self, endpoint: &Url) -> Result<String> {
        let mut claims = json!({
            "aud": endpoint.origin().ascii_serialization(),
            "exp": (Utc::now() + LIFETIME).timestamp(),
        });
        if let Some(contact) = &self.contact {
            claims["sub"] = json!(contact);
        }
        let encode = |part: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!(
            "{}.{}",
            encode(&json!({ "typ": "JWT", "alg": "ES256" })),
            encode(&claims)
        );
        let signature = self.keys.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map_err(|_| Error::internal("a token for a push service cannot be signed"))?;
        let token = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
        Ok(format!("vapid t={token}, k={}", self.public))
    }
}

fn binding() -> Binding {
    Binding::of_vapid_key()
}

async fn stored(connection: &mut Connection) -> QueryResult<Option<Vec<u8>>> {
    let key = vapid_keys::table.select(vapid_keys::sealed);
    key.first(connection).await.optional()
}

async fn stored_now(connection: &mut Connection) -> Result<Vec<u8>> {
    stored(connection)
        .await?
        .ok_or_else(|| Error::internal("the VAPID key is gone"))
}

fn new_key() -> Result<SecretString> {
    for _ in 0..TRIES {
        let mut bytes = zeroize::Zeroizing::new([0; 32]);
        rand::fill(bytes.as_mut_slice()).map_err(|_| Error::internal("the system gave no randomness"))?;
        if SecretKey::from_slice(bytes.as_slice()).is_ok() {
            return Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice()).into());
        }
    }
    Err(Error::internal("no VAPID key can be made"))
}
