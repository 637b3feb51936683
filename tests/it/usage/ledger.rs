//! One row for every attempt, and an answer's usage is their sum.

use serde_json::{Value, json};

use super::{House, KEY, agrees, plain_chat, spent};
use crate::harness::app::uuid;
use crate::harness::upstream::Reply;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_provider_tells_is_charged() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let answer = spent(&ada, &ada.send(&chat, "Hello?").await).await;
    let usage = &answer["usage"];
    assert_eq!(
        (
            &usage["inputTokens"],
            &usage["outputTokens"],
            &usage["costUsd"],
            &usage["costState"]
        ),
        (&json!(7), &json!(3), &json!("0.000037"), &json!("REPORTED"))
    );
    assert!(usage["priceVersion"].as_str().expect("a name").starts_with("admin-"));
    agrees(&house.app, &answer).await;
    assert_eq!(house.rows().await, ["COMPLETED - 7/3 cost 37 REPORTED held 0"]);
    let sql = house.app.sql().await;
    let row = sql
        .query_one(
            "SELECT user_id::text, chat_id::text, provider, model, key_source, purpose, provider_request_id, raw_usage->>'total_tokens', \
             started_at <= first_token_at AND first_token_at <= ended_at FROM attempts",
            &[],
        )
        .await
        .expect("a row");
    let text = |column: usize| row.get::<_, String>(column).replace('-', "");
    assert_eq!((text(0), text(1)), (uuid(&ada.id).to_owned(), uuid(&chat).to_owned()));
    let words: Vec<String> = (2..8).map(|column| row.get(column)).collect();
    assert_eq!(
        words,
        ["openai", "house-model", "SERVER", "ANSWER", "req_upstream", "10"]
    );
    assert!(row.get::<_, bool>(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_price_is_null_and_not_nothing() {
    let house = House::open().await;
    let ada = house.app.user("ada").await;
    let answer = spent(&ada, &ada.send(&plain_chat(&ada).await, "Hello?").await).await;
    let usage = &answer["usage"];
    assert_eq!(
        (&usage["totalTokens"], &usage["costUsd"], &usage["priceVersion"]),
        (&json!(10), &Value::Null, &Value::Null)
    );
    agrees(&house.app, &answer).await;
    let scripted = ada.chat("scripted:words=3,first=0,delay=0").await;
    let answer = spent(&ada, &ada.send(&scripted, "Hello?").await).await;
    assert_eq!(
        (&answer["usage"]["costUsd"], &answer["usage"]["priceVersion"]),
        (&json!("0"), &json!("free"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_tells_is_counted() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    let chat = plain_chat(&ada).await;
    // " one two three": three tokens of answer, one of reasoning; the question is two.
    let begun = || Reply::stream().thought("Hm").word(" one").word(" two").word(" three");
    house.upstream.script([begun().stall()]);
    let generation = ada.send(&chat, "Hello there").await;
    let mut events = ada.generation_events(&generation, None).await;
    loop {
        let event = events.next().await.expect("more");
        if event["sequence"] == 4 {
            break;
        }
    }
    ada.mutate(
        "stopGeneration",
        json!({ "generationId": generation }),
        "generation { id }",
    )
    .await;
    let answer = spent(&ada, &generation).await;
    assert_eq!(answer["status"], "STOPPED");
    let usage = &answer["usage"];
    assert_eq!(
        (
            &usage["inputTokens"],
            &usage["outputTokens"],
            &usage["reasoningTokens"],
            &usage["costUsd"],
            &usage["costState"]
        ),
        (&json!(6), &json!(4), &json!(1), &json!("0.000046"), &json!("ESTIMATED"))
    );
    agrees(&house.app, &answer).await;

    // Cut, and complete without a word about usage.
    for (reply, status) in [(begun().cut(), "INTERRUPTED"), (begun().stop(), "COMPLETED")] {
        house.upstream.script([reply]);
        let answer = spent(&ada, &ada.send(&plain_chat(&ada).await, "Hello there").await).await;
        assert_eq!(
            (
                &answer["status"],
                &answer["usage"]["outputTokens"],
                &answer["usage"]["costState"]
            ),
            (&json!(status), &json!(4), &json!("ESTIMATED"))
        );
        agrees(&house.app, &answer).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_costs_nothing_and_every_repetition_has_its_row() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    let chat = plain_chat(&ada).await;
    house
        .upstream
        .script([Reply::error(401, "invalid_request_error", "invalid_api_key", KEY)]);
    let refused = spent(&ada, &ada.send(&chat, "Hello?").await).await;
    assert_eq!(
        (
            &refused["status"],
            &refused["usage"]["totalTokens"],
            &refused["usage"]["costUsd"]
        ),
        (&json!("FAILED"), &json!(0), &json!("0"))
    );
    agrees(&house.app, &refused).await;
    house.upstream.script([
        Reply::status(503).header("retry-after-ms", "1"),
        Reply::status(503).header("retry-after-ms", "1"),
    ]);
    let answer = spent(&ada, &ada.send(&chat, "Hello?").await).await;
    assert_eq!(
        (&answer["status"], &answer["usage"]["costUsd"]),
        (&json!("COMPLETED"), &json!("0.000037"))
    );
    assert_eq!(answer["usage"]["costState"], "REPORTED");
    agrees(&house.app, &answer).await;
    assert_eq!(
        house.rows().await,
        [
            "FAILED KEY_INVALID 0/0 cost 0 ESTIMATED held 0",
            "FAILED UNAVAILABLE 0/0 cost 0 ESTIMATED held 0",
            "FAILED UNAVAILABLE 0/0 cost 0 ESTIMATED held 0",
            "COMPLETED - 7/3 cost 37 REPORTED held 0",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_spent_outlives_the_chat_and_the_account() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    let chat = plain_chat(&ada).await;
    house.upstream.script([Reply::stream().word("one").stall()]);
    let generation = ada.send(&chat, "Hello?").await;
    let mut events = ada.generation_events(&generation, None).await;
    while events.next().await.expect("more")["sequence"] != 1 {}
    ada.mutate("deleteChat", json!({ "chatId": chat }), "deletedChatId")
        .await;
    // The answer's task finds its row gone and settles all the same; the provider is hung up on before that.
    house.upstream.hung_up(1).await;
    let settled = async {
        loop {
            let rows = house.rows().await;
            if !rows[0].starts_with("OPEN") {
                return rows;
            }
            tokio::task::yield_now().await;
        }
    };
    let rows = tokio::time::timeout(std::time::Duration::from_secs(5), settled)
        .await
        .expect("soon");
    assert_eq!(rows, ["STOPPED - 6/1 cost 16 ESTIMATED held 0"]);
    let sql = house.app.sql().await;
    sql.execute("DELETE FROM users WHERE username = 'ada'", &[])
        .await
        .expect("gone");
    assert_eq!(house.rows().await.len(), 1);
    let query = "{ admin { usage(groupBy: USER) { total { costUsd attempts } groups { user { username } userId sums { costUsd } } } } }";
    let report = house.admin.ok(query, json!({})).await["admin"]["usage"].take();
    assert_eq!(report["total"], json!({ "costUsd": "0.000016", "attempts": 1 }));
    assert_eq!(
        report["groups"],
        json!([{ "user": null, "userId": ada.id, "sums": { "costUsd": "0.000016" } }])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_left_is_settled_by_what_was_stored() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    house.allow(&ada, "1").await;
    let generation = ada.send(&plain_chat(&ada).await, "Hello there").await;
    spent(&ada, &generation).await;
    // As if the process had died before the end: a running answer whose lease is out, with an open row that holds money.
    let sql = house.app.sql().await;
    sql.batch_execute(
        "UPDATE attempts SET ended_at = NULL, outcome = NULL, input_tokens = 2, output_tokens = 0, reserved_micro_usd = 500; \
         UPDATE budgets SET spent_micro_usd = 0, reserved_micro_usd = 500; \
         UPDATE generations SET finished_at = NULL, status = 'STREAMING', input_tokens = NULL, output_tokens = NULL, cost_micro_usd = NULL, \
           cost_state = NULL, lease_expires_at = now() - interval '1 minute', leased_by = gen_random_uuid()",
    )
    .await
    .expect("left");
    let answer = spent(&ada, &generation).await;
    assert_eq!(answer["status"], "INTERRUPTED");
    assert_eq!(
        (
            &answer["usage"]["inputTokens"],
            &answer["usage"]["outputTokens"],
            &answer["usage"]["costUsd"]
        ),
        (&json!(2), &json!(3), &json!("0.000032"))
    );
    agrees(&house.app, &answer).await;
    assert_eq!(
        house.rows().await,
        ["INTERRUPTED INTERRUPTED 2/3 cost 32 ESTIMATED held 500"]
    );
    let budget = super::budgets(&ada).await[0].take();
    assert_eq!(
        (&budget["spentUsd"], &budget["reservedUsd"]),
        (&json!("0.000032"), &json!("0"))
    );
}
