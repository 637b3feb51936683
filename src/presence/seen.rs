//! What people see of each other.

use std::collections::HashMap;
use std::time::Duration;

use async_graphql::dataloader::Loader;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Double, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::account::api::UserLoader;
use crate::account::presence::{Presence, PresenceOf, PresenceStatus};
use crate::db::schema::{nodes, people_here, presences};
use crate::db::{Connection, prepared};
use crate::error::{Error, Result};
use crate::id::UserId;

/// Whether somebody is here, as it is.
#[derive(Debug, Clone)]
pub struct State {
    /// As it is.
    pub presence: Presence,
    /// Whether they want to be seen by nobody.
    pub invisible: bool,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    user_id: UserId,
    #[diesel(sql_type = Nullable<Bool>)]
    away: Option<bool>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    last_seen_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Bool)]
    hidden: bool,
}

impl Row {
    fn presence(&self) -> Presence {
        let status = match self.away {
            Some(false) => PresenceStatus::Online,
            Some(true) => PresenceStatus::Away,
            None => PresenceStatus::Offline,
        };
        Presence {
            user_id: self.user_id,
            status,
            last_seen_at: self.last_seen_at.filter(|_| status == PresenceStatus::Offline),
        }
    }
}

/// Over all servers that are alive somebody is away when they are away on each.
macro_rules! states {
    ($hidden:literal) => {
        concat!(
            "SELECT person.id AS user_id, here.away, presences.last_seen_at, ",
            $hidden,
            " AS hidden FROM unnest($1) AS person (id) LEFT JOIN presences ON presences.user_id = person.id \
             LEFT JOIN LATERAL (SELECT bool_and(away) AS away FROM people_here JOIN nodes ON nodes.id = node_id \
               AND nodes.expires_at > now() WHERE people_here.user_id = person.id) AS here ON true"
        )
    };
}

/// Whether these people are here, as it is; for whoever decides who is told.
///
/// # Errors
/// When Postgres fails.
pub async fn states(connection: &mut Connection, people: &[UserId]) -> QueryResult<Vec<State>> {
    let query = diesel::sql_query(states!("coalesce(presences.invisible, false)")).bind::<Array<SqlUuid>, _>(people);
    let rows: Vec<Row> = prepared(query).load(connection).await?;
    let state = |row: Row| State {
        presence: row.presence(),
        invisible: row.hidden,
    };
    Ok(rows.into_iter().map(state).collect())
}

/// All who are here, and those who were so until some time ago: whoever has heard nothing for so long starts with them.
///
/// # Errors
/// When Postgres fails.
pub async fn changed(connection: &mut Connection, within: Duration) -> QueryResult<Vec<UserId>> {
    #[derive(QueryableByName)]
    struct Somebody {
        #[diesel(sql_type = SqlUuid)]
        user_id: UserId,
    }
    // Reads all of both: it happens when a connection is lost.
    let query = "SELECT user_id FROM people_here UNION SELECT user_id FROM presences WHERE last_seen_at > now() - make_interval(secs => $1)";
    let query = diesel::sql_query(query).bind::<Double, _>(within.as_secs_f64());
    let found: Vec<Somebody> = query.load(connection).await?;
    Ok(found.into_iter().map(|somebody| somebody.user_id).collect())
}

/// Whether these people are here, as `viewer` may know it.
///
/// # Errors
/// When Postgres fails.
pub async fn by(connection: &mut Connection, viewer: UserId, people: &[UserId]) -> QueryResult<Vec<Presence>> {
    const QUERY: &str = states!(
        "person.id <> $2 AND (coalesce(presences.invisible, false) \
           OR EXISTS (SELECT FROM blocks WHERE user_id = person.id AND blocked_id = $2) \
           OR EXISTS (SELECT FROM blocks WHERE user_id = $2 AND blocked_id = person.id) \
           OR NOT (EXISTS (SELECT FROM contacts WHERE user_id = person.id AND contact_id = $2) \
             OR EXISTS (SELECT FROM chat_members AS theirs JOIN chat_members AS mine ON mine.chat_id = theirs.chat_id \
               WHERE theirs.user_id = person.id AND mine.user_id = $2)))"
    );
    let query = diesel::sql_query(QUERY)
        .bind::<Array<SqlUuid>, _>(people)
        .bind::<SqlUuid, _>(viewer);
    let rows: Vec<Row> = prepared(query).load(connection).await?;
    let seen = |row: Row| match row.hidden {
        true => Presence::unknown(row.user_id),
        false => row.presence(),
    };
    Ok(rows.into_iter().map(seen).collect())
}

