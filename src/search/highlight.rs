//! Where in a text the words are that it was found by.

use std::collections::{BTreeSet, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use diesel_async::RunQueryDsl;

use super::terms::{is_of_word, is_spaceless};
use crate::db::Connection;
use crate::error::Result;

/// The most pieces of one text.
const MOST_FRAGMENTS: usize = 3;
/// How long a piece is, in characters.
const FRAGMENT: usize = 160;
/// How much of it comes before the first word that was found, in characters.
const BEFORE: usize = 50;
/// How much of a text is looked through, in bytes; more is not searched either.
const MOST_BYTES: usize = 200_000;
/// The most different words that Postgres is asked about.
const MOST_WORDS: usize = 1_000;

/// A stretch of a text, in UTF-16 code units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it begins.
    pub start: usize,
    /// How long it is.
    pub length: usize,
}

/// A piece of a text with words that it was found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Where it begins in the text, in UTF-16 code units.
    pub start: usize,
    /// The piece.
    pub text: String,
    /// Where in the piece the words are.
    pub matches: Vec<Span>,
}

/// The pieces of each of these texts that show why it satisfies `words`, a `tsquery`. One statement for all of them.
///
/// # Errors
/// When Postgres fails.
pub async fn fragments(connection: &mut Connection, words: &str, texts: &[&str]) -> Result<Vec<Vec<Fragment>>> {
    let mut asked = BTreeSet::new();
    let beginnings = beginnings(words);
    for (_, word) in texts.iter().flat_map(|text| words_of(text)) {
        if asked.len() >= MOST_WORDS {
            break;
        }
        if may_match(&beginnings, word) {
            asked.insert(word);
        }
    }
    let found = matching(connection, words, asked.into_iter().collect()).await?;
    Ok(texts.iter().map(|text| cut(text, &found)).collect())
}

#[derive(QueryableByName)]
struct Match {
    #[diesel(sql_type = Text)]
    word: String,
}

async fn matching(connection: &mut Connection, words: &str, asked: Vec<&str>) -> QueryResult<HashSet<String>> {
    if asked.is_empty() || words.is_empty() {
        return Ok(HashSet::new());
    }
    let query = "SELECT word FROM unnest($1) AS word WHERE search_words(word) @@ $2::tsquery";
    let found: Vec<Match> = diesel::sql_query(query)
        .bind::<Array<Text>, _>(asked)
        .bind::<Text, _>(words)
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|found| found.word).collect())
}

/// What the words of a `tsquery` begin with.
fn beginnings(words: &str) -> HashSet<char> {
    let quoted = words.split('\'').skip(1).step_by(2);
    quoted.filter_map(|word| word.chars().next()).collect()
}

/// Whether it is worth asking Postgres about a word. All forms of a word begin alike, but for accents.
fn may_match(beginnings: &HashSet<char>, word: &str) -> bool {
    let first = word.chars().flat_map(char::to_lowercase).next();
    first.is_some_and(|first| !first.is_ascii() || beginnings.contains(&first))
}

/// The words of a text, and where each begins, in bytes.
fn words_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut end = text.len().min(MOST_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text[rest..].find(is_of_word)?;
        let mut letters = text[start..].char_indices();
        let first = letters.next().map_or(0, |(_, first)| first.len_utf8());
        let alone = text[start..].starts_with(is_spaceless);
        let ends = |(_, letter): &(usize, char)| !is_of_word(*letter) || is_spaceless(*letter);
        let length = if alone {
            first
        } else {
            letters.find(ends).map_or(text.len() - start, |(at, _)| at)
        };
        rest = start + length;
        Some((start, &text[start..rest]))
    })
}

