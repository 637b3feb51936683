//! Signing in with a password, and proving it again.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use secrecy::SecretString;
use serde_json::json;

use super::audit::{self, Actor};
use super::session::{self, Granted};
use super::user::User;
use super::viewer::{Client, SignedIn};
use crate::app::App;
use crate::db::schema::users;
use crate::error::{Error, ErrorCode, Result};
use crate::id::UserId;

/// The longest identifier worth looking up: an e-mail address (RFC 5321).
const LONGEST_IDENTIFIER: usize = 254;

/// Signs in by user name or e-mail address. A wrong password and an unknown name get the same answer after the
/// same time.
///
/// # Errors
/// [`ErrorCode::WrongCredentials`], [`ErrorCode::AccountDeactivated`] (only with the right password), or
/// [`Error::RateLimited`].
pub async fn login(app: &App, identifier: &str, password: SecretString, client: &Client) -> Result<Granted> {
    let identifier = identifier.trim();
    let known_form = identifier.len() <= LONGEST_IDENTIFIER && !identifier.contains('\0');
    let identifier = if known_form { identifier } else { "" };
    app.throttle().login(identifier, client.address)?;
    let found = find(app, identifier, client).await?;
    let hash = found.as_ref().map(|(_, hash)| hash.clone());
    let matches = app.hasher().verify(password, hash).await?;
    let mut connection = app.connection().await?;
    match found {
        Some((user, hash)) if matches => {
            if user.deactivated_at.is_some() {
                let message =
                    "This account was deactivated by an administrator. Please contact whoever runs this server.";
                return Err(Error::rejected(ErrorCode::AccountDeactivated, &["identifier"], message));
            }
            // The password may have been changed while this one was being verified.
            let days = app.config().settings.session_days;
            match session::start(&mut connection, user, Some(hash), client, days).await? {
                Some(granted) => Ok(granted),
                None => Err(wrong_credentials()),
            }
        }
        found => {
            let target = found.map(|(user, _)| user.id.to_string());
            audit::record(
                &mut connection,
                Actor::anonymous(client),
                "login.failed",
                target,
                json!({}),
            )
            .await?;
            Err(wrong_credentials())
        }
    }
}

fn wrong_credentials() -> Error {
    let message = "The user name, e-mail address or password is wrong.";
    Error::rejected(ErrorCode::WrongCredentials, &["password"], message)
}

async fn find(app: &App, identifier: &str, client: &Client) -> Result<Option<(User, String)>> {
    let mut connection = app.connection().await?;
    let Some(user) = User::find_by_identifier(&mut connection, identifier).await? else {
        return Ok(None);
    };
    if !session::knows_address(&mut connection, user.id, &client.address.to_string()).await? {
        app.throttle().stranger(user.id)?;
    }
    let hash = users::table
        .find(user.id)
        .select(users::password_hash)
        .first(&mut connection)
        .await?;
    Ok(Some((user, hash)))
}

/// Has a signed-in person prove their password again, before something that a stolen token must not do. Gives the
/// stored hash that it was proved against; a failure is audited.
///
/// # Errors
/// [`ErrorCode::WrongCredentials`] for `field`, or [`Error::RateLimited`].
pub async fn prove_password(
    app: &App,
    who: &SignedIn,
    client: &Client,
    field: &str,
    password: SecretString,
) -> Result<String> {
    app.throttle().password(who.user_id)?;
    let hash = stored_hash(app, who.user_id).await?;
    if app.hasher().verify(password, hash.clone()).await? {
        return hash.ok_or(Error::Unauthenticated);
    }
    let target = Some(who.user_id.to_string());
    let actor = Actor::signed_in(who, client);
    audit::record(
        &mut *app.connection().await?,
        actor,
        "password.failed",
        target,
        json!({}),
    )
    .await?;
    Err(Error::rejected(
        ErrorCode::WrongCredentials,
        &[field],
        "The password is wrong.",
    ))
}

async fn stored_hash(app: &App, user_id: UserId) -> Result<Option<String>> {
    let mut connection = app.connection().await?;
    Ok(users::table
        .find(user_id)
        .select(users::password_hash)
        .first(&mut connection)
        .await
        .optional()?)
}
