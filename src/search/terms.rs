//! What is looked for, as people write it: words, `"phrases"`, `begin*`, and `-without`.

use crate::error::{Error, Result};

/// The longest query, in characters.
pub const MOST_CHARACTERS: usize = 200;
/// The most words and phrases in one.
pub const MOST_TERMS: usize = 12;

/// How a term is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As a word, in any of its forms.
    Word,
    /// As the beginning of a word.
    Beginning,
    /// As words that follow each other.
    Phrase,
}

/// One thing that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// As it was written.
    pub text: String,
    /// How it is to be found.
    pub how: How,
    /// Whether it must not be there.
    pub without: bool,
}

/// Reads a query. The last word may be unfinished: what is typed finds something before it is typed out. What holds no
/// letter and no digit stands for nothing; of such a query no term is left.
///
/// # Errors
/// [`Error::BadInput`] for an empty query, one that is too long, and one that only says what must not be there.
pub fn parse(query: &str) -> Result<Vec<Term>> {
    let refuse = |message: String| Err(Error::BadInput(message));
    if query.trim().is_empty() {
        return refuse("`query` is empty. Give at least one word to look for.".into());
    }
    if query.chars().nth(MOST_CHARACTERS).is_some() {
        return refuse(format!("`query` must be at most {MOST_CHARACTERS} characters long."));
    }
    if query.contains('\0') {
        return refuse("`query` must not contain NUL characters.".into());
    }
    let mut terms = Vec::new();
    let mut rest = query.trim_start();
    while !rest.is_empty() {
        let (term, after) = next(rest);
        terms.extend(term.into_iter().filter(|term| says_something(&term.text)));
        rest = after.trim_start();
    }
    if terms.len() > MOST_TERMS {
        return refuse(format!("`query` must hold at most {MOST_TERMS} words and phrases."));
    }
    if !terms.is_empty() && terms.iter().all(|term| term.without) {
        return refuse("`query` only says what must not be there. Give at least one word to look for.".into());
    }
    Ok(terms)
}

/// The terms at the beginning of `text`, which begins with no space, and what comes after them.
fn next(text: &str) -> (Vec<Term>, &str) {
    let (without, text) = match text.strip_prefix('-') {
        Some(rest) if !rest.starts_with(char::is_whitespace) => (true, rest),
        _ => (false, text),
    };
    let term = |text: &str, how| Term {
        text: text.to_owned(),
        how,
        without,
    };
    if let Some(quoted) = text.strip_prefix('"') {
        let (phrase, after) = quoted.split_once('"').unwrap_or((quoted, ""));
        return (vec![term(phrase, How::Phrase)], after);
    }
    let end = text
        .find(|character: char| character.is_whitespace() || character == '"')
        .unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    let begins = word.ends_with('*') || (after.is_empty() && !without);
    let word = word.trim_end_matches('*');
    // Of `foo-ba` only the last part is unfinished.
    let start = word
        .char_indices()
        .rev()
        .find(|(_, character)| !is_of_word(*character))
        .map_or(0, |(at, character)| at + character.len_utf8());
    let (whole, last) = word.split_at(start);
    if !begins || last.is_empty() || last.chars().any(is_spaceless) {
        return (vec![term(word, How::Word)], after);
    }
    (vec![term(whole, How::Word), term(last, How::Beginning)], after)
}

fn says_something(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// Whether a character is part of a word: letters, digits, and the marks that stand on them.
pub(super) fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '\u{0300}'..='\u{036F}')
}

/// Whether a character is of a script that has no spaces: each counts as a word, here as in the function `search_text`.
pub(super) fn is_spaceless(character: char) -> bool {
    matches!(character, '\u{0E00}'..='\u{0EFF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::{How, parse};

    fn read(query: &str) -> Vec<(String, How, bool)> {
        let terms = parse(query).expect("a query");
        terms
            .into_iter()
            .map(|term| (term.text, term.how, term.without))
            .collect()
    }

    #[test]
    fn queries_are_read() {
        let term = |text: &str, how, without| (text.to_owned(), how, without);
        for (query, expected) in [
            (
                "red car",
                vec![term("red", How::Word, false), term("car", How::Beginning, false)],
            ),
            ("car ", vec![term("car", How::Word, false)]),
            (
                "be* car ",
                vec![term("be", How::Beginning, false), term("car", How::Word, false)],
            ),
            (
                "\"red car\" -blue",
                vec![term("red car", How::Phrase, false), term("blue", How::Word, true)],
            ),
            (
                "a \"open end",
                vec![term("a", How::Word, false), term("open end", How::Phrase, false)],
            ),
            (
                "foo-ba",
                vec![term("foo-", How::Word, false), term("ba", How::Beginning, false)],
            ),
            ("東京", vec![term("東京", How::Word, false)]),
            ("🎉 - \"\"", vec![]),
        ] {
            assert_eq!(read(query), expected, "{query}");
        }
    }

    #[test]
    fn what_is_no_query_is_refused() {
        let many = ["word"; 13].join(" ");
        for query in ["", "  ", "-red -\"blue car\"", &"x".repeat(201), &many, "a\0b"] {
            assert!(parse(query).is_err(), "{query:?}");
        }
    }
}
