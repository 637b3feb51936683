//! From what was typed to what may stand in a message: other forms of a word, words that begin so, and, for whoever
//! mistyped, words that look alike.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::distance::is_near;
use super::find::{Looking, MINE};
use super::terms::{How, Term};
use crate::db::{Connection, lives};
use crate::error::Result;

/// How many of one's latest messages are looked through for words that begin so.
const LATEST: i64 = 5_000;
/// How many of them are looked through for words that look alike, each of which has to be compared.
const LATEST_COMPARED: i64 = 2_000;
/// How many of them at least are one chat's, before the next chat's.
const LATEST_OF_CHAT: i64 = 20;
/// How many ways one beginning may go on, the most used ones.
const MOST_ENDINGS: i64 = 40;
/// The shortest word that may be misspelled.
const SHORTEST_MISSPELLED: usize = 4;
/// How many words that look alike are considered.
const MOST_ALIKE: i64 = 400;
/// How many words one may have been meant instead.
const MOST_MEANT: usize = 5;

/// The words of one's latest messages.
const RECENT: &str = concat!(
    "recent AS (SELECT coalesce(CASE WHEN newest.author_id = $1 THEN own_words END, words) AS words FROM mine CROSS JOIN LATERAL (\
      SELECT id, author_id FROM messages WHERE messages.chat_id = mine.id AND sequence > mine.cleared_sequence AND active AND deleted_at IS NULL AND withheld_from IS DISTINCT FROM $1 AND ",
    lives!("messages"),
    " ORDER BY sequence DESC \
      LIMIT (SELECT greatest($5, $4 / greatest(count(*), 1)) FROM mine)) AS newest \
    JOIN message_words ON message_words.message_id = newest.id LIMIT $4)"
);

/// A term as Postgres looks for it.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// The term.
    pub(super) term: Term,
    /// The words that it consists of, without case and accents.
    plain: Vec<String>,
    /// As it was typed, in any of its forms: a `tsquery`, or an empty text.
    exact: String,
    /// The words that it may stand for besides.
    pub(super) others: Vec<String>,
    /// Whether they were meant instead: it was misspelled.
    pub(super) misspelled: bool,
}

impl Wanted {
    /// All that it may stand as: a `tsquery`, or an empty text.
    pub(super) fn query(&self) -> String {
        let others = self.others.iter().map(|word| quoted(word));
        let all = std::iter::once(self.exact.clone())
            .filter(|exact| !exact.is_empty())
            .chain(others);
        any(all)
    }

    /// As it was typed, in any of its forms.
    pub(super) fn exact(&self) -> &str {
        &self.exact
    }

    /// Each of its words, alone: what is shown as found of a phrase.
    pub(super) fn apart(&self) -> String {
        if self.plain.len() > 1 {
            return any(self.plain.iter().map(|word| quoted(word)));
        }
        self.query()
    }

    /// What the index is asked for: each of its words, without their order.
    pub(super) fn conditions(&self) -> Vec<String> {
        if self.plain.len() > 1 {
            return self.plain.iter().map(|word| quoted(word)).collect();
        }
        // A phrase may also be one word, twice.
        let word = self.plain.iter().map(|word| quoted(word));
        let whole = any(word.chain(std::iter::once(self.query())));
        if whole.is_empty() { Vec::new() } else { vec![whole] }
    }

    /// The one word that it is, if it is one.
    fn word(&self) -> Option<&str> {
        match self.plain.as_slice() {
            [word] if self.term.how != How::Phrase && !self.term.without => Some(word),
            _ => None,
        }
    }
}

/// Something as a `tsquery` that any of these satisfies.
pub(super) fn any(queries: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = queries
        .filter(|query| !query.is_empty())
        .map(|query| format!("({query})"))
        .collect();
    all.join(" | ")
}

/// A word as part of a `tsquery`.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''"))
}

#[derive(QueryableByName)]
struct Form {
    #[diesel(sql_type = Array<Text>)]
    plain: Vec<String>,
    #[diesel(sql_type = Text)]
    exact: String,
}

#[derive(QueryableByName)]
struct Word {
    #[diesel(sql_type = BigInt)]
    place: i64,
    #[diesel(sql_type = Text)]
    word: String,
}

