//! What to ask a model.

use serde_json::value::RawValue;

use super::Format;

/// A question with everything that belongs to it. Write `..Request::default()` for what you leave to the provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The provider's name of the model.
    pub model: String,
    /// The conversation, oldest first.
    pub turns: Vec<Turn>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// How freely to choose words; `None` leaves it to the provider.
    pub temperature: Option<f32>,
    /// Where to stop the model, its thinking included; `None` leaves it to the provider.
    pub max_output_tokens: Option<u32>,
    /// How much to think first, which is then shown as far as the provider shows it; `None` leaves it to the provider.
    pub effort: Option<Effort>,
    /// How much the model takes, question and answer together, where that is known.
    pub context_window: Option<u32>,
    /// What is the same for requests that begin alike, such as the chat's id: a hint for the provider's cache.
    pub cache_key: Option<String>,
    /// The turns up to this index will be sent again as they are: a hint for the provider's cache.
    pub cache_through: Option<usize>,
}

/// How much a model thinks before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effort {
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
}

impl Effort {
    /// The word that most formats use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// How many tokens the thinking may take.
    pub fn tokens(self) -> u32 {
        match self {
            Self::Low => 2048,
            Self::Medium => 6144,
            Self::High => 12_288,
        }
    }
}

/// One speaker's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The instructions.
    System(String),
    /// A person.
    User(String),
    /// The model.
    Assistant {
        /// What it said.
        text: String,
        /// The tools that it called after it.
        tool_calls: Vec<ToolCall>,
        /// The turn as the provider itself wrote it.
        replay: Option<Replay>,
    },
    /// What a tool answered.
    ToolResult {
        /// Which call it answers.
        call_id: String,
        /// Which tool.
        name: String,
        /// The answer.
        text: String,
        /// Whether the tool failed; the text says how.
        failed: bool,
    },
}

impl Turn {
    /// Instructions.
    pub fn system(text: impl Into<String>) -> Self {
        Self::System(text.into())
    }

    /// What a person says.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User(text.into())
    }

    /// What the model said, and nothing else.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::Assistant {
            text: text.into(),
            tool_calls: Vec::new(),
            replay: None,
        }
    }

    /// What is said.
    pub fn text(&self) -> &str {
        match self {
            Self::System(text) | Self::User(text) | Self::Assistant { text, .. } | Self::ToolResult { text, .. } => {
                text
            }
        }
    }

    /// The word that Chat Completions has for the speaker.
    pub fn role(&self) -> &'static str {
        match self {
            Self::System(_) => "system",
            Self::User(_) => "user",
            Self::Assistant { .. } => "assistant",
            Self::ToolResult { .. } => "tool",
        }
    }
}

/// A tool that a model may call.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// What it is called: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// A JSON schema of its arguments, an object.
    pub parameters: serde_json::Value,
}

/// A model's call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// What its result refers to.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// The arguments, a JSON object as text, as the model wrote it: it may be no valid JSON.
    pub arguments: String,
}

impl ToolCall {
    /// The arguments for formats that want an object where others have text.
    pub(super) fn object(&self) -> serde_json::Value {
        let object = serde_json::from_str(&self.arguments).ok();
        object
            .filter(serde_json::Value::is_object)
            .unwrap_or_else(|| serde_json::json!({}))
    }
}

/// A turn of the model as the provider wrote it: signed thinking, encrypted reasoning. It is sent back byte for byte,
/// and only to the same model in the same format; others get the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The format it is written in.
    pub format: Format,
    /// The model that wrote it, by the name it was asked by.
    pub model: String,
    /// The content: the text of a JSON array of the provider's own parts.
    pub content: String,
}

impl Replay {
    /// Its parts, if they may be sent to this model in this format.
    pub(super) fn for_model(&self, format: Format, model: &str) -> Option<Vec<Box<RawValue>>> {
        let fits = self.format == format && self.model == model;
        let parts: Option<Vec<_>> = fits.then(|| serde_json::from_str(&self.content).ok()).flatten();
        parts.filter(|parts| !parts.is_empty())
    }
}
