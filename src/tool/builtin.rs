//! Tools of Parlor's own: what they are, as far as models and this room are concerned. What they do is written where
//! they belong.

use std::pin::Pin;

use serde_json::{Map, Value};

use super::Outcome;
use crate::app::App;
use crate::db::text_enum;
use crate::id::{ChatId, UserId};

text_enum! {
    /// A tool of Parlor's own.
    BuiltinTool {
        /// Finds messages in the asking person's own chats.
        SearchChats = "SEARCH_CHATS",
        /// Remembers something about the asking person, for all their chats.
        SaveMemory = "SAVE_MEMORY",
    }
}

/// On whose behalf a tool is used, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The person who asked the model.
    pub user_id: UserId,
    /// The chat that it answers in.
    pub chat_id: ChatId,
}

/// What a tool is about to do.
pub type Doing<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A tool of Parlor's own. It sees what its caller may see and nothing else.
pub trait Builtin: Send + Sync {
    /// Which one it is.
    fn which(&self) -> BuiltinTool;

    /// What models call it.
    fn name(&self) -> &'static str;

    /// What it does, for the model.
    fn description(&self) -> &'static str;

    /// A JSON schema of its arguments, an object.
    fn parameters(&self) -> Value;

    /// Does it. Whatever goes wrong is an outcome.
    fn run<'a>(&'a self, app: &'a App, caller: Caller, arguments: Map<String, Value>) -> Doing<'a>;
}
