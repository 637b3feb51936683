//! Who looks on anyway.
//!
//! That a stream is open does not say that anybody gets what it is given: its device may be gone without a word, and a
//! person may be in front of another one. So nobody is left untold because of a stream; it only makes us look once more,
//! when a device that was gone has been found out.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{nodes, people_here};
use crate::id::{SessionId, UserId};
use crate::presence::seen;

/// After how long a stream that is there still is one that somebody reads: two pings unanswered end the others.
const FOUND_OUT: Duration = Duration::from_secs(30);

/// How long to wait from now until those streams that nobody reads have ended; none when that is over.
pub fn left(since: DateTime<Utc>) -> Option<Duration> {
    let waited = (Utc::now() - since).to_std().unwrap_or_default();
    FOUND_OUT.checked_sub(waited).filter(|left| !left.is_zero())
}

/// Whether a person has a stream open, here or on another server.
///
/// # Errors
/// When Postgres fails.
pub async fn looks_on(app: &App, connection: &mut Connection, user_id: UserId) -> QueryResult<bool> {
    if app.live_sessions().has(user_id) {
        return Ok(true);
    }
    // Here it is known to the moment who has left.
    seen::is_elsewhere(connection, app.presence().node(), user_id).await
}

/// Whether a person has a stream open with this session, here or on another server.
///
/// # Errors
/// When Postgres fails.
pub async fn streams(
    app: &App,
    connection: &mut Connection,
    user_id: UserId,
    session_id: SessionId,
) -> QueryResult<bool> {
    if app.live_sessions().has_session(session_id) {
        return Ok(true);
    }
    let there = people_here::table
        .inner_join(nodes::table)
        .filter(people_here::user_id.eq(user_id))
        .filter(people_here::node_id.ne(app.presence().node()))
        .filter(people_here::sessions.contains(vec![Some(session_id)]))
        .filter(nodes::expires_at.gt(diesel::dsl::now));
    diesel::select(diesel::dsl::exists(there)).get_result(connection).await
}
