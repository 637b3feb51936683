//! The answer, from the wire to neutral words.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::ai::{
    Failure, FailureKind, FinishReason, ToolCall, Usage,
    frames::Event,
    refusal::{Said, is_error, nonsense, refusal},
    telling::{Grammar, Telling},
    usage::{figures, sane},
};

/// An event; which fields it has depends on its type.
#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    index: Option<u64>,
    message: Option<Message>,
    content_block: Option<Map<String, Value>>,
    delta: Option<Change>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Message {
    model: Option<String>,
    usage: Option<Value>,
}

#[derive(Default, Deserialize)]
struct Change {
    #[serde(rename = "type")]
    kind: Option<String>,
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    partial_json: Option<String>,
    stop_reason: Option<String>,
}

/// One answer being read.
#[derive(Default)]
pub(in crate::ai) struct Reading {
    blocks: BTreeMap<u64, Block>,
    usage: Map<String, Value>,
}

/// A block of the answer, as far as it has come.
#[derive(Default)]
struct Block {
    /// As it began.
    start: Map<String, Value>,
    kind: String,
    text: String,
    signature: String,
    arguments: String,
}

impl Grammar for Reading {
    fn event(&mut self, event: &Event, told: &mut Telling) -> Result<(), Failure> {
        let value: Value = serde_json::from_str(&event.data).map_err(|_| nonsense("an event that is not JSON"))?;
        if is_error(event, &value) {
            return match told.has_finished() {
                true => Ok(()),
                false => Err(refusal(200, &Said::in_value(&value), true)),
            };
        }
        let wire = Wire::deserialize(value).map_err(|_| nonsense("an event of another shape than Messages has"))?;
        match wire.kind.as_str() {
            "message_start" => {
                let message = wire.message;
                told.begin(message.as_ref().and_then(|message| message.model.clone()));
                self.used(message.and_then(|message| message.usage), told);
            }
            "content_block_start" => self.block(wire.index, wire.content_block, told),
            "content_block_delta" => self.change(wire.index, wire.delta.unwrap_or_default(), told),
            "message_delta" => {
                self.used(wire.usage, told);
                if let Some(raw) = wire.delta.and_then(|delta| delta.stop_reason) {
                    return stop(&raw, told);
                }
            }
            "message_stop" => told.over(),
            "content_block_stop" | "ping" => {}
            _ => told.unknown(),
        }
        Ok(())
    }

    fn close(&mut self, told: &mut Telling) {
        for block in self.blocks.values().filter(|block| block.kind == "tool_use") {
            let text = |key: &str| block.start.get(key).and_then(Value::as_str).unwrap_or_default();
            told.call(ToolCall {
                id: text("id").to_owned(),
                name: text("name").to_owned(),
                arguments: block.arguments(),
            });
        }
        if let Some(content) = self.replay() {
            told.replay(content);
        }
    }
}

impl Reading {
    fn block(&mut self, index: Option<u64>, start: Option<Map<String, Value>>, told: &mut Telling) {
        let start = start.unwrap_or_default();
        let text = |key: &str| start.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut block = Block {
            kind: text("type"),
            ..Block::default()
        };
        match block.kind.as_str() {
            "text" => {
                block.text = text("text");
                told.say(block.text.clone());
            }
            "thinking" => {
                block.text = text("thinking");
                block.signature = text("signature");
                told.think(block.text.clone());
            }
            "redacted_thinking" | "tool_use" => {}
            _ => told.unknown(),
        }
        block.start = start;
        let size = serde_json::to_string(&block.start).map_or(0, |json| json.len());
        if told.makes_room_for(size) {
            self.blocks.insert(index.unwrap_or_default(), block);
        }
    }

    fn change(&mut self, index: Option<u64>, change: Change, told: &mut Telling) {
        let block = self.blocks.entry(index.unwrap_or_default()).or_default();
        match change.kind.as_deref() {
            Some("text_delta") => {
                let text = change.text.unwrap_or_default();
                block.text.push_str(&text);
                told.say(text);
            }
            Some("thinking_delta") => {
                let text = change.thinking.unwrap_or_default();
                block.text.push_str(&text);
                told.think(text);
            }
            Some("signature_delta") => {
                let signature = change.signature.unwrap_or_default();
                if told.makes_room_for(signature.len()) {
                    block.signature.push_str(&signature);
                }
            }
            Some("input_json_delta") => {
                let piece = change.partial_json.unwrap_or_default();
                if told.makes_room_for(piece.len()) {
                    block.arguments.push_str(&piece);
                }
            }
            Some("citations_delta") => {}
            _ => told.unknown(),
        }
    }

