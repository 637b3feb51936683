//! The answer, from the wire to neutral words.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ai::{Delta, Failure, FailureKind, FinishReason, Usage, sse};

use super::refusal::{Said, refusal};

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

/// One answer being read.
pub(in crate::ai) struct Reading {
    request_id: Option<String>,
    room: usize,
    started: bool,
    said_anything: bool,
    refused: bool,
    done: bool,
    finish: Option<(FinishReason, String)>,
    unknown: u64,
}

impl Reading {
    /// A reading of an answer of at most `room` bytes.
    pub(in crate::ai) fn new(request_id: Option<String>, room: usize) -> Self {
        Self {
            request_id,
            room,
            started: false,
            said_anything: false,
            refused: false,
            done: false,
            finish: None,
            unknown: 0,
        }
    }

    /// Whether a first chunk was read.
    pub(in crate::ai) fn has_begun(&self) -> bool {
        self.started
    }

    /// Whether a first word was read.
    pub(in crate::ai) fn said_anything(&self) -> bool {
        self.said_anything
    }

    /// Whether the model said that it was done. Its usage may still follow.
    pub(in crate::ai) fn has_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether nothing more is worth reading.
    pub(in crate::ai) fn is_over(&self) -> bool {
        self.done
    }

    /// How many events were of a kind that this version does not know.
    pub(in crate::ai) fn unknown_events(&self) -> u64 {
        self.unknown
    }

    /// Reads an event.
    pub(in crate::ai) fn event(&mut self, event: &sse::Event, deltas: &mut VecDeque<Delta>) -> Result<(), Failure> {
        let data = event.data.trim();
        if data == "[DONE]" {
            self.done = true;
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
            return match self.finish {
                Some(_) => Ok(()),
                None => Err(refusal(200, &Said::in_value(&value), true)),
            };
        }
        let known = ["choices", "usage", "x_groq"]
            .iter()
            .any(|key| value.get(key).is_some());
        if !known {
            self.unknown += 1;
            return Ok(());
        }
        let chunk =
            Chunk::deserialize(value).map_err(|_| nonsense("a chunk of another shape than Chat Completions has"))?;
        self.chunk(chunk, deltas)
    }

    /// The stream is over: the end of the answer, if it has one.
    pub(in crate::ai) fn end(&mut self, deltas: &mut VecDeque<Delta>) -> Result<(), Failure> {
        match self.finish.take() {
            Some((reason, raw)) => {
                deltas.push_back(Delta::Finished { reason, raw });
                Ok(())
            }
            None => Err(Failure::new(
                FailureKind::Interrupted,
                "the stream ended without a finish reason",
            )),
        }
    }

    fn chunk(&mut self, chunk: Chunk, deltas: &mut VecDeque<Delta>) -> Result<(), Failure> {
        if !self.started {
            self.started = true;
            deltas.push_back(Delta::Started {
                provider_request_id: self.request_id.clone(),
                model: chunk.model.filter(|model| is_a_name(model)),
            });
        }
        // A second choice was not asked for.
        let mut choices = chunk.choices.into_iter().flatten();
        if let Some(choice) = choices.find(|choice| choice.index.unwrap_or(0) == 0) {
            if let Some(piece) = choice.delta {
                self.piece(piece, deltas);
            }
            match choice.finish_reason.as_deref() {
                None | Some("") => {}
                Some("error") => return Err(refusal(200, &Said::default(), true)),
                Some(raw) => self.finish(raw),
            }
        }
        let usage = chunk.usage.or(chunk.x_groq.and_then(|groq| groq.usage));
        if let Some(usage) = usage.as_ref().and_then(usage_of) {
            deltas.push_back(Delta::Usage(usage));
        }
        Ok(())
    }

    fn piece(&mut self, piece: Piece, deltas: &mut VecDeque<Delta>) {
        // Some send both names with the same words.
        let reasoning = piece.reasoning_content.or(piece.reasoning);
        self.say_all(reasoning, Delta::Reasoning, deltas);
        self.say_all(piece.content, Delta::Text, deltas);
        // What a model says instead of an answer is still what it says.
        self.refused |= self.say_all(piece.refusal, Delta::Text, deltas);
    }