/// The forms of each term, and how its beginnings go on in what one has read and written lately.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn forms(connection: &mut Connection, looking: &Looking, terms: Vec<Term>) -> Result<Vec<Wanted>> {
    let texts: Vec<&str> = terms.iter().map(|term| term.text.as_str()).collect();
    let query = "SELECT tsvector_to_array(to_tsvector('simple', unaccent(search_text(term)))) AS plain, search_term(term)::text AS exact \
        FROM unnest($1) WITH ORDINALITY AS given (term, place) ORDER BY place";
    let forms: Vec<Form> = diesel::sql_query(query)
        .bind::<Array<Text>, _>(texts)
        .load(connection)
        .await?;
    let mut wanted: Vec<Wanted> = terms
        .into_iter()
        .zip(forms)
        .map(|(term, form)| Wanted {
            term,
            plain: form.plain,
            exact: form.exact,
            others: Vec::new(),
            misspelled: false,
        })
        .collect();
    let unfinished = wanted.iter().map(|wanted| {
        let word = wanted.word().filter(|_| wanted.term.how == How::Beginning);
        word.unwrap_or_default().to_owned()
    });
    let unfinished: Vec<String> = unfinished.collect();
    if unfinished.iter().all(String::is_empty) {
        return Ok(wanted);
    }
    // The rows are narrowed by the beginning before their words are listed.
    let query = format!(
        "WITH {MINE}, {RECENT} \
        SELECT place, word FROM unnest($6) WITH ORDINALITY AS given (beginning, place) CROSS JOIN LATERAL (\
          SELECT word FROM recent, unnest(tsvector_to_array(words)) AS word \
          WHERE words @@ (quote_literal(nullif(beginning, '')) || ':*')::tsquery AND starts_with(word, beginning) AND word <> beginning \
          GROUP BY word ORDER BY count(*) DESC, word LIMIT $7) AS ending"
    );
    let endings = ask(connection, looking, &query, &unfinished, (LATEST, MOST_ENDINGS)).await?;
    for Word { place, word } in endings {
        if let Some(wanted) = at(&mut wanted, place) {
            wanted.others.push(word);
        }
    }
    Ok(wanted)
}

/// What was meant by the words that one's latest messages do not hold; false when there is nothing to suggest.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn correct(connection: &mut Connection, looking: &Looking, wanted: &mut [Wanted]) -> Result<bool> {
    let words = wanted.iter().map(|wanted| {
        let word = wanted.word().filter(|_| wanted.others.is_empty());
        word.filter(|word| word.chars().count() >= SHORTEST_MISSPELLED)
            .unwrap_or_default()
            .to_owned()
    });
    let words: Vec<String> = words.collect();
    if words.iter().all(String::is_empty) {
        return Ok(false);
    }
    // By trigrams first, generously: swapped letters share few. Errors are counted afterwards.
    let query = format!(
        "WITH {MINE}, {RECENT}, \
          known AS (SELECT word, count(*) AS uses FROM recent, unnest(tsvector_to_array(words)) AS word WHERE word !~ '^[=~!@]' GROUP BY word) \
        SELECT place, word FROM unnest($6) WITH ORDINALITY AS given (meant, place) CROSS JOIN LATERAL (\
          SELECT word FROM known WHERE meant <> '' AND abs(length(word) - length(meant)) <= 2 AND similarity(word, meant) >= 0.2 \
          ORDER BY similarity(word, meant) DESC, uses DESC, word LIMIT $7) AS alike"
    );
    let alike = ask(connection, looking, &query, &words, (LATEST_COMPARED, MOST_ALIKE)).await?;
    let known: HashSet<String> = alike.iter().map(|found| found.word.clone()).collect();
    let mut found = false;
    for Word { place, word } in alike {
        let Some(wanted) = at(wanted, place) else { continue };
        let Some(typed) = wanted.word() else { continue };
        if !known.contains(typed) && wanted.others.len() < MOST_MEANT && is_near(typed, &word) {
            wanted.others.push(word);
            wanted.misspelled = true;
            found = true;
        }
    }
    Ok(found)
}

async fn ask(
    connection: &mut Connection,
    looking: &Looking,
    query: &str,
    words: &[String],
    (latest, most): (i64, i64),
) -> QueryResult<Vec<Word>> {
    diesel::sql_query(query)
        .bind::<SqlUuid, _>(looking.user_id)
        .bind::<Nullable<Array<SqlUuid>>, _>(looking.chats.as_deref())
        .bind::<Nullable<SqlUuid>, _>(looking.not_in)
        .bind::<BigInt, _>(latest)
        .bind::<BigInt, _>(LATEST_OF_CHAT)
        .bind::<Array<Text>, _>(words)
        .bind::<BigInt, _>(most)
        .load(connection)
        .await
}

/// What stands at a place of Postgres' counting.
fn at(wanted: &mut [Wanted], place: i64) -> Option<&mut Wanted> {
    wanted.get_mut(usize::try_from(place - 1).ok()?)
}
