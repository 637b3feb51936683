//! What OpenRouter tells of a model's thinking, which it wants to have back as it was: text, summaries, what is sealed.
//!
//! ```text
//! {"type": "reasoning.text", "index": 0, "text": "Let me"}         a block comes in pieces of one type and one index,
//! {"type": "reasoning.text", "index": 0, "text": " see."}          and goes back whole
//! {"type": "reasoning.text", "index": 0, "signature": "Eq…"}
//! {"type": "reasoning.encrypted", "index": 1, "data": "gA…"}
//! ```

use serde_json::{Map, Value};

use crate::ai::telling::Telling;

/// Where the words of a block stand, by its type.
const WORDS: [(&str, &str); 2] = [("reasoning.text", "text"), ("reasoning.summary", "summary")];

/// The blocks so far.
#[derive(Default)]
pub(super) struct Details(Vec<Map<String, Value>>);

impl Details {
    /// Another piece.
    pub(super) fn add(&mut self, piece: Map<String, Value>, told: &mut Telling) {
        let size: usize = piece.values().filter_map(Value::as_str).map(str::len).sum();
        if !told.makes_room_for(size + 16) {
            return;
        }
        match self.0.last_mut().filter(|last| goes_on(last, &piece)) {
            Some(last) => join(last, piece),
            None => self.0.push(piece),
        }
    }

    /// What has to come back: where something is sealed, or the model goes on thinking once it has its tool's result.
    /// Other thoughts are of no use to it any more.
    pub(super) fn to_replay(&self, calls: bool) -> Option<String> {
        let sealed = |block: &Map<String, Value>| {
            let filled = |name| text(block, name).is_some_and(|text| !text.is_empty());
            filled("signature") || filled("data")
        };
        let wanted = !self.0.is_empty() && (calls || self.0.iter().any(sealed));
        wanted.then(|| serde_json::to_string(&self.0).ok()).flatten()
    }
}

/// The pieces in a delta; whatever else stands there is none of our business.
pub(super) fn pieces(details: Option<Value>) -> Vec<Map<String, Value>> {
    let Some(Value::Array(pieces)) = details else {
        return Vec::new();
    };
    let objects = pieces.into_iter().filter_map(|piece| match piece {
        Value::Object(piece) => Some(piece),
        _ => None,
    });
    objects.collect()
}

/// The words in pieces, for those who send them nowhere else.
pub(super) fn texts(pieces: &[Map<String, Value>]) -> impl Iterator<Item = &str> {
    pieces.iter().filter_map(|piece| text(piece, words_of(piece)?))
}

fn text<'a>(block: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    block.get(name)?.as_str()
}

fn words_of(block: &Map<String, Value>) -> Option<&'static str> {
    let kind = text(block, "type")?;
    WORDS.iter().find(|(name, _)| *name == kind).map(|(_, words)| *words)
}

/// Whether a piece belongs to the block before it. After the signature there is nothing more of a block.
fn goes_on(last: &Map<String, Value>, piece: &Map<String, Value>) -> bool {
    let Some(words) = words_of(piece) else { return false };
    let same =
        |name| last.get(name).filter(|value| !value.is_null()) == piece.get(name).filter(|value| !value.is_null());
    let is_signed = text(last, "signature").is_some_and(|signature| !signature.is_empty());
    let speaks = text(piece, words).is_some_and(|words| !words.is_empty());
    same("type") && same("index") && !(is_signed && speaks)
}

fn join(last: &mut Map<String, Value>, piece: Map<String, Value>) {
    let words = words_of(&piece);
    for (name, value) in piece {
        match (last.get_mut(&name), value) {
            (_, Value::Null) => {}
            (Some(Value::String(text)), Value::String(more)) if Some(name.as_str()) == words => text.push_str(&more),
            (_, value) => drop(last.insert(name, value)),
        }
    }
}
