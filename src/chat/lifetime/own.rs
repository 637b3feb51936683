//! How old messages of a direct chat get for one of its people alone.
//!
//! Whoever is blocked by the other cannot tell, and decides nothing for them. What they say of the chat's messages holds for
//! themselves: what is too old is taken out of their own history, and the other's stays as it is.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};

use crate::app::App;
use crate::chat::event;
use crate::chat::member::Membership;
use crate::chat::own;
use crate::db::schema::{chat_members, own_changes};
use crate::db::{Connection, prepared};
use crate::error::{Error, Result};
use crate::event::append;
use crate::id::{ChatId, UserId};

/// How many people one look takes.
const PEOPLE: usize = 100;

/// The newest message that is too old for a person and was not for them before.
const THROUGH: &str = "SELECT old.sequence AS through FROM own_changes AS own JOIN chat_members AS member USING (chat_id, user_id) \
      CROSS JOIN LATERAL (SELECT sequence FROM messages \
        WHERE messages.chat_id = own.chat_id AND active AND sequence > member.history_after \
          AND created_at <= now() - make_interval(secs => own.lifetime_seconds) ORDER BY sequence DESC LIMIT 1) AS old \
    WHERE chat_id = $1 AND user_id = $2 AND own.lifetime_seconds > 0";

/// Those of whose history the first message is too old for them.
const DUE: &str = "SELECT chat_id, user_id FROM own_changes AS own JOIN chat_members AS member USING (chat_id, user_id) \
      CROSS JOIN LATERAL (SELECT created_at FROM messages \
        WHERE messages.chat_id = own.chat_id AND active AND sequence > member.history_after ORDER BY sequence LIMIT 1) AS first \
    WHERE own.lifetime_seconds > 0 AND first.created_at <= now() - make_interval(secs => own.lifetime_seconds) LIMIT 100";

#[derive(QueryableByName)]
struct Through {
    #[diesel(sql_type = BigInt)]
    through: i64,
}

#[derive(QueryableByName)]
struct Due {
    #[diesel(sql_type = SqlUuid)]
    chat_id: ChatId,
    #[diesel(sql_type = SqlUuid)]
    user_id: UserId,
}

/// Sets it for one person of a chat, which is locked; none lets messages stay. What is too old now goes.
///
/// # Errors
/// When Postgres fails.
pub async fn set(
    connection: &mut Connection,
    chat_id: ChatId,
    user_id: UserId,
    seconds: Option<i32>,
) -> QueryResult<()> {
    own::change(connection, chat_id, user_id).await?;
    diesel::update(own_changes::table.find((chat_id, user_id)))
        .set(own_changes::lifetime_seconds.eq(seconds.unwrap_or_default()))
        .execute(connection)
        .await?;
    append(connection, [event::chat_upserted_for(chat_id, user_id)]).await?;
    hide(connection, chat_id, user_id).await
}

/// The chat's own rule holds for everybody in it, which is locked.
///
/// # Errors
/// When Postgres fails.
pub async fn forget(connection: &mut Connection, chat_id: ChatId) -> QueryResult<()> {
    diesel::update(own_changes::table.filter(own_changes::chat_id.eq(chat_id)))
        .set(own_changes::lifetime_seconds.eq(None::<i32>))
        .execute(connection)
        .await
        .map(drop)
}

/// Takes what is too old for one person out of their history, and tells their devices. The chat is locked.
async fn hide(connection: &mut Connection, chat_id: ChatId, user_id: UserId) -> QueryResult<()> {
    let query = diesel::sql_query(THROUGH)
        .bind::<SqlUuid, _>(chat_id)
        .bind::<SqlUuid, _>(user_id);
    let found: Option<Through> = prepared(query).get_result(connection).await.optional()?;
    let Some(Through { through }) = found else {
        return Ok(());
    };
    let mine = chat_members::table.find((chat_id, user_id));
    own::change(connection, chat_id, user_id).await?;
    let gone = chat_members::history_after.eq(through);
    diesel::update(mine).set(gone).execute(connection).await?;
    diesel::update(mine.filter(chat_members::last_read_sequence.lt(through)))
        .set(chat_members::last_read_sequence.eq(through))
        .execute(connection)
        .await?;
    let events = [
        event::history_cleared_for(chat_id, user_id, through),
        event::chat_upserted_for(chat_id, user_id),
    ];
    append(connection, events).await
}

/// Takes what has got too old out of the histories of those for whom it has.
///
/// # Errors
/// When Postgres fails.
pub async fn due(app: &App) -> Result<()> {
    loop {
        let mut connection = app.connection().await?;
        let due: Vec<Due> = prepared(diesel::sql_query(DUE)).load(&mut connection).await?;
        for Due { chat_id, user_id } in &due {
            connection
                .transaction(async |connection| {
                    match Membership::lock(connection, *user_id, *chat_id).await {
                        Ok(_) => Ok(hide(connection, *chat_id, *user_id).await?),
                        // Who has left a moment ago has no history there.
                        Err(Error::Rejected(_)) => Ok(()),
                        Err(error) => Err(error),
                    }
                })
                .await?;
        }
        if !due.is_empty() {
            app.log().wake();
        }
        if due.len() < PEOPLE || app.stopped().is_cancelled() {
            return Ok(());
        }
    }
}
