//! A title at once, from the first message, without asking a model.

use unicode_segmentation::UnicodeSegmentation;

/// How long a title gets, in characters as a person counts them.
const MOST: usize = 50;

/// The first words of the first sentence; none when there is nothing to show.
pub fn heuristic(message: &str) -> Option<String> {
    let line = message
        .lines()
        .map(str::trim)
        .find(|line| line.chars().any(char::is_alphanumeric))?;
    let line: String = line
        .trim_start_matches(['#', '>', '-', '*', ' '])
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    let sentence = line
        .split_inclusive(['.', '?', '!', '。', '？', '！'])
        .next()
        .unwrap_or(&line)
        .trim();
    let sentence = if sentence.chars().filter(|character| character.is_alphanumeric()).count() < 3 {
        line.as_str()
    } else {
        sentence
    };
    let sentence = sentence.trim_end_matches(['.', '。', ':', ',', ';']).trim();
    (!sentence.is_empty()).then(|| shortened(sentence, MOST))
}

/// The text, cut behind a word where it is longer than `most` characters as a person counts them.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.graphemes(true).count() <= most {
        return text.to_owned();
    }
    let mut title = String::new();
    for word in text.split_word_bounds() {
        if title.graphemes(true).count() + word.graphemes(true).count() >= most {
            break;
        }
        title.push_str(word);
    }
    if title.trim().is_empty() {
        title = text.graphemes(true).take(most - 1).collect();
    }
    format!("{}…", title.trim_end())
}
