//! What a scripted model says.

use crate::ai::{Request, Turn};

use super::part;
use super::script::{Says, Script};

/// Letters of several lengths in UTF-8, so that whoever cuts text at a wrong byte hears of it.
const VOCABULARY: [&str; 40] = [
    "a",
    "room",
    "where",
    "people",
    "and",
    "models",
    "talk",
    "is",
    "like",
    "café",
    "with",
    "long",
    "tables",
    "someone",
    "asks",
    "naïve",
    "questions",
    "the",
    "answer",
    "arrives",
    "word",
    "by",
    "word",
    "über",
    "quiet",
    "streets",
    "señor",
    "日本語",
    "smiles",
    "☕",
    "until",
    "every",
    "thought",
    "has",
    "found",
    "its",
    "place",
    "🌍",
    "again",
    "👩‍🚀",
];

/// What somebody reads who has just started a server and has no key yet.
const INTRODUCTION: &str = "I am scripted: neither a model nor a key stands behind these words. They stream in \
     one by one all the same, so you can watch them come, press stop, reload the page or pull the plug, and find \
     everything here again. Add a key in the settings, and a real model answers in this little café instead.";

/// The pieces of the answer; joined they are the whole text.
pub(super) fn answer(script: &Script, request: &Request) -> Vec<String> {
    match script.says {
        Says::Introduction if !script.tools.is_empty() => spaced(&reported(request)),
        Says::Introduction => introduced(last_question(request)),
        Says::Words(count) => composed(script.seed, count, last_question(request)),
        Says::Echo => pieces(last_question(request)),
        Says::Context => pieces(&context(request)),
        Says::Title => pieces(&part::title(request)),
        Says::Summary => pieces(&part::summary(request)),
    }
}

/// The pieces of the reasoning.
pub(super) fn reasoning(script: &Script) -> Vec<String> {
    let opening = ["Let", "me", "think:"];
    compose(script.seed ^ 0x5eed, script.reasoning, opening.into_iter())
}

/// What the tools said since the last question.
fn reported(request: &Request) -> String {
    let since = request.turns.iter().rev();
    let since = since.take_while(|turn| !matches!(turn, Turn::User(_)));
    let mut said: Vec<String> = since
        .filter_map(|turn| match turn {
            Turn::ToolResult { name, text, failed, .. } => {
                let how = if *failed { "failed" } else { "said" };
                Some(format!("{name} {how}: {text}"))
            }
            _ => None,
        })
        .collect();
    said.reverse();
    said.join(" ")
}

fn introduced(question: &str) -> Vec<String> {
    let quoted = quoted(question);
    if quoted.is_empty() {
        return spaced(INTRODUCTION);
    }
    spaced(&format!("You asked about: {} — well. {INTRODUCTION}", quoted.join(" ")))
}

/// One piece a word, with the space before it, as models give them.
fn spaced(text: &str) -> Vec<String> {
    let words = text.split(' ').enumerate();
    words
        .map(|(index, word)| {
            if index == 0 {
                word.to_owned()
            } else {
                format!(" {word}")
            }
        })
        .collect()
}

/// The first words of the question.
fn quoted(question: &str) -> Vec<&str> {
    let words = question.split_whitespace().take(12).map(plain);
    words.filter(|word| !word.is_empty()).collect()
}

fn composed(seed: u64, count: usize, question: &str) -> Vec<String> {
    let quoted = quoted(question);
    let opening: &[&str] = match quoted.is_empty() {
        true => &["You", "asked", "nothing,", "so:"],
        false => &["You", "asked", "about:"],
    };
    let pause: &[&str] = match quoted.is_empty() {
        true => &[],
        false => &["—", "well,"],
    };
    let opening = opening.iter().chain(&quoted).chain(pause).copied();
    compose(seed, count, opening)
}

/// Words with spaces between them, a full stop every dozen, and a last one.
fn compose<'a>(seed: u64, count: usize, opening: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut opening = opening;
    let mut dice = Dice(seed);
    let mut sentence = 0;
    let mut said = Vec::with_capacity(count);
    for index in 0..count {
        let mut piece = String::new();
        if index > 0 {
            piece.push(' ');
        }
        match opening.next() {
            Some(word) => piece.push_str(word),
            None => {
                let word = VOCABULARY[dice.below(VOCABULARY.len())];
                let mut letters = word.chars();
                match letters.next() {
                    Some(first) if sentence == 0 && index > 0 => {
                        piece.extend(first.to_uppercase());
                        piece.push_str(letters.as_str());
                    }
                    _ => piece.push_str(word),
                }
                sentence = (sentence + 1) % 12;
                if sentence == 0 || index + 1 == count {
                    piece.push('.');
                }
            }
        }
        said.push(piece);
    }
    said
}

fn last_question(request: &Request) -> &str {
    let asked = request.turns.iter().rev();
    let mut asked = asked.filter(|turn| matches!(turn, Turn::User(_)));
    asked.next().map_or("", Turn::text)
}

/// A word of the question without its punctuation, and without whatever makes it unspeakable.
fn plain(word: &str) -> &str {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    if word.chars().count() > 40 { "" } else { word }
}

fn context(request: &Request) -> String {
    let turns = request.turns.iter();
    let turns = turns.map(|turn| serde_json::json!({"role": turn.role(), "text": turn.text()}));
    serde_json::Value::Array(turns.collect()).to_string()
}

fn pieces(text: &str) -> Vec<String> {
    text.split_inclusive(char::is_whitespace).map(str::to_owned).collect()
}

/// splitmix64: small, and the same everywhere for good.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let z = z ^ (z >> 31);
        usize::try_from(z % end as u64).unwrap_or(0)
    }
}