    /// Says every part of a content, and whether there was one.
    fn say_all(&mut self, content: Option<Content>, of: fn(String) -> Delta, deltas: &mut VecDeque<Delta>) -> bool {
        let before = deltas.len();
        match content {
            Some(Content::Text(text)) => self.say(text, of, deltas),
            Some(Content::Parts(parts)) => {
                for text in parts.into_iter().filter_map(|part| part.text) {
                    self.say(text, of, deltas);
                }
            }
            Some(Content::Unknown(_)) => self.unknown += 1,
            None => {}
        }
        deltas.len() > before
    }

    fn say(&mut self, mut text: String, of: fn(String) -> Delta, deltas: &mut VecDeque<Delta>) {
        if text.len() > self.room {
            text.truncate(text.floor_char_boundary(self.room));
            self.room = 0;
            self.done = true;
            self.finish = Some((FinishReason::Length, "parlor_answer_limit".to_owned()));
        } else {
            self.room -= text.len();
        }
        if !text.is_empty() {
            self.said_anything = true;
            deltas.push_back(of(text));
        }
    }

    fn finish(&mut self, raw: &str) {
        if self.finish.is_some() {
            return;
        }
        let reason = match raw {
            "stop" if self.refused => FinishReason::ContentFilter,
            "stop" | "eos" | "end_turn" | "stop_sequence" => FinishReason::Stop,
            "length" | "max_tokens" => FinishReason::Length,
            "content_filter" => FinishReason::ContentFilter,
            "tool_calls" | "function_call" => FinishReason::ToolCalls,
            _ => FinishReason::Other,
        };
        let raw = if is_a_name(raw) { raw } else { "unreadable" };
        self.finish = Some((reason, raw.to_owned()));
    }
}

/// An answer that is none.
pub(in crate::ai) fn nonsense(what: &str) -> Failure {
    Failure {
        http_status: Some(200),
        ..Failure::new(FailureKind::Unavailable, format!("the provider sent {what}"))
    }
}

/// The nested form, the string form, the flat form, and an event that is called so.
fn is_error(event: &sse::Event, value: &Value) -> bool {
    event.name.as_deref() == Some("error")
        || value.get("error").is_some_and(|error| !error.is_null())
        || ["type", "object"]
            .iter()
            .any(|key| value.get(key).and_then(Value::as_str) == Some("error"))
}

fn is_a_name(name: &str) -> bool {
    (1..=200).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic())
}

fn usage_of(raw: &Value) -> Option<Usage> {
    let count = |path: &str| raw.pointer(path).and_then(Value::as_u64);
    let input = count("/prompt_tokens");
    let output = count("/completion_tokens");
    if input.is_none() && output.is_none() {
        return None;
    }
    let sane = |count: Option<u64>| count.unwrap_or(0).min((1 << 53) - 1);
    Some(Usage {
        input_tokens: sane(input),
        cached_input_tokens: sane(count("/prompt_tokens_details/cached_tokens")),
        output_tokens: sane(output),
        reasoning_tokens: sane(count("/completion_tokens_details/reasoning_tokens")),
        raw: figures(raw, 0),
    })
}

/// The numbers of a usage report and nothing else: it is kept for good, and text from outside
/// has no place in a ledger.
fn figures(raw: &Value, depth: usize) -> Value {
    let Value::Object(fields) = raw else {
        return match raw {
            Value::Number(_) => raw.clone(),
            _ => Value::Null,
        };
    };
    let kept = fields
        .iter()
        .filter(|(name, value)| is_a_name(name) && (value.is_number() || (value.is_object() && depth < 3)));
    let kept = kept
        .take(64)
        .map(|(name, value)| (name.clone(), figures(value, depth + 1)));
    Value::Object(kept.collect::<Map<_, _>>())
}
