//! The tab of an answer: what its attempts have used so far, kept in memory while it streams.
//!
//! A tab has one entry for each attempt, the last one being the one that runs. With a budget behind it, it also knows how
//! much of that is held for it, and says when the next word could cost more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::terms::{Asker, AttemptOutcome, CostState, Terms};
use crate::ai::{FailureKind, Usage, tokens};
use crate::model::price::Tokens;

/// Texts are kept up to this length to be counted in one piece; what is longer is counted piece by piece.
const COUNTED_IN_ONE: usize = 256 * 1024;
/// How many tokens of answer may still come while more budget is asked for.
pub const MARGIN: i64 = 256;

/// An answer's tab. A cheap handle; the one without entries costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Tab(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    terms: Option<Terms>,
    asker: Option<Asker>,
    /// What attempts before these came to, of an answer that has waited and goes on.
    before: Figures,
    entries: Vec<Entry>,
}

/// One attempt.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The row's id.
    pub id: Uuid,
    /// On which terms.
    pub terms: Terms,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When its first word came.
    pub first_token_at: Option<DateTime<Utc>>,
    /// How it ended; none while it runs.
    pub end: Option<End>,
    /// The provider's own id for it.
    pub request_id: Option<String>,
    /// Whether it has a row yet.
    pub opened: bool,
    /// Whether its end is stored.
    pub settled: bool,
    /// The row that holds a part of the budget for it: its own, or that of the attempt that it repeats.
    pub holder: Uuid,
    /// How much is held, in micro-USD; none without a budget.
    held: Option<i64>,
    /// The most tokens of answer that the budget could pay for.
    cap: Option<i64>,
    accepted: bool,
    expected_input: i64,
    told: Option<Usage>,
    text: Written,
    reasoning: Written,
}

/// The end of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// When.
    pub at: DateTime<Utc>,
    /// How.
    pub outcome: AttemptOutcome,
    /// Why, if it failed or broke off.
    pub error: Option<FailureKind>,
}

/// What was written, as far as it has to be counted.
#[derive(Debug, Clone, Default)]
struct Written {
    text: String,
    /// Tokens piece by piece: never less than in one.
    pieces: i64,
    too_long: bool,
}

impl Written {
    fn add(&mut self, piece: &str) {
        self.pieces += i64::from(tokens::count(piece));
        self.too_long |= self.text.len() + piece.len() > COUNTED_IN_ONE;
        if !self.too_long {
            self.text.push_str(piece);
        }
    }

    fn tokens(&self) -> i64 {
        if self.too_long {
            self.pieces
        } else {
            i64::from(tokens::count(&self.text))
        }
    }
}

/// What an attempt, or several together, came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// The tokens.
    pub tokens: Tokens,
    /// What they cost, in micro-USD; none when nobody knows.
    pub cost: Option<i64>,
    /// The prices they were charged by.
    pub price_version: Option<String>,
    /// How sure this is; none for nothing at all.
    pub state: Option<CostState>,
}

impl Tab {
    /// A tab on these terms, with nothing on it yet.
    pub fn new(terms: Terms) -> Self {
        let tab = Tab::default();
        tab.lock().terms = Some(terms);
        tab
    }

    /// Begins the first attempt, on the tab's terms: somebody asks, and it is going to read about this many tokens.
    pub fn ask(&self, asker: Asker, expected_input: u32) {
        let mut state = self.lock();
        state.asker = Some(asker);
        if let Some(terms) = state.terms.clone() {
            state.entries.push(Entry::new(terms, expected_input.into()));
        }
    }

    /// The terms that it began on.
    pub fn terms(&self) -> Option<Terms> {
        self.lock().terms.clone()
    }

    /// Begins another attempt, after the end of the one before. It has a row only when somebody opens it.
    pub fn begin(&self, terms: Terms, expected_input: u32) {
        let entry = Entry::new(terms, expected_input.into());
        self.lock().entries.push(entry);
    }

    /// The attempt that was begun last is not made after all, if it has not ended.
    pub fn withdraw(&self) {
        let mut state = self.lock();
        if state.entries.last().is_some_and(|entry| entry.end.is_none()) {
            state.entries.pop();
        }
    }

    /// Who asks.
    pub fn asker(&self) -> Option<Asker> {
        self.lock().asker
    }

    /// The attempts.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// The attempt that runs, or the last one that did.
    pub fn current(&self) -> Option<Entry> {
        self.lock().entries.last().cloned()
    }

