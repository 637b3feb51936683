//! What several answers to one question cost: each has its row, also the one that has lost.

use serde_json::{Value, json};

use super::{House, KEY, plain_chat, spent};
use crate::generation::{soon, upto};
use crate::harness::app::{Client, new_key};
use crate::harness::database::blocked;
use crate::harness::upstream::{Gate, Reply};

async fn asked(client: &Client, chat: &str, mode: &str, lanes: usize) -> Value {
    let lanes = vec![json!({ "provider": "OPENAI", "model": "house-model" }); lanes];
    let reply = json!({ "mode": mode, "lanes": lanes });
    let input = json!({ "chatId": chat, "content": "Hello there", "idempotencyKey": new_key(), "reply": reply });
    client.mutate("sendMessage", input, "generations { id }").await
}

fn generations(payload: &Value) -> Vec<String> {
    assert_eq!(payload["errors"], json!([]), "{payload}");
    crate::tree::list(&payload["generations"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_a_race_is_paid_for_what_it_wrote() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let (never, gate) = (Gate::new(), Gate::new());
    house.upstream.script([
        Reply::stream().word("Slow").hold(&never),
        Reply::stream()
            .word("Fast")
            .hold(&gate)
            .finish("stop")
            .usage(9, 2)
            .done(),
    ]);
    let generations = generations(&asked(&ada, &chat, "RACE", 2).await);
    for generation in &generations {
        upto(&mut ada.generation_events(generation, None).await, 1).await;
    }
    gate.open();
    let mut ends = Vec::new();
    for generation in &generations {
        ends.push(soon(spent(&ada, generation)).await);
    }
    ends.sort_by_key(|end| end["status"].to_string());
    assert_eq!(ends[0]["status"], "COMPLETED");
    assert_eq!(
        (&ends[0]["usage"]["costUsd"], &ends[0]["usage"]["costState"]),
        (&json!("0.000029"), &json!("REPORTED"))
    );
    assert_eq!(
        (&ends[1]["status"], &ends[1]["usage"]["outputTokens"]),
        (&json!("STOPPED"), &json!(1))
    );
    assert_eq!(
        (&ends[1]["usage"]["costUsd"], &ends[1]["usage"]["costState"]),
        (&json!("0.000016"), &json!("ESTIMATED"))
    );
    let mut rows = house.rows().await;
    rows.sort();
    assert_eq!(
        rows,
        [
            "COMPLETED - 9/2 cost 29 REPORTED held 0",
            "STOPPED - 6/1 cost 16 ESTIMATED held 0"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_substitute_has_its_row() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    house.allow(&ada, "0.01").await;
    let chat = plain_chat(&ada).await;
    house.upstream.script([
        Reply::error(401, "invalid_request_error", "invalid_api_key", "no"),
        Reply::stream().word("Yes").finish("stop").usage(6, 1).done(),
    ]);
    let generations = generations(&asked(&ada, &chat, "FALLBACK", 2).await);
    let end = spent(&ada, &generations[0]).await;
    assert_eq!(
        (&end["status"], &end["usage"]["costUsd"]),
        (&json!("COMPLETED"), &json!("0.000016"))
    );
    let rows = house.rows().await;
    assert!(
        rows[0].starts_with("FAILED KEY_INVALID 0/0 cost 0 ESTIMATED"),
        "{rows:?}"
    );
    assert!(rows[1].starts_with("COMPLETED - 6/1 cost 16 REPORTED"), "{rows:?}");
    let left = ada
        .ok("{ viewer { budgets { spentUsd reservedUsd } } }", json!({}))
        .await["viewer"]["budgets"]
        .take();
    assert_eq!(left, json!([{ "spentUsd": "0.000016", "reservedUsd": "0" }]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_has_to_pay_for_every_lane() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    house.allow(&ada, "0.0025").await;
    let chat = plain_chat(&ada).await;
    let refused = asked(&ada, &chat, "COMPARE", 4).await;
    assert_eq!(refused["errors"][0]["code"], "BUDGET_EXCEEDED", "{refused}");
    assert_eq!(house.rows().await, [""; 0], "none is asked then");
    assert_eq!(house.upstream.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_substitute_waits_for_both_budgets_before_it_holds_one() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    house.allow(&ada, "1").await;
    ada.mutate("setBudget", json!({ "limitUsd": "1" }), "budget { scope }")
        .await;
    let key =
        json!({ "provider": "OPENAI_COMPATIBLE", "baseUrl": house.upstream.url(), "secret": KEY, "verify": false });
    let payload = ada.mutate("setApiKey", key, "apiKey { id }").await;
    assert_eq!(payload["errors"], json!([]), "{payload}");
    let prices =
        json!({ "provider": "OPENAI_COMPATIBLE", "model": "other-model", "prices": { "input": "1", "output": "10" } });
    house.admin.mutate("setModel", prices, "model { name }").await;
    let chat = plain_chat(&ada).await;
    house.upstream.script([
        Reply::error(401, "invalid_request_error", "invalid_api_key", "no"),
        Reply::stream().word("Yes").finish("stop").usage(6, 1).done(),
    ]);
    let sql = house.app.sql().await;
    let lock = |scope: &str, how: &str| format!("SELECT FROM budgets WHERE scope = '{scope}' FOR NO KEY UPDATE {how}");
    let locked = format!("BEGIN; {}", lock("OWN_KEYS", ""));
    sql.batch_execute(&locked).await.expect("a lock");
    let lanes = [("OPENAI", "house-model"), ("OPENAI_COMPATIBLE", "other-model")];
    let lanes = lanes.map(|(provider, model)| json!({ "provider": provider, "model": model }));
    let reply = json!({ "mode": "FALLBACK", "lanes": lanes });
    let input = json!({ "chatId": chat, "content": "Hello", "idempotencyKey": new_key(), "reply": reply });
    let payload = ada.mutate("sendMessage", input, "generations { id }").await;
    let generation = generations(&payload).remove(0);
    blocked(&sql, 1, &[]).await;
    // The one that has failed is charged to this one.
    let other = sql.batch_execute(&lock("SERVER_KEY", "NOWAIT")).await;
    other.expect("nobody holds it while they wait for the other");
    sql.batch_execute("COMMIT").await.expect("an end");
    assert_eq!(soon(spent(&ada, &generation)).await["text"], "Yes");
}
