//! When again: recurrence rules (RFC 5545, by the crate rrule) and cron patterns (by croner), in a time zone.
//!
//! Recurrence rules are worked out in local time without a zone, and each time is then put into the zone: the crate's own
//! way through a change of clocks repeats some times and leaves out others. What falls into the hour that a clock skips is
//! sent as much later; what falls into the one that it repeats, in the first of the two. Hourly rules go by the clock's
//! real hours instead: none in the skipped one, both of the repeated ones.

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Offset, SubsecRound, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use rrule::{Frequency, RRule, RRuleSet, Unvalidated};

/// The longest rule, in bytes.
const LONGEST: usize = 500;
/// The highest COUNT: such rules are worked out from their beginning.
const MOST_COUNT: u32 = 1_000;
/// How many times a rule may name in one of its periods, such as a year: they are worked out together.
const MOST_TIMES: usize = 5_000;
/// How close two messages may be.
const CLOSEST: i64 = 60;
/// How many times are looked at for that.
const LOOKED_AT: usize = 32;
/// No change of a clock is larger: one who crosses the date line skips a day.
const LARGEST_CHANGE: Duration = Duration::hours(26);
/// How many missed times are counted.
pub const MOST_COUNTED: i32 = 1_000;

/// A rule, ready to be asked.
#[derive(Debug)]
pub struct Rule {
    way: Way,
    zone: Tz,
    starts_at: DateTime<Utc>,
}

#[derive(Debug)]
enum Way {
    Cron(Box<Cron>),
    Calendar(Box<Calendar>),
}

#[derive(Debug)]
struct Calendar {
    rule: RRule,
    start: NaiveDateTime,
    until: Option<DateTime<Utc>>,
    hourly: bool,
}

/// Why a rule is none, in words for whoever wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// It cannot be read.
    #[error(
        "This is no rule: write a recurrence rule such as FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9;BYMINUTE=0, or a cron pattern of five fields such as 0 9 * * 1,5."
    )]
    Unreadable,
    /// It is more often than once a minute, or may be.
    #[error("This rule is too frequent: messages must be at least a minute apart.")]
    TooOften,
    /// It counts minutes.
    #[error("FREQ=MINUTELY is not taken. Write FREQ=HOURLY with BYMINUTE, such as FREQ=HOURLY;BYMINUTE=0,15,30,45.")]
    Minutely,
    /// It names too many times in one of its periods.
    #[error(
        "This rule names too many times in one period. Give fewer in BYHOUR and BYMINUTE, or a shorter period, such as FREQ=DAILY or FREQ=HOURLY."
    )]
    TooDense,
    /// COUNT is too high.
    #[error("COUNT must be at most 1000. Leave it away, or give UNTIL instead.")]
    TooMany,
    /// It names no time that is to come.
    #[error("This rule names no time that is to come.")]
    Never,
}

/// The times up to some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// How many, counted to [`MOST_COUNTED`].
    pub times: i32,
    /// The newest.
    pub latest: DateTime<Utc>,
    /// The one before the newest.
    pub before: Option<DateTime<Utc>>,
}

impl Rule {
    /// Reads a rule that begins at a moment.
    ///
    /// # Errors
    /// A [`BadRule`].
    pub fn parse(text: &str, zone: Tz, starts_at: DateTime<Utc>) -> Result<Self, BadRule> {
        let text = text.trim();
        // No rule knows less than a second.
        let starts_at = starts_at.trunc_subsecs(0);
        if text.is_empty() || text.len() > LONGEST || !text.is_ascii() || text.contains(['\n', '\r', '@']) {
            return Err(BadRule::Unreadable);
        }
        let way = if text.to_ascii_uppercase().contains("FREQ=") {
            let start = starts_at.with_timezone(&zone).naive_local();
            Way::Calendar(Box::new(Calendar::parse(text, zone, start)?))
        } else {
            let parser = CronParser::builder()
                .seconds(Seconds::Disallowed)
                .year(Year::Disallowed)
                .build();
            Way::Cron(Box::new(parser.parse(text).map_err(|_| BadRule::Unreadable)?))
        };
        Ok(Rule { way, zone, starts_at })
    }

