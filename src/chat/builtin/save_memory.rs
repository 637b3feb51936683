//! Remembering something about the person who asks, for all their chats.

use serde_json::{Map, Value, json};

use crate::app::App;
use crate::error::Error;
use crate::memory::memory;
use crate::tool::Outcome;
use crate::tool::builtin::{Builtin, BuiltinTool, Caller, Doing};

/// Remembers something about the person who asks.
pub(super) struct SaveMemory;

impl Builtin for SaveMemory {
    fn which(&self) -> BuiltinTool {
        BuiltinTool::SaveMemory
    }

    fn name(&self) -> &'static str {
        "save_memory"
    }

    fn description(&self) -> &'static str {
        "Remembers something about the person for later conversations, such as a preference or a fact of their life. \
         Use it when they ask for it. They can see and delete what is remembered."
    }

    fn parameters(&self) -> Value {
        json!({
            "type": "object",
            "properties": { "content": { "type": "string", "description": "What to remember, in one sentence." } },
            "required": ["content"],
            "additionalProperties": false,
        })
    }

    fn run<'a>(&'a self, app: &'a App, caller: Caller, arguments: Map<String, Value>) -> Doing<'a> {
        Box::pin(async move {
            let content = arguments.get("content").and_then(Value::as_str).unwrap_or_default();
            match memory::add(app, caller.user_id, content).await {
                Ok(_) => Outcome::done("It is remembered."),
                Err(error @ Error::Rejected(_)) => Outcome::failed(&error.to_string()),
                Err(error) => {
                    tracing::warn!(%error, "cannot remember what a model wanted to");
                    Outcome::failed("Nothing can be remembered at the moment.")
                }
            }
        })
    }
}
