//! The request, from neutral words to the wire.

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use url::Url;

use crate::ai::{
    Format, Request, Tool, Turn,
    wire::{Written, below},
};

#[derive(Serialize)]
struct Wire<'a> {
    model: &'a str,
    input: Vec<Item>,
    stream: bool,
    /// The conversation is ours: nothing is kept there.
    store: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    include: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<Value>,
}

/// An item of ours, or one of the provider's own that goes back as it came.
#[derive(Serialize)]
#[serde(untagged)]
enum Item {
    Own(Value),
    Replayed(Box<RawValue>),
}

/// Writes a request for a stream.
pub(in crate::ai) fn write(base: &Url, request: &Request) -> serde_json::Result<Written> {
    let is_openai = base.host_str() == Some("api.openai.com");
    let mut input = Vec::new();
    for turn in &request.turns {
        items(turn, &request.model, &mut input);
    }
    let effort = request.effort.map(|effort| effort.name());
    let body = serde_json::to_vec(&Wire {
        model: &request.model,
        input,
        stream: true,
        store: false,
        include: (effort.is_some() || reasons(&request.model)).then_some(["reasoning.encrypted_content"]),
        tools: request.tools.iter().map(tool).collect(),
        // Whoever thinks chooses words as the provider likes.
        temperature: request.temperature.filter(|t| t.is_finite() && effort.is_none()),
        max_output_tokens: request.max_output_tokens,
        reasoning: effort.map(|effort| json!({ "effort": effort, "summary": "auto" })),
        prompt_cache_key: request.cache_key.as_deref().filter(|_| is_openai),
        // Random padding, see Chat Completions.
        stream_options: is_openai.then(|| json!({ "include_obfuscation": false })),
    })?;
    Ok(Written {
        url: below(base, &["responses"]),
        body,
    })
}

/// Whether the model reasons: others refuse to be asked for what they have not.
fn reasons(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let numbered = |rest: &str| rest.chars().next().is_some_and(|c| c.is_ascii_digit());
    let generation = |rest: &str| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().is_ok_and(|generation| generation >= 5)
    };
    let is_o = name.strip_prefix('o').is_some_and(numbered);
    is_o || (name.strip_prefix("gpt-").is_some_and(generation) && !name.contains("chat"))
}

fn items(turn: &Turn, model: &str, input: &mut Vec<Item>) {
    match turn {
        Turn::System(_) | Turn::User(_) => {
            input.push(Item::Own(json!({ "role": turn.role(), "content": turn.text() })));
        }
        Turn::Assistant {
            text,
            tool_calls,
            replay,
        } => {
            let replayed = replay.as_ref().and_then(|r| r.for_model(Format::Responses, model));
            if let Some(items) = replayed {
                input.extend(items.into_iter().map(Item::Replayed));
                return;
            }
            if !text.is_empty() {
                input.push(Item::Own(json!({ "role": "assistant", "content": text })));
            }
            input.extend(tool_calls.iter().map(|call| {
                Item::Own(json!({
                    "type": "function_call",
                    "call_id": call.id,
                    "name": call.name,
                    "arguments": call.arguments,
                }))
            }));
        }
        Turn::ToolResult { call_id, text, .. } => {
            input.push(Item::Own(json!({
                "type": "function_call_output",
                "call_id": call_id,
                "output": text,
            })));
        }
    }
}

fn tool(tool: &Tool) -> Value {
    json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": false,
    })
}