    /// Refuses a rule that is too frequent, or over by `now`; gives its first time from then on.
    ///
    /// # Errors
    /// A [`BadRule`].
    pub fn check(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, BadRule> {
        let times = self.times(now, None, LOOKED_AT + 1);
        let first = times.first().ok_or(BadRule::Never)?;
        let close = |pair: &[DateTime<Utc>]| matches!(pair, [one, other] if (*other - *one).num_seconds() < CLOSEST);
        if times.windows(2).any(close) {
            return Err(BadRule::TooOften);
        }
        Ok(*first)
    }

    /// The first time after a moment; none when there is none any more.
    pub fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.times(after, None, 1).first().copied()
    }

    /// The times from `due`, which is one, up to `until`.
    pub fn passed(&self, due: DateTime<Utc>, until: DateTime<Utc>) -> Passed {
        let most = usize::try_from(MOST_COUNTED - 1).unwrap_or_default();
        let times = self.times(due, Some(until), most);
        let with_due = std::iter::once(due).chain(times.iter().copied());
        let mut newest = with_due.rev();
        Passed {
            latest: newest.next().unwrap_or(due),
            before: newest.next(),
            times: i32::try_from(times.len() + 1).unwrap_or(MOST_COUNTED),
        }
    }

    /// The first `most` times after a moment, up to another if one is given.
    fn times(&self, after: DateTime<Utc>, until: Option<DateTime<Utc>>, most: usize) -> Vec<DateTime<Utc>> {
        let after = after.max(self.starts_at - Duration::seconds(1));
        match &self.way {
            Way::Cron(cron) => {
                let next = |after: &DateTime<Tz>| cron.find_next_occurrence(after, false).ok();
                let times = std::iter::successors(next(&after.with_timezone(&self.zone)), next);
                let times = times.map(|time| time.with_timezone(&Utc));
                times
                    .take_while(|time| until.is_none_or(|until| *time <= until))
                    .take(most)
                    .collect()
            }
            Way::Calendar(calendar) => calendar.times(after, until, most, self.zone),
        }
    }
}

impl Calendar {
    fn parse(text: &str, zone: Tz, start: NaiveDateTime) -> Result<Self, BadRule> {
        let upper = text.to_ascii_uppercase();
        let text = upper.strip_prefix("RRULE:").unwrap_or(&upper);
        // The end is a moment, not a local time: it is kept apart.
        let (ends, parts): (Vec<&str>, Vec<&str>) = text.split(';').partition(|part| part.starts_with("UNTIL="));
        let until = match ends.as_slice() {
            [] => None,
            [end] => Some(moment(&end["UNTIL=".len()..], zone).ok_or(BadRule::Unreadable)?),
            _ => return Err(BadRule::Unreadable),
        };
        let read: RRule<Unvalidated> = parts.join(";").parse().map_err(|_| BadRule::Unreadable)?;
        match read.get_freq() {
            Frequency::Secondly => return Err(BadRule::TooOften),
            Frequency::Minutely => return Err(BadRule::Minutely),
            _ => {}
        }
        if read.get_interval() == 0 {
            return Err(BadRule::Unreadable);
        }
        if read.get_count().is_some_and(|count| count > MOST_COUNT) {
            return Err(BadRule::TooMany);
        }
        // Whatever is given in seconds besides is less than a minute away.
        if read.get_by_second().len() > 1 {
            return Err(BadRule::TooOften);
        }
        let hourly = read.get_freq() == Frequency::Hourly;
        // The crate works out a whole period at once.
        let days = match read.get_freq() {
            Frequency::Yearly => 366,
            Frequency::Monthly => 31,
            Frequency::Weekly => 7,
            _ => 1,
        };
        let hours = if hourly { 1 } else { read.get_by_hour().len().max(1) };
        if days * hours * read.get_by_minute().len().max(1) > MOST_TIMES {
            return Err(BadRule::TooDense);
        }
        let rule = read.validate(floating(start)).map_err(|_| BadRule::Unreadable)?;
        Ok(Calendar {
            rule,
            start,
            until,
            hourly,
        })
    }

