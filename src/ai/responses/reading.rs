//! The answer, from the wire to neutral words.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

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
    delta: Option<Value>,
    summary_index: Option<u64>,
    response: Option<Value>,
    item: Option<Box<RawValue>>,
}

/// What matters of an item of the answer.
#[derive(Deserialize)]
struct Item {
    #[serde(rename = "type")]
    kind: String,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    encrypted_content: Option<String>,
}

/// One answer being read.
#[derive(Default)]
pub(in crate::ai) struct Reading {
    said: bool,
    /// The items as they came.
    items: Vec<Box<RawValue>>,
    has_sealed: bool,
    calls: Vec<ToolCall>,
}

impl Grammar for Reading {
    fn event(&mut self, event: &Event, told: &mut Telling) -> Result<(), Failure> {
        // Some end like Chat Completions, too.
        if event.data.trim() == "[DONE]" {
            told.over();
            return Ok(());
        }
        let value: Value = serde_json::from_str(&event.data).map_err(|_| nonsense("an event that is not JSON"))?;
        if is_error(event, &value) {
            return match told.has_finished() {
                true => Ok(()),
                false => Err(refusal(200, &Said::in_value(&value), true)),
            };
        }
        // From the text again, so that items stay as they are written.
        let wire: Wire =
            serde_json::from_str(&event.data).map_err(|_| nonsense("an event of another shape than Responses has"))?;
        self.read(wire, told)
    }

    fn close(&mut self, told: &mut Telling) {
        for call in self.calls.drain(..) {
            told.call(call);
        }
        if self.has_sealed {
            let items: Vec<&str> = self.items.iter().map(|item| item.get()).collect();
            told.replay(format!("[{}]", items.join(",")));
        }
    }
}

impl Reading {
    fn read(&mut self, wire: Wire, told: &mut Telling) -> Result<(), Failure> {
        let text = || match wire.delta {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        match wire.kind.as_str() {
            "response.created" | "response.in_progress" | "response.queued" => {
                let response = wire.response.unwrap_or_default();
                told.begin(response.get("model").and_then(Value::as_str).map(str::to_owned));
            }
            "response.output_text.delta" => {
                self.said = true;
                told.say(text());
            }
            "response.refusal.delta" => {
                self.said = true;
                told.refuse(text());
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => told.think(text()),
            // One part of a summary is one paragraph.
            "response.reasoning_summary_part.added" if wire.summary_index.unwrap_or(0) > 0 => {
                told.think("\n\n".to_owned());
            }
            "response.output_item.done" => self.item(wire.item, told),
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                return self.ended(wire.kind.as_str(), &wire.response.unwrap_or_default(), told);
            }
            other if is_known(other) => {}
            _ => told.unknown(),
        }
        Ok(())
    }

    /// A whole item: a call, or what has to come back.
    fn item(&mut self, raw: Option<Box<RawValue>>, told: &mut Telling) {
        let Some(raw) = raw else { return };
        let Ok(item) = serde_json::from_str::<Item>(raw.get()) else {
            told.unknown();
            return;
        };
        // Text was counted when it was said; what is kept beside it counts, too.
        if !told.makes_room_for(raw.get().len()) {
            return;
        }
        self.has_sealed |= item.encrypted_content.is_some_and(|sealed| !sealed.is_empty());
        if item.kind == "function_call" {
            self.calls.push(ToolCall {
                id: item.call_id.unwrap_or_default(),
                name: item.name.unwrap_or_default(),
                arguments: item
                    .arguments
                    .filter(|a| !a.trim().is_empty())
                    .unwrap_or("{}".to_owned()),
            });
        }
        self.items.push(raw);
    }

    fn ended(&mut self, kind: &str, response: &Value, told: &mut Telling) -> Result<(), Failure> {
        told.begin(response.get("model").and_then(Value::as_str).map(str::to_owned));
        if let Some(usage) = response.get("usage").and_then(usage_of) {
            told.used(usage);
        }
        if kind == "response.failed" {
            return Err(refusal(200, &Said::in_value(response), true));
        }
        if kind == "response.cancelled" {
            return Err(Failure::new(
                FailureKind::Interrupted,
                "the provider cancelled the answer",
            ));
        }
        let detail = response.pointer("/incomplete_details/reason").and_then(Value::as_str);
        let (reason, raw) = match (kind, detail) {
            ("response.incomplete", Some(raw @ "max_output_tokens")) => (FinishReason::Length, raw),
            ("response.incomplete", Some(raw @ "content_filter")) => (FinishReason::ContentFilter, raw),
            ("response.incomplete", raw) => (FinishReason::Other, raw.unwrap_or("incomplete")),
            _ => (FinishReason::Stop, "completed"),
        };
        if !self.said {
            // Those who do not stream in truth say it all in the end.
            for text in texts(response) {
                told.say(text);
            }
        }
        told.finish(reason, raw);
        told.over();
        Ok(())
    }
}

/// The texts of a whole answer.
fn texts(response: &Value) -> Vec<String> {
    let items = response.get("output").and_then(Value::as_array).into_iter().flatten();
    let parts = items.filter_map(|item| item.get("content")?.as_array()).flatten();
    let said = parts.filter(|part| part.get("type").and_then(Value::as_str) == Some("output_text"));
    said.filter_map(|part| part.get("text")?.as_str().map(str::to_owned))
        .collect()
}

/// Events that say again, or announce, what others say.
fn is_known(kind: &str) -> bool {
    let known = [
        "response.output_item.added",
        "response.content_part.",
        "response.output_text.",
        "response.refusal.",
        "response.reasoning_summary_part.",
        "response.reasoning_summary_text.",
        "response.reasoning_text.",
        "response.function_call_arguments.",
        "keepalive",
    ];
    known.iter().any(|known| kind.starts_with(known))
}

fn usage_of(raw: &Value) -> Option<Usage> {
    let count = |path: &str| raw.pointer(path).and_then(Value::as_u64);
    let (input, output) = (count("/input_tokens"), count("/output_tokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Usage {
        input_tokens: sane(input),
        cached_input_tokens: sane(count("/input_tokens_details/cached_tokens")),
        cache_write_tokens: sane(count("/input_tokens_details/cache_write_tokens")),
        output_tokens: sane(output),
        reasoning_tokens: sane(count("/output_tokens_details/reasoning_tokens")),
        cost_micro_usd: crate::ai::usage::cost(raw),
        raw: figures(raw),
    })
}
