//! The answer, from the wire to neutral words.

use serde::Deserialize;
use serde_json::Value;

use super::details::{self, Details};
use crate::ai::{
    Failure, FinishReason, ToolCall,
    frames::Event,
    refusal::{Said, is_error, nonsense, refusal},
    telling::{Grammar, Telling},
    usage::usage_of,
};

/// What a chunk may hold. Whatever else it holds is none of our business.
#[derive(Deserialize)]
struct Chunk {
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<Value>,
    x_groq: Option<Groq>,
}

#[derive(Deserialize)]
struct Groq {
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u64>,
    delta: Option<Piece>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Piece {
    content: Option<Content>,
    refusal: Option<Content>,
    reasoning_content: Option<Content>,
    reasoning: Option<Content>,
    reasoning_details: Option<Value>,
    tool_calls: Option<Vec<CallPiece>>,
}

/// A string; some send the parts of a multimodal message instead.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
    Unknown(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

#[derive(Deserialize)]
struct CallPiece {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionPiece>,
}

#[derive(Deserialize)]
struct FunctionPiece {
    name: Option<String>,
    arguments: Option<Value>,
}

/// One answer being read.
#[derive(Default)]
pub(in crate::ai) struct Reading {
    calls: Vec<Call>,
    details: Details,
}

/// A call of a tool, as far as it has come.
#[derive(Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

impl Grammar for Reading {
    fn event(&mut self, event: &Event, told: &mut Telling) -> Result<(), Failure> {
        let data = event.data.trim();
        if data == "[DONE]" {
            told.over();
            return Ok(());
        }
        if data.is_empty() {
            return Ok(());
        }
        let value: Value = match serde_json::from_str(data) {
            Ok(value) => value,
            Err(_) if event.name.as_deref() == Some("error") => {
                return Err(refusal(200, &Said::default(), true));
            }
            Err(_) => return Err(nonsense("an event that is not JSON")),
        };
        if is_error(event, &value) {
            // A model that had finished has finished; what broke was the bookkeeping after it.
            return match told.has_finished() {
                true => Ok(()),
                false => Err(refusal(200, &Said::in_value(&value), true)),
            };
        }
        let known = ["choices", "usage", "x_groq"]
            .iter()
            .any(|key| value.get(key).is_some());
        if !known {
            told.unknown();
            return Ok(());
        }
        let chunk =
            Chunk::deserialize(value).map_err(|_| nonsense("a chunk of another shape than Chat Completions has"))?;
        self.chunk(chunk, told)
    }

    fn close(&mut self, told: &mut Telling) {
        if let Some(details) = self.details.to_replay(!self.calls.is_empty()) {
            told.replay(details);
        }
        for call in self.calls.drain(..) {
            let id = match call.id.is_empty() {
                true => format!("call_{}", told.calls()),
                false => call.id,
            };
            let arguments = match call.arguments.trim().is_empty() {
                true => "{}".to_owned(),
                false => call.arguments,
            };
            told.call(ToolCall {
                id,
                name: call.name,
                arguments,
            });
        }
    }
}

impl Reading {
    fn chunk(&mut self, chunk: Chunk, told: &mut Telling) -> Result<(), Failure> {
        told.begin(chunk.model);
        // A second choice was not asked for.
        let mut choices = chunk.choices.into_iter().flatten();
        if let Some(choice) = choices.find(|choice| choice.index.unwrap_or(0) == 0) {
            if let Some(piece) = choice.delta {
                self.piece(piece, told);
            }
            match choice.finish_reason.as_deref() {
                None | Some("") => {}
                Some("error") => return Err(refusal(200, &Said::default(), true)),
                Some(raw) => told.finish(meaning(raw), raw),
            }
        }
        let usage = chunk.usage.or(chunk.x_groq.and_then(|groq| groq.usage));
        if let Some(usage) = usage.as_ref().and_then(usage_of) {
            told.used(usage);
        }
        Ok(())
    }

    fn piece(&mut self, piece: Piece, told: &mut Telling) {
        // Some send both names with the same words, and the same again in parts.
        let details = details::pieces(piece.reasoning_details);
        match piece.reasoning_content.or(piece.reasoning) {
            None => details::texts(&details).for_each(|text| told.think(text.to_owned())),
            reasoning => each(reasoning, told, Telling::think),
        }
        for detail in details {
            self.details.add(detail, told);
        }
        each(piece.content, told, Telling::say);
        each(piece.refusal, told, Telling::refuse);
        for call in piece.tool_calls.into_iter().flatten() {
            self.call(call, told);
        }
    }

    /// Adds a piece of a call: those of one call have one index; where there is none, a new id begins a new call.
    fn call(&mut self, piece: CallPiece, told: &mut Telling) {
        let id = piece.id.unwrap_or_default();
        let known = self.calls.iter().rposition(|call| match piece.index {
            Some(_) => call.index == piece.index,
            None => id.is_empty() || call.id == id,
        });
        let (name, arguments) = match piece.function {
            Some(function) => (function.name.unwrap_or_default(), function.arguments),
            None => (String::new(), None),
        };
        let arguments = match arguments {
            Some(Value::String(text)) => text,
            // An object where text belongs.
            Some(Value::Null) | None => String::new(),
            Some(object) => object.to_string(),
        };
        if !told.makes_room_for(id.len() + name.len() + arguments.len() + 16) {
            return;
        }
        let call = match known {
            Some(at) => &mut self.calls[at],
            None => self.calls.push_mut(Call {
                index: piece.index,
                ..Call::default()
            }),
        };
        if call.id.is_empty() {
            call.id = id;
        }
        if call.name.is_empty() {
            call.name = name;
        }
        call.arguments.push_str(&arguments);
    }
}

/// Says every part of a content.
fn each(content: Option<Content>, told: &mut Telling, say: fn(&mut Telling, String)) {
    match content {
        Some(Content::Text(text)) => say(told, text),
        Some(Content::Parts(parts)) => {
            for text in parts.into_iter().filter_map(|part| part.text) {
                say(told, text);
            }
        }
        Some(Content::Unknown(_)) => told.unknown(),
        None => {}
    }
}

fn meaning(raw: &str) -> FinishReason {
    match raw {
        "stop" | "eos" | "end_turn" | "stop_sequence" => FinishReason::Stop,
        "length" | "max_tokens" => FinishReason::Length,
        "content_filter" => FinishReason::ContentFilter,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        _ => FinishReason::Other,
    }
}
