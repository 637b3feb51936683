//! Emptying an account that is deleted: nobody can use it from this moment on, and nothing in it says whose it was.
//!
//! The row stays, for what was said to others stays with them: an id and a name that says that somebody is gone are all
//! that it holds. User name and e-mail address are free again at once: to keep them, even to keep others from them, would be to
//! keep what was asked to be deleted. Whoever takes the name is somebody else by id, and inherits nothing.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use chrono::Utc;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;

use super::admin::{keep_an_admin, lock};
use super::audit::{self, Actor};
use super::event;
use super::password::Hasher;
use super::user::Role;
use crate::db::Connection;
use crate::db::schema::{sessions, users};
use crate::error::{Error, ErrorCode, Result};
use crate::id::UserId;

/// The name that others see of somebody who is gone.
pub const NAME: &str = "Deleted account";

/// The hash of a password that nobody has.
///
/// # Errors
/// When the system gives no randomness.
pub async fn nobodys_hash(hasher: &Hasher) -> Result<String> {
    let mut random = [0; 32];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Error::internal("the system gave no randomness"))?;
    hasher.hash(BASE64_STANDARD_NO_PAD.encode(random).into()).await
}

/// Empties an account and ends its sessions, in the caller's transaction. With the hash that its password was `proved`
/// against only if that is still the stored one.
///
/// # Errors
/// NOT_FOUND or LAST_ADMIN for `userId`, WRONG_CREDENTIALS for `password`, or when Postgres fails.
pub async fn empty(
    connection: &mut Connection,
    actor: Actor,
    user_id: UserId,
    proved: Option<&str>,
    nobodys_hash: &str,
) -> Result<()> {
    let user = lock(connection, user_id).await?;
    let row = users::table.find(user_id);
    let stored: String = row.select(users::password_hash).first(connection).await?;
    if proved.is_some_and(|proved| proved != stored) {
        let message = "The password was changed a moment ago. Please sign in again.";
        return Err(Error::rejected(ErrorCode::WrongCredentials, &["password"], message));
    }
    keep_an_admin(connection, &user).await?;
    // Longer than a user name may be, and no e-mail address: nobody can be registered as this.
    let nobody = format!("deleted.{}", user_id.0.simple());
    let changes = (
        users::username.eq(&nobody),
        users::email.eq(&nobody),
        users::display_name.eq(NAME),
        users::bio.eq(None::<String>),
        users::password_hash.eq(nobodys_hash),
        users::role.eq(Role::User),
        users::deactivated_at.eq(Utc::now()),
        users::deleted_at.eq(Utc::now()),
        users::updated_at.eq(Utc::now()),
    );
    diesel::update(row).set(changes).execute(connection).await?;
    diesel::delete(sessions::table.filter(sessions::user_id.eq(user_id)))
        .execute(connection)
        .await?;
    event::tell(connection, user_id).await?;
    let target = Some(user_id.to_string());
    audit::record(connection, actor, "account.deleted", target, json!({})).await
}
