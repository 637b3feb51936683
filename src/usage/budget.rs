//! Budgets: what people may spend in a period, held before it is spent.
//!
//! ```text
//! limit ─┬─ spent      what ended attempts cost
//!        ├─ reserved   what running attempts hold
//!        └─ left       what another one can hold
//! ```
//!
//! Everybody who changes these figures has the row locked, so together they stay below the limit. What an attempt costs in
//! the end is spent even when it is more than it held: then the next one is refused.

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, TimeZone, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel::upsert::excluded;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::json;

use super::tab::{MARGIN, Tab};
use super::terms::{BudgetScope, KeySource, Terms};
use crate::account::audit::{self, Actor};
use crate::app::App;
use crate::db::schema::{attempts, budgets, users};
use crate::db::{Connection, text_enum};
use crate::error::{Error, ErrorCode, Result, UserError};
use crate::id::UserId;

/// How many tokens of answer are held at first.
const FIRST_SLICE: i64 = 4_096;
/// How many more are held each time.
const SLICE: i64 = 2_048;
/// An answer that may not even have so many tokens is not begun.
const LEAST: i64 = 2 * MARGIN;
/// The highest limit: a billion dollars.
const HIGHEST: i64 = 1_000_000_000_000_000;

text_enum! {
    /// How long a budget lasts.
    BudgetPeriod {
        /// A day of UTC.
        Day = "DAY",
        /// A month of UTC.
        Month = "MONTH",
        /// For good.
        Total = "TOTAL",
    }
}

impl BudgetPeriod {
    /// The period that `now` is in: its start, and its end if it has one.
    pub fn around(self, now: DateTime<Utc>) -> (DateTime<Utc>, Option<DateTime<Utc>>) {
        let midnight = |day: chrono::NaiveDate| Utc.from_utc_datetime(&day.and_time(NaiveTime::MIN));
        let today = now.date_naive();
        match self {
            BudgetPeriod::Day => (midnight(today), today.checked_add_days(Days::new(1)).map(midnight)),
            BudgetPeriod::Month => {
                let first = today.with_day(1).unwrap_or(today);
                (midnight(first), first.checked_add_months(Months::new(1)).map(midnight))
            }
            BudgetPeriod::Total => (now, None),
        }
    }
}

/// A budget.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = budgets, check_for_backend(diesel::pg::Pg))]
pub struct Budget {
    /// Whose it is.
    #[diesel(sql_type = SqlUuid)]
    pub user_id: UserId,
    /// What it covers.
    #[diesel(sql_type = Text)]
    pub scope: BudgetScope,
    /// The most of a period.
    #[diesel(sql_type = BigInt)]
    pub limit_micro_usd: i64,
    /// How long that is.
    #[diesel(sql_type = Text)]
    pub period: BudgetPeriod,
    /// When it began.
    #[diesel(sql_type = Timestamptz)]
    pub period_started_at: DateTime<Utc>,
    /// When it ends.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    pub period_ends_at: Option<DateTime<Utc>>,
    /// What is spent.
    #[diesel(sql_type = BigInt)]
    pub spent_micro_usd: i64,
    /// What is held by running attempts.
    #[diesel(sql_type = BigInt)]
    pub reserved_micro_usd: i64,
}

impl Budget {
    /// The budget at this moment: in a new period nothing is spent.
    pub fn at(&self, now: DateTime<Utc>) -> Budget {
        if self.period_ends_at.is_none_or(|end| now < end) {
            return self.clone();
        }
        let (period_started_at, period_ends_at) = self.period.around(now);
        Budget {
            period_started_at,
            period_ends_at,
            spent_micro_usd: 0,
            ..self.clone()
        }
    }

    /// What another attempt can hold.
    pub fn left(&self) -> i64 {
        (self.limit_micro_usd - self.spent_micro_usd - self.reserved_micro_usd).max(0)
    }
}

