//! The event of archives: for the person whose they are, on all their devices.

use serde_json::json;

use crate::event::{Audience, NewEvent};
use crate::id::{DataExportId, UserId};

/// An archive appeared or got further.
pub const DATA_EXPORT_CHANGED: &str = "export.changed";

pub(super) fn changed(user_id: UserId, id: DataExportId) -> NewEvent {
    NewEvent::new(
        Audience::User(user_id),
        DATA_EXPORT_CHANGED,
        json!({ "dataExportId": id.0 }),
    )
}
