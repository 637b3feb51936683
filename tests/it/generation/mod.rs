//! Answers: watched from anywhere, resumed anywhere, stopped from anywhere, failed with words, never lost.

mod algebra;
mod end;
mod fail;
mod stop;
mod watch;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::app::Client;
use crate::harness::stream::Subscription;

/// What the API says of an answer that has ended, or not.
pub(super) const STATE: &str = "id status text reasoning sequence finishReason finishedAt \
    usage { inputTokens outputTokens totalTokens } error { code message retryable retryAfterSeconds action }";

pub(super) async fn state(client: &Client, generation: &str) -> Value {
    let query = format!("query ($id: ID!) {{ generation(id: $id) {{ {STATE} }} }}");
    client.ok(&query, json!({ "id": generation })).await["generation"].take()
}

/// The events up to the delta or snapshot with this number.
pub(super) async fn upto(stream: &mut Subscription, sequence: i64) -> Vec<Value> {
    let mut events = Vec::new();
    while events
        .last()
        .and_then(|event: &Value| event["sequence"].as_i64())
        .is_none_or(|seen| seen < sequence)
    {
        events.push(stream.next().await.expect("more events"));
    }
    events
}

/// What is promised to happen within a second, with room for a busy machine.
pub(super) async fn soon<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3), event)
        .await
        .expect("it happens soon")
}

/// The end of an answer, as its watchers are told.
pub(super) async fn ended(client: &Client, generation: &str) -> Value {
    let events = client.generation_events(generation, None).await.rest().await;
    let last = events.last().expect("an end");
    assert_eq!(last["__typename"], "GenerationFinished");
    last["generation"].clone()
}