/// What an attempt on these terms, which reads `input` tokens, would hold at first of a budget; none where nobody knows
/// what it costs, and it may cost what it will.
///
/// # Errors
/// BUDGET_EXCEEDED when what is left does not pay for an answer worth having, PRICE_UNKNOWN when nobody knows whether it
/// does.
fn first_hold(budget: &Budget, terms: &Terms, input: i64) -> Result<Option<i64>, UserError> {
    let Some(tariff) = terms.tariff() else {
        if budget.scope == BudgetScope::OwnKeys {
            return Ok(None);
        }
        let message = "Nobody knows what this model costs, and your budget for the server's keys only pays for models whose \
            prices are known. Choose another model, add a key of your own, or ask an administrator to set its prices.";
        return Err(UserError::new(ErrorCode::PriceUnknown, &[], message));
    };
    let ends = terms.most_output.map_or(i64::MAX, i64::from);
    let left = budget.left();
    if left < tariff.most(input, LEAST.min(ends)) {
        return Err(UserError::new(ErrorCode::BudgetExceeded, &[], used_up(budget)));
    }
    Ok(Some(tariff.most(input, (FIRST_SLICE + MARGIN).min(ends)).min(left)))
}

/// What would become of an attempt that is not made yet.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// The budget that would pay, as it is now.
    pub budget: Budget,
    /// Why it would not pay.
    pub refusal: Option<UserError>,
}

/// Looks whether a budget would pay for an attempt; none where there is no budget.
///
/// # Errors
/// When Postgres fails.
pub async fn foresee(
    connection: &mut Connection,
    user_id: UserId,
    terms: &Terms,
    input: u32,
) -> Result<Option<Foreseen>> {
    let Some(scope) = terms.source.scope() else {
        return Ok(None);
    };
    let found: Option<Budget> = budgets::table
        .find((user_id, scope))
        .select(Budget::as_select())
        .first(connection)
        .await
        .optional()?;
    Ok(found.map(|found| {
        let budget = found.at(Utc::now());
        let refusal = first_hold(&budget, terms, input.into()).err();
        Foreseen { budget, refusal }
    }))
}

/// Locks all budgets of a person, for a transaction that will charge more than one of them: whoever does takes them in
/// the same order, so that none waits for another in a circle.
///
/// # Errors
/// When Postgres fails.
pub async fn lock_all(connection: &mut Connection, user_id: UserId) -> QueryResult<()> {
    let mine = budgets::table
        .filter(budgets::user_id.eq(user_id))
        .order(budgets::scope);
    let scopes = mine.select(budgets::scope).for_no_key_update();
    scopes.load::<String>(connection).await.map(drop)
}

/// Holds a part of a locked budget for the running attempt of a tab.
///
/// # Errors
/// BUDGET_EXCEEDED, PRICE_UNKNOWN, or when Postgres fails.
pub(super) async fn hold(connection: &mut Connection, tab: &Tab, found: &Budget) -> Result<()> {
    let Some(entry) = tab.current() else { return Ok(()) };
    let budget = found.at(Utc::now());
    let input = entry.expected_input();
    let held = first_hold(&budget, &entry.terms, input).map_err(|refusal| Error::Rejected(vec![refusal]))?;
    let (Some(held), Some(tariff)) = (held, entry.terms.tariff()) else {
        return Ok(());
    };
    let row = budgets::table.find((budget.user_id, budget.scope));
    diesel::update(row)
        .set((
            budgets::period_started_at.eq(budget.period_started_at),
            budgets::period_ends_at.eq(budget.period_ends_at),
            budgets::spent_micro_usd.eq(budget.spent_micro_usd),
            budgets::reserved_micro_usd.eq(budget.reserved_micro_usd + held),
        ))
        .execute(connection)
        .await?;
    diesel::update(attempts::table.find(entry.id))
        .set(attempts::reserved_micro_usd.eq(held))
        .execute(connection)
        .await?;
    tab.hold(held, tariff.affordable_output(input, budget.left()));
    Ok(())
}

