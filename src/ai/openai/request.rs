//! The request, from neutral words to the wire.

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use url::Url;

use crate::ai::{
    Format, Provider, Request, Tool, ToolCall, Turn,
    wire::{Written, below},
};

#[derive(Serialize)]
struct Wire<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
    /// What OpenRouter told of the thinking before this turn; others do not know the word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_details: Option<Vec<Box<RawValue>>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
    /// Random padding against listeners on the line, which doubles the bytes of a short delta.
    /// Only OpenAI itself knows the word; others refuse what they do not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    include_obfuscation: Option<bool>,
}

/// Writes a request for a stream.
pub(in crate::ai) fn write(provider: Provider, base: &Url, request: &Request) -> serde_json::Result<Written> {
    let (newer, older) = match provider {
        Provider::OpenAi | Provider::Groq => (request.max_output_tokens, None),
        _ => (None, request.max_output_tokens),
    };
    let effort = request.effort.map(|effort| effort.name());
    let (flat_effort, nested_effort) = match provider {
        Provider::OpenRouter => (None, effort.map(|effort| json!({ "effort": effort }))),
        // It thinks there, or it does not.
        Provider::Groq if request.model.contains("qwen") => (effort.map(|_| "default"), None),
        _ => (effort, None),
    };
    // There, whoever thinks chooses words as the provider likes.
    let fixed = provider == Provider::OpenAi && effort.is_some();
    let is_openai = base.host_str() == Some("api.openai.com");
    let body = serde_json::to_vec(&Wire {
        model: &request.model,
        messages: request
            .turns
            .iter()
            .map(|turn| Message {
                reasoning_details: signed(provider, turn, &request.model),
                ..message(turn)
            })
            .collect(),
        stream: true,
        stream_options: StreamOptions {
            include_usage: true,
            include_obfuscation: is_openai.then_some(false),
        },
        tools: request.tools.iter().map(tool).collect(),
        temperature: request.temperature.filter(|t| t.is_finite() && !fixed),
        max_completion_tokens: newer,
        max_tokens: older,
        reasoning_effort: flat_effort,
        reasoning: nested_effort,
        prompt_cache_key: request.cache_key.as_deref().filter(|_| is_openai),
    })?;
    Ok(Written {
        url: below(base, &["chat", "completions"]),
        body,
    })
}

fn message(turn: &Turn) -> Message<'_> {
    let (tool_calls, tool_call_id) = match turn {
        Turn::Assistant { tool_calls, .. } => (tool_calls.iter().map(call).collect(), None),
        Turn::ToolResult { call_id, .. } => (Vec::new(), Some(call_id.as_str())),
        Turn::System(_) | Turn::User(_) => (Vec::new(), None),
    };
    let text = turn.text();
    Message {
        role: turn.role(),
        // A turn that only calls has nothing to say, and an empty text is refused by some.
        content: (!text.is_empty() || tool_calls.is_empty()).then_some(text),
        tool_calls,
        tool_call_id,
        reasoning_details: None,
    }
}

/// What goes back with a turn as it came.
fn signed(provider: Provider, turn: &Turn, model: &str) -> Option<Vec<Box<RawValue>>> {
    match turn {
        Turn::Assistant {
            replay: Some(replay), ..
        } if provider == Provider::OpenRouter => replay.for_model(Format::ChatCompletions, model),
        _ => None,
    }
}

fn call(call: &ToolCall) -> Value {
    json!({
        "id": call.id,
        "type": "function",
        "function": { "name": call.name, "arguments": call.arguments },
    })
}

fn tool(tool: &Tool) -> Value {
    json!({
        "type": "function",
        "function": { "name": tool.name, "description": tool.description, "parameters": tool.parameters },
    })
}
