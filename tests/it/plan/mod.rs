//! What an answer would take: told beforehand, and true afterwards.

mod fits;
mod foretold;

use serde_json::{Value, json};

use crate::harness::app::Client;

const LANE: &str = "provider model keySource messageIds olderLeftOut memoryCount inputTokens maxOutputTokens contextWindow windowUse \
    cost { leastUsd mostUsd } budgetLeftUsd budgetAfterUsd";

/// What the planner says of this.
async fn plan(client: &Client, input: Value) -> Value {
    let query = format!(
        "query ($input: GenerationPlanInput!) {{ generationPlan(input: $input) {{ lanes {{ {LANE} }} refusals {{ code message field }} }} }}"
    );
    client.ok(&query, json!({ "input": input })).await["generationPlan"].take()
}

/// The codes of what would be refused.
fn refusals(plan: &Value) -> Vec<&str> {
    let refusals = plan["refusals"].as_array().expect("refusals");
    refusals
        .iter()
        .map(|refusal| refusal["code"].as_str().expect("a code"))
        .collect()
}
