//! Price maps as others write them.

use parlor::ai::Provider;
use parlor::model::fact::{Modality, ModelMode};
use parlor::model::price_map::PriceMap;

/// Entries as they stand in LiteLLM's file, and some that should not.
const LITELLM: &str = r#"{
    "sample_spec": { "litellm_provider": "one of https://docs.litellm.ai/docs/providers", "max_tokens": "LEGACY parameter" },
    "gpt-4o-mini": { "cache_read_input_token_cost": 7.5e-08, "input_cost_per_token": 1.5e-07, "input_cost_per_token_batches": 7.5e-08,
        "litellm_provider": "openai", "max_input_tokens": 128000, "max_output_tokens": 16384, "mode": "chat", "output_cost_per_token": 6e-07,
        "search_context_cost_per_query": { "search_context_size_high": 0.03 }, "supports_function_calling": true, "supports_vision": true },
    "gpt-5.6": { "cache_creation_input_token_cost": 6.25e-06, "cache_creation_input_token_cost_above_272k_tokens": 1.25e-05,
        "cache_read_input_token_cost": 5e-07, "input_cost_per_token": 5e-06, "input_cost_per_token_above_272k_tokens": 1e-05,
        "input_cost_per_token_priority": 1e-05, "litellm_provider": "openai", "output_cost_per_token": 3e-05,
        "output_cost_per_token_above_272k_tokens": 4.5e-05, "max_input_tokens": "1050000", "mode": "chat" },
    "o1-pro": { "litellm_provider": "openai", "mode": "responses", "input_cost_per_token": 0.00015, "output_cost_per_token": 0.0006 },
    "openai/of-the-house": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0 },
    "openai/something:free": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0 },
    "half": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06 },
    "dall-e-3": { "litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": 0.04 },
    "bedrock/anthropic.claude": { "litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": 1e-06 },
    "negative": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": -1e-06, "output_cost_per_token": 1e-06 },
    "words": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": "cheap", "output_cost_per_token": 1e-06 },
    "list": [1, 2],
    "nobodys": { "mode": "chat" },
    "openai/": { "litellm_provider": "openai", "mode": "chat" }
}"#;

#[test]
fn good_entries_are_read_and_bad_ones_named() {
    let map = PriceMap::read(LITELLM).expect("an object");
    let names: Vec<&str> = map.entries.iter().map(|entry| entry.model.as_str()).collect();
    assert_eq!(
        names,
        [
            "gpt-4o-mini",
            "gpt-5.6",
            "half",
            "o1-pro",
            "of-the-house",
            "something:free"
        ]
    );
    let problems: Vec<(&str, &str)> = map
        .problems
        .iter()
        .map(|problem| (problem.name.as_str(), problem.why.as_str()))
        .collect();
    assert_eq!(
        problems,
        [
            ("list", "it is not an object"),
            ("negative", "input_cost_per_token is no price"),
            ("nobodys", "it has no litellm_provider"),
            ("openai/", "it has no usable name"),
            ("words", "input_cost_per_token is no price"),
        ]
    );
    assert_eq!((map.others, map.version.as_deref()), (3, None));

    let mini = &map.entries[0];
    assert_eq!(mini.provider, Provider::OpenAi);
    assert_eq!(mini.facts.context_window, Some(128_000));
    assert_eq!(
        mini.facts.input_modalities.as_deref(),
        Some([Modality::Text, Modality::Image].as_slice())
    );
    let usual = mini.tariff.expect("prices").usual;
    assert_eq!(
        (usual.input, usual.cached_input, usual.output, usual.reasoning),
        (150_000, Some(75_000), 600_000, None)
    );

    let long = &map.entries[1];
    assert_eq!(long.facts.context_window, Some(1_050_000));
    let (above, prices) = long.tariff.expect("prices").long.expect("long prompts");
    assert_eq!(
        (
            above,
            prices.input,
            prices.cache_write,
            prices.cached_input,
            prices.output
        ),
        (272_000, 10_000_000, Some(12_500_000), None, 45_000_000)
    );

    assert_eq!(map.entries[2].tariff, None, "half a price is none");
    assert_eq!(map.entries[3].facts.mode, Some(ModelMode::Responses));
    assert_eq!(map.entries[4].tariff, None, "zero says that nobody knows");
    assert_eq!(map.entries[5].tariff.map(|tariff| tariff.usual.output), Some(0));
}

#[test]
fn what_is_no_object_is_refused() {
    for nonsense in ["", "[]", "null", "{", "{\"a\": }"] {
        assert!(PriceMap::read(nonsense).is_err(), "{nonsense}");
    }
    assert_eq!(PriceMap::read("{}").expect("an object").entries.len(), 0);
}
