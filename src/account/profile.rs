//! What people change about their own account.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use secrecy::SecretString;
use serde_json::json;

use super::audit::{self, Actor};
use super::session::{self, Ending};
use super::user::User;
use super::viewer::{Client, SignedIn};
use super::{event, login, password};
use crate::app::App;
use crate::db::schema::users;
use crate::error::{Error, ErrorCode, Result};
use crate::id::UserId;
use crate::input;

/// What to change in a profile; none leaves it as it is.
#[derive(Debug, Default)]
pub struct ProfileChange {
    /// The name that others see.
    pub display_name: Option<String>,
    /// A few words about oneself; empty removes them.
    pub bio: Option<String>,
}

#[derive(AsChangeset)]
#[diesel(table_name = users)]
struct Changes {
    display_name: Option<String>,
    bio: Option<Option<String>>,
    updated_at: chrono::DateTime<chrono::Utc>,
}

/// Changes the profile of `user_id`, and tells those who know them.
///
/// # Errors
/// [`Error::Rejected`] with the field that cannot be so; RATE_LIMITED.
pub async fn update(app: &App, user_id: UserId, change: ProfileChange) -> Result<User> {
    let mut errors = Vec::new();
    let mut check = |checked: Result<String, _>| checked.map_err(|error| errors.push(error)).ok();
    let display_name = change
        .display_name
        .and_then(|name| check(input::line(&["displayName"], "The display name", &name, 80)));
    let bio = change
        .bio
        .and_then(|bio| check(input::text(&["bio"], "The bio", bio.trim(), 500)));
    if !errors.is_empty() {
        return Err(Error::Rejected(errors));
    }
    let changes = Changes {
        display_name,
        bio: bio.map(|bio| (!bio.is_empty()).then_some(bio)),
        updated_at: chrono::Utc::now(),
    };
    app.throttle().shared_change(user_id)?;
    let mut connection = app.connection().await?;
    let user = connection
        .transaction(async |connection| {
            let changed = diesel::update(users::table.find(user_id))
                .set(changes)
                .returning(User::as_returning());
            let user = changed.get_result(connection).await?;
            event::tell(connection, user_id).await?;
            Ok::<User, Error>(user)
        })
        .await?;
    app.log().wake();
    Ok(user)
}

/// Changes the password and ends every other session.
///
/// # Errors
/// [`crate::error::ErrorCode::WrongCredentials`] when the current password is wrong, or why the new one is not accepted.
pub async fn change_password(
    app: &App,
    who: &SignedIn,
    client: &Client,
    current: SecretString,
    new: SecretString,
) -> Result<()> {
    let user = User::find(&mut *app.connection().await?, who.user_id)
        .await?
        .ok_or(Error::Unauthenticated)?;
    let candidate = new.clone();
    let check = move || {
        let own_words = [user.username.as_str(), user.email.as_str(), "parlor"];
        password::check_strength(&["newPassword"], &candidate, &own_words).map_err(|error| Error::Rejected(vec![error]))
    };
    app.hasher().run(check).await?;
    let proved = login::prove_password(app, who, client, "currentPassword", current).await?;
    let actor = Actor::signed_in(who, client);
    if set_password(app, who.user_id, Some(proved), new, Some(who), actor).await? {
        return Ok(());
    }
    let message = "The password was changed a moment ago. Please sign in again.";
    Err(Error::rejected(
        ErrorCode::WrongCredentials,
        &["currentPassword"],
        message,
    ))
}

/// Stores a new password and ends the sessions of its owner, but for the one that `keeps` it. With the `expected` hash
/// only if that is still the stored one; says whether it was.
///
/// # Errors
/// When Postgres fails.
pub async fn set_password(
    app: &App,
    user_id: UserId,
    expected: Option<String>,
    new: SecretString,
    keeps: Option<&SignedIn>,
    actor: Actor,
) -> Result<bool> {
    let hash = app.hasher().hash(new).await?;
    let kept = keeps.map(|who| who.session_id);
    let mut connection = app.connection().await?;
    let ended = connection
        .transaction(async |connection| {
            let mut stored = diesel::update(users::table).filter(users::id.eq(user_id)).into_boxed();
            if let Some(expected) = expected {
                stored = stored.filter(users::password_hash.eq(expected));
            }
            let changes = (users::password_hash.eq(hash), users::updated_at.eq(diesel::dsl::now));
            if stored.set(changes).execute(connection).await? == 0 {
                return Ok(None);
            }
            audit::record(
                connection,
                actor,
                "password.changed",
                Some(user_id.to_string()),
                json!({}),
            )
            .await?;
            let ended = session::end_all(connection, user_id, kept, Ending::PasswordChanged).await?;
            Ok::<_, Error>(Some(ended))
        })
        .await?;
    let changed = ended.is_some();
    for session_id in ended.into_iter().flatten() {
        app.live_sessions().end(session_id);
    }
    Ok(changed)
}