    /// The first `most` times after a moment, up to another if one is given.
    fn times(&self, after: DateTime<Utc>, until: Option<DateTime<Utc>>, most: usize, zone: Tz) -> Vec<DateTime<Utc>> {
        let local = |moment: DateTime<Utc>| moment.with_timezone(&zone).naive_local();
        let begin = local(after) - LARGEST_CHANGE;
        let until = self.until.into_iter().chain(until).min();
        let end = until.map(|until| local(until) + LARGEST_CHANGE);
        let set = RRuleSet::new(floating(self.beginning(begin))).rrule(self.rule.clone());
        let mut times: Vec<DateTime<Utc>> = Vec::new();
        let mut enough = None;
        for time in &set.limit() {
            let time = time.naive_utc();
            if time < begin {
                continue;
            }
            if [enough, end].into_iter().flatten().any(|last| time > last) {
                break;
            }
            let fit = self.moments(time, zone).into_iter().flatten();
            times.extend(fit.filter(|time| *time > after && until.is_none_or(|until| *time <= until)));
            if enough.is_none() && times.len() >= most {
                // Those that follow cannot be sooner, whatever the clock does.
                enough = times.iter().max().map(|last| local(*last) + LARGEST_CHANGE);
            }
        }
        times.sort_unstable();
        times.dedup();
        times.truncate(most);
        times
    }

    /// A beginning of the rule as near before a time as can be, from which the same times follow.
    fn beginning(&self, time: NaiveDateTime) -> NaiveDateTime {
        let interval = i32::from(self.rule.get_interval());
        let period = match self.rule.get_freq() {
            _ if self.rule.get_count().is_some() => return self.start,
            Frequency::Hourly => Duration::hours(1) * interval,
            Frequency::Daily => Duration::days(1) * interval,
            Frequency::Weekly => Duration::days(7) * interval,
            Frequency::Monthly => return self.month(time, interval),
            Frequency::Yearly => return self.month(time, 12 * interval),
            _ => return self.start,
        };
        let periods = (time - self.start).num_seconds() / period.num_seconds() - 1;
        let skipped = i32::try_from(periods.max(0)).unwrap_or(i32::MAX);
        period
            .checked_mul(skipped)
            .and_then(|skipped| self.start.checked_add_signed(skipped))
            .unwrap_or(self.start)
    }

    /// The same where each period begins so many months after the one before: the first day of such a month.
    fn month(&self, time: NaiveDateTime, interval: i32) -> NaiveDateTime {
        let number = |time: NaiveDateTime| time.year() * 12 + time.month0().cast_signed();
        let periods = (number(time) - number(self.start)) / interval - 1;
        if periods < 1 {
            return self.start;
        }
        let month = number(self.start) + periods * interval;
        let first = NaiveDate::from_ymd_opt(month.div_euclid(12), month.rem_euclid(12).unsigned_abs() + 1, 1);
        first.map_or(self.start, |day| day.and_time(NaiveTime::MIN))
    }

    /// When it is this time in a zone.
    fn moments(&self, time: NaiveDateTime, zone: Tz) -> [Option<DateTime<Utc>>; 2] {
        match zone.from_local_datetime(&time) {
            chrono::LocalResult::Single(moment) => [Some(moment.to_utc()), None],
            chrono::LocalResult::Ambiguous(first, second) => {
                [Some(first.to_utc()), Some(second.to_utc()).filter(|_| self.hourly)]
            }
            chrono::LocalResult::None if self.hourly => [None, None],
            chrono::LocalResult::None => [later(time, zone), None],
        }
    }
}

/// A time that a clock skips, as much later: by the clock before the change.
fn later(time: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let mut before = time;
    while before > time - LARGEST_CHANGE {
        before -= Duration::hours(1);
        if let Some(known) = zone.from_local_datetime(&before).earliest() {
            return Some((time - known.offset().fix()).and_utc());
        }
    }
    None
}

fn floating(time: NaiveDateTime) -> DateTime<rrule::Tz> {
    rrule::Tz::UTC.from_utc_datetime(&time)
}

/// The end of a rule: a moment in UTC, a local time, or a local day with all that is in it.
fn moment(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if let Some(utc) = text.strip_suffix('Z') {
        return Some(NaiveDateTime::parse_from_str(utc, "%Y%m%dT%H%M%S").ok()?.and_utc());
    }
    let local = match NaiveDate::parse_from_str(text, "%Y%m%d") {
        Ok(day) => day.and_time(NaiveTime::from_hms_opt(23, 59, 59)?),
        Err(_) => NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").ok()?,
    };
    let known = zone.from_local_datetime(&local).latest();
    known.map(|moment| moment.to_utc()).or_else(|| later(local, zone))
}
