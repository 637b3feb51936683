//! The request, from neutral words to the wire.

use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use crate::ai::{
    Request, Tool, ToolCall, Turn, tokens,
    wire::{Written, below},
};

/// The least that it is to hold.
const LEAST: u32 = 8192;
/// What is kept free for an answer whose length nobody limits.
const ANSWER: u32 = 4096;

#[derive(Serialize)]
struct Wire<'a> {
    model: &'a str,
    messages: Vec<Value>,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<Value>,
    options: Value,
}

/// Writes a request for a stream.
pub(in crate::ai) fn write(base: &Url, request: &Request) -> serde_json::Result<Written> {
    let mut options = json!({});
    if let Some(temperature) = request.temperature.filter(|t| t.is_finite()) {
        options["temperature"] = json!(temperature);
    }
    if let Some(most) = request.max_output_tokens {
        options["num_predict"] = json!(most);
    }
    options["num_ctx"] = json!(window(request));
    let body = serde_json::to_vec(&Wire {
        model: &request.model,
        messages: request.turns.iter().map(message).collect(),
        stream: true,
        tools: request.tools.iter().map(tool).collect(),
        think: request.effort.map(|effort| match request.model.contains("gpt-oss") {
            true => json!(effort.name()),
            // Others think or they do not.
            false => json!(true),
        }),
        options,
    })?;
    Ok(Written {
        url: below(base, &["api", "chat"]),
        body,
    })
}

/// How much of the conversation it is to hold. By itself it takes a few thousand tokens, and cuts silently what is more.
/// It loads a model anew for every other number, so there are few of them.
fn window(request: &Request) -> u32 {
    let calls = |turn: &Turn| match turn {
        Turn::Assistant { tool_calls, .. } => tool_calls.iter().map(|call| tokens::count(&call.arguments)).sum(),
        _ => 0,
    };
    let turns = request.turns.iter();
    let said: u32 = turns.map(|turn| tokens::count(turn.text()) + calls(turn) + 8).sum();
    let tools = request.tools.iter().map(tool);
    let offered: u32 = tools.map(|tool| tokens::count(&tool.to_string())).sum();
    // The tokenizers of open models make up to a fifth more of the same text.
    let asked = u64::from(said + offered) * 6 / 5;
    let whole = asked + u64::from(request.max_output_tokens.unwrap_or(ANSWER));
    let window = u32::try_from(whole).ok().and_then(u32::checked_next_power_of_two);
    let window = window.unwrap_or(u32::MAX).max(LEAST);
    request.context_window.map_or(window, |most| window.min(most))
}

fn message(turn: &Turn) -> Value {
    let mut message = json!({ "role": turn.role(), "content": turn.text() });
    match turn {
        Turn::Assistant { tool_calls, .. } if !tool_calls.is_empty() => {
            message["tool_calls"] = tool_calls.iter().map(call).collect();
        }
        Turn::ToolResult { name, .. } => message["tool_name"] = json!(name),
        _ => {}
    }
    message
}

fn call(call: &ToolCall) -> Value {
    json!({ "function": { "name": call.name, "arguments": call.object() } })
}

fn tool(tool: &Tool) -> Value {
    json!({
        "type": "function",
        "function": { "name": tool.name, "description": tool.description, "parameters": tool.parameters },
    })
}