/// What to tell somebody whose budget is used up.
fn used_up(budget: &Budget) -> String {
    let until = match budget.period_ends_at {
        Some(end) => format!(" until {} UTC", end.format("%Y-%m-%d %H:%M")),
        None => String::new(),
    };
    match budget.scope {
        BudgetScope::ServerKey => format!(
            "Your budget for this server's keys is used up{until}. Add a key of your own, or ask an administrator for more."
        ),
        BudgetScope::OwnKeys => {
            format!("The budget that you set for your own keys is used up{until}. Set a higher one to go on.")
        }
    }
}

/// Makes sure that enough is held for what the running attempt of a tab is going to read, and for the next words of its
/// answer; holds a further slice of the budget if need be. False when there is not so much left.
///
/// # Errors
/// When Postgres fails.
pub async fn cover(app: &App, tab: &Tab) -> Result<bool> {
    let least = tab.missing(MARGIN);
    if least == 0 {
        return Ok(true);
    }
    let mut connection = app.connection().await?;
    Ok(extend(&mut connection, tab, tab.missing(SLICE)).await? || extend(&mut connection, tab, least).await?)
}

/// Holds this much more for the running attempt, if there is as much left.
async fn extend(connection: &mut Connection, tab: &Tab, micro_usd: i64) -> Result<bool> {
    let Some(entry) = tab.current() else { return Ok(true) };
    let query = "WITH mine AS (SELECT payer_id FROM attempts WHERE id = $1 AND ended_at IS NULL FOR NO KEY UPDATE), \
        more AS (UPDATE budgets SET reserved_micro_usd = reserved_micro_usd + $2 FROM mine \
          WHERE user_id = mine.payer_id AND scope = $3 \
            AND limit_micro_usd - CASE WHEN period_ends_at <= now() THEN 0 ELSE spent_micro_usd END - reserved_micro_usd >= $2 \
          RETURNING user_id) \
        UPDATE attempts SET reserved_micro_usd = reserved_micro_usd + $2 FROM more WHERE id = $1";
    let statement = diesel::sql_query(query)
        .bind::<SqlUuid, _>(entry.holder)
        .bind::<BigInt, _>(micro_usd)
        .bind::<Nullable<Text>, _>(entry.terms.source.scope());
    let extended = crate::db::prepared(statement).execute(connection).await? > 0;
    if extended {
        tab.extended(micro_usd);
    }
    Ok(extended)
}

/// A person's budgets, as they are at this moment.
///
/// # Errors
/// When Postgres fails.
pub async fn of(connection: &mut Connection, user_id: UserId) -> Result<Vec<Budget>> {
    let found: Vec<Budget> = budgets::table
        .filter(budgets::user_id.eq(user_id))
        .order(budgets::scope)
        .select(Budget::as_select())
        .load(connection)
        .await?;
    let now = Utc::now();
    Ok(found.iter().map(|budget| budget.at(now)).collect())
}

/// A budget to be.
#[derive(Debug, Clone, Copy)]
pub struct NewBudget {
    /// Whose.
    pub user_id: UserId,
    /// What it covers.
    pub scope: BudgetScope,
    /// The most of a period; none for no budget.
    pub limit_micro_usd: Option<i64>,
    /// How long that is.
    pub period: BudgetPeriod,
}

