//! Who looks on anyway.

use crate::app::App;
use crate::db::Connection;
use crate::id::UserId;
use crate::presence::seen;

/// Whether a person has a stream open, here or on another server, and so needs no notification.
///
/// # Errors
/// When Postgres fails.
pub async fn looks_on(app: &App, connection: &mut Connection, user_id: UserId) -> diesel::QueryResult<bool> {
    if app.live_sessions().has(user_id) {
        return Ok(true);
    }
    // Here it is known to the moment who has left.
    seen::is_elsewhere(connection, app.presence().node(), user_id).await
}
