//! The request, from neutral words to the wire.

use serde::Serialize;
use url::Url;

use crate::ai::{Provider, Request};

#[derive(Serialize)]
struct Wire<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
    /// Random padding against listeners on the line, which doubles the bytes of a short delta.
    /// Only OpenAI itself knows the word; others refuse what they do not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    include_obfuscation: Option<bool>,
}

/// The body of a request for a stream.
pub(in crate::ai) fn body(provider: Provider, base: &Url, request: &Request) -> serde_json::Result<Vec<u8>> {
    let messages = request.turns.iter().map(|turn| Message {
        role: turn.role.name(),
        content: &turn.text,
    });
    let (newer, older) = match provider {
        Provider::OpenAi => (request.max_output_tokens, None),
        Provider::OpenAiCompatible | Provider::Scripted => (None, request.max_output_tokens),
    };
    serde_json::to_vec(&Wire {
        model: &request.model,
        messages: messages.collect(),
        stream: true,
        stream_options: StreamOptions {
            include_usage: true,
            include_obfuscation: (base.host_str() == Some("api.openai.com")).then_some(false),
        },
        temperature: request.temperature.filter(|t| t.is_finite()),
        max_completion_tokens: newer,
        max_tokens: older,
    })
}

/// Where answers are asked for.
pub(in crate::ai) fn chat_url(base: &Url) -> Url {
    below(base, &["chat", "completions"])
}

/// What any valid key may list.
pub(in crate::ai) fn models_url(base: &Url) -> Url {
    below(base, &["models"])
}

/// A path below the base; its own path and query stay.
fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    // An http URL always has a path; another scheme was refused before.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}