/// Cuts the pieces out of a text. One in which nothing is found shows how it begins.
fn cut(text: &str, found: &HashSet<String>) -> Vec<Fragment> {
    let mut fragments = Vec::new();
    let mut matches = words_of(text).filter(|(_, word)| found.contains(*word)).peekable();
    if matches.peek().is_none() {
        return vec![fragment(text, 0, forward(text, 0, FRAGMENT), Vec::new())];
    }
    let mut done = 0;
    while let Some((at, word)) = matches.next() {
        if fragments.len() == MOST_FRAGMENTS {
            break;
        }
        // A piece without spaces may have been cut within this very word.
        let start = backward(text, at, BEFORE).max(done).min(at);
        let end = forward(text, start, FRAGMENT).max(at + word.len());
        let mut inside = vec![(at, word.len())];
        while let Some((at, word)) = matches.next_if(|(at, word)| at + word.len() <= end) {
            inside.push((at, word.len()));
        }
        fragments.push(fragment(text, start, end, inside));
        done = end;
    }
    fragments
}

fn fragment(text: &str, start: usize, end: usize, inside: Vec<(usize, usize)>) -> Fragment {
    let units = |from: usize, to: usize| text[from..to].encode_utf16().count();
    let matches = inside.into_iter().map(|(at, length)| Span {
        start: units(start, at),
        length: units(at, at + length),
    });
    Fragment {
        start: units(0, start),
        text: text[start..end].to_owned(),
        matches: matches.collect(),
    }
}

/// At most so many characters back, to where a word begins.
fn backward(text: &str, at: usize, characters: usize) -> usize {
    let before = &text[..at];
    let Some((start, _)) = before.char_indices().rev().nth(characters) else {
        return 0;
    };
    let space = before[start..]
        .char_indices()
        .find(|(_, character)| character.is_whitespace());
    space.map_or(start, |(offset, space)| start + offset + space.len_utf8())
}

/// At most so many characters on, to where a word ends.
fn forward(text: &str, at: usize, characters: usize) -> usize {
    let Some((length, _)) = text[at..].char_indices().nth(characters) else {
        return text.len();
    };
    let piece = &text[at..at + length];
    let space = piece
        .char_indices()
        .rev()
        .find(|(_, character)| character.is_whitespace());
    at + space.map_or(length, |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Fragment, Span, cut, words_of};

    fn found(words: &[&str]) -> HashSet<String> {
        words.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn words_are_told_apart() {
        let words: Vec<&str> = words_of("It's e-mail, naïve: 東京 2026 🎉x")
            .map(|(_, word)| word)
            .collect();
        assert_eq!(words, ["It", "s", "e", "mail", "naïve", "東", "京", "2026", "x"]);
    }

    #[test]
    fn offsets_count_as_clients_do() {
        let fragments = cut("🎉 Blue tea, blue cup", &found(&["Blue", "blue"]));
        let matches = vec![Span { start: 3, length: 4 }, Span { start: 13, length: 4 }];
        let text = "🎉 Blue tea, blue cup".to_owned();
        assert_eq!(
            fragments,
            [Fragment {
                start: 0,
                text,
                matches
            }]
        );
    }

    #[test]
    fn texts_without_spaces_are_cut_anywhere() {
        let text = "fo,".repeat(200);
        let fragments = cut(&text, &found(&["fo"]));
        assert_eq!(fragments.len(), super::MOST_FRAGMENTS);
        for fragment in fragments {
            for Span { start, length } in fragment.matches {
                assert_eq!(&fragment.text[start..start + length], "fo");
            }
        }
    }

    #[test]
    fn long_texts_are_shown_in_pieces() {
        let gap = "lorem ipsum dolor ".repeat(30);
        let text = format!("{gap}tea {gap}{gap}tea {gap}tea {gap}tea");
        let fragments = cut(&text, &found(&["tea"]));
        assert_eq!(fragments.len(), 3);
        for fragment in fragments {
            let Fragment {
                start,
                text: piece,
                matches,
            } = fragment;
            assert_eq!(&text[start..start + piece.len()], piece);
            assert!(piece.len() <= 160 && matches.len() == 1, "{piece}");
            assert_eq!(&piece[matches[0].start..matches[0].start + 3], "tea");
        }
        let without = cut(&text, &found(&[]));
        assert!(without.len() == 1 && without[0].matches.is_empty() && text.starts_with(&without[0].text));
    }
}
