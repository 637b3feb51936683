//! An answer that its budget does not pay for any more is cut, and what came before is kept.

use serde_json::json;

use super::{House, agrees, budgets, plain_chat, spent};
use crate::harness::upstream::Reply;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_answer_takes_slice_after_slice_and_then_ends() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    // Ten thousand tokens of answer: more than is held at first.
    house.allow(&ada, "0.1").await;
    let words: String = " word".repeat(50);
    let chunk =
        json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": words}, "finish_reason": null}]});
    let chunk = format!("data: {chunk}\n\n");
    house.upstream.script([Reply::stream().forever(chunk)]);
    let generation = ada.send(&plain_chat(&ada).await, "Hello").await;
    let answer = spent(&ada, &generation).await;
    let error = &answer["error"];
    assert_eq!(
        (&answer["status"], &error["code"], &error["action"], &error["retryable"]),
        (
            &json!("FAILED"),
            &json!("BUDGET_EXCEEDED"),
            &json!("RAISE_BUDGET"),
            &json!(false)
        )
    );
    house.upstream.hung_up(1).await;
    let tokens = answer["usage"]["outputTokens"].as_i64().expect("a count");
    assert!((9_000..10_000).contains(&tokens), "nearly all of it was used: {tokens}");
    let kept = answer["text"].as_str().expect("a text");
    assert_eq!(kept.matches(" word").count() as i64, tokens);
    agrees(&house.app, &answer).await;
    let budget = budgets(&ada).await[0].take();
    assert_eq!(
        (&budget["reservedUsd"], &budget["spentUsd"]),
        (&json!("0"), &answer["usage"]["costUsd"])
    );
    let cost: f64 = answer["usage"]["costUsd"]
        .as_str()
        .expect("known")
        .parse()
        .expect("a number");
    assert!(cost <= 0.1, "{cost}");

    // What is asked of the provider is what the rest can pay for, for what a model thinks in silence cannot be cut.
    house.allow(&ada, "0.15").await;
    house.upstream.script([Reply::stream()
        .word("cut short")
        .finish("length")
        .usage(3, 5_000)
        .done()]);
    let answer = spent(&ada, &ada.send(&plain_chat(&ada).await, "Hello").await).await;
    assert_eq!(
        answer["error"]["code"], "BUDGET_EXCEEDED",
        "it ends where the money does"
    );
    let requests = house.upstream.requests();
    let asked = &requests.last().expect("a request").body;
    let most = asked["max_completion_tokens"]
        .as_i64()
        .or(asked["max_tokens"].as_i64())
        .expect("a limit");
    assert!((5_000..6_000).contains(&most), "{most}");
    assert!(
        requests[0].body["max_completion_tokens"]
            .as_i64()
            .is_some_and(|most| most == 9_999)
            || requests[0].body["max_tokens"]
                .as_i64()
                .is_some_and(|most| most == 9_999),
        "{}",
        requests[0].body
    );
}
