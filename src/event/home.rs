//! Where a log is at home, and what becomes of it elsewhere.

use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};
use uuid::Uuid;

use super::cursor::Cursor;
use crate::db::Connection;
use crate::db::schema::log_readers;
use crate::error::{Error, Result};

/// Where a log is at home: the cluster, the timeline that it writes (the one of its control file is the old one until the
/// first checkpoint after a failover) and the database.
pub(super) const HOME: &str = "concat_ws('/', (SELECT system_identifier FROM pg_control_system()), \
    ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int, \
    (SELECT oid FROM pg_database WHERE datname = current_database()))";

/// The log, for whoever is to change it.
pub(super) const LOCKED: &str = "SELECT epoch, home FROM event_log FOR UPDATE";

/// Starts a new log, so that clients read everything anew, when this one is not at home. Called at start, and when that is
/// found.
///
/// On another timeline (a failover, a restore to a point in time) what clients have seen last may not be there, but the
/// log and what its readers in the database have noted are of one moment: those go on where they were. In another cluster
/// or database transaction ids mean nothing, and nothing of the log is kept. `astray` is a log of which the caller has
/// found that it is not the one that its clients have seen, at home or not.
///
/// # Errors
/// When Postgres fails.
pub async fn adopt(connection: &mut Connection, astray: Option<Uuid>) -> Result<bool> {
    #[derive(QueryableByName)]
    struct Known {
        #[diesel(sql_type = SqlUuid)]
        epoch: Uuid,
        #[diesel(sql_type = Nullable<Text>)]
        home: Option<String>,
    }
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Text)]
        here: String,
        #[diesel(sql_type = Bool)]
        foreign: bool,
    }
    let found = format!(
        "SELECT {HOME} AS here, trimmed_xid >= pg_snapshot_xmax(pg_current_snapshot()) \
         OR EXISTS (SELECT FROM events WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())) AS foreign FROM event_log"
    );
    let adopted = connection
        .transaction(async |connection| {
            // By itself: whoever waits here while they have a lock on the events would wait for each other.
            let known: Known = diesel::sql_query(LOCKED).get_result(connection).await?;
            let found: Found = diesel::sql_query(found).get_result(connection).await?;
            let home = known.home.as_deref();
            let kept = !found.foreign && home.is_none_or(|home| is_same_database(home, &found.here));
            let is_at_home = !found.foreign && home.is_none_or(|home| home == found.here);
            let renewed = !is_at_home || astray == Some(known.epoch);
            if !renewed && home.is_some() {
                return Ok(false);
            }
            let epoch = if renewed { Uuid::new_v4() } else { known.epoch };
            let settled =
                "UPDATE event_log SET epoch = $1, home = $2, trimmed_xid = CASE WHEN $3 THEN trimmed_xid ELSE '0' END";
            diesel::sql_query(settled)
                .bind::<SqlUuid, _>(epoch)
                .bind::<Text, _>(&found.here)
                .bind::<Bool, _>(kept)
                .execute(connection)
                .await?;
            if !kept {
                // Two weeks of events take long to delete, and nobody reads them any more.
                diesel::sql_query("TRUNCATE events").execute(connection).await?;
            } else if renewed {
                bring_along(connection, known.epoch, epoch).await?;
            }
            Ok::<_, Error>(renewed)
        })
        .await?;
    Ok(adopted)
}

/// Whether two homes differ by nothing but the timeline.
fn is_same_database(one: &str, other: &str) -> bool {
    let place = |home: &str| {
        let mut parts = home.split('/').map(str::to_owned);
        (parts.next(), parts.nth(1))
    };
    place(one) == place(other)
}

/// Has those readers go on in the new log whose position in the former one is in the database with it.
async fn bring_along(connection: &mut Connection, former: Uuid, epoch: Uuid) -> Result<()> {
    let readers: Vec<(String, Option<String>)> = log_readers::table
        .select((log_readers::name, log_readers::cursor))
        .for_update()
        .load(connection)
        .await?;
    for (name, cursor) in readers {
        let Some(Ok(cursor)) = cursor.map(|cursor| cursor.parse::<Cursor>()) else {
            continue;
        };
        if cursor.epoch != former {
            continue;
        }
        let cursor = Cursor { epoch, ..cursor };
        diesel::update(log_readers::table.find(name))
            .set(log_readers::cursor.eq(cursor.to_string()))
            .execute(connection)
            .await?;
    }
    Ok(())
}
