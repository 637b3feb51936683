//! Rules name the right times, also when clocks change.

use chrono::{DateTime, Duration, TimeZone, Utc};
use parlor::chat::schedule::rule::{BadRule, MOST_COUNTED, Rule};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn rule(text: &str, zone: &str, start: &str) -> Result<Rule, BadRule> {
    Rule::parse(text, zone.parse().expect("a zone"), at(start))
}

/// The first times from the beginning on, in UTC.
fn times(text: &str, zone: &str, start: &str, count: usize) -> Vec<String> {
    let rule = rule(text, zone, start).expect("a rule");
    let mut last = at(start) - Duration::seconds(1);
    let mut times = Vec::new();
    while times.len() < count
        && let Some(next) = rule.next(last)
    {
        times.push(next.format("%m-%d %H:%M").to_string());
        last = next;
    }
    times
}

#[test]
fn both_languages_are_read() {
    let weekdays = ["12-04 08:00", "12-07 08:00", "12-08 08:00"];
    for text in [
        "0 9 * * 1-5",
        "0 9 * * MON-FRI",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0",
        "freq=daily;byday=mo,tu,we,th,fr;byhour=9;byminute=0",
    ] {
        assert_eq!(
            times(text, "Europe/Berlin", "2026-12-04T07:00:00Z", 3),
            weekdays,
            "{text}"
        );
    }
    // What a rule leaves open is as in its beginning.
    let fortnightly = times("FREQ=WEEKLY;INTERVAL=2", "Europe/Berlin", "2026-12-04T07:30:00Z", 3);
    assert_eq!(fortnightly, ["12-04 07:30", "12-18 07:30", "01-01 07:30"]);
    let last_friday = times("FREQ=MONTHLY;BYDAY=-1FR", "UTC", "2026-12-04T07:30:00Z", 2);
    assert_eq!(last_friday, ["12-25 07:30", "01-29 07:30"]);
}

#[test]
fn a_skipped_hour_is_made_up_for_and_a_repeated_one_counts_once() {
    // Berlin's clocks go from 2:00 to 3:00 on March 28th, New York's from 2:00 back to 1:00 on November 1st.
    let spring = ["03-27 01:30", "03-28 01:30", "03-29 00:30"];
    for text in ["FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0", "FREQ=DAILY"] {
        assert_eq!(
            times(text, "Europe/Berlin", "2027-03-27T01:30:00Z", 3),
            spring,
            "{text}"
        );
    }
    let autumn = ["10-31 05:30", "11-01 05:30", "11-02 06:30"];
    for text in ["FREQ=DAILY", "30 1 * * *"] {
        assert_eq!(
            times(text, "America/New_York", "2026-10-31T05:30:00Z", 3),
            autumn,
            "{text}"
        );
    }
    // Noon stays noon.
    let noon = times("FREQ=DAILY", "Europe/Berlin", "2027-03-27T11:00:00Z", 3);
    assert_eq!(noon, ["03-27 11:00", "03-28 10:00", "03-29 10:00"]);
}

#[test]
fn an_hourly_rule_goes_by_real_hours() {
    for (zone, start) in [
        ("Europe/Berlin", "2027-03-27T22:15:00Z"),
        ("America/New_York", "2026-11-01T03:15:00Z"),
    ] {
        let rule = rule("FREQ=HOURLY", zone, start).expect("a rule");
        let mut last = at(start);
        for _ in 0..8 {
            let next = rule.next(last).expect("another hour");
            assert_eq!(next - last, Duration::hours(1), "{zone} after {last}");
            last = next;
        }
    }
}

#[test]
fn a_zone_that_skips_a_whole_day_is_no_trouble() {
    // Samoa crossed the date line: there was no December 30th.
    let times = times(
        "FREQ=DAILY;BYHOUR=9;BYMINUTE=0",
        "Pacific/Apia",
        "2011-12-28T18:59:00Z",
        4,
    );
    assert_eq!(
        times,
        ["12-28 19:00", "12-29 19:00", "12-30 19:00", "12-31 19:00"].map(str::to_owned)
    );
}

#[test]
fn rules_end() {
    let start = "2026-12-04T07:30:00Z";
    assert_eq!(
        times("FREQ=DAILY;COUNT=2", "UTC", start, 9),
        ["12-04 07:30", "12-05 07:30"]
    );
    // The end is a moment, or a day of the zone.
    assert_eq!(
        times("FREQ=DAILY;UNTIL=20261205T073000Z", "Europe/Berlin", start, 9).len(),
        2
    );
    assert_eq!(
        times("FREQ=DAILY;UNTIL=20261205T072959Z", "Europe/Berlin", start, 9).len(),
        1
    );
    assert_eq!(times("FREQ=DAILY;UNTIL=20261206", "Europe/Berlin", start, 9).len(), 3);
}

