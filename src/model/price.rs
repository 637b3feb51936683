//! What tokens cost: pure functions over integers.
//!
//! A price is in micro-USD for a million tokens, an amount in micro-USD. A cost is added up exactly and rounded once, up
//! to the next micro-USD: what has a price is never told to be free.

/// Tokens in a price.
const MILLION: u128 = 1_000_000;

/// What a million tokens of each kind cost, in micro-USD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prices {
    /// Read and not cached.
    pub input: i64,
    /// Read from the provider's cache; as `input` where there is no price of its own.
    pub cached_input: Option<i64>,
    /// Written into the provider's cache; as `input` where there is no price of its own.
    pub cache_write: Option<i64>,
    /// Written.
    pub output: i64,
    /// Written as reasoning; as `output` where there is no price of its own.
    pub reasoning: Option<i64>,
}

impl Prices {
    /// Nothing costs anything.
    pub const FREE: Prices = Prices {
        input: 0,
        cached_input: None,
        cache_write: None,
        output: 0,
        reasoning: None,
    };
}

/// A model's prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tariff {
    /// What counts usually.
    pub usual: Prices,
    /// What counts instead for a request whose prompt has more tokens than this.
    pub long: Option<(i64, Prices)>,
}

impl From<Prices> for Tariff {
    fn from(usual: Prices) -> Self {
        Tariff { usual, long: None }
    }
}

/// Tokens of one attempt, as [`crate::ai::Usage`] counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Everything that was read, cached or not.
    pub input: i64,
    /// The part of `input` that came from the cache.
    pub cached_input: i64,
    /// The part of `input` that was put into the cache.
    pub cache_write: i64,
    /// Everything that was written, reasoning included.
    pub output: i64,
    /// The part of `output` that was reasoning.
    pub reasoning: i64,
}

impl Tokens {
    /// Adds another attempt's.
    pub fn plus(self, other: Tokens) -> Tokens {
        Tokens {
            input: self.input.saturating_add(other.input),
            cached_input: self.cached_input.saturating_add(other.cached_input),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}

impl Tariff {
    /// The prices for a prompt of this many tokens.
    pub fn prices(&self, input_tokens: i64) -> &Prices {
        match &self.long {
            Some((above, long)) if input_tokens > *above => long,
            _ => &self.usual,
        }
    }

    /// What these tokens cost, in micro-USD.
    pub fn cost(&self, tokens: &Tokens) -> i64 {
        let prices = self.prices(tokens.input);
        let cached = tokens.cached_input.clamp(0, tokens.input.max(0));
        let written = tokens.cache_write.clamp(0, (tokens.input - cached).max(0));
        let reasoning = tokens.reasoning.clamp(0, tokens.output.max(0));
        let parts = [
            (tokens.input - cached - written, prices.input),
            (cached, prices.cached_input.unwrap_or(prices.input)),
            (written, prices.cache_write.unwrap_or(prices.input)),
            (tokens.output - reasoning, prices.output),
            (reasoning, prices.reasoning.unwrap_or(prices.output)),
        ];
        let sum: u128 = parts.iter().map(|(count, price)| product(*count, *price)).sum();
        i64::try_from(sum.div_ceil(MILLION)).unwrap_or(i64::MAX)
    }

    /// How many tokens of output, of whichever kind is dearer, `micro_usd` pay for after a prompt of `input` tokens.
    pub fn affordable_output(&self, input: i64, micro_usd: i64) -> i64 {
        let prices = self.prices(input);
        let prompt = product(input, dearest_input(prices));
        let left = (u128::from(micro_usd.max(0).unsigned_abs()) * MILLION).saturating_sub(prompt);
        match u128::from(dearest_output(prices).max(0).unsigned_abs()) {
            0 => i64::MAX,
            price => i64::try_from(left / price).unwrap_or(i64::MAX),
        }
    }

    /// The most that a prompt and an answer of these lengths can cost, whatever is cached or reasoning.
    pub fn most(&self, input: i64, output: i64) -> i64 {
        let prices = self.prices(input);
        let sum = product(input, dearest_input(prices)) + product(output, dearest_output(prices));
        i64::try_from(sum.div_ceil(MILLION)).unwrap_or(i64::MAX)
    }
}

fn dearest_input(prices: &Prices) -> i64 {
    prices.input.max(prices.cache_write.unwrap_or(0))
}

fn dearest_output(prices: &Prices) -> i64 {
    prices.output.max(prices.reasoning.unwrap_or(0))
}

/// Millionths of a micro-USD; nothing for what is below zero.
fn product(count: i64, price: i64) -> u128 {
    u128::from(count.max(0).unsigned_abs()) * u128::from(price.max(0).unsigned_abs())
}
