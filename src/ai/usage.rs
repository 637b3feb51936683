//! What an answer used, from the wire to neutral words.

use serde_json::{Map, Value};

use super::{Usage, telling::is_a_name};

/// The usage in Chat Completions' words; its input includes what was cached.
pub(super) fn usage_of(raw: &Value) -> Option<Usage> {
    let count = |path: &str| raw.pointer(path).and_then(Value::as_u64);
    let input = count("/prompt_tokens");
    let output = count("/completion_tokens");
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Usage {
        input_tokens: sane(input),
        cached_input_tokens: sane(count("/prompt_tokens_details/cached_tokens")),
        cache_write_tokens: sane(count("/prompt_tokens_details/cache_write_tokens")),
        output_tokens: sane(output),
        reasoning_tokens: sane(count("/completion_tokens_details/reasoning_tokens")),
        cost_micro_usd: cost(raw),
        raw: figures(raw),
    })
}

/// What OpenRouter and those like it say that a call cost. Where the provider behind it is paid with another key,
/// OpenRouter's own figure is only its fee.
pub(super) fn cost(raw: &Value) -> Option<u64> {
    let dollars = |path: &str| raw.pointer(path).and_then(Value::as_f64);
    let own = dollars("/cost")
        .or_else(|| dollars("/cost/total_cost"))
        .unwrap_or_default();
    let behind = match raw.get("is_byok").and_then(Value::as_bool) {
        Some(true) => dollars("/cost_details/upstream_inference_cost").unwrap_or_default(),
        _ => 0.0,
    };
    // 0 is what they say who do not know.
    micro(own + behind).filter(|micro| *micro > 0)
}

/// What OpenRouter says of a call afterwards, counted by the provider behind it; none while it does not know. Here nothing
/// is nothing.
pub(super) fn billed(said: &Value) -> Option<Usage> {
    let data = said.get("data")?;
    let count = |names: [&str; 2]| names.iter().find_map(|name| data.get(*name)?.as_u64());
    let dollars = |name: &str| data.get(name).and_then(Value::as_f64);
    let behind = match data.get("is_byok").and_then(Value::as_bool) {
        Some(true) => dollars("upstream_inference_cost").unwrap_or_default(),
        _ => 0.0,
    };
    let input = sane(Some(count(["native_tokens_prompt", "tokens_prompt"])?));
    let output = sane(count(["native_tokens_completion", "tokens_completion"]));
    Some(Usage {
        input_tokens: input,
        cached_input_tokens: sane(count(["native_tokens_cached", "tokens_cached"])).min(input),
        cache_write_tokens: 0,
        output_tokens: output,
        reasoning_tokens: sane(count(["native_tokens_reasoning", "tokens_reasoning"])).min(output),
        cost_micro_usd: Some(micro(dollars("total_cost")? + behind)?),
        raw: figures(data),
    })
}

/// Dollars as whole millionths, as far as that is an amount of money.
fn micro(dollars: f64) -> Option<u64> {
    let micro = (dollars * 1e6).round();
    if !(0.0..1e12).contains(&micro) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked a line above"
    )]
    let micro = micro as u64;
    Some(micro)
}

/// A count that a JSON number holds exactly.
pub(super) fn sane(count: Option<u64>) -> u64 {
    count.unwrap_or(0).min((1 << 53) - 1)
}

/// The numbers of a usage report and nothing else: it is kept for good, and text from outside
/// has no place in a ledger.
pub(super) fn figures(raw: &Value) -> Value {
    figures_at(raw, 0)
}

fn figures_at(raw: &Value, depth: usize) -> Value {
    let Value::Object(fields) = raw else {
        return match raw {
            Value::Number(_) => raw.clone(),
            _ => Value::Null,
        };
    };
    let kept = fields
        .iter()
        .filter(|(name, value)| is_a_name(name) && (value.is_number() || (value.is_object() && depth < 3)));
    let kept = kept
        .take(64)
        .map(|(name, value)| (name.clone(), figures_at(value, depth + 1)));
    Value::Object(kept.collect::<Map<_, _>>())
}
