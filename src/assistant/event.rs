//! The events of assistants: their names in the log, and whom they are for.

use serde_json::json;

use super::Assistant;
use super::assistant::Visibility;
use crate::event::{Audience, NewEvent};
use crate::id::UserId;

/// An assistant appeared or changed; for those who can use it no more, it is gone.
pub const ASSISTANT_UPSERTED: &str = "assistant.upserted";

/// The assistant is as it is now, after it was of `before`.
pub(super) fn upserted(assistant: &Assistant, before: Visibility) -> NewEvent {
    let audience = match assistant.owner_id {
        Some(owner) if before == Visibility::Private && assistant.visibility == Visibility::Private => {
            Audience::User(owner)
        }
        _ => Audience::Everybody,
    };
    NewEvent::new(audience, ASSISTANT_UPSERTED, json!({ "assistantId": assistant.id.0 }))
}

/// Whether a change concerns everybody, and so costs every stream something.
pub(super) fn concerns_everybody(owner: Option<UserId>, before: Visibility, after: Visibility) -> bool {
    owner.is_none() || before == Visibility::Shared || after == Visibility::Shared
}