/// What two people see of each other before and after something changes between them.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    pair: (UserId, UserId),
    /// Whether the first has seen anything of the other, and the other of the first.
    seen: (bool, bool),
}

impl Sight {
    /// What they see before the change.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn of(connection: &mut Connection, one: UserId, other: UserId) -> QueryResult<Self> {
        let mut sight = Sight {
            pair: (one, other),
            seen: (false, false),
        };
        sight.again(connection).await?;
        Ok(sight)
    }

    /// What they see after it, in the same transaction.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn again(&mut self, connection: &mut Connection) -> QueryResult<()> {
        let (one, other) = self.pair;
        let sees = |seen: Vec<Presence>| {
            seen.into_iter()
                .any(|presence| presence != Presence::unknown(presence.user_id))
        };
        self.seen.0 |= sees(by(connection, one, &[other]).await?);
        self.seen.1 |= sees(by(connection, other, &[one]).await?);
        Ok(())
    }

    /// Who is to be told what they see now of whom. Nobody else has anything to notice, and so is told nothing: not that
    /// somebody whom they could not see has blocked them, or taken them into their book unseen.
    pub fn told(self) -> impl Iterator<Item = (UserId, UserId)> {
        let (one, other) = self.pair;
        let first = self.seen.0.then_some((one, other));
        first.into_iter().chain(self.seen.1.then_some((other, one)))
    }
}

/// Whether somebody is invisible.
///
/// # Errors
/// When Postgres fails.
pub async fn is_invisible(connection: &mut Connection, user_id: UserId) -> QueryResult<bool> {
    let invisible = presences::table.find(user_id).select(presences::invisible);
    Ok(invisible.first(connection).await.optional()?.unwrap_or_default())
}

/// Whether somebody has a stream open on another server than `node`, seen or not.
///
/// # Errors
/// When Postgres fails.
pub async fn is_elsewhere(connection: &mut Connection, node: Uuid, user_id: UserId) -> QueryResult<bool> {
    let there = people_here::table
        .inner_join(nodes::table)
        .filter(people_here::user_id.eq(user_id))
        .filter(people_here::node_id.ne(node))
        .filter(nodes::expires_at.gt(diesel::dsl::now));
    diesel::select(diesel::dsl::exists(there)).get_result(connection).await
}

/// Makes somebody invisible, or visible again. Gives whether that changed anything.
///
/// # Errors
/// When Postgres fails.
pub async fn set_invisible(connection: &mut Connection, user_id: UserId, invisible: bool) -> QueryResult<bool> {
    // Whoever hides while they are here was seen until then; what comes after is not to be known later either.
    let query = "INSERT INTO presences (user_id, invisible, last_seen_at) \
        VALUES ($1, $2, CASE WHEN EXISTS (SELECT FROM people_here WHERE user_id = $1) THEN now() END) \
        ON CONFLICT (user_id) DO UPDATE SET invisible = $2, \
          last_seen_at = CASE WHEN $2 AND EXISTS (SELECT FROM people_here WHERE user_id = $1) THEN now() ELSE presences.last_seen_at END \
        WHERE presences.invisible <> $2";
    let query = diesel::sql_query(query)
        .bind::<SqlUuid, _>(user_id)
        .bind::<Bool, _>(invisible);
    Ok(prepared(query).execute(connection).await? > 0)
}

/// Whether people are here, many in one query.
impl Loader<PresenceOf> for UserLoader {
    type Value = Presence;
    type Error = Error;

    async fn load(&self, keys: &[PresenceOf]) -> Result<HashMap<PresenceOf, Presence>> {
        let Some(viewer) = self.viewer else {
            return Ok(HashMap::new());
        };
        let people: Vec<UserId> = keys.iter().map(|key| key.0).collect();
        let seen = by(&mut *self.app.connection().await?, viewer, &people).await?;
        Ok(seen
            .into_iter()
            .map(|presence| (PresenceOf(presence.user_id), presence))
            .collect())
    }
}