#[test]
fn asking_from_afar_finds_the_same_times() {
    let start = at("2026-01-05T09:10:00Z");
    for text in [
        "FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,TH",
        "FREQ=DAILY;INTERVAL=7;COUNT=60",
        "FREQ=HOURLY;INTERVAL=7;BYMINUTE=5,50",
        "FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=31,1",
        "FREQ=MONTHLY;BYDAY=-1FR,1MO",
        "FREQ=MONTHLY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;INTERVAL=2;BYDAY=20MO",
        "FREQ=YEARLY;BYWEEKNO=1,53;BYDAY=TH",
    ] {
        let plain = format!("DTSTART:20260105T091000Z\nRRULE:{text}");
        let plain: rrule::RRuleSet = plain.parse().expect("a rule");
        let expected: Vec<DateTime<Utc>> = plain.all(60).dates.iter().map(|date| date.to_utc()).collect();
        let rule = Rule::parse(text, chrono_tz::UTC, start).expect("a rule");
        for pair in expected.windows(2) {
            let between = pair[0] + (pair[1] - pair[0]) / 2;
            assert_eq!(rule.next(pair[0]), Some(pair[1]), "{text}");
            assert_eq!(rule.next(between), Some(pair[1]), "{text}");
        }
    }
}

#[test]
fn what_was_missed_is_counted() {
    let hourly = rule("0 * * * *", "UTC", "2026-01-01T00:00:00Z").expect("a rule");
    let due = Utc.with_ymd_and_hms(2026, 1, 1, 5, 0, 0).unwrap();
    let passed = hourly.passed(due, at("2026-01-01T08:59:59Z"));
    assert_eq!((passed.times, passed.latest), (4, at("2026-01-01T08:00:00Z")));
    assert_eq!(passed.before, Some(at("2026-01-01T07:00:00Z")));
    assert_eq!(hourly.passed(due, due).times, 1);
    assert_eq!(hourly.passed(due, at("2036-01-01T00:00:00Z")).times, MOST_COUNTED);
}

#[test]
fn what_is_no_rule_is_refused() {
    let now = at("2026-12-04T07:30:00Z");
    for (text, why) in [
        ("", BadRule::Unreadable),
        ("every day", BadRule::Unreadable),
        ("* * * * * *", BadRule::Unreadable),
        ("61 * * * *", BadRule::Unreadable),
        ("@reboot", BadRule::Unreadable),
        ("FREQ=", BadRule::Unreadable),
        ("FREQ=DAILY;INTERVAL=0", BadRule::Unreadable),
        ("FREQ=DAILY;BYHOUR=24", BadRule::Unreadable),
        ("FREQ=DAILY\nDTSTART:20260101T000000Z", BadRule::Unreadable),
        ("FREQ=DAILY;UNTIL=soon", BadRule::Unreadable),
        ("FREQ=SECONDLY", BadRule::TooOften),
        ("FREQ=MINUTELY", BadRule::Minutely),
        ("FREQ=DAILY;BYSECOND=0,30", BadRule::TooOften),
        ("FREQ=DAILY;COUNT=1001", BadRule::TooMany),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", BadRule::Never),
        ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", BadRule::Never),
        ("FREQ=DAILY;UNTIL=20261203T000000Z", BadRule::Never),
        ("0 0 30 2 *", BadRule::Never),
        (&"FREQ=DAILY;BYHOUR=9".repeat(40), BadRule::Unreadable),
    ] {
        let read = Rule::parse(text, chrono_tz::UTC, now).and_then(|rule| rule.check(now));
        assert_eq!(read, Err(why), "{text}");
    }
    let all = |most: u8| (0..most).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let days = "BYDAY=MO,TU,WE,TH,FR,SA,SU";
    for (text, why) in [
        (
            format!(
                "FREQ=YEARLY;{days};BYHOUR={};BYMINUTE={};BYSECOND={}",
                all(24),
                all(60),
                all(60)
            ),
            BadRule::TooOften,
        ),
        (
            format!("FREQ=YEARLY;{days};BYHOUR={};BYMINUTE={}", all(24), all(60)),
            BadRule::TooDense,
        ),
        (
            format!("FREQ=YEARLY;BYMINUTE={};BYSETPOS=1", all(60)),
            BadRule::TooDense,
        ),
        (
            format!("FREQ=MONTHLY;BYHOUR={};BYMINUTE={}", all(24), all(60)),
            BadRule::TooDense,
        ),
        (
            format!("FREQ=WEEKLY;{days};BYHOUR={};BYMINUTE={}", all(24), all(60)),
            BadRule::TooDense,
        ),
    ] {
        let read = Rule::parse(&text, chrono_tz::UTC, now).and_then(|rule| rule.check(now));
        assert_eq!(read, Err(why), "{text}");
    }
    let dense = format!("FREQ=DAILY;BYHOUR={};BYMINUTE={};BYSECOND=0", all(24), all(60));
    let dense = Rule::parse(&dense, chrono_tz::UTC, now).expect("a rule");
    assert_eq!(dense.check(now), Ok(at("2026-12-04T07:31:00Z")));
    let passed = dense.passed(now, at("2036-01-01T00:00:00Z"));
    assert_eq!(
        (passed.times, passed.latest),
        (MOST_COUNTED, now + Duration::minutes(999))
    );
    let every_minute = Rule::parse("* * * * *", chrono_tz::UTC, now).and_then(|rule| rule.check(now));
    assert_eq!(every_minute, Ok(at("2026-12-04T07:31:00Z")));
    let from_now =
        Rule::parse("* * * * *", chrono_tz::UTC, now).and_then(|rule| rule.check(now - Duration::seconds(1)));
    assert_eq!(from_now, Ok(now));
}
