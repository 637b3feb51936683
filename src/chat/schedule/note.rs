//! What has become of a scheduled message, noted in its row: pure, with the time as an argument.

use chrono::{DateTime, Duration, Utc};

use super::row::{MissedTime, ScheduleErrorCode, ScheduleState, ScheduledMessage};
use super::rule::{Passed, Rule};
use crate::id::MessageId;

/// How much later than it was due a message still counts as punctual.
pub const GRACE: Duration = Duration::seconds(60);
/// After how many refusals in a row a recurring message is given up.
const MOST_FAILURES: i32 = 3;

/// What became of the time that was due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was sent.
    Sent(MessageId, DateTime<Utc>),
    /// It was refused, or cannot be sent; in words for its owner.
    Refused(ScheduleErrorCode, String),
    /// It was passed over.
    Missed,
}

/// The times from `due` to `now`.
pub fn passed(rule: Option<&Rule>, due: DateTime<Utc>, now: DateTime<Utc>) -> Passed {
    let once = Passed {
        times: 1,
        latest: due,
        before: None,
    };
    rule.map_or(once, |rule| rule.passed(due, now))
}

impl ScheduledMessage {
    /// Whether what is due is to be passed over instead of being sent.
    pub fn is_over(&self, passed: &Passed, now: DateTime<Utc>) -> bool {
        self.missed == MissedTime::Skip && now > passed.latest + GRACE
    }

    /// Notes what became of `due` at a time.
    pub fn note(&mut self, rule: Option<&Rule>, due: DateTime<Utc>, outcome: Outcome, now: DateTime<Utc>) {
        // As of the moment of the sending: whoever notes it again after a crash notes the same.
        let now = match outcome {
            Outcome::Sent(_, at) => at.max(due),
            _ => now.max(due),
        };
        let passed = passed(rule, due, now);
        let late = now > passed.latest + GRACE;
        let kept = i32::from(outcome != Outcome::Missed);
        self.missed_count += passed.times - kept;
        match (late, passed.before) {
            (true, _) => self.missed_at = Some(passed.latest),
            (false, Some(before)) => self.missed_at = Some(before),
            (false, None) => {}
        }
        self.attempts = 0;
        let next = rule.and_then(|rule| rule.next(now));
        (self.state, self.next_at) = match next {
            Some(next) => (ScheduleState::Active, Some(next)),
            None => (ScheduleState::Done, None),
        };
        match outcome {
            Outcome::Sent(message_id, at) => self.sent(message_id, at),
            Outcome::Missed if rule.is_some() => {}
            Outcome::Missed => {
                let message = "This could not be sent when it was due, and it was not to be sent late.";
                self.fail(ScheduleErrorCode::Missed, message.to_owned());
                self.end();
            }
            Outcome::Refused(code, message) => {
                self.fail(code, message);
                self.failures += 1;
                if rule.is_none() || is_final(code) || self.failures >= MOST_FAILURES {
                    self.end();
                }
            }
        }
    }

    /// Notes a message that was sent.
    pub fn sent(&mut self, message_id: MessageId, at: DateTime<Utc>) {
        self.sent_count += 1;
        self.last_sent_at = Some(at);
        self.last_message_id = Some(message_id);
        self.failures = 0;
        self.error_code = None;
        self.error_message = None;
    }

    fn fail(&mut self, code: ScheduleErrorCode, message: String) {
        self.error_code = Some(code);
        self.error_message = Some(message);
    }

    fn end(&mut self) {
        self.state = ScheduleState::Failed;
        self.next_at = None;
    }
}

/// Whether it is no use to try at the next time.
fn is_final(code: ScheduleErrorCode) -> bool {
    matches!(
        code,
        ScheduleErrorCode::ChatGone | ScheduleErrorCode::Forbidden | ScheduleErrorCode::AccountDeactivated
    )
}
