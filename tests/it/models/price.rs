//! What tokens cost, against the plainest arithmetic there is.

use parlor::model::price::{Prices, Tariff, Tokens};
use proptest::prelude::*;

const SONNET: Prices = Prices {
    input: 3_000_000,
    cached_input: Some(300_000),
    cache_write: Some(3_750_000),
    output: 15_000_000,
    reasoning: None,
};

#[test]
fn each_kind_of_token_has_its_price() {
    let tariff = Tariff::from(SONNET);
    let cost = |input, cached_input, cache_write, output, reasoning| {
        tariff.cost(&Tokens {
            input,
            cached_input,
            cache_write,
            output,
            reasoning,
        })
    };
    assert_eq!(cost(1_000_000, 0, 0, 0, 0), 3_000_000);
    assert_eq!(cost(1_000_000, 1_000_000, 0, 0, 0), 300_000);
    assert_eq!(cost(1_000_000, 0, 1_000_000, 0, 0), 3_750_000);
    assert_eq!(cost(0, 0, 0, 1_000_000, 0), 15_000_000);
    assert_eq!(cost(0, 0, 0, 1_000_000, 400_000), 15_000_000, "reasoning costs as much");
    assert_eq!(cost(1_000, 600, 100, 500, 0), 900 + 180 + 375 + 7_500);
    assert_eq!(cost(0, 0, 0, 0, 0), 0);
    // Nonsense of a provider's costs no more than sense.
    assert_eq!(cost(100, 500, 500, 0, 0), cost(100, 100, 0, 0, 0));
    assert_eq!(cost(-5, -5, -5, -5, -5), 0);
}

#[test]
fn what_has_a_price_is_never_free() {
    let cheap = Tariff::from(Prices {
        input: 1,
        output: 1,
        ..Prices::FREE
    });
    let tokens = |input| Tokens {
        input,
        ..Tokens::default()
    };
    assert_eq!(cheap.cost(&tokens(1)), 1);
    assert_eq!(cheap.cost(&tokens(1_000_000)), 1);
    assert_eq!(cheap.cost(&tokens(1_000_001)), 2);
    assert_eq!(Tariff::from(Prices::FREE).cost(&tokens(i64::MAX)), 0);
}

#[test]
fn a_long_prompt_has_its_own_prices() {
    let long = Prices {
        input: 2_500_000,
        output: 15_000_000,
        ..Prices::FREE
    };
    let usual = Prices {
        input: 1_250_000,
        output: 10_000_000,
        ..Prices::FREE
    };
    let tariff = Tariff {
        usual,
        long: Some((200_000, long)),
    };
    let cost = |input| {
        tariff.cost(&Tokens {
            input,
            output: 1_000,
            ..Tokens::default()
        })
    };
    assert_eq!(cost(200_000), 250_000 + 10_000);
    assert_eq!(cost(200_001), 500_003 + 15_000, "all of it, not only what is above");
}

fn prices() -> impl Strategy<Value = Prices> {
    let price = 0..200_000_000i64;
    let maybe = || prop::option::of(0..200_000_000i64);
    (price.clone(), maybe(), maybe(), price, maybe()).prop_map(
        |(input, cached_input, cache_write, output, reasoning)| Prices {
            input,
            cached_input,
            cache_write,
            output,
            reasoning,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_sum_is_exact_and_rounded_up_once(
        prices in prices(), plain in 0..1_000_000i64, cached in 0..1_000_000i64, written in 0..1_000_000i64,
        answer in 0..200_000i64, thought in 0..200_000i64,
    ) {
        let tokens = Tokens {
            input: plain + cached + written,
            cached_input: cached,
            cache_write: written,
            output: answer + thought,
            reasoning: thought,
        };
        let millionths = i128::from(plain) * i128::from(prices.input)
            + i128::from(cached) * i128::from(prices.cached_input.unwrap_or(prices.input))
            + i128::from(written) * i128::from(prices.cache_write.unwrap_or(prices.input))
            + i128::from(answer) * i128::from(prices.output)
            + i128::from(thought) * i128::from(prices.reasoning.unwrap_or(prices.output));
        let cost = i128::from(Tariff::from(prices).cost(&tokens));
        prop_assert!(cost * 1_000_000 >= millionths && (cost - 1) * 1_000_000 < millionths);
        // Nothing costs more than was expected at most.
        let cached_is_cheaper = prices.cached_input.is_none_or(|cached| cached <= prices.input);
        prop_assert!(!cached_is_cheaper || cost <= i128::from(Tariff::from(prices).most(tokens.input, tokens.output)));
    }

    #[test]
    fn what_is_affordable_is_paid_for_and_one_more_is_not(
        prices in prices(), input in 0..200_000i64, money in 0..100_000_000i64,
    ) {
        let tariff = Tariff::from(prices);
        let output = tariff.affordable_output(input, money);
        if tariff.most(input, 0) <= money && output < i64::MAX {
            prop_assert!(tariff.most(input, output) <= money);
            prop_assert!(tariff.most(input, output + 1) > money);
        }
    }
}
