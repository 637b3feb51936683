//! The request, from neutral words to the wire.

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use url::Url;

use crate::ai::{
    Effort, Format, Request, Tool, ToolCall, Turn,
    wire::{OPENING, Written, below},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    contents: Vec<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Value>,
    #[serde(skip_serializing_if = "is_empty")]
    generation_config: Value,
}

#[derive(Serialize)]
struct Content {
    role: &'static str,
    parts: Vec<Part>,
}

/// A part of ours, or one of the provider's own that goes back as it came.
#[derive(Serialize)]
#[serde(untagged)]
enum Part {
    Own(Value),
    Replayed(Box<RawValue>),
}

/// Writes a request for a stream.
pub(in crate::ai) fn write(base: &Url, request: &Request) -> serde_json::Result<Written> {
    let name = request.model.strip_prefix("models/").unwrap_or(&request.model);
    let action = format!("{name}:streamGenerateContent");
    let mut url = match name.split_once('/') {
        // A model of one's own stands in another collection.
        Some(_) => below(base, &action.split('/').collect::<Vec<_>>()),
        None => below(base, &["models", &action]),
    };
    // Without it the answer is one long JSON array.
    url.query_pairs_mut().append_pair("alt", "sse");
    let body = serde_json::to_vec(&Wire {
        contents: contents(request),
        system_instruction: system(&request.turns),
        tools: (!request.tools.is_empty()).then(|| {
            let tools: Vec<Value> = request.tools.iter().map(tool).collect();
            json!([{ "functionDeclarations": tools }])
        }),
        generation_config: config(request),
    })?;
    Ok(Written { url, body })
}

fn is_empty(config: &Value) -> bool {
    config.as_object().is_none_or(serde_json::Map::is_empty)
}

fn config(request: &Request) -> Value {
    let mut config = json!({});
    if let Some(temperature) = request.temperature.filter(|t| t.is_finite()) {
        config["temperature"] = json!(temperature);
    }
    if let Some(most) = request.max_output_tokens {
        config["maxOutputTokens"] = json!(most);
    }
    if let Some(thinking) = thinking(&request.model, request.effort) {
        config["thinkingConfig"] = thinking;
    }
    config
}

/// Models that think are asked to show it; others would refuse the question.
fn thinking(model: &str, effort: Option<Effort>) -> Option<Value> {
    let mut thinking = json!({ "includeThoughts": true });
    if model.contains("gemini-3") {
        if let Some(effort) = effort {
            thinking["thinkingLevel"] = json!(match effort {
                Effort::Low => "low",
                Effort::Medium | Effort::High => "high",
            });
        }
        return Some(thinking);
    }
    let thinks = ["gemini-2.5-pro", "gemini-2.5-flash"].iter().any(|m| model.contains(m));
    let speaks = !["lite", "image", "tts", "live", "audio"]
        .iter()
        .any(|m| model.contains(m));
    match effort {
        Some(effort) => {
            thinking["thinkingBudget"] = json!(effort.tokens());
            Some(thinking)
        }
        None => (thinks && speaks).then_some(thinking),
    }
}

/// The instructions, wherever they stand: the format knows one place for them.
fn system(turns: &[Turn]) -> Option<Value> {
    let said = turns.iter().filter_map(|turn| match turn {
        Turn::System(text) if !text.trim().is_empty() => Some(json!({ "text": text })),
        _ => None,
    });
    let parts: Vec<Value> = said.collect();
    (!parts.is_empty()).then(|| json!({ "parts": parts }))
}

fn contents(request: &Request) -> Vec<Content> {
    let mut contents: Vec<Content> = Vec::new();
    for turn in &request.turns {
        let (role, parts) = match turn {
            Turn::System(_) => continue,
            Turn::User(text) => ("user", own_text(text)),
            Turn::Assistant {
                text,
                tool_calls,
                replay,
            } => {
                let replayed = replay
                    .as_ref()
                    .and_then(|replay| replay.for_model(Format::GeminiGenerate, &request.model));
                let parts = match replayed {
                    Some(parts) => parts.into_iter().map(Part::Replayed).collect(),
                    None => {
                        let mut parts = own_text(text);
                        parts.extend(tool_calls.iter().map(call));
                        parts
                    }
                };
                ("model", parts)
            }
            Turn::ToolResult { name, text, failed, .. } => {
                let key = if *failed { "error" } else { "result" };
                let response = json!({ "name": name, "response": { key: text } });
                ("user", vec![Part::Own(json!({ "functionResponse": response }))])
            }
        };
        if parts.is_empty() {
            continue;
        }
        if contents.is_empty() && role == "model" {
            let parts = own_text(OPENING);
            contents.push(Content { role: "user", parts });
        }
        match contents.last_mut().filter(|last| last.role == role) {
            Some(last) => last.parts.extend(parts),
            None => contents.push(Content { role, parts }),
        }
    }
    contents
}

fn own_text(text: &str) -> Vec<Part> {
    match text.is_empty() {
        true => Vec::new(),
        false => vec![Part::Own(json!({ "text": text }))],
    }
}

fn call(call: &ToolCall) -> Part {
    Part::Own(json!({ "functionCall": { "name": call.name, "args": call.object() } }))
}

fn tool(tool: &Tool) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "parametersJsonSchema": tool.parameters,
    })
}
