//! The servers' leases, and who is written down as here under them.

use std::time::Duration;

use diesel::dsl::{exists, now};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Double, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::here::Changes;
use crate::db::schema::nodes;
use crate::db::{Connection, prepared};
use crate::id::{SessionId, UserId};

/// How long a server counts as alive without a word of it.
const LASTS: Duration = Duration::from_secs(15);
/// How often a lease is renewed, and those of the dead are looked for.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);

#[derive(QueryableByName)]
struct Somebody {
    #[diesel(sql_type = SqlUuid)]
    user_id: UserId,
}

/// Renews the lease of a server, or gives it one. Gives whether it had none: then nobody is written down as here.
///
/// # Errors
/// When Postgres fails.
pub async fn renew(connection: &mut Connection, node: Uuid) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Lease {
        #[diesel(sql_type = Bool)]
        is_new: bool,
    }
    let query = "INSERT INTO nodes (id, expires_at) VALUES ($1, now() + make_interval(secs => $2)) \
        ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at RETURNING xmax::text = '0' AS is_new";
    let query = diesel::sql_query(query)
        .bind::<SqlUuid, _>(node)
        .bind::<Double, _>(LASTS.as_secs_f64());
    let lease: Lease = prepared(query).get_result(connection).await?;
    Ok(lease.is_new)
}

/// Whether no other server is alive.
///
/// # Errors
/// When Postgres fails.
pub async fn is_alone(connection: &mut Connection, node: Uuid) -> QueryResult<bool> {
    let others = nodes::table
        .filter(nodes::id.ne(node))
        .filter(nodes::expires_at.gt(now));
    let found = diesel::select(exists(others)).get_result::<bool>(connection);
    Ok(!found.await?)
}

/// Writes down who is here and who is gone.
///
/// # Errors
/// When Postgres fails, or the server has no lease.
pub async fn store(connection: &mut Connection, node: Uuid, changes: &Changes) -> QueryResult<()> {
    let query = "WITH device AS (SELECT user_id, array_agg(session_id) AS sessions FROM unnest($5, $6) AS device (user_id, session_id) GROUP BY user_id), \
        here AS (INSERT INTO people_here (user_id, node_id, away, sessions) \
          SELECT user_id, $1, away, coalesce(sessions, '{}') FROM unnest($2, $3) AS person (user_id, away) LEFT JOIN device USING (user_id) ORDER BY user_id \
          ON CONFLICT (user_id, node_id) DO UPDATE SET away = excluded.away, sessions = excluded.sessions), \
        gone AS (DELETE FROM people_here WHERE node_id = $1 AND user_id = ANY ($4)) \
        INSERT INTO presences (user_id, last_seen_at) SELECT id, now() FROM users WHERE id = ANY ($4) ORDER BY id \
        ON CONFLICT (user_id) DO UPDATE SET last_seen_at = excluded.last_seen_at WHERE NOT presences.invisible";
    let (here, away): (Vec<UserId>, Vec<bool>) = changes.here.iter().map(|(id, state)| (*id, state.away)).unzip();
    let devices = changes.here.iter();
    let devices = devices.flat_map(|(id, state)| state.sessions.iter().map(|session| (*id, *session)));
    let (whose, sessions): (Vec<UserId>, Vec<SessionId>) = devices.unzip();
    let query = diesel::sql_query(query)
        .bind::<SqlUuid, _>(node)
        .bind::<Array<SqlUuid>, _>(here)
        .bind::<Array<Bool>, _>(away)
        .bind::<Array<SqlUuid>, _>(&changes.gone)
        .bind::<Array<SqlUuid>, _>(whose)
        .bind::<Array<SqlUuid>, _>(sessions);
    prepared(query).execute(connection).await.map(drop)
}

/// Those whom a lease that is over has left behind, who are seen as gone since it was last renewed.
const BURY: &str = "gone AS (DELETE FROM people_here USING dead WHERE node_id = dead.id RETURNING user_id, dead.expires_at), \
    buried AS (DELETE FROM nodes USING dead WHERE nodes.id = dead.id), \
    seen AS (INSERT INTO presences (user_id, last_seen_at) \
      SELECT users.id, least(max(expires_at), now()) FROM gone JOIN users ON users.id = gone.user_id GROUP BY users.id ORDER BY users.id \
      ON CONFLICT (user_id) DO UPDATE SET last_seen_at = greatest(presences.last_seen_at, excluded.last_seen_at) WHERE NOT presences.invisible) \
    SELECT DISTINCT user_id FROM gone";

/// Takes away the leases of servers that died, and those who were connected to them. One server does it.
///
/// # Errors
/// When Postgres fails.
pub async fn bury(connection: &mut Connection) -> QueryResult<Vec<UserId>> {
    let query = format!(
        "WITH dead AS (SELECT id, expires_at FROM nodes WHERE expires_at < now() FOR UPDATE SKIP LOCKED), {BURY}"
    );
    let gone: Vec<Somebody> = diesel::sql_query(query).load(connection).await?;
    Ok(gone.into_iter().map(|somebody| somebody.user_id).collect())
}

/// Gives up the lease of a server that stops, and those who were connected to it.
///
/// # Errors
/// When Postgres fails.
pub async fn give_up(connection: &mut Connection, node: Uuid) -> QueryResult<Vec<UserId>> {
    let query = format!("WITH dead AS (SELECT id, expires_at FROM nodes WHERE id = $1 FOR UPDATE), {BURY}");
    let query = diesel::sql_query(query).bind::<SqlUuid, _>(node);
    let gone: Vec<Somebody> = query.load(connection).await?;
    Ok(gone.into_iter().map(|somebody| somebody.user_id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_a_dead_server_had_is_gone_within_thirty_seconds() {
        assert!(
            LASTS + RENEW_EVERY < Duration::from_secs(25),
            "with time left for the news to travel"
        );
        assert!(LASTS >= 3 * RENEW_EVERY, "one late renewal is no death");
    }
}
