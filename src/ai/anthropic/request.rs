//! The request, from neutral words to the wire.

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use url::Url;

use crate::ai::{
    Effort, Format, Request, Tool, ToolCall, Turn,
    wire::{OPENING, Written, below},
};

/// The longest answer where nobody says otherwise; the format wants a number, and every model since Claude 4 takes this.
const LONGEST: u32 = 16_384;
/// The least that may be thought, as the format has it.
const LEAST_THINKING: u32 = 1024;
/// What is left for the answer when the thinking has to be cut for it.
const LEAST_ANSWER: u32 = 64;

#[derive(Serialize)]
struct Wire<'a> {
    model: &'a str,
    max_tokens: u32,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Value>,
    messages: Vec<Message>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Value>,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: Vec<Block>,
}

/// A block of ours, or one of the provider's own that goes back as it came.
#[derive(Serialize)]
#[serde(untagged)]
enum Block {
    Own(Value),
    Replayed(Box<RawValue>),
}

/// Writes a request for a stream.
pub(in crate::ai) fn write(base: &Url, request: &Request) -> serde_json::Result<Written> {
    let caches = request.cache_key.is_some() || request.cache_through.is_some();
    let effort = request.effort.filter(|_| may_think(request));
    let room = effort.map_or(0, Effort::tokens);
    let longest = longest(&request.model).saturating_add(room);
    let longest = request.max_output_tokens.unwrap_or(longest);
    let (thinking, output_config) = match effort {
        None => (None, None),
        Some(effort) if thinks_as_it_likes(&request.model) => (
            Some(json!({ "type": "adaptive", "display": "summarized" })),
            Some(json!({ "effort": effort.name() })),
        ),
        Some(_) => {
            let budget = room.min(longest.saturating_sub(LEAST_ANSWER));
            let enabled = json!({ "type": "enabled", "budget_tokens": budget });
            (Some(enabled).filter(|_| budget >= LEAST_THINKING), None)
        }
    };
    let body = serde_json::to_vec(&Wire {
        model: &request.model,
        max_tokens: longest,
        stream: true,
        system: system(&request.turns, caches),
        messages: messages(request),
        tools: request.tools.iter().map(tool).collect(),
        // Whoever thinks chooses words as the provider likes; others take 1 at most.
        temperature: request
            .temperature
            .filter(|t| t.is_finite() && thinking.is_none())
            .map(|t| t.min(1.0)),
        thinking,
        output_config,
    })?;
    Ok(Written {
        url: below(base, &["messages"]),
        body,
    })
}

fn longest(model: &str) -> u32 {
    match () {
        () if model.contains("claude-3-5") || model.contains("claude-3-7") => 8192,
        () if model.contains("claude-3") || model.contains("claude-2") => 4096,
        () => LONGEST,
    }
}

/// Whether the turn may begin with thoughts: not one that was begun without any, be it an answer to be continued or one
/// that waits for its tools.
fn may_think(request: &Request) -> bool {
    let mut last = request.turns.iter().rev().peekable();
    let results = std::iter::from_fn(|| last.next_if(|turn| matches!(turn, Turn::ToolResult { .. }))).count();
    match last.next() {
        Some(Turn::Assistant { replay, .. }) if results > 0 => replay
            .as_ref()
            .is_some_and(|replay| replay.for_model(Format::AnthropicMessages, &request.model).is_some()),
        Some(Turn::Assistant { .. }) => false,
        _ => true,
    }
}

/// Claude since 4.6 decides itself how much to think, and the newest take no budget.
fn thinks_as_it_likes(model: &str) -> bool {
    let budgeted = ["claude-3", "-4-0", "-4-1", "-4-5", "-4-2025", "-4@2025"];
    model.contains("claude-")
        && !model.ends_with("claude-sonnet-4")
        && !model.ends_with("claude-opus-4")
        && !budgeted.iter().any(|name| model.contains(name))
}

/// The instructions, wherever they stand: the format knows them at the beginning only.
fn system(turns: &[Turn], caches: bool) -> Vec<Value> {
    let said = turns.iter().filter_map(|turn| match turn {
        Turn::System(text) if !text.trim().is_empty() => Some(text_block(text)),
        _ => None,
    });
    let mut blocks: Vec<Value> = said.collect();
    if let Some(last) = blocks.last_mut().filter(|_| caches) {
        mark(last);
    }
    blocks
}

fn messages(request: &Request) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    // Where the last block of ours stands that will be sent again.
    let mut same_until = None;
    for (index, turn) in request.turns.iter().enumerate() {
        let (role, blocks) = match turn {
            Turn::System(_) => continue,
            Turn::User(text) => ("user", own_text(text)),
            Turn::Assistant {
                text,
                tool_calls,
                replay,
            } => {
                let replayed = replay
                    .as_ref()
                    .and_then(|replay| replay.for_model(Format::AnthropicMessages, &request.model));
                let blocks = match replayed {
                    Some(blocks) => blocks.into_iter().map(Block::Replayed).collect(),
                    None => {
                        let is_last = index + 1 == request.turns.len();
                        // An answer to be continued must not end in white space.
                        let text = if is_last { text.trim_end() } else { text };
                        let mut blocks = own_text(text);
                        blocks.extend(tool_calls.iter().map(call));
                        blocks
                    }
                };
                ("assistant", blocks)
            }
            Turn::ToolResult {
                call_id, text, failed, ..
            } => {
                let mut block = json!({ "type": "tool_result", "tool_use_id": call_id, "content": text });
                if *failed {
                    block["is_error"] = json!(true);
                }
                ("user", vec![Block::Own(block)])
            }
        };
        if blocks.is_empty() {
            continue;
        }
        if messages.is_empty() && role == "assistant" {
            let content = own_text(OPENING);
            messages.push(Message { role: "user", content });
        }
        match messages.last_mut().filter(|last| last.role == role) {
            Some(last) => last.content.extend(blocks),
            None => messages.push(Message { role, content: blocks }),
        }
        if request.cache_through.is_some_and(|through| index <= through) {
            let at = messages.len() - 1;
            if let Some(Block::Own(_)) = messages[at].content.last() {
                same_until = Some((at, messages[at].content.len() - 1));
            }
        }
    }
    if let Some((message, block)) = same_until
        && let Block::Own(block) = &mut messages[message].content[block]
    {
        mark(block);
    }
    messages
}

/// Up to here the provider may keep what it has read.
fn mark(block: &mut Value) {
    block["cache_control"] = json!({ "type": "ephemeral" });
}

fn text_block(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// A block of text; none for white space, which is refused.
fn own_text(text: &str) -> Vec<Block> {
    match text.trim().is_empty() {
        true => Vec::new(),
        false => vec![Block::Own(text_block(text))],
    }
}

fn call(call: &ToolCall) -> Block {
    Block::Own(json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": call.object() }))
}

fn tool(tool: &Tool) -> Value {
    json!({ "name": tool.name, "description": tool.description, "input_schema": tool.parameters })
}
