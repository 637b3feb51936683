//! The log's table: appending inside the writer's transaction, reading what a position has not seen, trimming.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};
use uuid::Uuid;

use super::cursor::{Cursor, Position, Snapshot};
use super::home::{HOME, LOCKED};
use crate::db::schema::events;
use crate::db::{Connection, prepared};
use crate::error::{Error, Result};
use crate::id::{ChatId, UserId};

/// A chat is gone for one person; `chatId` in the payload says which. The reader of the log tells them nothing more of it.
pub const CHAT_REMOVED: &str = "chat.removed";

/// Whom an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// One person, on all their devices.
    User(UserId),
    /// Whoever is a member of the chat when it is delivered.
    Chat(ChatId),
    /// Everybody on this server.
    Everybody,
}

/// One row of the log.
#[derive(Debug, Clone, QueryableByName)]
pub struct LoggedEvent {
    /// Its id: in lock order within a chat.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) xid: i64,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(super) user_id: Option<UserId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub(super) chat_id: Option<ChatId>,
    /// What kind of event it is.
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// What it speaks of.
    #[diesel(sql_type = Jsonb)]
    pub payload: serde_json::Value,
    /// When its transaction began.
    #[diesel(sql_type = Timestamptz)]
    pub occurred_at: DateTime<Utc>,
}

impl LoggedEvent {
    /// Whom it is for.
    pub fn audience(&self) -> Audience {
        match (self.user_id, self.chat_id) {
            (Some(user_id), _) => Audience::User(user_id),
            (None, Some(chat_id)) => Audience::Chat(chat_id),
            (None, None) => Audience::Everybody,
        }
    }

    /// The room that the person whom it is for is in no more, if that is what it says.
    pub fn left_chat(&self) -> Option<ChatId> {
        let id = (self.kind == CHAT_REMOVED)
            .then(|| self.payload.get("chatId"))
            .flatten()?;
        serde_json::from_value(id.clone()).ok()
    }

    /// Whether a reader at this position has had it.
    pub fn is_before(&self, position: &Position) -> bool {
        let xid = self.xid.unsigned_abs();
        position.seen.shows(xid)
            || position
                .then
                .as_ref()
                .is_some_and(|(then, id)| then.shows(xid) && self.id <= *id)
    }
}

/// An event to be written.
#[derive(Debug, Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
pub struct NewEvent {
    user_id: Option<UserId>,
    chat_id: Option<ChatId>,
    kind: &'static str,
    payload: serde_json::Value,
}

impl NewEvent {
    /// An event of some kind that speaks of what is in `payload`.
    pub fn new(audience: Audience, kind: &'static str, payload: serde_json::Value) -> Self {
        let (user_id, chat_id) = match audience {
            Audience::User(user_id) => (Some(user_id), None),
            Audience::Chat(chat_id) => (None, Some(chat_id)),
            Audience::Everybody => (None, None),
        };
        NewEvent {
            user_id,
            chat_id,
            kind,
            payload,
        }
    }
}

/// Writes events in one statement (an array, so that the statement stays prepared), to be called in the transaction that makes them true and, for a chat's events, after
/// the chat's row was locked. Whoever commits then calls [`super::Log::wake`].
///
/// # Errors
/// When Postgres fails.
pub async fn append<const N: usize>(mut connection: &Connection, new: [NewEvent; N]) -> QueryResult<()> {
    diesel::insert_into(events::table)
        .values(new)
        .execute(&mut connection)
        .await
        .map(drop)
}

/// The same for as many as there are; [`append`] is quicker for a few whose number is known.
///
/// # Errors
/// When Postgres fails.
pub async fn append_all(connection: &mut Connection, new: Vec<NewEvent>) -> QueryResult<()> {
    diesel::insert_into(events::table)
        .values(new)
        .execute(connection)
        .await
        .map(drop)
}

#[derive(QueryableByName)]
struct Now {
    #[diesel(sql_type = SqlUuid)]
    epoch: Uuid,
    #[diesel(sql_type = Text)]
    now: String,
}

/// The cursor of now: whatever is read after this call is at least as new.
///
/// # Errors
/// When Postgres fails.
pub async fn current(connection: &mut Connection) -> Result<Cursor> {
    let Now { epoch, now } = prepared(diesel::sql_query(
        "SELECT epoch, pg_current_snapshot()::text AS now FROM event_log",
    ))
    .get_result(connection)
    .await?;
    Ok(Cursor {
        epoch,
        position: Position::at(parse(&now)?),
    })
}

/// Whether a stream can go on from a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumable {
    /// Everything after it is still in the log.
    Yes,
    /// Some of what came after it was removed.
    TooOld,
    /// It is from another log, or from the future of this one.
    Unknown,
}

