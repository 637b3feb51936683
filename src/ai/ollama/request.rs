//! The request, from neutral words to the wire.

use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use crate::ai::{
    Request, Tool, ToolCall, Turn,
    wire::{Written, below},
};

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