    /// How many tokens the running attempt is going to read, now that they are counted.
    pub fn expects(&self, input: u32) {
        self.change(|entry| entry.expected_input = input.into());
    }

    /// The provider has begun to answer.
    pub fn accepted(&self, request_id: Option<&str>) {
        self.change(|entry| {
            entry.accepted = true;
            entry.request_id = request_id.map(str::to_owned);
        });
    }

    /// The model has written something of its answer. False when the next words could cost more than is held.
    pub fn wrote(&self, piece: &str) -> bool {
        self.change(|entry| {
            entry.first_token_at.get_or_insert_with(Utc::now);
            entry.text.add(piece);
        });
        self.missing(MARGIN) == 0
    }

    /// The model has written something of its reasoning. False when the next words could cost more than is held.
    pub fn thought(&self, piece: &str) -> bool {
        self.change(|entry| {
            entry.first_token_at.get_or_insert_with(Utc::now);
            entry.reasoning.add(piece);
        });
        self.missing(MARGIN) == 0
    }

    /// The provider has told what it used so far.
    pub fn told(&self, usage: &Usage) {
        self.change(|entry| entry.told = Some(usage.clone()));
    }

    /// The attempt failed before its first word and is about to be repeated on the same terms.
    pub fn repeated(&self, error: FailureKind) {
        self.ended(AttemptOutcome::Failed, Some(error));
        let mut state = self.lock();
        if let Some(last) = state.entries.last().cloned() {
            state.entries.push(Entry {
                holder: last.holder,
                held: last.held,
                cap: last.cap,
                ..Entry::new(last.terms, last.expected_input)
            });
        }
    }

    /// The running attempt has ended. The first end counts.
    pub fn ended(&self, outcome: AttemptOutcome, error: Option<FailureKind>) {
        self.change(|entry| {
            entry.end.get_or_insert(End {
                at: Utc::now(),
                outcome,
                error,
            });
        });
    }

    /// Notes what attempts that are settled already came to, for the sums.
    pub fn carry(&self, before: Figures) {
        self.lock().before = before;
    }

    /// What all attempts have come to.
    pub fn figures(&self) -> Figures {
        let before = Some(self.lock().before.clone()).filter(|before| before.state.is_some());
        let entries = self.entries();
        Figures::sum(before.into_iter().chain(entries.iter().map(Entry::figures)))
    }

    /// How much more has to be held, in micro-USD, for `more` further tokens of answer; nothing without a budget or
    /// prices.
    pub fn missing(&self, more: i64) -> i64 {
        let state = self.lock();
        let Some(entry) = state.entries.last() else { return 0 };
        let Some(held) = entry.held else { return 0 };
        entry.most(more).saturating_sub(held).max(0)
    }

    /// What is held for it of a budget, and how many tokens of answer the rest of that budget pays for.
    pub(super) fn hold(&self, micro_usd: i64, cap: i64) {
        self.change(|entry| {
            entry.held = Some(entry.held.unwrap_or(0).saturating_add(micro_usd));
            entry.cap = Some(cap);
        });
    }

    /// Notes that more is held for the running attempt.
    pub(super) fn extended(&self, micro_usd: i64) {
        self.change(|entry| entry.held = entry.held.map(|held| held.saturating_add(micro_usd)));
    }

    /// Notes that the running attempt has a row.
    pub(super) fn opened(&self) {
        self.change(|entry| entry.opened = true);
    }

    /// Notes that the ends of these attempts are stored.
    pub(super) fn settled(&self, ids: &[Uuid]) {
        let mut state = self.lock();
        for entry in &mut state.entries {
            entry.settled |= ids.contains(&entry.id);
        }
    }

    /// The length that the answer is limited to, given the length it is limited to anyway: what a model thinks in
    /// silence cannot be cut while it does.
    pub fn cap(&self, wanted: Option<u32>) -> Option<u32> {
        let Some(entry) = self.current() else { return wanted };
        let limit = wanted.or(entry.terms.most_output);
        match entry.cap {
            Some(cap) if limit.is_none_or(|limit| cap < limit.into()) => u32::try_from(cap).ok().or(wanted),
            _ => wanted,
        }
    }

