//! What administrators and the command line do with accounts.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection, RunQueryDsl};
use secrecy::SecretString;
use serde_json::json;

use super::audit::{self, Actor};
use super::register::{self, NewUser};
use super::session::{self, Ending};
use super::user::{Role, User};
use super::{password, profile};
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::users;
use crate::error::{Error, ErrorCode, Result};
use crate::id::UserId;
use crate::page::Window;

/// Which accounts to list.
#[derive(Debug, Default)]
pub struct UserFilter {
    /// Part of the user name, display name or e-mail address.
    pub query: Option<String>,
    /// Only those with this role.
    pub role: Option<Role>,
    /// Only active or only deactivated ones.
    pub active: Option<bool>,
}

/// What a list of accounts is ordered by: newest first.
pub type UserKey = (DateTime<Utc>, UserId);

/// A page of accounts, newest first.
///
/// # Errors
/// When Postgres fails.
pub async fn users(connection: &mut Connection, filter: UserFilter, window: &Window<UserKey>) -> Result<Vec<User>> {
    let mut query = users::table
        .filter(users::deleted_at.is_null())
        .select(User::as_select())
        .limit(window.fetch())
        .into_boxed();
    if let Some(text) = filter.query.filter(|text| !text.trim().is_empty()) {
        let pattern = like_pattern(text.trim());
        // The expression of the index users_search_idx.
        query = query.filter(sql::<Text>("lower(username || ' ' || email || ' ' || display_name)").like(pattern));
    }
    if let Some(role) = filter.role {
        query = query.filter(users::role.eq(role));
    }
    match filter.active {
        Some(true) => query = query.filter(users::deactivated_at.is_null()),
        Some(false) => query = query.filter(users::deactivated_at.is_not_null()),
        None => {}
    }
    query = if window.backwards {
        query.order((users::created_at.asc(), users::id.asc()))
    } else {
        query.order((users::created_at.desc(), users::id.desc()))
    };
    if let Some((at, id)) = window.after {
        query = query.filter(
            users::created_at
                .lt(at)
                .or(users::created_at.eq(at).and(users::id.lt(id))),
        );
    }
    if let Some((at, id)) = window.before {
        query = query.filter(
            users::created_at
                .gt(at)
                .or(users::created_at.eq(at).and(users::id.gt(id))),
        );
    }
    Ok(query.load(connection).await?)
}

