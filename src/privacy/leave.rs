//! Deleting an account: it ends in one transaction, and what belonged to it is cleared away from then on.

use chrono::Utc;
use diesel_async::AsyncConnection;
use secrecy::SecretString;
use serde_json::json;

use super::clear;
use crate::account::audit::Actor;
use crate::account::viewer::{Client, SignedIn};
use crate::account::{empty, login};
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::job;

/// Deletes an account. Whoever wants it, the person or an administrator, gives their own password again.
///
/// # Errors
/// WRONG_CREDENTIALS for `password`; NOT_FOUND, or LAST_ADMIN for whom the server cannot do without.
pub async fn delete(
    app: &App,
    who: &SignedIn,
    client: &Client,
    user_id: UserId,
    password: SecretString,
) -> Result<UserId> {
    let proved = login::prove_password(app, who, client, "password", password).await?;
    // The hash of the administrator's password says nothing about somebody else's.
    let proved = Some(proved).filter(|_| who.user_id == user_id);
    let nobodys_hash = empty::nobodys_hash(app.hasher()).await?;
    let actor = Actor::signed_in(who, client);
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| {
            empty::empty(connection, actor, user_id, proved.as_deref(), &nobodys_hash).await?;
            let task = json!({ "userId": user_id.0, "again": false });
            job::enqueue(connection, clear::KIND.name, &user_id.to_string(), task, Utc::now()).await?;
            Ok::<_, Error>(())
        })
        .await?;
    drop(connection);
    app.live_sessions().end_user(user_id);
    // At once, and not only when the job's turn has come; should it fail here, the job does it.
    if let Err(error) = clear::at_once(app, user_id).await {
        tracing::warn!(%error, "what belonged to a deleted account is left to the job");
    }
    app.jobs().wake();
    Ok(user_id)
}
