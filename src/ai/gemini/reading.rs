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

/// What an event may hold: a whole answer with the next parts in it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    model_version: Option<String>,
    candidates: Option<Vec<Candidate>>,
    usage_metadata: Option<Value>,
    prompt_feedback: Option<Feedback>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    index: Option<u64>,
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    parts: Option<Vec<Box<RawValue>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback {
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    thought: Option<bool>,
    thought_signature: Option<String>,
    function_call: Option<FunctionCall>,
}

#[derive(Deserialize)]
struct FunctionCall {
    id: Option<String>,
    name: Option<String>,
    args: Option<Box<RawValue>>,
}

/// One answer being read.
#[derive(Default)]
pub(in crate::ai) struct Reading {
    /// The parts as they came.
    parts: Vec<Box<RawValue>>,
    has_signed: bool,
    calls: Vec<ToolCall>,
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
        let known = ["candidates", "usageMetadata", "promptFeedback"];
        if !known.iter().any(|key| value.get(key).is_some()) {
            told.unknown();
            return Ok(());
        }
        // From the text again, so that parts stay as they are written.
        let wire: Wire = serde_json::from_str(&event.data)
            .map_err(|_| nonsense("an event of another shape than generateContent has"))?;
        self.read(wire, told);
        Ok(())
    }

    fn close(&mut self, told: &mut Telling) {
        for call in self.calls.drain(..) {
            told.call(call);
        }
        if self.has_signed {
            let parts: Vec<&str> = self.parts.iter().map(|part| part.get()).collect();
            told.replay(format!("[{}]", parts.join(",")));
        }
    }
}

impl Reading {
    fn read(&mut self, wire: Wire, told: &mut Telling) {
        told.begin(wire.model_version);
        if let Some(usage) = wire.usage_metadata.as_ref().and_then(usage_of) {
            told.used(usage);
        }
        if let Some(reason) = wire.prompt_feedback.and_then(|feedback| feedback.block_reason) {
            // The question itself was refused: there may be no candidate at all.
            told.finish(FinishReason::ContentFilter, &reason);
        }
        let mut candidates = wire.candidates.into_iter().flatten();
        let Some(candidate) = candidates.find(|candidate| candidate.index.unwrap_or(0) == 0) else {
            return;
        };
        for part in candidate
            .content
            .and_then(|content| content.parts)
            .into_iter()
            .flatten()
        {
            self.part(part, told);
        }
        match candidate.finish_reason.as_deref() {
            None | Some("" | "FINISH_REASON_UNSPECIFIED") => {}
            Some(raw) => told.finish(meaning(raw), raw),
        }
    }

    fn part(&mut self, raw: Box<RawValue>, told: &mut Telling) {
        let Ok(part) = serde_json::from_str::<Part>(raw.get()) else {
            told.unknown();
            return;
        };
        let signature = part.thought_signature.as_ref().map_or(0, String::len);
        let is_thought = part.thought == Some(true);
        match (part.text, part.function_call) {
            (Some(text), _) if is_thought => told.think(text),
            (Some(text), _) => told.say(text),
            (None, Some(call)) => self.call(call, told),
            (None, None) if signature > 0 => {}
            (None, None) => told.unknown(),
        }
        if !told.makes_room_for(signature) {
            return;
        }
        self.has_signed |= signature > 0;
        // What it showed of its thinking is a summary for people; the signature stands with the rest.
        if !is_thought || signature > 0 {
            self.parts.push(raw);
        }
    }

    fn call(&mut self, call: FunctionCall, told: &mut Telling) {
        let arguments = call.args.map_or("{}".to_owned(), |args| args.get().to_owned());
        if told.makes_room_for(arguments.len() + 16) {
            let id = call.id.filter(|id| !id.is_empty());
            self.calls.push(ToolCall {
                id: id.unwrap_or_else(|| format!("call_{}", self.calls.len())),
                name: call.name.unwrap_or_default(),
                arguments,
            });
        }
    }
}

fn meaning(raw: &str) -> FinishReason {
    match raw {
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// The usage so far. What it thought is not among the tokens of the candidates.
fn usage_of(raw: &Value) -> Option<Usage> {
    let count = |name: &str| raw.get(name).and_then(Value::as_u64);
    let (prompt, written) = (count("promptTokenCount"), count("candidatesTokenCount"));
    if prompt.is_none() && written.is_none() {
        return None;
    }
    let thought = sane(count("thoughtsTokenCount"));
    Some(Usage {
        input_tokens: sane(prompt) + sane(count("toolUsePromptTokenCount")),
        cached_input_tokens: sane(count("cachedContentTokenCount")),
        cache_write_tokens: 0,
        output_tokens: sane(written) + thought,
        reasoning_tokens: thought,
        cost_micro_usd: None,
        raw: figures(raw),
    })
}
