//! Who looks on anyway.

use crate::app::App;
use crate::id::UserId;

/// Whether a person has a stream open, and so needs no notification.
pub fn looks_on(app: &App, user_id: UserId) -> bool {
    app.live_sessions().has(user_id)
}
