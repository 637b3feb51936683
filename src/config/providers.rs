//! The server's own provider keys, under the names that the providers' own tools have for them.

use std::str::FromStr;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// A URL, or nothing: files of variables hold names without values.
#[derive(Debug, Clone, Default)]
pub struct Address(Option<Url>);

impl FromStr for Address {
    type Err = url::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "" => Ok(Address(None)),
            text => text.parse().map(Some).map(Address),
        }
    }
}

/// The server's own keys besides OpenAI's, used for people who have none.
#[derive(Debug, Clone, Args)]
#[expect(missing_docs, reason = "each is described by its own text on the command line")]
pub struct ServerKeys {
    #[arg(long, env = "ANTHROPIC_API_KEY", hide_env_values = true, global = true, help_heading = "AI", help = ANTHROPIC)]
    pub anthropic_api_key: Option<SecretString>,
    #[arg(long, env = "ANTHROPIC_BASE_URL", default_value = "", hide_default_value = true, global = true, help_heading = "AI", help = WHERE)]
    pub anthropic_base_url: Address,
    #[arg(long, env = "ANTHROPIC_MODEL", default_value = "claude-sonnet-4-6", global = true, help_heading = "AI", help = MODEL)]
    pub anthropic_model: String,

    #[arg(long, env = "GEMINI_API_KEY", hide_env_values = true, global = true, help_heading = "AI", help = GEMINI)]
    pub gemini_api_key: Option<SecretString>,
    #[arg(long, env = "GEMINI_BASE_URL", default_value = "", hide_default_value = true, global = true, help_heading = "AI", help = WHERE)]
    pub gemini_base_url: Address,
    #[arg(long, env = "GEMINI_MODEL", default_value = "gemini-2.5-flash", global = true, help_heading = "AI", help = MODEL)]
    pub gemini_model: String,

    #[arg(long, env = "GROQ_API_KEY", hide_env_values = true, global = true, help_heading = "AI", help = GROQ)]
    pub groq_api_key: Option<SecretString>,
    #[arg(long, env = "GROQ_BASE_URL", default_value = "", hide_default_value = true, global = true, help_heading = "AI", help = WHERE)]
    pub groq_base_url: Address,
    #[arg(long, env = "GROQ_MODEL", default_value = "llama-3.3-70b-versatile", global = true, help_heading = "AI", help = MODEL)]
    pub groq_model: String,

    #[arg(long, env = "OPENROUTER_API_KEY", hide_env_values = true, global = true, help_heading = "AI", help = OPENROUTER)]
    pub openrouter_api_key: Option<SecretString>,
    #[arg(long, env = "OPENROUTER_BASE_URL", default_value = "", hide_default_value = true, global = true, help_heading = "AI", help = WHERE)]
    pub openrouter_base_url: Address,
    #[arg(long, env = "OPENROUTER_MODEL", default_value = "openai/gpt-5-mini", global = true, help_heading = "AI", help = MODEL)]
    pub openrouter_model: String,

    #[arg(long, env = "OLLAMA_API_KEY", hide_env_values = true, global = true, help_heading = "AI", help = OLLAMA_KEY)]
    pub ollama_api_key: Option<SecretString>,
    #[arg(long, env = "OLLAMA_BASE_URL", default_value = "", hide_default_value = true, global = true, help_heading = "AI", help = OLLAMA)]
    pub ollama_base_url: Address,
    #[arg(long, env = "OLLAMA_MODEL", default_value = "", hide_default_value = true, global = true, help_heading = "AI", help = MODEL)]
    pub ollama_model: String,

    #[arg(long, env = "PARLOR_COMPATIBLE_API_KEY", hide_env_values = true, global = true, help_heading = "AI", help = COMPATIBLE_KEY)]
    pub compatible_api_key: Option<SecretString>,
    #[arg(long, env = "PARLOR_COMPATIBLE_BASE_URL", default_value = "", hide_default_value = true, global = true, help_heading = "AI", help = COMPATIBLE)]
    pub compatible_base_url: Address,
    #[arg(long, env = "PARLOR_COMPATIBLE_MODEL", default_value = "", hide_default_value = true, global = true, help_heading = "AI", help = MODEL)]
    pub compatible_model: String,
}

const ANTHROPIC: &str = "The server's own Anthropic key, used for people who have none.";
const GEMINI: &str = "The server's own Gemini key, used for people who have none.";
const GROQ: &str = "The server's own Groq key, used for people who have none.";
const OPENROUTER: &str = "The server's own OpenRouter key, used for people who have none.";
const OLLAMA: &str = "An Ollama server for everybody, such as http://127.0.0.1:11434.";
const OLLAMA_KEY: &str = "The key of that Ollama server, if it wants one.";
const COMPATIBLE: &str = "Another server for everybody that speaks Chat Completions (llama.cpp, vLLM, HuggingFace), such as http://127.0.0.1:8000/v1.";
const COMPATIBLE_KEY: &str = "The key of that other server, if it wants one.";
const WHERE: &str = "Where that key is used, if not at the provider's own address.";
const MODEL: &str = "That provider's model where nobody names one.";

/// What the settings say of one provider.
#[derive(Debug, Clone, Default)]
pub struct ServerKey {
    /// The key.
    pub secret: Option<SecretString>,
    /// Where it is used.
    pub base_url: Option<Url>,
    /// The model where nobody names one.
    pub model: Option<String>,
}

impl super::Settings {
    /// What they say of the provider with this name.
    pub fn server_key(&self, provider: &str) -> ServerKey {
        let keys = &self.server_keys;
        let (secret, base_url, model) = match provider {
            "openai" => {
                let address = Address(Some(self.openai_base_url.clone()));
                return key(&self.openai_api_key, &address, &self.openai_model);
            }
            "anthropic" => (&keys.anthropic_api_key, &keys.anthropic_base_url, &keys.anthropic_model),
            "gemini" => (&keys.gemini_api_key, &keys.gemini_base_url, &keys.gemini_model),
            "groq" => (&keys.groq_api_key, &keys.groq_base_url, &keys.groq_model),
            "openrouter" => (
                &keys.openrouter_api_key,
                &keys.openrouter_base_url,
                &keys.openrouter_model,
            ),
            "ollama" => (&keys.ollama_api_key, &keys.ollama_base_url, &keys.ollama_model),
            "openai_compatible" => (
                &keys.compatible_api_key,
                &keys.compatible_base_url,
                &keys.compatible_model,
            ),
            _ => return ServerKey::default(),
        };
        key(secret, base_url, model)
    }
}

fn key(secret: &Option<SecretString>, address: &Address, model: &str) -> ServerKey {
    let secret = secret
        .as_ref()
        .filter(|secret| !secret.expose_secret().trim().is_empty());
    let model = Some(model.trim()).filter(|model| !model.is_empty());
    ServerKey {
        secret: secret.cloned(),
        base_url: address.0.clone(),
        model: model.map(str::to_owned),
    }
}
