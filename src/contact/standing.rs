//! What people are to one person: a contact, blocked, or neither.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;

use super::book::Contact;
use crate::account::api::{Relation, RelationTo, UserLoader};
use crate::account::user::User;
use crate::db::Connection;
use crate::db::schema::{blocks, contact_books, contacts, users};
use crate::error::{Error, Result};
use crate::id::UserId;

/// What somebody is to the owner of a book, as of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Who it is.
    pub user: User,
    /// Their entry in the book, if they are in it.
    pub contact: Option<Contact>,
    /// Whether the owner blocks them.
    pub blocked: bool,
    /// Higher than that of whatever they were before.
    pub version: i32,
}

/// What these people are to `owner`, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(
    connection: &mut Connection,
    owner: UserId,
    ids: &[UserId],
) -> QueryResult<HashMap<UserId, Standing>> {
    type Row = (User, Option<(i32, DateTime<Utc>)>, Option<i32>, Option<i32>);
    let contact = contacts::contact_id.eq(users::id).and(contacts::user_id.eq(owner));
    let block = blocks::blocked_id.eq(users::id).and(blocks::user_id.eq(owner));
    // One statement: a version that was read at another moment could be that of another standing.
    let rows: Vec<Row> = users::table
        .left_join(contacts::table.on(contact))
        .left_join(blocks::table.on(block))
        .left_join(contact_books::table.on(contact_books::user_id.eq(owner)))
        .filter(users::id.eq_any(ids))
        .select((
            User::as_select(),
            (contacts::version, contacts::created_at).nullable(),
            blocks::version.nullable(),
            contact_books::version.nullable(),
        ))
        .load(connection)
        .await?;
    let standing = |(user, contact, blocked, book): Row| {
        let contact = contact.map(|(version, added_at)| Contact {
            user: user.clone(),
            version,
            added_at,
        });
        // Whoever is neither was made so by some version up to the book's, and becomes something else by a higher one.
        let version = contact.as_ref().map(|contact| contact.version).or(blocked).or(book);
        let blocked = blocked.is_some();
        (
            user.id,
            Standing {
                user,
                contact,
                blocked,
                version: version.unwrap_or_default(),
            },
        )
    };
    Ok(rows.into_iter().map(standing).collect())
}

/// What people are to the viewer, many in one query. Whoever is nothing to them is left out.
impl Loader<RelationTo> for UserLoader {
    type Value = Relation;
    type Error = Error;

    async fn load(&self, keys: &[RelationTo]) -> Result<HashMap<RelationTo, Relation>> {
        let Some(viewer) = self.viewer else {
            return Ok(HashMap::new());
        };
        let ids: Vec<UserId> = keys.iter().map(|key| key.0).collect();
        let known = contacts::table
            .filter(contacts::user_id.eq(viewer))
            .filter(contacts::contact_id.eq_any(&ids))
            .select((contacts::contact_id, false.into_sql::<Bool>()));
        let blocked = blocks::table
            .filter(blocks::user_id.eq(viewer))
            .filter(blocks::blocked_id.eq_any(&ids))
            .select((blocks::blocked_id, true.into_sql::<Bool>()));
        let mut connection = self.app.connection().await?;
        let found: Vec<(UserId, bool)> = known.union_all(blocked).load(&mut *connection).await?;
        let relation = |(id, blocked): (UserId, bool)| {
            let relation = Relation {
                is_contact: !blocked,
                is_blocked: blocked,
            };
            (RelationTo(id), relation)
        };
        Ok(found.into_iter().map(relation).collect())
    }
}
