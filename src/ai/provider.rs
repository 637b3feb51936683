//! Whose models there are, and the wire formats they speak.

use std::{fmt, str::FromStr};

/// Who answers, which is to say which wire formats and which habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// api.openai.com: Chat Completions, Responses.
    OpenAi,
    /// api.anthropic.com: Messages.
    Anthropic,
    /// generativelanguage.googleapis.com: generateContent.
    Gemini,
    /// api.groq.com: Chat Completions.
    Groq,
    /// openrouter.ai: Chat Completions.
    OpenRouter,
    /// An Ollama server: its own format, or Chat Completions.
    Ollama,
    /// Anything that imitates one of them: vLLM, llama.cpp, HuggingFace, a gateway.
    OpenAiCompatible,
    /// No network: the answer is written in the model's name, see [`scripted`](super::scripted).
    Scripted,
}

impl Provider {
    /// Every provider, in the order to offer them.
    pub const ALL: [Self; 8] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::Gemini,
        Self::Groq,
        Self::OpenRouter,
        Self::Ollama,
        Self::OpenAiCompatible,
        Self::Scripted,
    ];

    /// The name used in the database and in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Groq => "groq",
            Self::OpenRouter => "openrouter",
            Self::Ollama => "ollama",
            Self::OpenAiCompatible => "openai_compatible",
            Self::Scripted => "scripted",
        }
    }

    /// What it is called among people.
    pub fn title(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
            Self::Groq => "Groq",
            Self::OpenRouter => "OpenRouter",
            Self::Ollama => "Ollama",
            Self::OpenAiCompatible => "OpenAI-compatible",
            Self::Scripted => "scripted",
        }
    }

    /// The provider's own address; none for those that are wherever they were installed.
    pub fn home(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com/v1beta"),
            Self::Groq => Some("https://api.groq.com/openai/v1"),
            Self::OpenRouter => Some("https://openrouter.ai/api/v1"),
            Self::Ollama | Self::OpenAiCompatible | Self::Scripted => None,
        }
    }

    /// Whether a request without a key is hopeless.
    pub fn needs_key(self) -> bool {
        !matches!(self, Self::Ollama | Self::OpenAiCompatible | Self::Scripted)
    }

    /// The format that it is asked in unless an endpoint says otherwise; none for a provider without a wire.
    pub fn usual_format(self) -> Option<Format> {
        match self {
            Self::OpenAi | Self::Groq | Self::OpenRouter | Self::OpenAiCompatible => Some(Format::ChatCompletions),
            Self::Anthropic => Some(Format::AnthropicMessages),
            Self::Gemini => Some(Format::GeminiGenerate),
            Self::Ollama => Some(Format::OllamaChat),
            Self::Scripted => None,
        }
    }

    /// Whether it can be asked in this format.
    pub fn speaks(self, format: Format) -> bool {
        match self {
            Self::OpenAi | Self::Groq | Self::OpenRouter => {
                matches!(format, Format::ChatCompletions | Format::Responses)
            }
            Self::Anthropic => format == Format::AnthropicMessages,
            Self::Gemini => format == Format::GeminiGenerate,
            Self::Ollama => matches!(format, Format::OllamaChat | Format::ChatCompletions),
            Self::OpenAiCompatible => true,
            Self::Scripted => false,
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How questions and answers are written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// OpenAI's Chat Completions, and of everyone who imitates it.
    ChatCompletions,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    AnthropicMessages,
    /// Gemini's streamGenerateContent.
    GeminiGenerate,
    /// Ollama's own chat, in lines of JSON.
    OllamaChat,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [
        Self::ChatCompletions,
        Self::Responses,
        Self::AnthropicMessages,
        Self::GeminiGenerate,
        Self::OllamaChat,
    ];

    /// Whether it has turns of the model that go back as they came, at every provider that speaks it.
    pub(super) fn replays(self) -> bool {
        matches!(self, Self::Responses | Self::AnthropicMessages | Self::GeminiGenerate)
    }

    /// The name used in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Responses => "responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::GeminiGenerate => "gemini_generate",
            Self::OllamaChat => "ollama_chat",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no provider's and no format's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown name {0:?}")]
pub struct UnknownName(String);

impl UnknownName {
    fn new(name: &str) -> Self {
        Self(name.chars().take(64).collect())
    }
}

impl FromStr for Provider {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|provider| provider.name() == name);
        found.ok_or_else(|| UnknownName::new(name))
    }
}

impl FromStr for Format {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| UnknownName::new(name))
    }
}
