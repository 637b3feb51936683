//! What an assistant does for an answer, told to whoever follows its room.

use super::live::Live;
use crate::app::App;
use crate::presence::wire::Doing;

/// Says what the assistant does now, unless it did so before; none when it is done.
pub(super) fn turn(app: &App, live: &Live, doing: Option<Doing>) {
    if live.turns(doing) {
        app.presence().doing(live.chat_id, (live.id, live.message_id), doing);
    }
}
