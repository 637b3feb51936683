//! A model's words -> a title.

use unicode_segmentation::UnicodeSegmentation;

/// How long a title gets, in characters as a person counts them.
const MOST: usize = 50;

/// What models put around a title.
const AROUND: &[char] = &[
    '"', '\'', '`', '*', '_', '#', '>', '“', '”', '„', '‘', '’', '«', '»', '‹', '›', '「', '」', '『', '』', '《', '》',
];

/// The title in what a model said: its first line, without the thoughts before it, and without quotes, markdown and
/// whatever else stands around it; none when nothing is left.
pub fn clean(said: &str) -> Option<String> {
    // Models without a channel for their thoughts think aloud.
    let said = said.rsplit_once("</think>").map_or(said, |(_, rest)| rest);
    let line = said.lines().find(|line| line.chars().any(char::is_alphanumeric))?;
    let shown: String = line
        .chars()
        .map(|character| if character.is_whitespace() { ' ' } else { character })
        .filter(|character| !character.is_control() && !is_invisible(*character))
        .collect();
    let mut title = shown
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    loop {
        let mut stripped = title.trim().trim_matches(AROUND).trim();
        for label in ["title:", "title -", "- ", "• "] {
            if let Some(start) = stripped
                .get(..label.len())
                .filter(|start| start.eq_ignore_ascii_case(label))
            {
                stripped = stripped[start.len()..].trim();
            }
        }
        let stripped = stripped.trim_end_matches(['.', '。', ':', ',', ';']).trim();
        if stripped.len() == title.len() {
            break;
        }
        title = stripped.to_owned();
    }
    if !title.chars().any(char::is_alphanumeric) {
        return None;
    }
    Some(super::heuristic::shortened(&title, MOST))
}

/// Characters that are not seen but change how their neighbours are.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// The first characters of a text, as a person counts them.
pub(super) fn beginning(text: &str, most: usize) -> String {
    text.graphemes(true).take(most).collect()
}
