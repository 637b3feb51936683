//! The search itself: parts of chats, candidates, rank, page.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::terms::parse;
use super::vocabulary::{Wanted, any, correct, forms};
use crate::db::{Connection, lives};
use crate::error::Result;
use crate::id::{ChatId, MessageId, UserId};

/// The chats that are searched, those with the latest activity first. Whoever asks is a member of each, and is shown what
/// is behind `history_after`: nothing else is found.
macro_rules! mine {
    () => {
        "mine AS MATERIALIZED (SELECT chats.id, chats.last_sequence, chats.last_activity_at, chat_members.history_after, \
      greatest(chats.cleared_sequence, chat_members.history_after) AS cleared_sequence \
    FROM chat_members JOIN chats ON chats.id = chat_members.chat_id \
    WHERE chat_members.user_id = $1 AND ($2::uuid[] IS NULL OR chats.id = ANY ($2)) AND chats.id IS DISTINCT FROM $3 \
      AND ($3 IS NULL OR chats.kind = 'ASSISTANT') \
    ORDER BY chats.last_activity_at DESC, chats.id LIMIT 2000)"
    };
}
pub(super) const MINE: &str = mine!();

/// What is looked for, by one author if that is wanted.
macro_rules! words {
    () => {
        "(CASE WHEN $7 IS NULL THEN $4 ELSE format('(%s) & ''@%s''', $4, left(md5($7::text), 16)) END)::tsquery"
    };
}

/// What is looked at in some of the parts, the newest first, and whether it is a hit.
macro_rules! looked {
    ($condition:literal) => {
        concat!(
            "SELECT message_id, fits FROM marked CROSS JOIN LATERAL (SELECT message_id, words @@ ",
            words!(),
            " AS fits FROM message_words WHERE words @@ (marked.marks && (SELECT words FROM asked)) ORDER BY message_id DESC) AS hit WHERE ",
            $condition
        )
    };
}

/// The messages that something names. Left to itself, Postgres may take them from among all messages of the chats: few, as
/// far as it knows, where chats are short in the mean, and a million in a long one.
macro_rules! named {
    ($by:literal) => {
        concat!(
            "LATERAL (SELECT * FROM messages WHERE id = ",
            $by,
            ".message_id OFFSET 0) AS messages"
        )
    };
}