    /// The counts are cumulative, and those who imitate the format begin with zeros: the highest of each counts.
    fn used(&mut self, usage: Option<Value>, told: &mut Telling) {
        let Some(Value::Object(usage)) = usage else { return };
        highest(&mut self.usage, usage);
        let raw = Value::Object(self.usage.clone());
        let count = |path: &str| sane(raw.pointer(path).and_then(Value::as_u64));
        let cached = count("/cache_read_input_tokens");
        let written = count("/cache_creation_input_tokens");
        let thought = count("/output_tokens_details/thinking_tokens");
        told.used(Usage {
            input_tokens: count("/input_tokens") + cached + written,
            cached_input_tokens: cached,
            cache_write_tokens: written,
            output_tokens: count("/output_tokens"),
            reasoning_tokens: thought.max(count("/output_tokens_details/reasoning_tokens")),
            cost_micro_usd: None,
            raw: figures(&raw),
        });
    }

    /// The turn as it has to come back: only where something in it is signed.
    fn replay(&self) -> Option<String> {
        let thinks = |block: &&Block| matches!(block.kind.as_str(), "thinking" | "redacted_thinking");
        let mut thoughts = self.blocks.values().filter(thinks).peekable();
        thoughts.peek()?;
        if thoughts.any(|block| block.kind == "thinking" && block.signature.is_empty()) {
            return None;
        }
        // The format refuses blocks of text without any.
        let kept = self.blocks.values();
        let kept = kept.filter(|block| block.kind != "text" || !block.text.trim().is_empty());
        let kept: Vec<String> = kept.map(Block::written).collect::<Option<_>>()?;
        Some(format!("[{}]", kept.join(",")))
    }
}

impl Block {
    fn arguments(&self) -> String {
        match (self.arguments.trim(), self.start.get("input")) {
            ("", Some(Value::Object(input))) => Value::Object(input.clone()).to_string(),
            ("", _) => "{}".to_owned(),
            (arguments, _) => arguments.to_owned(),
        }
    }

    /// As JSON; what the model wrote stays byte for byte.
    fn written(&self) -> Option<String> {
        let text = |value: &str| Value::from(value).to_string();
        Some(match self.kind.as_str() {
            "text" => format!(r#"{{"type":"text","text":{}}}"#, text(&self.text)),
            "thinking" => format!(
                r#"{{"type":"thinking","thinking":{},"signature":{}}}"#,
                text(&self.text),
                text(&self.signature)
            ),
            "tool_use" => {
                let arguments = self.arguments();
                let input: &RawValue = serde_json::from_str(&arguments).ok()?;
                let name = |key: &str| self.start.get(key).unwrap_or(&Value::Null).to_string();
                format!(
                    r#"{{"type":"tool_use","id":{},"name":{},"input":{}}}"#,
                    name("id"),
                    name("name"),
                    input.get()
                )
            }
            _ => Value::Object(self.start.clone()).to_string(),
        })
    }
}

fn stop(raw: &str, told: &mut Telling) -> Result<(), Failure> {
    let reason = match raw {
        "end_turn" | "stop_sequence" => FinishReason::Stop,
        "max_tokens" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::ContentFilter,
        "model_context_window_exceeded" => {
            let said = Said::in_value(&json!({ "error": { "type": raw } }));
            let failure = refusal(200, &said, true);
            debug_assert_eq!(failure.kind, FailureKind::ContextTooLong);
            return Err(failure);
        }
        _ => FinishReason::Other,
    };
    told.finish(reason, raw);
    Ok(())
}

/// Takes the higher of each number.
fn highest(held: &mut Map<String, Value>, new: Map<String, Value>) {
    for (name, value) in new {
        match (held.get_mut(&name), value) {
            (Some(Value::Object(held)), Value::Object(new)) => highest(held, new),
            (Some(Value::Number(held)), Value::Number(new)) => {
                if new.as_f64() > held.as_f64() {
                    *held = new;
                }
            }
            (Some(_), Value::Null) => {}
            (_, value) => drop(held.insert(name, value)),
        }
    }
}
