//! What others keep of somebody whose account is deleted: they are in nobody's book any more, and nobody has to block them.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::event::contact_changed;
use crate::app::App;
use crate::db::schema::{blocks, contact_books, contacts};
use crate::error::{Error, Result};
use crate::event::append_all;
use crate::id::UserId;

/// How many books one step changes.
const AT_ONCE: i64 = 200;

/// Takes somebody who is gone out of some of the books that they are in; says whether they were in any. Nobody can add
/// them again, so that this comes to an end.
///
/// # Errors
/// When Postgres fails.
pub async fn forget(app: &App, gone: UserId) -> Result<bool> {
    let mut connection = app.connection().await?;
    let found = connection
        .transaction(async |connection| {
            let known = contacts::table
                .filter(contacts::contact_id.eq(gone))
                .select(contacts::user_id);
            let blocking = blocks::table
                .filter(blocks::blocked_id.eq(gone))
                .select(blocks::user_id);
            let mut owners: Vec<UserId> = known.limit(AT_ONCE).load(connection).await?;
            owners.extend(blocking.limit(AT_ONCE).load::<UserId>(connection).await?);
            // Each book first, as whoever changes one does; and in order, for there are several.
            let books = contact_books::table.filter(contact_books::user_id.eq_any(&owners));
            let owners: Vec<UserId> = books
                .select(contact_books::user_id)
                .order(contact_books::user_id)
                .for_update()
                .load(connection)
                .await?;
            if owners.is_empty() {
                return Ok::<_, Error>(false);
            }
            diesel::update(contact_books::table.filter(contact_books::user_id.eq_any(&owners)))
                .set(contact_books::version.eq(contact_books::version + 1))
                .execute(connection)
                .await?;
            let known = contacts::table
                .filter(contacts::contact_id.eq(gone))
                .filter(contacts::user_id.eq_any(&owners));
            diesel::delete(known).execute(connection).await?;
            let blocking = blocks::table
                .filter(blocks::blocked_id.eq(gone))
                .filter(blocks::user_id.eq_any(&owners));
            diesel::delete(blocking).execute(connection).await?;
            let events = owners.iter().map(|owner| contact_changed(*owner, gone)).collect();
            append_all(connection, events).await?;
            Ok(true)
        })
        .await?;
    if found {
        app.log().wake();
    }
    Ok(found)
}
