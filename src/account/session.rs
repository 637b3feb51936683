//! Sessions: a sign-in on one device, kept alive by refresh tokens that are each used once.
//!
//! A token that is used a second time has been copied, so the whole family ends. The one exception is the parent
//! of the newest token within ten seconds: that is a client whose answer got lost on the way.
//!
//! ```text
//! sign in ── t0 ──used── t1 ──used── t2 (newest)
//!            │           └ again within 10 s of its use: another t2, which counts as used once the first one is
//!            └ again, ever: the session is over
//! ```

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::{IntervalDsl, now};
use diesel::prelude::*;
use diesel::sql_types::Timestamptz;
use diesel_async::{AsyncConnection, RunQueryDsl};
use secrecy::{ExposeSecret, SecretString};

use super::user::User;
use super::viewer::Client;
use crate::db::schema::{refresh_tokens, sessions, users};
use crate::db::{Connection, text_enum};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{SessionId, UserId};

/// How long the parent of the newest token may be used again.
const GRACE: TimeDelta = TimeDelta::seconds(10);

text_enum! {
    /// Why a session is over.
    Ending {
        /// The person signed out.
        Logout = "LOGOUT",
        /// The person ended it from another device, or an administrator did.
        Revoked = "REVOKED",
        /// One of its refresh tokens was used twice.
        Reuse = "REUSE",
        /// The password was changed.
        PasswordChanged = "PASSWORD_CHANGED",
        /// The account was deactivated.
        Deactivated = "DEACTIVATED",
    }
}

/// A living session as its owner sees it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = sessions, check_for_backend(diesel::pg::Pg))]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// Where it signed in from.
    pub address: Option<String>,
    /// When it signed in.
    pub created_at: DateTime<Utc>,
    /// When its refresh token was last exchanged.
    pub last_used_at: DateTime<Utc>,
    /// When it ends unless it is used before.
    pub expires_at: DateTime<Utc>,
}

/// A session and its newest refresh token.
#[derive(Debug)]
pub struct Granted {
    /// Whose session it is.
    pub user: User,
    /// The session.
    pub session_id: SessionId,
    /// The token that keeps it alive.
    pub refresh_token: SecretString,
}

/// Begins a session for `user`, unless the account was deactivated or its password is no longer the one with the hash
/// that was `proved`.
///
/// # Errors
/// When Postgres fails.
pub async fn start(
    connection: &mut Connection,
    user: User,
    proved: Option<String>,
    client: &Client,
    days: u64,
) -> Result<Option<Granted>> {
    let session_id = SessionId::new();
    let agent = client.user_agent.as_deref().map(|agent| {
        let shown = agent.chars().filter(|character| !character.is_control());
        shown.take(256).collect::<String>()
    });
    let refresh_token = new_token()?;
    let started = connection
        .transaction(async |connection| {
            // The lock makes a change of password wait, or us for it.
            let active = users::table.find(user.id).filter(users::deactivated_at.is_null());
            let stored: Option<String> = active
                .select(users::password_hash)
                .for_share()
                .first(connection)
                .await
                .optional()?;
            if stored.is_none() || (proved.is_some() && proved != stored) {
                return Ok::<_, Error>(false);
            }
            let row = (
                sessions::id.eq(session_id),
                sessions::user_id.eq(user.id),
                sessions::user_agent.eq(agent),
                sessions::address.eq(client.address.to_string()),
                sessions::expires_at.eq(now.into_sql::<Timestamptz>() + whole_days(days).days()),
            );
            diesel::insert_into(sessions::table)
                .values(row)
                .execute(connection)
                .await?;
            insert_token(connection, session_id, 0, &refresh_token).await?;
            Ok(true)
        })
        .await?;
    Ok(started.then_some(Granted {
        user,
        session_id,
        refresh_token,
    }))
}

