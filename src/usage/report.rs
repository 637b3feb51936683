//! Reports of what was used: sums over the ledger, exact against its rows.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::{Connection, text_enum};
use crate::error::{Error, Result};
use crate::id::{ChatId, UserId};
use crate::model::price::Tokens;

/// The most groups in a report.
pub const MOST_GROUPS: usize = 1_000;
/// How far a report looks back when nobody says.
const USUAL_DAYS: i64 = 30;
/// The longest time that a report covers.
const LONGEST_DAYS: i64 = 3_660;

text_enum! {
    /// What a report of usage adds up by.
    UsageGrouping {
        /// Each day of UTC.
        Day = "DAY",
        /// Each month of UTC.
        Month = "MONTH",
        /// Each provider.
        Provider = "PROVIDER",
        /// Each model.
        Model = "MODEL",
        /// Each chat.
        Chat = "CHAT",
        /// Each person who asked.
        User = "USER",
    }
}

/// What a report is about.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// At whose expense; none for everybody's.
    pub user_id: Option<UserId>,
    /// Attempts that began at this moment or later.
    pub from: DateTime<Utc>,
    /// Attempts that began before this moment.
    pub to: DateTime<Utc>,
    /// What to add up by.
    pub grouping: UsageGrouping,
}

impl Wanted {
    /// Checks the time, and fills in what is not said: the last thirty days.
    ///
    /// # Errors
    /// [`Error::BadInput`] for a time that ends before it begins or is too long.
    pub fn new(
        user_id: Option<UserId>,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
        grouping: UsageGrouping,
    ) -> Result<Self> {
        let to = to.unwrap_or_else(Utc::now);
        let from = match from {
            Some(from) => from,
            None => to
                .checked_sub_signed(TimeDelta::days(USUAL_DAYS))
                .ok_or_else(|| Error::BadInput("`to` is too long ago.".into()))?,
        };
        let length = to.signed_duration_since(from);
        if length <= TimeDelta::zero() {
            return Err(Error::BadInput("`from` must be before `to`.".into()));
        }
        if length > TimeDelta::days(LONGEST_DAYS) {
            return Err(Error::BadInput(format!(
                "`from` and `to` must be at most {LONGEST_DAYS} days apart."
            )));
        }
        Ok(Wanted {
            user_id,
            from,
            to,
            grouping,
        })
    }
}

/// The sums of one group, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, QueryableByName)]
pub struct Sums {
    /// The day or month.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub since: Option<DateTime<Utc>>,
    /// The provider.
    #[diesel(sql_type = Nullable<Text>)]
    pub provider: Option<String>,
    /// The model.
    #[diesel(sql_type = Nullable<Text>)]
    pub model: Option<String>,
    /// The chat.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub chat_id: Option<ChatId>,
    /// The person.
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pub user_id: Option<UserId>,
    #[diesel(sql_type = Bool)]
    is_total: bool,
    /// How many attempts.
    #[diesel(sql_type = BigInt)]
    pub attempts: i64,
    /// How many of them have no known cost.
    #[diesel(sql_type = BigInt)]
    pub unpriced: i64,
    /// How many of them were counted and not told.
    #[diesel(sql_type = BigInt)]
    pub estimated: i64,
    /// What the others cost, in micro-USD.
    #[diesel(sql_type = BigInt)]
    pub cost: i64,
    /// How many answers were given again, for which nobody was asked; they are no attempts.
    #[diesel(sql_type = BigInt)]
    pub cached: i64,
    #[diesel(sql_type = BigInt)]
    input: i64,
    #[diesel(sql_type = BigInt)]
    cached_input: i64,
    #[diesel(sql_type = BigInt)]
    cache_write: i64,
    #[diesel(sql_type = BigInt)]
    output: i64,
    #[diesel(sql_type = BigInt)]
    reasoning: i64,
}