/// The statement, for whoever wants to see its plan. The newest parts of all chats first, then those before them, some 4,096
/// messages at a time: 4,096 parts, and as many messages as are ranked.
///
/// The index knows neither the order of words nor their distance, and to ask it for a word that every other message holds
/// costs more than to read the messages. So it is asked for what is rare in a sample of the newest parts (for what is the
/// rarest there when nothing is), and everything else, phrases above all, is held against the messages that it names: the
/// newest 16,000 of them, so that a phrase of frequent words that nobody said ends, too.
///
/// Where the newest 8,192 messages hold so little of what the index is asked for that all parts would have to be gone
/// through, and what all people said holds little of it as well, that is read instead. What somebody said in other words
/// while they were blocked they find by these: it is few, and looked at beside all that. A page is cut from what one set of
/// candidates was ranked to, at the time of the first page.
pub const QUERY: &str = concat!(
    "WITH ",
    mine!(),
    ", ",
    "parts AS MATERIALIZED (SELECT id, block, sum(size) OVER (ORDER BY age, last_activity_at DESC, id ROWS UNBOUNDED PRECEDING) AS through \
      FROM mine CROSS JOIN LATERAL (SELECT age, mine.last_sequence / 1024 - age AS block, \
          CASE age WHEN 0 THEN greatest(mine.last_sequence % 1024, 64)::int ELSE 1024 END AS size \
        FROM generate_series(0, mine.last_sequence / 1024 - mine.cleared_sequence / 1024) AS age) AS part \
      ORDER BY age, last_activity_at DESC, id LIMIT 4097), \
    marked AS MATERIALIZED (SELECT (through - 1) / 4096 AS bunch, string_agg(quote_literal(search_block(id, block)), '|')::tsquery AS marks \
      FROM (SELECT id, block, through FROM parts LIMIT 4096) AS part GROUP BY bunch ORDER BY bunch), \
    conditions AS MATERIALIZED (SELECT condition \
      FROM unnest($15 || CASE WHEN $7 IS NOT NULL THEN ARRAY[format('''@%s''', left(md5($7::text), 16))] END) AS condition), \
    sample AS MATERIALIZED (SELECT words FROM message_words \
      WHERE (SELECT count(*) FROM conditions) > 1 AND words @@ (SELECT marks FROM marked LIMIT 1) LIMIT 1000), \
    held AS MATERIALIZED (SELECT condition, (SELECT count(*) FROM sample WHERE words @@ condition::tsquery) AS times FROM conditions), \
    asked AS MATERIALIZED (SELECT concat_ws(' & ', string_agg('(' || condition || ')', ' & '), $16)::tsquery AS words FROM held \
      WHERE times * 16 < (SELECT count(*) FROM sample) OR condition = (SELECT condition FROM held ORDER BY times, condition LIMIT 1)), \
    newest AS MATERIALIZED (",
    looked!("bunch < 2"),
    "), \
    seldom AS MATERIALIZED (SELECT max(through) > 8192 \
      AND (SELECT count(*) FROM (SELECT FROM newest LIMIT 2001) AS few) * max(through) < 2001 * 8192 AS is_so FROM parts), \
    everywhere AS MATERIALIZED (SELECT message_id, words @@ ",
    words!(),
    " AS fits FROM message_words WHERE (SELECT is_so FROM seldom) AND words @@ (SELECT words FROM asked) LIMIT 4001), \
    direct AS MATERIALIZED (SELECT is_so AND (SELECT count(*) FROM everywhere) <= 4000 AS is_so FROM seldom), \
    looked AS MATERIALIZED (SELECT message_id, fits FROM (\
        SELECT message_id, fits FROM newest WHERE NOT (SELECT is_so FROM direct) \
        UNION ALL ",
    looked!("bunch >= 2 AND NOT (SELECT is_so FROM direct)"),
    " UNION ALL SELECT message_id, fits FROM everywhere CROSS JOIN ",
    named!("everywhere"),
    " JOIN mine ON mine.id = messages.chat_id AND messages.sequence > mine.cleared_sequence WHERE (SELECT is_so FROM direct)) AS found LIMIT 16001), \
    candidates AS MATERIALIZED (SELECT message_id FROM looked WHERE fits LIMIT 2001), \
    own AS MATERIALIZED (SELECT message_id, own_words, own_words @@ ",
    words!(),
    " AS fits FROM (SELECT id FROM messages WHERE author_id = $1 AND own_content IS NOT NULL OFFSET 0) AS changed \
      JOIN message_words ON message_id = id ORDER BY id DESC LIMIT 2001), \
    chosen AS (SELECT message_id, words FROM (SELECT message_id FROM candidates LIMIT 2000) AS candidate JOIN message_words USING (message_id) \
        WHERE message_id NOT IN (SELECT message_id FROM own) \
      UNION ALL SELECT message_id, own_words FROM own WHERE fits), \
    ranked AS (SELECT messages.id, ((ts_rank(words, $5::tsquery, 1) + 3 * ts_rank(words, $6::tsquery, 1)) * 1000000 \
        * (1 + 30 / (30 + extract(epoch FROM coalesce($11, now()) - messages.created_at) / 86400)))::bigint AS score \
      FROM chosen CROSS JOIN ",
    named!("chosen"),
    " JOIN mine ON mine.id = messages.chat_id AND messages.sequence > mine.cleared_sequence AND messages.withheld_from IS DISTINCT FROM $1 \
      WHERE messages.active AND messages.deleted_at IS NULL AND ",
    lives!("messages"),
    " \
      AND ($7 IS NULL OR messages.author_id = $7) AND ($8 IS NULL OR messages.role = ANY ($8)) \
      AND ($9 IS NULL OR messages.created_at >= $9) AND ($10 IS NULL OR messages.created_at < $10) \
      AND messages.created_at <= coalesce($11, now())), \
    page AS (SELECT id, score FROM ranked WHERE $12 IS NULL OR (score, id) < ($12, $13) ORDER BY score DESC, id DESC LIMIT $14) \
    SELECT page.id, page.score, coalesce($11, now()) AS until, \
      (SELECT count(*) FROM candidates) <= 2000 AND (SELECT count(*) FROM looked) <= 16000 AND (SELECT count(*) FROM own) <= 2000 \
      AND ((SELECT count(*) FROM parts) <= 4096 OR (SELECT is_so FROM direct)) \
      AND (SELECT count(*) FROM mine) < 2000 \
      AND NOT EXISTS (SELECT FROM jobs WHERE kind = 'search.fill') AS complete \
    FROM (VALUES (1)) AS one LEFT JOIN page ON true ORDER BY page.score DESC, page.id DESC"
);