/// What became of a refresh token that was shown to us.
enum Shown {
    Exchanged(Box<User>, SessionId),
    Refused(&'static str),
    Reused(SessionId),
}

/// Exchanges a refresh token for its child. On reuse the session's id is given to `on_reuse` once it is over.
///
/// # Errors
/// [`ErrorCode::SessionEnded`] for tokens that are unknown, expired, used, or whose account is deactivated.
pub async fn rotate(
    connection: &mut Connection,
    shown: &str,
    days: u64,
    on_reuse: impl FnOnce(SessionId) + Send,
) -> Result<Granted> {
    let refresh_token = new_token()?;
    let hash = hash(shown);
    let outcome = connection
        .transaction(async |connection| exchange(connection, hash, &refresh_token, days).await)
        .await?;
    match outcome {
        Shown::Exchanged(user, session_id) => Ok(Granted {
            user: *user,
            session_id,
            refresh_token,
        }),
        Shown::Refused(why) => Err(Error::rejected(ErrorCode::SessionEnded, &["refreshToken"], why)),
        Shown::Reused(session_id) => {
            on_reuse(session_id);
            let why = "This refresh token was used before, so the session was ended for safety. Please sign in again.";
            Err(Error::rejected(ErrorCode::SessionEnded, &["refreshToken"], why))
        }
    }
}

async fn exchange(connection: &mut Connection, hash: Vec<u8>, child: &SecretString, days: u64) -> Result<Shown> {
    const OVER: &str = "The session is over. Please sign in again.";
    let found: Option<(SessionId, i32)> = refresh_tokens::table
        .find(&hash)
        .select((refresh_tokens::session_id, refresh_tokens::generation))
        .first(connection)
        .await
        .optional()?;
    let Some((session_id, generation)) = found else {
        return Ok(Shown::Refused(OVER));
    };
    // The session's row lock makes two exchanges of one token take turns.
    type SessionRow = (
        UserId,
        i32,
        DateTime<Utc>,
        DateTime<Utc>,
        Option<DateTime<Utc>>,
        DateTime<Utc>,
    );
    let (user_id, newest, last_used_at, expires_at, revoked_at, time): SessionRow = sessions::table
        .find(session_id)
        .select((
            sessions::user_id,
            sessions::generation,
            sessions::last_used_at,
            sessions::expires_at,
            sessions::revoked_at,
            // One clock for all comparisons: the one that wrote them.
            now.into_sql::<Timestamptz>(),
        ))
        .for_update()
        .first(connection)
        .await?;
    let used_at: Option<DateTime<Utc>> = refresh_tokens::table
        .find(&hash)
        .select(refresh_tokens::used_at)
        .first(connection)
        .await?;
    let user: User = users::table
        .find(user_id)
        .select(User::as_select())
        .first(connection)
        .await?;
    if revoked_at.is_some() || expires_at <= time || user.deactivated_at.is_some() {
        return Ok(Shown::Refused(OVER));
    }
    // An unused token that is not the newest has a sibling, born in the grace, that went on without it: two hold
    // tokens of this session then, and one of them should not.
    let replaced_at = used_at.unwrap_or(last_used_at);
    let in_grace = generation == newest - 1 && time - replaced_at < GRACE;
    if (used_at.is_some() || generation < newest) && !in_grace {
        end(connection, session_id, Ending::Reuse).await?;
        return Ok(Shown::Reused(session_id));
    }
    diesel::update(
        refresh_tokens::table
            .find(&hash)
            .filter(refresh_tokens::used_at.is_null()),
    )
    .set(refresh_tokens::used_at.eq(now))
    .execute(connection)
    .await?;
    diesel::update(sessions::table.find(session_id))
        .set((
            sessions::generation.eq(generation + 1),
            sessions::last_used_at.eq(now),
            sessions::expires_at.eq(time + lifetime(days)),
        ))
        .execute(connection)
        .await?;
    insert_token(connection, session_id, generation + 1, child).await?;
    let forgotten = time - lifetime(days);
    diesel::delete(
        refresh_tokens::table
            .filter(refresh_tokens::session_id.eq(session_id))
            .filter(refresh_tokens::created_at.lt(forgotten)),
    )
    .execute(connection)
    .await?;
    Ok(Shown::Exchanged(Box::new(user), session_id))
}

/// Ends one session; false when it was over already.
///
/// # Errors
/// When Postgres fails.
pub async fn end(connection: &mut Connection, session_id: SessionId, ending: Ending) -> Result<bool> {
    let ended = diesel::update(sessions::table.find(session_id).filter(sessions::revoked_at.is_null()))
        .set((sessions::revoked_at.eq(now), sessions::revoked_reason.eq(ending)))
        .execute(connection)
        .await?;
    Ok(ended > 0)
}

/// Ends all sessions of a person but `except`, and says which.
///
/// # Errors
/// When Postgres fails.
pub async fn end_all(
    connection: &mut Connection,
    user_id: UserId,
    except: Option<SessionId>,
    ending: Ending,
) -> Result<Vec<SessionId>> {
    let except = except.unwrap_or(SessionId(uuid::Uuid::nil()));
    let mine = sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::id.ne(except))
        .filter(sessions::revoked_at.is_null());
    let ended = diesel::update(mine)
        .set((sessions::revoked_at.eq(now), sessions::revoked_reason.eq(ending)))
        .returning(sessions::id)
        .get_results(connection)
        .await?;
    Ok(ended)
}