impl Sums {
    /// The tokens.
    pub fn tokens(&self) -> Tokens {
        Tokens {
            input: self.input,
            cached_input: self.cached_input,
            cache_write: self.cache_write,
            output: self.output,
            reasoning: self.reasoning,
        }
    }
}

/// A report.
#[derive(Debug)]
pub struct Report {
    /// All groups together, also those that are left out.
    pub total: Sums,
    /// The groups: days and months in their order, others the dearest first.
    pub groups: Vec<Sums>,
    /// Whether there are more groups than are given.
    pub cut: bool,
}

/// Adds up the ended attempts, in one statement.
///
/// # Errors
/// When Postgres fails.
pub async fn read(connection: &mut Connection, wanted: Wanted) -> Result<Report> {
    let (since, provider, model, chat, user) = match wanted.grouping {
        UsageGrouping::Day => ("date_trunc('day', started_at)", "", "", "", ""),
        UsageGrouping::Month => ("date_trunc('month', started_at)", "", "", "", ""),
        UsageGrouping::Provider => ("", "provider", "", "", ""),
        UsageGrouping::Model => ("", "provider", "model", "", ""),
        UsageGrouping::Chat => ("", "", "", "chat_id", ""),
        UsageGrouping::User => ("", "", "", "", "user_id"),
    };
    let or_null = |expression: &str, kind: &str| match expression {
        "" => format!("NULL::{kind}"),
        expression => expression.to_owned(),
    };
    let keys: Vec<&str> = [since, provider, model, chat, user]
        .into_iter()
        .filter(|key| !key.is_empty())
        .collect();
    let by = keys.join(", ");
    let whose = wanted.user_id.map_or("", |_| "AND payer_id = $3");
    let order = if since.is_empty() {
        "cost DESC, attempts DESC, "
    } else {
        ""
    };
    let query = format!(
        "SELECT {} AS since, {} AS provider, {} AS model, {} AS chat_id, {} AS user_id, grouping({}) > 0 AS is_total, \
           count(*) FILTER (WHERE outcome <> 'CACHED') AS attempts, count(*) FILTER (WHERE outcome = 'CACHED') AS cached, count(*) FILTER (WHERE cost_micro_usd IS NULL) AS unpriced, \
           count(*) FILTER (WHERE state = 'ESTIMATED') AS estimated, coalesce(sum(cost_micro_usd), 0)::bigint AS cost, \
           coalesce(sum(input_tokens), 0)::bigint AS input, coalesce(sum(cached_input_tokens), 0)::bigint AS cached_input, \
           coalesce(sum(cache_write_tokens), 0)::bigint AS cache_write, coalesce(sum(output_tokens), 0)::bigint AS output, \
           coalesce(sum(reasoning_tokens), 0)::bigint AS reasoning \
         FROM attempts WHERE started_at >= $1 AND started_at < $2 {whose} AND ended_at IS NOT NULL \
         GROUP BY GROUPING SETS (({by}), ()) ORDER BY is_total DESC, {order}{by} LIMIT {}",
        or_null(since, "timestamptz"),
        or_null(provider, "text"),
        or_null(model, "text"),
        or_null(chat, "uuid"),
        or_null(user, "uuid"),
        keys[0],
        MOST_GROUPS + 2,
    );
    let query = diesel::sql_query(query)
        .bind::<Timestamptz, _>(wanted.from)
        .bind::<Timestamptz, _>(wanted.to);
    let mut groups: Vec<Sums> = match wanted.user_id {
        Some(user_id) => query.bind::<SqlUuid, _>(user_id).load(connection).await?,
        None => query.load(connection).await?,
    };
    let total = groups
        .iter()
        .position(|sums| sums.is_total)
        .map(|at| groups.remove(at))
        .unwrap_or_default();
    let cut = groups.len() > MOST_GROUPS;
    groups.truncate(MOST_GROUPS);
    Ok(Report { total, groups, cut })
}
