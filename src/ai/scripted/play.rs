//! Playing a script.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::ai::{Answer, Delta, Failure, FailureKind, FinishReason, Limits, Request, Turn, Usage};

use super::{
    script::{Ending, Script, ScriptError},
    words,
};

/// What an unreadable script becomes.
pub(in crate::ai) fn refused(error: &ScriptError) -> Failure {
    let kind = match error {
        ScriptError::NotScripted => FailureKind::ModelNotFound,
        _ => FailureKind::InvalidRequest,
    };
    Failure::new(kind, error.to_string())
}

/// The answer of a script.
pub(in crate::ai) fn stream(script: Script, request: Request, limits: Limits) -> Answer {
    Box::pin(async_stream::try_stream! {
        for attempt in 1..=script.retries {
            let after = Duration::from_millis(50);
            yield Delta::Retrying { attempt, after, kind: FailureKind::RateLimited };
            sleep(after).await;
        }
        sleep(script.first).await;
        if script.at == 0 {
            ended_early(&script, limits.first_byte).await?;
        }
        yield Delta::Started {
            provider_request_id: Some(format!("scripted-{}", script.seed)),
            model: Some("scripted".to_owned()),
        };

        let thoughts = words::reasoning(&script);
        if !script.tools.is_empty() && !has_results(&request) {
            for thought in &thoughts {
                yield Delta::Reasoning(thought.clone());
                pause(script.delay).await;
            }
            let calls = script.tools.len();
            for call in script.tools {
                yield Delta::ToolCall(call);
            }
            if script.usage {
                yield Delta::Usage(usage(&request, thoughts.len(), calls));
            }
            yield Delta::Finished { reason: FinishReason::ToolCalls, raw: "tool_calls".to_owned() };
            return;
        }
        let mut answer = words::answer(&script, &request);
        let room = request.max_output_tokens.map_or(usize::MAX, |most| most as usize);
        let full = answer.len() > room;
        answer.truncate(room);

        for thought in &thoughts {
            yield Delta::Reasoning(thought.clone());
            pause(script.delay).await;
        }
        for (said, word) in answer.iter().enumerate() {
            if said > 0 {
                if said == script.at {
                    ended_early(&script, limits.idle).await?;
                }
                pause(script.delay).await;
            }
            yield Delta::Text(word.clone());
        }
        // Words beyond the last one are the end.
        ended_early(&script, limits.idle).await?;

        if script.usage {
            yield Delta::Usage(usage(&request, thoughts.len(), answer.len()));
        }
        let reason = match script.ending {
            _ if full => FinishReason::Length,
            Ending::Finish(reason) => reason,
            Ending::Fail(..) | Ending::Cut | Ending::Stall => FinishReason::Stop,
        };
        yield Delta::Finished { reason, raw: reason.name().to_owned() };
    })
}

/// Whether the tools that were called since the last question have answered.
fn has_results(request: &Request) -> bool {
    matches!(request.turns.last(), Some(Turn::ToolResult { .. }))
}

/// Fails as the script says; a stall is noticed as it would be on a real connection.
async fn ended_early(script: &Script, patience: Duration) -> Result<(), Failure> {
    match script.ending {
        Ending::Finish(_) => Ok(()),
        Ending::Fail(kind, retry_after) => {
            let mut failure = Failure::new(kind, "the script says so");
            failure.retry_after = retry_after;
            Err(failure)
        }
        Ending::Cut => Err(Failure::new(
            FailureKind::Interrupted,
            "the script ends without its end",
        )),
        Ending::Stall => {
            sleep(patience).await;
            Err(Failure::stalled(patience))
        }
    }
}

async fn pause(delay: Duration) {
    if delay.is_zero() {
        // A thousand words without a wait would be one long turn of this task.
        tokio::task::yield_now().await;
    } else {
        sleep(delay).await;
    }
}

fn usage(request: &Request, thoughts: usize, words: usize) -> Usage {
    let asked = request.turns.iter();
    let asked: usize = asked.map(|turn| turn.text().split_whitespace().count()).sum();
    Usage {
        input_tokens: asked as u64,
        output_tokens: (thoughts + words) as u64,
        reasoning_tokens: thoughts as u64,
        raw: json!({"input": asked, "reasoning": thoughts, "output": words}),
        ..Usage::default()
    }
}