/// The living sessions of a person, newest first; at most a hundred.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut Connection, user_id: UserId) -> Result<Vec<Session>> {
    let living = sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .order(sessions::created_at.desc())
        .limit(100);
    Ok(living.select(Session::as_select()).load(connection).await?)
}

/// Whether one session of `user_id` is alive.
///
/// # Errors
/// When Postgres fails.
pub async fn find(connection: &mut Connection, user_id: UserId, session_id: SessionId) -> Result<Option<Session>> {
    let living = sessions::table
        .find(session_id)
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::revoked_at.is_null());
    Ok(living.select(Session::as_select()).first(connection).await.optional()?)
}

/// Whether the person has signed in from this address before.
///
/// # Errors
/// When Postgres fails.
pub async fn knows_address(connection: &mut Connection, user_id: UserId, address: &str) -> Result<bool> {
    let seen = sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::address.eq(address));
    Ok(diesel::select(diesel::dsl::exists(seen)).get_result(connection).await?)
}

/// Removes sessions that ended a month ago or longer, with their tokens.
///
/// # Errors
/// When Postgres fails.
pub async fn sweep(connection: &mut Connection) -> Result<usize> {
    let long_ago = Utc::now() - TimeDelta::days(30);
    let over = sessions::table.filter(sessions::expires_at.lt(long_ago));
    Ok(diesel::delete(over).execute(connection).await?)
}

async fn insert_token(
    connection: &mut Connection,
    session_id: SessionId,
    generation: i32,
    token: &SecretString,
) -> Result<()> {
    let row = (
        refresh_tokens::token_hash.eq(hash(token.expose_secret())),
        refresh_tokens::session_id.eq(session_id),
        refresh_tokens::generation.eq(generation),
    );
    diesel::insert_into(refresh_tokens::table)
        .values(row)
        .execute(connection)
        .await?;
    Ok(())
}

fn new_token() -> Result<SecretString> {
    let mut random = [0; 32];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| Error::internal("the system gave no randomness"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random).into())
}

fn hash(token: &str) -> Vec<u8> {
    digest(&SHA256, token.as_bytes()).as_ref().to_vec()
}

fn lifetime(days: u64) -> TimeDelta {
    TimeDelta::days(whole_days(days).into())
}

fn whole_days(days: u64) -> i32 {
    days.try_into().unwrap_or(30)
}