fn like_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.to_lowercase().chars().filter(|character| *character != '\0') {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

/// Gives a person a role. At least one active administrator always remains.
///
/// # Errors
/// [`ErrorCode::NotFound`] or [`ErrorCode::LastAdmin`].
pub async fn set_role(app: &App, actor: Actor, user_id: UserId, role: Role) -> Result<User> {
    let mut connection = app.connection().await?;
    let (user, changed) = connection
        .transaction(async |connection| {
            let user = lock(connection, user_id).await?;
            if user.role == role {
                return Ok::<_, Error>((user, false));
            }
            if role == Role::User {
                keep_an_admin(connection, &user).await?;
            }
            audit::record(
                connection,
                actor,
                "admin.set_role",
                Some(user_id.to_string()),
                json!({ "from": user.role.as_str(), "to": role.as_str() }),
            )
            .await?;
            let changes = (users::role.eq(role), users::updated_at.eq(diesel::dsl::now));
            Ok((
                diesel::update(users::table.find(user_id))
                    .set(changes)
                    .returning(User::as_returning())
                    .get_result(connection)
                    .await?,
                true,
            ))
        })
        .await?;
    if changed {
        app.live_sessions().end_user(user_id);
    }
    Ok(user)
}

/// Bars an account, ending its sessions, or lets it in again.
///
/// # Errors
/// [`ErrorCode::NotFound`] or [`ErrorCode::LastAdmin`].
pub async fn set_active(app: &App, actor: Actor, user_id: UserId, active: bool) -> Result<User> {
    let mut connection = app.connection().await?;
    let user = connection
        .transaction(async |connection| {
            let user = lock(connection, user_id).await?;
            if user.deactivated_at.is_none() == active {
                return Ok::<_, Error>(user);
            }
            if !active {
                keep_an_admin(connection, &user).await?;
                session::end_all(connection, user_id, None, Ending::Deactivated).await?;
            }
            audit::record(
                connection,
                actor,
                "admin.set_active",
                Some(user_id.to_string()),
                json!({ "active": active }),
            )
            .await?;
            let since = (!active).then(Utc::now);
            let changes = (users::deactivated_at.eq(since), users::updated_at.eq(diesel::dsl::now));
            Ok(diesel::update(users::table.find(user_id))
                .set(changes)
                .returning(User::as_returning())
                .get_result(connection)
                .await?)
        })
        .await?;
    if !active {
        app.live_sessions().end_user(user_id);
    }
    Ok(user)
}

/// Makes the first administrator of the settings, when there is no active administrator yet. An account that
/// has the e-mail address already becomes one with the password of the settings, and its sessions end: addresses
/// are not verified, so it may be anybody's.
///
/// # Errors
/// What [`register::create`] refuses, or when Postgres fails.
pub async fn ensure_first_admin(app: &App, email: &str, secret: SecretString) -> Result<Option<User>> {
    let mut connection = app.connection().await?;
    let admins: i64 = admins().count().get_result(&mut connection).await?;
    if admins > 0 {
        return Ok(None);
    }
    if let Some(user) = User::find_by_identifier(&mut connection, email).await? {
        drop(connection);
        password::check_strength(&["password"], &secret, &[&user.username, email])
            .map_err(|error| Error::Rejected(vec![error]))?;
        profile::set_password(app, user.id, None, secret, None, Actor::default()).await?;
        set_active(app, Actor::default(), user.id, true).await?;
        return set_role(app, Actor::default(), user.id, Role::Admin).await.map(Some);
    }
    let name: String = email
        .split('@')
        .next()
        .unwrap_or("admin")
        .chars()
        .filter(|character| character.is_ascii_alphanumeric())
        .take(32)
        .collect();
    let wanted = if name.len() < 3 { "admin".to_owned() } else { name };
    let username = free_username(&mut connection, &wanted).await?;
    drop(connection);
    let user = NewUser {
        username,
        email: email.to_owned(),
        password: secret,
        display_name: None,
    }
    .check()?;
    register::create(app, user, Role::Admin).await.map(Some)
}

/// The name, or if somebody has it, the name with the first number that makes it nobody's.
async fn free_username(connection: &mut Connection, wanted: &str) -> Result<String> {
    let stem: String = wanted.chars().take(28).collect();
    let numbered = (2..10_000).map(|number| format!("{stem}{number}"));
    for name in std::iter::once(wanted.to_owned()).chain(numbered) {
        if User::find_by_username(connection, &name).await?.is_none() {
            return Ok(name);
        }
    }
    Ok(wanted.to_owned())
}

/// Locks the row of an account that is not deleted. Administrators are locked in the order of their ids, all of them, so that two
/// demotions at once take turns and the second one sees what the first has left.
pub(super) async fn lock(connection: &mut Connection, user_id: UserId) -> Result<User> {
    let _: Vec<UserId> = admins()
        .select(users::id)
        .order(users::id)
        .for_update()
        .load(connection)
        .await?;
    let user = users::table
        .find(user_id)
        .filter(users::deleted_at.is_null())
        .select(User::as_select())
        .for_update()
        .first(connection)
        .await
        .optional()?;
    user.ok_or_else(|| Error::not_found(&["userId"], "user"))
}

/// Refuses what would leave the server without an administrator.
pub(super) async fn keep_an_admin(connection: &mut Connection, user: &User) -> Result<()> {
    let others: i64 = admins()
        .filter(users::id.ne(user.id))
        .count()
        .get_result(connection)
        .await?;
    if user.role == Role::Admin && user.deactivated_at.is_none() && others == 0 {
        let message = "This is the last administrator. Make somebody else an administrator first.";
        return Err(Error::rejected(ErrorCode::LastAdmin, &["userId"], message));
    }
    Ok(())
}

#[diesel::dsl::auto_type]
fn admins() -> _ {
    let admin: Role = Role::Admin;
    users::table
        .filter(users::role.eq(admin))
        .filter(users::deactivated_at.is_null())
}