/// Whether a stream can go on from this cursor.
///
/// # Errors
/// When Postgres fails.
pub async fn resumable(connection: &mut Connection, cursor: &Cursor) -> Result<Resumable> {
    #[derive(QueryableByName)]
    struct Bounds {
        #[diesel(sql_type = SqlUuid)]
        epoch: Uuid,
        #[diesel(sql_type = Text)]
        trimmed: String,
        #[diesel(sql_type = Text)]
        now: String,
    }
    let query = "SELECT epoch, trimmed_xid::text AS trimmed, pg_current_snapshot()::text AS now FROM event_log";
    let bounds: Bounds = prepared(diesel::sql_query(query)).get_result(connection).await?;
    let trimmed: u64 = bounds
        .trimmed
        .parse()
        .map_err(|_| Error::internal("an xid that is no number"))?;
    let known = cursor.epoch == bounds.epoch && parse(&bounds.now)?.xmax >= cursor.position.reaches().xmax;
    Ok(match known {
        false => Resumable::Unknown,
        true if cursor.position.seen.xmin <= trimmed => Resumable::TooOld,
        true => Resumable::Yes,
    })
}

const COLUMNS: &str = "id, xid::text::bigint AS xid, user_id, chat_id, kind, payload, occurred_at";

/// Of what `upto` shows and `position.seen` does not, the next events for one person, in order. Only events with
/// an id above `after_id`; of the chats only those in `chats`, if any are named. Events of assistants always come: chats
/// name them.
///
/// # Errors
/// When Postgres fails.
pub async fn read(
    connection: &mut Connection,
    user_id: UserId,
    chats: Option<&[ChatId]>,
    (seen, upto, after_id): (&Snapshot, &Snapshot, i64),
    limit: i32,
) -> Result<Vec<LoggedEvent>> {
    // Three arms, each on an index of its own; `id + 0` keeps Postgres from walking all ids from the beginning instead.
    let query = format!(
        "SELECT * FROM (\
           (SELECT {COLUMNS} FROM events WHERE user_id = $1 \
              AND xid >= $2::text::xid8 AND NOT pg_visible_in_snapshot(xid, $3::pg_snapshot) AND pg_visible_in_snapshot(xid, $4::pg_snapshot) AND id > $5 \
              AND ($6 IS NULL OR payload ? 'assistantId' OR (payload->>'chatId')::uuid = ANY ($6)) ORDER BY id + 0 LIMIT $7) \
           UNION ALL \
           (SELECT {COLUMNS} FROM events WHERE user_id IS NULL AND chat_id IS NULL \
              AND xid >= $2::text::xid8 AND NOT pg_visible_in_snapshot(xid, $3::pg_snapshot) AND pg_visible_in_snapshot(xid, $4::pg_snapshot) AND id > $5 \
              AND ($6 IS NULL OR payload ? 'assistantId') ORDER BY id + 0 LIMIT $7) \
           UNION ALL \
           (SELECT {COLUMNS} FROM events WHERE chat_id IN (SELECT chat_id FROM chat_members WHERE user_id = $1 AND ($6 IS NULL OR chat_id = ANY ($6))) \
              AND xid >= $2::text::xid8 AND NOT pg_visible_in_snapshot(xid, $3::pg_snapshot) AND pg_visible_in_snapshot(xid, $4::pg_snapshot) AND id > $5 \
              ORDER BY id + 0 LIMIT $7)) AS missed \
         ORDER BY id LIMIT $7"
    );
    let rows = diesel::sql_query(query)
        .bind::<SqlUuid, _>(user_id)
        .bind::<Text, _>(seen.xmin.to_string())
        .bind::<Text, _>(seen.to_string())
        .bind::<Text, _>(upto.to_string())
        .bind::<BigInt, _>(after_id)
        .bind::<Nullable<Array<SqlUuid>>, _>(chats)
        .bind::<Integer, _>(limit);
    Ok(rows.load(connection).await?)
}

/// The same for whoever reads on the server's behalf: everything, for whomever it is.
///
/// # Errors
/// When Postgres fails.
pub async fn read_everything(
    connection: &mut Connection,
    (seen, upto, after_id): (&Snapshot, &Snapshot, i64),
    limit: i32,
) -> Result<Vec<LoggedEvent>> {
    let query = format!(
        "SELECT {COLUMNS} FROM events WHERE xid >= $1::text::xid8 AND NOT pg_visible_in_snapshot(xid, $2::pg_snapshot) \
           AND pg_visible_in_snapshot(xid, $3::pg_snapshot) AND id > $4 ORDER BY id + 0 LIMIT $5"
    );
    let rows = diesel::sql_query(query)
        .bind::<Text, _>(seen.xmin.to_string())
        .bind::<Text, _>(seen.to_string())
        .bind::<Text, _>(upto.to_string())
        .bind::<BigInt, _>(after_id)
        .bind::<Integer, _>(limit);
    Ok(rows.load(connection).await?)
}

