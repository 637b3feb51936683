//! Tools of Parlor's own, for models that answer in chats.

mod save_memory;
mod search_chats;

use self::save_memory::SaveMemory;
use self::search_chats::SearchChats;
use crate::tool::builtin::{Builtin, BuiltinTool};

/// All of them.
const ALL: [&dyn Builtin; 2] = [&SearchChats, &SaveMemory];

/// Those of them that are wanted, each once.
pub fn chosen(wanted: &[BuiltinTool]) -> Vec<&'static dyn Builtin> {
    let all = ALL.into_iter();
    all.filter(|builtin| wanted.contains(&builtin.which())).collect()
}
