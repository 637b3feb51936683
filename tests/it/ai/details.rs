//! What OpenRouter tells of a model's thinking: put together, shown, and kept where it is worth it.

use parlor::ai::{Endpoint, Provider, Replay};
use serde_json::{Value, json};

use crate::harness::upstream::{Reply, Upstream};

use super::{Heard, at, client, hear, question};

/// Hears these deltas, then a word and the end.
async fn heard(deltas: &[Value], calls: bool) -> Heard {
    let upstream = Upstream::start().await;
    let chunk = |delta: &Value| json!({ "choices": [{ "index": 0, "delta": delta }] }).to_string();
    let told = deltas
        .iter()
        .fold(Reply::stream(), |reply, delta| reply.data(&chunk(delta)));
    let call = json!({ "tool_calls": [{ "index": 0, "id": "c", "function": { "name": "find", "arguments": "{}" } }] });
    let told = if calls {
        told.data(&chunk(&call))
    } else {
        told.word("Ok")
    };
    upstream.script([told.stop()]);
    let endpoint = Endpoint {
        provider: Provider::OpenRouter,
        ..at(&upstream)
    };
    hear(client().stream(endpoint, question("?"))).await
}

fn blocks(heard: &Heard) -> Value {
    let Some(Replay { content, .. }) = &heard.replay else {
        return Value::Null;
    };
    serde_json::from_str(content).expect("JSON")
}

fn details(pieces: &Value) -> Value {
    json!({ "reasoning_details": pieces })
}

#[tokio::test]
async fn pieces_of_a_block_come_together() {
    let told = heard(
        &[
            details(&json!([{ "type": "reasoning.text", "index": 0, "text": "Hm", "id": null }])),
            details(&json!([{ "type": "reasoning.text", "index": 0, "text": "m.", "id": "r1" }])),
            details(&json!([{ "type": "reasoning.text", "index": 0, "signature": "one" },
                { "type": "reasoning.text", "index": 1, "text": "So" }])),
            details(&json!([{ "type": "reasoning.text", "index": 1, "signature": "two" }])),
            // Where there is no index, nothing comes behind a signature.
            details(&json!([{ "type": "reasoning.text", "text": "A", "signature": "three" }])),
            details(&json!([{ "type": "reasoning.text", "text": "B" }])),
            details(&json!([{ "type": "reasoning.summary", "summary": "In" }])),
            details(&json!([{ "type": "reasoning.summary", "summary": " short" }])),
            details(&json!([{ "type": "reasoning.encrypted", "data": "x" }])),
            details(&json!([{ "type": "reasoning.encrypted", "data": "y" }])),
        ],
        false,
    )
    .await;
    assert_eq!(
        told.reasoning, "Hmm.SoABIn short",
        "they are shown where there are no other words"
    );
    assert_eq!(
        blocks(&told),
        json!([
            { "type": "reasoning.text", "index": 0, "text": "Hmm.", "id": "r1", "signature": "one" },
            { "type": "reasoning.text", "index": 1, "text": "So", "signature": "two" },
            { "type": "reasoning.text", "text": "A", "signature": "three" },
            { "type": "reasoning.text", "text": "B" },
            { "type": "reasoning.summary", "summary": "In short" },
            { "type": "reasoning.encrypted", "data": "x" },
            { "type": "reasoning.encrypted", "data": "y" },
        ])
    );
}

#[tokio::test]
async fn open_thoughts_are_kept_for_a_tools_result_only() {
    let open = details(&json!([{ "type": "reasoning.text", "text": "Hm.", "signature": null }]));
    assert_eq!(blocks(&heard(std::slice::from_ref(&open), false).await), Value::Null);
    let calling = heard(&[open], true).await;
    assert_eq!(
        blocks(&calling),
        json!([{ "type": "reasoning.text", "text": "Hm.", "signature": null }])
    );
}

#[tokio::test]
async fn what_nobody_understands_does_no_harm() {
    let told = heard(
        &[
            details(&json!("Hm.")),
            details(&json!([7, null])),
            json!({ "reasoning": "Hm.", "reasoning_details": [{ "type": "reasoning.new" }] }),
        ],
        false,
    )
    .await;
    assert_eq!((told.reasoning.as_str(), told.text.as_str()), ("Hm.", "Ok"));
}
