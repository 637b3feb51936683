//! Keeping an answer of several steps within what its model can read: tools may say more than that.

use crate::ai::{Provider, Request, Turn, tokens};
use crate::chat::plan::Plan;
use crate::chat::plan::fit::{self, TOKENS_PER_TURN};

/// What stands in the place of a result that is too long.
const LEFT_OUT: &str = "[Left out: this is too long for what you can read. Ask for less of it.]";

/// How much a model can read of the steps of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    provider: Provider,
    /// The tokens beside those of the question and the room for the answer, as the provider counts them; none where
    /// nobody knows.
    left: Option<u32>,
    /// Where the steps begin among the turns.
    begin: usize,
}

impl Window {
    /// What a plan leaves.
    pub(super) fn of(plan: &Plan) -> Self {
        let window = plan.info.as_ref().and_then(|info| info.context_window);
        let answer = plan.request.max_output_tokens;
        let left = |window| fit::left(window, answer).saturating_sub(plan.input_tokens);
        Window {
            provider: plan.lane.payer.endpoint.provider,
            left: window.map(left),
            begin: plan.request.turns.len(),
        }
    }

    /// Leaves out the longest results until the rest can be read. Gives how many tokens the steps have then, as the
    /// provider will probably count them; none when there is nothing left to leave out.
    pub(super) fn fit(&self, request: &mut Request) -> Option<u32> {
        let steps = request.turns.get_mut(self.begin..).unwrap_or_default();
        loop {
            let count = fit::stretched(self.provider, steps.iter().map(cost).sum());
            if self.left.is_none_or(|left| count <= left) {
                return Some(count);
            }
            let results = steps.iter_mut().filter_map(|turn| match turn {
                Turn::ToolResult { text, .. } if text.len() > LEFT_OUT.len() => Some(text),
                _ => None,
            });
            LEFT_OUT.clone_into(results.max_by_key(|text| text.len())?);
        }
    }
}

fn cost(turn: &Turn) -> u32 {
    let calls = match turn {
        Turn::Assistant { tool_calls, .. } => tool_calls.as_slice(),
        _ => &[],
    };
    let calls: u32 = calls
        .iter()
        .map(|call| tokens::count(&call.name) + tokens::count(&call.arguments) + TOKENS_PER_TURN)
        .sum();
    tokens::count(turn.text()) + TOKENS_PER_TURN + calls
}