/// The most months that are named one by one.
const MOST_MONTHS: usize = 120;

/// What is looked for, where.
#[derive(Debug, Clone)]
pub struct Looking {
    /// Whose chats.
    pub user_id: UserId,
    /// As it was typed.
    pub query: String,
    /// Only in these chats.
    pub chats: Option<Vec<ChatId>>,
    /// For a model that answers in this chat: not in it, and not in rooms of several people, whose words are not one
    /// person's to hand to a model.
    pub not_in: Option<ChatId>,
    /// Only what this person wrote.
    pub author: Option<UserId>,
    /// Only messages with one of these roles.
    pub roles: Option<Vec<&'static str>>,
    /// Only messages from this moment on.
    pub from: Option<DateTime<Utc>>,
    /// Only messages before this moment.
    pub to: Option<DateTime<Utc>>,
}

impl Looking {
    /// For this, in all chats of a person.
    pub fn new(user_id: UserId, query: impl Into<String>) -> Self {
        Looking {
            user_id,
            query: query.into(),
            chats: None,
            not_in: None,
            author: None,
            roles: None,
            from: None,
            to: None,
        }
    }
}

/// Where a page begins: the moment of the first page, and score and message of the hit before.
pub type HitKey = (DateTime<Utc>, i64, MessageId);

/// A message that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// Which one.
    pub message_id: MessageId,
    /// How well it fits, in millionths.
    pub score: i64,
    /// What it is a hit of: the moment of the first page.
    pub until: DateTime<Utc>,
}

/// What a search came to.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The best ones first.
    pub hits: Vec<Hit>,
    /// Whether everything was looked at.
    pub complete: bool,
    /// What was looked for instead of words that nothing holds: each with what may have been meant.
    pub corrections: Vec<(String, Vec<String>)>,
    /// A `tsquery` that every highlighted word satisfies; empty when there was nothing to look for.
    pub words: String,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Nullable<SqlUuid>)]
    id: Option<MessageId>,
    #[diesel(sql_type = Nullable<BigInt>)]
    score: Option<i64>,
    #[diesel(sql_type = Timestamptz)]
    until: DateTime<Utc>,
    #[diesel(sql_type = Bool)]
    complete: bool,
}

/// Finds at most `limit` messages, those that fit best first, behind `after`. When nothing is found on the first page,
/// what was typed may be misspelled: then what may have been meant is looked for.
///
/// # Errors
/// A query that says nothing, or when Postgres fails.
pub async fn find(connection: &mut Connection, looking: &Looking, after: Option<HitKey>, limit: i64) -> Result<Found> {
    let terms = parse(&looking.query)?;
    if terms.is_empty() {
        let complete = true;
        return Ok(Found {
            complete,
            ..Found::default()
        });
    }
    let mut wanted = forms(connection, looking, terms).await?;
    let found = load(connection, looking, &wanted, after, limit).await?;
    // A page behind the first one has to be cut from what that one was cut from.
    let nothing = found.hits.is_empty()
        && (after.is_none() || load(connection, looking, &wanted, None, 1).await?.hits.is_empty());
    if !nothing || !correct(connection, looking, &mut wanted).await? {
        return Ok(found);
    }
    let found = load(connection, looking, &wanted, after, limit).await?;
    let corrected = wanted.into_iter().filter(|wanted| wanted.misspelled);
    let corrections = corrected.map(|wanted| (wanted.term.text, wanted.others)).collect();
    Ok(Found { corrections, ..found })
}

