//! The events of memories and preferences: for the person on all their devices.

use serde_json::json;

use crate::event::{Audience, NewEvent};
use crate::id::{MemoryId, UserId};

/// A memory appeared or changed.
pub const MEMORY_UPSERTED: &str = "memory.upserted";
/// A memory is gone.
pub const MEMORY_REMOVED: &str = "memory.removed";
/// The preferences changed.
pub const PREFERENCES_CHANGED: &str = "preferences.changed";

pub(super) fn memory_upserted(user_id: UserId, id: MemoryId) -> NewEvent {
    NewEvent::new(Audience::User(user_id), MEMORY_UPSERTED, json!({ "memoryId": id.0 }))
}

pub(super) fn memory_removed(user_id: UserId, id: MemoryId) -> NewEvent {
    NewEvent::new(Audience::User(user_id), MEMORY_REMOVED, json!({ "memoryId": id.0 }))
}

pub(super) fn preferences_changed(user_id: UserId) -> NewEvent {
    NewEvent::new(Audience::User(user_id), PREFERENCES_CHANGED, json!({}))
}
