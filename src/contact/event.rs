//! The event of contacts and blocks: for the person whose they are, on all their devices, and for nobody else.

use serde_json::json;

use crate::event::{Audience, NewEvent};
use crate::id::UserId;

/// Somebody became a contact or blocked, or is so no more.
pub const CONTACT_CHANGED: &str = "contact.changed";

pub(super) fn contact_changed(owner: UserId, other: UserId) -> NewEvent {
    NewEvent::new(Audience::User(owner), CONTACT_CHANGED, json!({ "userId": other.0 }))
}
