//! The parts that the scripted provider plays where Parlor itself asks a model, in the background.

use crate::ai::{Request, Turn};

/// A title: the first words of the first question.
pub(super) fn title(request: &Request) -> String {
    let asked = request.turns.iter().find(|turn| matches!(turn, Turn::User(_)));
    let asked = asked.map_or("", Turn::text);
    let words = asked.split_whitespace().take(5);
    let plain = words.map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()));
    let plain: Vec<&str> = plain.filter(|word| !word.is_empty()).collect();
    if plain.is_empty() {
        return "A conversation".to_owned();
    }
    format!("About: {}", plain.join(" "))
}

/// A summary: the summary before it, and the first words of everything that was said.
pub(super) fn summary(request: &Request) -> String {
    let asked = request.turns.iter().rev().find(|turn| matches!(turn, Turn::User(_)));
    let asked = asked.map_or("", Turn::text);
    let before = asked.lines().filter_map(|line| line.strip_prefix("So far: "));
    let said = asked.lines().filter_map(|line| {
        let said = line
            .strip_prefix("Person: ")
            .or_else(|| line.strip_prefix("Assistant: "))?;
        let words: Vec<&str> = said.split_whitespace().take(4).collect();
        Some(words.join(" "))
    });
    let all: Vec<String> = before.map(str::to_owned).chain(said).collect();
    format!("So far: {}", all.join("; "))
}
