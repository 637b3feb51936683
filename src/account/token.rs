//! Access tokens: short-lived JWTs (RFC 7519) of one algorithm, and the look at the database that each request takes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::user::Role;
use super::viewer::SignedIn;
use crate::app::App;
use crate::db::schema::{sessions, users};
use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};

const ISSUER: &str = "parlor";
const AUDIENCE: &str = "parlor";
/// The media type of access tokens (RFC 9068), so that no other JWT signed with the same secret passes for one.
const TYPE: &str = "at+jwt";

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It was good once; refresh it.
    #[error("The access token has expired.")]
    Expired,
    /// It is not one of ours.
    #[error("The access token is not valid.")]
    Invalid,
    /// Its session is over or its account is deactivated.
    #[error("The session is over.")]
    Ended,
    /// The database cannot be asked.
    #[error("The service is temporarily unavailable.")]
    Unavailable,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

/// Signs and verifies access tokens.
pub struct Signer {
    signing: EncodingKey,
    verifying: Vec<DecodingKey>,
    validation: Validation,
    header: Header,
    lifetime: chrono::TimeDelta,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Signer([redacted])")
    }
}

impl Signer {
    /// A signer that signs with the first secret and accepts all of them.
    ///
    /// # Errors
    /// When there is no secret.
    pub fn new(secrets: &[SecretString], lifetime: std::time::Duration) -> Result<Self> {
        let current = secrets
            .first()
            .ok_or_else(|| Error::internal("no secret to sign tokens with"))?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = 0;
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.into());
        Ok(Signer {
            signing: EncodingKey::from_secret(current.expose_secret().as_bytes()),
            verifying: secrets
                .iter()
                .map(|secret| DecodingKey::from_secret(secret.expose_secret().as_bytes()))
                .collect(),
            validation,
            header,
            lifetime: chrono::TimeDelta::from_std(lifetime).map_err(Error::surprise)?,
        })
    }

    /// A token for a session, and when it ends.
    ///
    /// # Errors
    /// When signing fails.
    pub fn sign(&self, user_id: UserId, session_id: SessionId, now: DateTime<Utc>) -> Result<(String, DateTime<Utc>)> {
        let expires_at = now + self.lifetime;
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: user_id,
            sid: session_id,
            iat: now.timestamp(),
            exp: expires_at.timestamp(),
        };
        let token = jsonwebtoken::encode(&self.header, &claims, &self.signing).map_err(Error::surprise)?;
        Ok((token, expires_at))
    }

    fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        if header.typ.as_deref() != Some(TYPE) {
            return Err(TokenError::Invalid);
        }
        let mut refusal = TokenError::Invalid;
        for key in &self.verifying {
            match jsonwebtoken::decode::<Claims>(token, key, &self.validation) {
                Ok(data) => return Ok(data.claims),
                Err(error) if *error.kind() == jsonwebtoken::errors::ErrorKind::ExpiredSignature => {
                    refusal = TokenError::Expired;
                }
                Err(_) => {}
            }
        }
        Err(refusal)
    }
}

/// Who an access token stands for, as its signature and the database say now.
///
/// # Errors
/// A [`TokenError`].
pub async fn authenticate(app: &App, token: &str) -> Result<SignedIn, TokenError> {
    let claims = app.signer().verify(token)?;
    let expires_at = DateTime::from_timestamp(claims.exp, 0).ok_or(TokenError::Invalid)?;
    let mut connection = app.connection().await.map_err(|_| TokenError::Unavailable)?;
    type Row = (Role, Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    let row: Option<Row> = sessions::table
        .inner_join(users::table)
        .filter(sessions::id.eq(claims.sid))
        .filter(sessions::user_id.eq(claims.sub))
        .select((users::role, users::deactivated_at, sessions::revoked_at))
        .first(&mut connection)
        .await
        .optional()
        .map_err(|error| {
            tracing::warn!(%error, "cannot look up a session");
            TokenError::Unavailable
        })?;
    match row {
        Some((role, None, None)) => Ok(SignedIn {
            user_id: claims.sub,
            session_id: claims.sid,
            role,
            expires_at,
        }),
        _ => Err(TokenError::Ended),
    }
}