/// Sets a budget, or takes it away. What was spent in the period before counts, but for one that lasts for good: that
/// begins now, unless it lasted for good before.
///
/// # Errors
/// NOT_FOUND, INVALID, or when Postgres fails.
pub async fn set(connection: &mut Connection, actor: Actor, new: NewBudget) -> Result<Option<Budget>> {
    if new.limit_micro_usd.is_some_and(|limit| !(0..=HIGHEST).contains(&limit)) {
        let message = "A budget is between 0 and 1000000000 USD.";
        return Err(Error::rejected(ErrorCode::Invalid, &["limitUsd"], message));
    }
    connection
        .transaction(async |connection| {
            let known: Option<UserId> = users::table
                .find(new.user_id)
                .filter(users::deleted_at.is_null())
                .select(users::id)
                .first(connection)
                .await
                .optional()?;
            if known.is_none() {
                return Err(Error::not_found(&["userId"], "user"));
            }
            let detail = json!({
                "scope": new.scope.as_str(),
                "limitMicroUsd": new.limit_micro_usd,
                "period": new.period.as_str(),
            });
            audit::record(connection, actor, "budget.set", Some(new.user_id.to_string()), detail).await?;
            let row = budgets::table.find((new.user_id, new.scope));
            let Some(limit) = new.limit_micro_usd else {
                diesel::delete(row).execute(connection).await?;
                return Ok(None);
            };
            let before: Option<Budget> = row
                .select(Budget::as_select())
                .for_update()
                .first(connection)
                .await
                .optional()?;
            let now = Utc::now();
            let kept = before
                .as_ref()
                .filter(|before| before.period == new.period)
                .map(|before| before.at(now));
            let (started, ends, spent) = match kept {
                Some(kept) => (kept.period_started_at, kept.period_ends_at, kept.spent_micro_usd),
                None => {
                    let (started, ends) = new.period.around(now);
                    (
                        started,
                        ends,
                        spent_since(connection, new.user_id, new.scope, started).await?,
                    )
                }
            };
            let values = (
                budgets::user_id.eq(new.user_id),
                budgets::scope.eq(new.scope),
                budgets::limit_micro_usd.eq(limit),
                budgets::period.eq(new.period),
                budgets::period_started_at.eq(started),
                budgets::period_ends_at.eq(ends),
                budgets::spent_micro_usd.eq(spent),
            );
            let changed = (
                budgets::limit_micro_usd.eq(excluded(budgets::limit_micro_usd)),
                budgets::period.eq(excluded(budgets::period)),
                budgets::period_started_at.eq(excluded(budgets::period_started_at)),
                budgets::period_ends_at.eq(excluded(budgets::period_ends_at)),
                budgets::spent_micro_usd.eq(excluded(budgets::spent_micro_usd)),
            );
            let set: Budget = diesel::insert_into(budgets::table)
                .values(values)
                .on_conflict((budgets::user_id, budgets::scope))
                .do_update()
                .set(changed)
                .returning(Budget::as_returning())
                .get_result(connection)
                .await?;
            Ok(Some(set))
        })
        .await
}

/// What a person's ended attempts have cost since a moment.
async fn spent_since(
    connection: &mut Connection,
    user_id: UserId,
    scope: BudgetScope,
    since: DateTime<Utc>,
) -> Result<i64> {
    #[derive(QueryableByName)]
    struct Spent {
        #[diesel(sql_type = BigInt)]
        spent: i64,
    }
    let source = match scope {
        BudgetScope::ServerKey => KeySource::Server,
        BudgetScope::OwnKeys => KeySource::User,
    };
    let query = "SELECT coalesce(sum(cost_micro_usd), 0)::bigint AS spent FROM attempts \
        WHERE payer_id = $1 AND key_source = $2 AND started_at >= $3 AND ended_at IS NOT NULL";
    let Spent { spent } = diesel::sql_query(query)
        .bind::<SqlUuid, _>(user_id)
        .bind::<Text, _>(source)
        .bind::<Timestamptz, _>(since)
        .get_result(connection)
        .await?;
    Ok(spent)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::BudgetPeriod;

    #[test]
    fn periods_are_days_and_months_of_utc() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a moment");
        let now = at("2027-12-31T23:59:59Z");
        assert_eq!(
            BudgetPeriod::Day.around(now),
            (at("2027-12-31T00:00:00Z"), Some(at("2028-01-01T00:00:00Z")))
        );
        assert_eq!(
            BudgetPeriod::Month.around(now),
            (at("2027-12-01T00:00:00Z"), Some(at("2028-01-01T00:00:00Z")))
        );
        assert_eq!(BudgetPeriod::Total.around(now), (now, None));
    }
}