async fn load(
    connection: &mut Connection,
    looking: &Looking,
    wanted: &[Wanted],
    after: Option<HitKey>,
    limit: i64,
) -> Result<Found> {
    let (without, with): (Vec<&Wanted>, Vec<&Wanted>) = wanted.iter().partition(|wanted| wanted.term.without);
    let words = all(with.iter().map(|wanted| wanted.query()));
    if words.is_empty() {
        return Ok(Found {
            complete: true,
            ..Found::default()
        });
    }
    let exact = all(with.iter().map(|wanted| wanted.exact().to_owned()));
    let refused = any(without.iter().map(|wanted| wanted.query()));
    let refused = if refused.is_empty() {
        refused
    } else {
        format!("!({refused})")
    };
    let (roles, months) = (roles(looking), months(looking, Utc::now()));
    let conditions = with.iter().flat_map(|wanted| wanted.conditions());
    let conditions: Vec<String> = conditions.chain((!roles.is_empty()).then(|| roles.clone())).collect();
    let months_asked = (!months.is_empty()).then(|| format!("({months})"));
    let filter = all([words.clone(), refused, roles, months].into_iter());
    let rows: Vec<Row> = diesel::sql_query(QUERY)
        .bind::<SqlUuid, _>(looking.user_id)
        .bind::<Nullable<Array<SqlUuid>>, _>(looking.chats.as_deref())
        .bind::<Nullable<SqlUuid>, _>(looking.not_in)
        .bind::<Text, _>(filter)
        .bind::<Text, _>(&words)
        .bind::<Text, _>(exact)
        .bind::<Nullable<SqlUuid>, _>(looking.author)
        .bind::<Nullable<Array<Text>>, _>(looking.roles.as_deref())
        .bind::<Nullable<Timestamptz>, _>(looking.from)
        .bind::<Nullable<Timestamptz>, _>(looking.to)
        .bind::<Nullable<Timestamptz>, _>(after.map(|after| after.0))
        .bind::<Nullable<BigInt>, _>(after.map(|after| after.1))
        .bind::<Nullable<SqlUuid>, _>(after.map(|after| after.2))
        .bind::<BigInt, _>(limit)
        .bind::<Array<Text>, _>(conditions)
        .bind::<Nullable<Text>, _>(months_asked)
        .load(connection)
        .await?;
    let complete = rows.iter().any(|row| row.complete);
    let hits = rows.into_iter().filter_map(|row| {
        Some(Hit {
            message_id: row.id?,
            score: row.score?,
            until: row.until,
        })
    });
    Ok(Found {
        hits: hits.collect(),
        complete,
        corrections: Vec::new(),
        words: any(with.iter().map(|wanted| wanted.apart())),
    })
}

/// Something as a `tsquery` that only all of these satisfy.
fn all(queries: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = queries
        .filter(|query| !query.is_empty())
        .map(|query| format!("({query})"))
        .collect();
    all.join(" & ")
}

/// The marks of the roles that are wanted.
fn roles(looking: &Looking) -> String {
    let roles = looking.roles.iter().flatten();
    any(roles.map(|role| format!("'!{role}'")))
}

/// The marks of the months that are wanted, or of those that are not: what is older than everything has no name.
fn months(looking: &Looking, now: DateTime<Utc>) -> String {
    let month = |moment: DateTime<Utc>| NaiveDate::from_ymd_opt(moment.year(), moment.month(), 1);
    let next = |month: &NaiveDate| month.checked_add_months(Months::new(1));
    let (Some(present), first, last) = (month(now), looking.from.and_then(month), looking.to.and_then(month)) else {
        return String::new();
    };
    let (first, last, refused) = match (first, last) {
        (Some(first), last) => (Some(first), last.unwrap_or(present).min(present), false),
        (None, Some(last)) => (next(&last), present, true),
        (None, None) => return String::new(),
    };
    let months: Vec<NaiveDate> = std::iter::successors(first, next)
        .take_while(|month| *month <= last)
        .take(MOST_MONTHS + 1)
        .collect();
    if months.len() > MOST_MONTHS {
        return String::new();
    }
    let marks = any(months.iter().map(|month| format!("'~{}'", month.format("%Y%m"))));
    match (marks.is_empty(), refused) {
        (true, _) => marks,
        (false, true) => format!("!({marks})"),
        (false, false) => marks,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::{Looking, months};
    use crate::id::UserId;

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().expect("a moment")
    }

    #[test]
    fn months_are_named_as_far_as_they_are_few() {
        let now = moment("2026-02-10T00:00:00Z");
        for (from, to, expected) in [
            (None, None, ""),
            (Some("2026-01-31T23:00:00Z"), None, "('~202601') | ('~202602')"),
            (
                Some("2025-12-01T00:00:00Z"),
                Some("2025-12-03T00:00:00Z"),
                "('~202512')",
            ),
            (None, Some("2025-12-03T00:00:00Z"), "!(('~202601') | ('~202602'))"),
            (None, Some("2027-12-03T00:00:00Z"), ""),
            (Some("1990-01-01T00:00:00Z"), None, ""),
        ] {
            let looking = Looking {
                from: from.map(moment),
                to: to.map(moment),
                ..Looking::new(UserId::new(), "tea")
            };
            assert_eq!(months(&looking, now), expected, "{from:?} {to:?}");
        }
    }
}
