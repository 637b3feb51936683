//! The address book of a person: whom they added.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::event::contact_changed;
use crate::account::user::User;
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{blocks, contact_books, contacts, users};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::UserId;
use crate::page::Window;

/// The most contacts that one person may have.
pub const MOST: i64 = 5_000;

/// Somebody in an address book.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = contacts, check_for_backend(diesel::pg::Pg))]
pub struct Contact {
    /// Who it is.
    #[diesel(embed)]
    pub user: User,
    /// The version of the book when they were added.
    pub version: i32,
    /// When they were added.
    #[diesel(column_name = created_at)]
    pub added_at: DateTime<Utc>,
}

/// A page of the contacts of a person, those who were added last first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut Connection, owner: UserId, window: &Window<i32>) -> QueryResult<Vec<Contact>> {
    let mut query = contacts::table
        .inner_join(users::table.on(users::id.eq(contacts::contact_id)))
        .filter(contacts::user_id.eq(owner))
        .select(Contact::as_select())
        .limit(window.fetch())
        .into_boxed();
    query = if window.backwards {
        query.order(contacts::version.asc())
    } else {
        query.order(contacts::version.desc())
    };
    if let Some(after) = window.after {
        query = query.filter(contacts::version.lt(after));
    }
    if let Some(before) = window.before {
        query = query.filter(contacts::version.gt(before));
    }
    query.load(connection).await
}

/// Puts somebody into the book. Whoever is in it already stays as they are.
///
/// # Errors
/// NOT_FOUND, INVALID for oneself, INVALID_STATE for somebody whom the owner blocks, or LIMIT_REACHED.
pub async fn add(app: &App, owner: UserId, other: UserId) -> Result<Contact> {
    if owner == other {
        let message = "You cannot add yourself. Add somebody else.";
        return Err(Error::rejected(ErrorCode::Invalid, &["userId"], message));
    }
    change(app, owner, other, |connection, version, user| {
        async move {
            let mine = contacts::table.filter(contacts::user_id.eq(owner));
            let have = mine
                .filter(contacts::contact_id.eq(other))
                .select((contacts::version, contacts::created_at));
            if let Some((version, added_at)) = have.first(connection).await.optional()? {
                let contact = Contact {
                    user,
                    version,
                    added_at,
                };
                return Ok((contact, false));
            }
            let blocked = diesel::select(diesel::dsl::exists(blocks::table.find((owner, other))));
            if blocked.get_result(connection).await? {
                let message = "You have blocked this person. Unblock them first.";
                return Err(Error::rejected(ErrorCode::InvalidState, &["userId"], message));
            }
            if mine.count().get_result::<i64>(connection).await? >= MOST {
                let message = format!("You have {MOST} contacts. Remove some first.");
                return Err(Error::rejected(ErrorCode::LimitReached, &[], message));
            }
            let row = (
                contacts::user_id.eq(owner),
                contacts::contact_id.eq(other),
                contacts::version.eq(version),
            );
            let added_at = diesel::insert_into(contacts::table)
                .values(row)
                .returning(contacts::created_at)
                .get_result(connection)
                .await?;
            let contact = Contact {
                user,
                version,
                added_at,
            };
            Ok((contact, true))
        }
        .boxed()
    })
    .await
}

/// Takes somebody out of the book. Whoever is not in it stays out of it.
///
/// # Errors
/// NOT_FOUND when there is no such person.
pub async fn remove(app: &App, owner: UserId, other: UserId) -> Result<User> {
    change(app, owner, other, |connection, _, user| {
        async move {
            let removed = diesel::delete(contacts::table.find((owner, other)));
            Ok((user, removed.execute(connection).await? > 0))
        }
        .boxed()
    })
    .await
}

/// Changes what `other` is to `owner` by `work`, which is given the version of the change and the person, and says whether
/// anything did change: then it is told, and so is what the two see of each other now.
///
/// # Errors
/// NOT_FOUND when there is no such person, and those of `work`.
pub(super) async fn change<T: Send>(
    app: &App,
    owner: UserId,
    other: UserId,
    work: impl for<'a> FnOnce(&'a mut Connection, i32, User) -> BoxFuture<'a, Result<(T, bool)>> + Send,
) -> Result<T> {
    let mut connection = app.connection().await?;
    let (value, sight) = connection
        .transaction(async |connection| {
            let (version, user) = open(connection, owner, other).await?;
            let mut sight = app.presence().sight(connection, owner, other).await?;
            let (value, is_changed) = work(connection, version, user).await?;
            if !is_changed {
                return Ok((value, None));
            }
            append(connection, [contact_changed(owner, other)]).await?;
            sight.again(connection).await?;
            Ok::<_, Error>((value, Some(sight)))
        })
        .await?;
    app.log().wake();
    sight.into_iter().for_each(|sight| app.presence().between(sight));
    Ok(value)
}

/// Opens the owner's book for a change, to be called first in its transaction: until it ends, their other changes wait.
/// Gives the version of the change and the person that it is about, who cannot be deleted meanwhile. A version that
/// comes to nothing is left out.
///
/// # Errors
/// NOT_FOUND when there is no such person.
pub(super) async fn open(connection: &mut Connection, owner: UserId, other: UserId) -> Result<(i32, User)> {
    let version: i32 = diesel::insert_into(contact_books::table)
        .values(contact_books::user_id.eq(owner))
        .on_conflict(contact_books::user_id)
        .do_update()
        .set(contact_books::version.eq(contact_books::version + 1))
        .returning(contact_books::version)
        .get_result(connection)
        .await?;
    let user: Option<User> = users::table
        .find(other)
        .filter(users::deleted_at.is_null())
        .select(User::as_select())
        .for_key_share()
        .first(connection)
        .await
        .optional()?;
    let user = user.ok_or_else(|| Error::not_found(&["userId"], "person"))?;
    Ok((version, user))
}