/// What one reading of the log finds.
#[derive(Debug)]
pub(super) struct Reading {
    /// Which log it is.
    pub(super) epoch: Uuid,
    /// Whether another Postgres has taken over.
    pub(super) moved: bool,
    /// Which transactions could be seen.
    pub(super) now: Snapshot,
    /// The events.
    pub(super) rows: Vec<LoggedEvent>,
}

/// The snapshot of now and every event that it shows and `seen` does not, at most `limit`, in order.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn read_all(connection: &mut Connection, seen: &Snapshot, limit: i32) -> Result<Reading> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(embed)]
        end: Now,
        #[diesel(sql_type = Bool)]
        moved: bool,
        #[diesel(sql_type = Nullable<Jsonb>)]
        rows: Option<serde_json::Value>,
    }
    // One statement, so that the snapshot is the very one that the events were read with. The limit is taken on the
    // index that finds them.
    let query = format!(
        "SELECT epoch, pg_current_snapshot()::text AS now, home IS DISTINCT FROM {HOME} AS moved, (SELECT jsonb_agg(new ORDER BY id) FROM (SELECT {COLUMNS} FROM events \
         WHERE xid >= $1::text::xid8 AND NOT pg_visible_in_snapshot(xid, $2::pg_snapshot) ORDER BY events.xid LIMIT $3) AS new) AS rows FROM event_log"
    );
    let row: Row = diesel::sql_query(query)
        .bind::<Text, _>(seen.xmin.to_string())
        .bind::<Text, _>(seen.to_string())
        .bind::<Integer, _>(limit)
        .get_result(connection)
        .await?;
    let rows = match row.rows {
        Some(rows) => serde_json::from_value::<Vec<WireEvent>>(rows).map_err(Error::surprise)?,
        None => Vec::new(),
    };
    Ok(Reading {
        epoch: row.end.epoch,
        moved: row.moved,
        now: parse(&row.end.now)?,
        rows: rows.into_iter().map(LoggedEvent::from).collect(),
    })
}

/// A [`LoggedEvent`] as `jsonb_agg` writes it.
#[derive(serde::Deserialize)]
struct WireEvent {
    id: i64,
    xid: i64,
    user_id: Option<UserId>,
    chat_id: Option<ChatId>,
    kind: String,
    payload: serde_json::Value,
    occurred_at: DateTime<Utc>,
}

impl From<WireEvent> for LoggedEvent {
    fn from(
        WireEvent {
            id,
            xid,
            user_id,
            chat_id,
            kind,
            payload,
            occurred_at,
        }: WireEvent,
    ) -> Self {
        LoggedEvent {
            id,
            xid,
            user_id,
            chat_id,
            kind,
            payload,
            occurred_at,
        }
    }
}

/// How many events one round of trimming removes.
const TRIM: i32 = 5_000;

/// Removes events older than `days`, some thousands at a time, and remembers up to which transaction. Says how many
/// rounds it took.
///
/// # Errors
/// When Postgres fails; what was removed before stays removed.
pub async fn trim(connection: &mut Connection, days: u16) -> Result<usize> {
    let query = "WITH removed AS (DELETE FROM events WHERE id IN (SELECT id FROM events \
            WHERE occurred_at < now() - make_interval(days => $1) ORDER BY occurred_at LIMIT $2) RETURNING xid), \
         newest AS (SELECT xid FROM removed ORDER BY xid DESC LIMIT 1) \
         UPDATE event_log SET trimmed_xid = greatest(trimmed_xid, newest.xid) FROM newest";
    let mut rounds = 0;
    loop {
        let removed = connection
            .transaction(async |connection| {
                // Before the events: so does whoever starts a new log.
                diesel::sql_query(LOCKED).execute(connection).await?;
                let round = diesel::sql_query(query)
                    .bind::<Integer, _>(i32::from(days))
                    .bind::<Integer, _>(TRIM);
                Ok::<_, Error>(round.execute(connection).await?)
            })
            .await?;
        if removed == 0 {
            return Ok(rounds);
        }
        rounds += 1;
    }
}

fn parse(snapshot: &str) -> Result<Snapshot> {
    snapshot
        .parse()
        .map_err(|_| Error::internal(format!("Postgres gave a snapshot that cannot be read: {snapshot}")))
}
