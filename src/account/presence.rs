//! Whether somebody is here, as the viewer may know it. The answer comes from the room of presence, which stands above
//! this one.

use async_graphql::{Enum, SimpleObject};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::UserId;

/// Whether somebody is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
pub enum PresenceStatus {
    /// A device of theirs is connected and in use.
    Online,
    /// Devices of theirs are connected, and nobody is in front of any.
    Away,
    /// No device of theirs is connected; or it is not the viewer's to know.
    Offline,
}

/// Whether somebody is here. Contacts see those who have them among their contacts, and members of a room each other;
/// nobody sees whom they block, who blocks them, or who is invisible. To all others everybody is OFFLINE, and was never
/// seen.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject, Serialize, Deserialize)]
pub struct Presence {
    /// Who.
    pub user_id: UserId,
    /// Whether they are here.
    pub status: PresenceStatus,
    /// When their last device left; null while they are here, when they never were, and when it is not the viewer's to
    /// know.
    pub last_seen_at: Option<DateTime<Utc>>,
}

impl Presence {
    /// What whoever may not know is told.
    pub fn unknown(user_id: UserId) -> Self {
        Presence {
            user_id,
            status: PresenceStatus::Offline,
            last_seen_at: None,
        }
    }
}

/// Asks whether somebody is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PresenceOf(pub UserId);
