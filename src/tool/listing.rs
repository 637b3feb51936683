//! What a server says it can do, cut to what is taken.

use rmcp::model::Tool;
use serde::{Deserialize, Serialize};

use super::{LISTING_BYTES, MOST_TOOLS, SCHEMA_BYTES};

/// The most bytes of a name; names are at most 128 characters by the protocol.
const NAME_BYTES: usize = 128;
/// The most bytes of a description.
const DESCRIPTION_BYTES: usize = 2048;

/// A tool, as its server described it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownTool {
    /// What its server calls it.
    pub name: String,
    /// What it is called among people.
    pub title: Option<String>,
    /// What it does.
    pub description: String,
    /// A JSON schema of its arguments, an object.
    pub parameters: serde_json::Value,
    /// Whether its server says that it changes nothing.
    pub read_only: bool,
}

/// A server's tools as they are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// The tools.
    pub tools: Vec<KnownTool>,
    /// How many were left out: too many, too large, or unnamed.
    pub left_out: usize,
}

impl Listing {
    /// Takes one more tool, if there is room for it.
    pub(super) fn add(&mut self, tool: Tool) {
        match KnownTool::of(tool).filter(|tool| self.has_room_for(tool)) {
            Some(tool) => self.tools.push(tool),
            None => self.left_out += 1,
        }
    }

    fn has_room_for(&self, tool: &KnownTool) -> bool {
        let taken: usize = self.tools.iter().map(KnownTool::bytes).sum();
        let is_new = self.tools.iter().all(|known| known.name != tool.name);
        is_new && self.tools.len() < MOST_TOOLS && taken + tool.bytes() <= LISTING_BYTES
    }

    /// What its owner should know about it.
    pub(super) fn remark(&self) -> Option<String> {
        let count = self.left_out;
        (count > 0).then(|| format!("{count} of its tools were left out: there are too many, or they are too large."))
    }
}

impl KnownTool {
    fn of(tool: Tool) -> Option<Self> {
        let name = tool.name.into_owned();
        let named = (1..=NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
        let parameters = serde_json::Value::Object(tool.input_schema.as_ref().clone());
        if !named || parameters.to_string().len() > SCHEMA_BYTES || holds_nul(&parameters) {
            return None;
        }
        let annotations = tool.annotations.unwrap_or_default();
        let title = tool.title.or(annotations.title);
        Some(KnownTool {
            name,
            title: title.map(|title| cut(&title, NAME_BYTES)),
            description: cut(tool.description.as_deref().unwrap_or_default(), DESCRIPTION_BYTES),
            parameters,
            read_only: annotations.read_only_hint == Some(true),
        })
    }

    fn bytes(&self) -> usize {
        self.name.len() + self.description.len() + self.parameters.to_string().len()
    }
}

/// The beginning of a text, of at most so many bytes and without the NUL that Postgres does not take.
pub(super) fn cut(text: &str, most: usize) -> String {
    let end = text.floor_char_boundary(most.min(text.len()));
    text[..end].replace('\0', "\u{FFFD}")
}

/// Whether a NUL is anywhere in it, keys too: `jsonb` takes none.
fn holds_nul(value: &serde_json::Value) -> bool {
    value.to_string().contains("\\u0000")
}