    /// Whether this length is the budget's doing.
    pub fn is_capped(&self, wanted: Option<u32>) -> bool {
        self.cap(wanted) != wanted
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.lock().entries.last_mut() {
            change(entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(terms: Terms, expected_input: i64) -> Self {
        let id = Uuid::now_v7();
        Entry {
            id,
            holder: id,
            held: None,
            cap: None,
            terms,
            started_at: Utc::now(),
            first_token_at: None,
            end: None,
            request_id: None,
            opened: false,
            settled: false,
            accepted: false,
            expected_input,
            told: None,
            text: Written::default(),
            reasoning: Written::default(),
        }
    }

    /// The tokens that it is going to read.
    pub fn expected_input(&self) -> i64 {
        self.expected_input
    }

    /// The provider's figures, word for word.
    pub fn raw_usage(&self) -> Option<serde_json::Value> {
        self.told.as_ref().map(|usage| usage.raw.clone())
    }

    /// What it came to: what the provider tells when it is done; else what was counted, where the provider's figures so
    /// far are not higher; nothing when the provider did not even begin.
    pub fn figures(&self) -> Figures {
        let outcome = self.end.map(|end| end.outcome);
        let told = self.told.as_ref().map(told);
        let (tokens, state) = match told {
            Some(tokens) if outcome == Some(AttemptOutcome::Completed) => (tokens, CostState::Reported),
            Some(told) => {
                let counted = self.counted();
                let tokens = Tokens {
                    input: if told.input > 0 { told.input } else { counted.input },
                    output: told.output.max(counted.output),
                    reasoning: told.reasoning.max(counted.reasoning),
                    ..told
                };
                (tokens, CostState::Estimated)
            }
            // Who was not asked has nothing to tell.
            None if outcome == Some(AttemptOutcome::Cached) => (Tokens::default(), CostState::Reported),
            None => (self.counted(), CostState::Estimated),
        };
        Figures::of(
            &self.terms,
            tokens,
            state,
            self.told.as_ref().and_then(|usage| usage.cost_micro_usd),
        )
    }

    fn counted(&self) -> Tokens {
        if !self.accepted && self.first_token_at.is_none() {
            return Tokens::default();
        }
        let reasoning = self.reasoning.tokens();
        Tokens {
            input: self.expected_input,
            output: self.text.tokens().saturating_add(reasoning),
            reasoning,
            ..Tokens::default()
        }
    }

    /// The most that it costs once `more` tokens have come.
    fn most(&self, more: i64) -> i64 {
        let Some(tariff) = self.terms.tariff() else { return 0 };
        let told = self.told.as_ref().map(told).unwrap_or_default();
        let input = self.expected_input.max(told.input);
        let output = (self.text.pieces + self.reasoning.pieces).max(told.output);
        let ends = self.terms.most_output.map_or(i64::MAX, i64::from).max(output);
        tariff.most(input, output.saturating_add(more).min(ends))
    }
}

impl Figures {
    /// What these tokens come to.
    pub fn of(terms: &Terms, tokens: Tokens, state: CostState, told_cost: Option<u64>) -> Self {
        let (cost, price_version) = match (told_cost, &terms.priced) {
            (Some(cost), _) => (
                Some(i64::try_from(cost).unwrap_or(i64::MAX)),
                Some("provider".to_owned()),
            ),
            (None, Some((tariff, version))) => (Some(tariff.cost(&tokens)), Some(version.clone())),
            // Nothing costs nothing, whatever the price.
            (None, None) => ((tokens == Tokens::default()).then_some(0), None),
        };
        Figures {
            tokens,
            cost,
            price_version,
            state: Some(state),
        }
    }

    /// Several together: as unknown and as unsure as the most unknown and unsure of them.
    pub fn sum(all: impl Iterator<Item = Figures>) -> Self {
        all.reduce(|sum, next| {
            let used = |figures: &Figures| figures.tokens != Tokens::default();
            // An attempt that came to nothing says nothing about the prices of the others.
            let price_version = if used(&next) || !used(&sum) {
                next.price_version.clone()
            } else {
                sum.price_version.clone()
            };
            // Of two that count, the less sure one: it comes first in `CostState`.
            let state = match (used(&sum), used(&next)) {
                (true, true) => sum.state.min(next.state),
                (true, false) => sum.state,
                (false, _) => next.state,
            };
            Figures {
                tokens: sum.tokens.plus(next.tokens),
                cost: sum.cost.zip(next.cost).map(|(sum, next)| sum.saturating_add(next)),
                price_version,
                state,
            }
        })
        .unwrap_or_default()
    }
}

pub(super) fn told(usage: &Usage) -> Tokens {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Tokens {
        input: count(usage.input_tokens),
        cached_input: count(usage.cached_input_tokens),
        cache_write: count(usage.cache_write_tokens),
        output: count(usage.output_tokens),
        reasoning: count(usage.reasoning_tokens),
    }
}
