//! The answer, from the wire to neutral words.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::ai::{
    Failure, FinishReason, ToolCall, Usage,
    frames::Event,
    refusal::{Said, is_error, nonsense, refusal},
    telling::{Grammar, Telling},
    usage::{figures, sane},
};

/// What a line may hold.
#[derive(Deserialize)]
struct Wire {
    model: Option<String>,
    message: Option<Message>,
    done: Option<bool>,
    done_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    thinking: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<Box<RawValue>>,
}

/// One answer being read.
#[derive(Default)]
pub(in crate::ai) struct Reading {
    calls: Vec<ToolCall>,
}

impl Grammar for Reading {
    fn event(&mut self, event: &Event, told: &mut Telling) -> Result<(), Failure> {
        let value: Value = serde_json::from_str(&event.data).map_err(|_| nonsense("a line that is not JSON"))?;
        if is_error(event, &value) {
            return Err(refusal(200, &Said::in_value(&value), true));
        }
        if value.get("message").is_none() && value.get("done").is_none() {
            told.unknown();
            return Ok(());
        }
        let wire: Wire =
            serde_json::from_str(&event.data).map_err(|_| nonsense("a line of another shape than Ollama's"))?;
        told.begin(wire.model);
        if let Some(message) = wire.message {
            told.think(message.thinking.unwrap_or_default());
            told.say(message.content.unwrap_or_default());
            for call in message.tool_calls.into_iter().flatten() {
                self.call(call, told);
            }
        }
        if wire.done == Some(true) {
            if let Some(usage) = usage_of(&value) {
                told.used(usage);
            }
            let raw = wire.done_reason.unwrap_or_else(|| "stop".to_owned());
            told.finish(meaning(&raw), &raw);
            told.over();
        }
        Ok(())
    }

    fn close(&mut self, told: &mut Telling) {
        for call in self.calls.drain(..) {
            told.call(call);
        }
    }
}

impl Reading {
    fn call(&mut self, call: Call, told: &mut Telling) {
        let Some(function) = call.function else { return };
        let arguments = function.arguments.map_or("{}".to_owned(), |raw| raw.get().to_owned());
        if told.makes_room_for(arguments.len() + 16) {
            let id = call.id.filter(|id| !id.is_empty());
            self.calls.push(ToolCall {
                id: id.unwrap_or_else(|| format!("call_{}", self.calls.len())),
                name: function.name.unwrap_or_default(),
                arguments,
            });
        }
    }
}

fn meaning(raw: &str) -> FinishReason {
    match raw {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        _ => FinishReason::Other,
    }
}

fn usage_of(line: &Value) -> Option<Usage> {
    let count = |name: &str| line.get(name).and_then(Value::as_u64);
    let (input, output) = (count("prompt_eval_count"), count("eval_count"));
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Usage {
        input_tokens: sane(input),
        output_tokens: sane(output),
        raw: figures(line),
        ..Usage::default()
    })
}
