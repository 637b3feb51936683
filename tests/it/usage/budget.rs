//! Budgets: set, shown, refused by, renewed.

use serde_json::{Value, json};

use super::{House, KEY, budgets, plain_chat, spent, try_to_send};
use crate::harness::upstream::{Gate, Reply};

async fn stored(house: &House) -> i64 {
    let query =
        "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM generations) + (SELECT count(*) FROM attempts)";
    let sql = house.app.sql().await;
    sql.query_one(query, &[]).await.expect("counts").get(0)
}

fn refusal(payload: &Value) -> (&str, &str) {
    assert!(payload["generation"].is_null(), "{payload}");
    let error = &payload["errors"][0];
    (
        error["code"].as_str().expect("a code"),
        error["message"].as_str().expect("words"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_is_held_while_an_answer_runs_and_spent_in_the_end() {
    let house = House::priced(Some(100)).await;
    let ada = house.app.user("ada").await;
    assert_eq!(budgets(&ada).await, json!([]));
    let set = house.allow(&ada, "0.01").await;
    assert_eq!(
        set,
        json!({ "scope": "SERVER_KEY", "limitUsd": "0.01", "spentUsd": "0", "reservedUsd": "0", "leftUsd": "0.01" })
    );
    let gate = Gate::new();
    house.upstream.script([Reply::stream().word("one").hold(&gate).stop()]);
    let generation = ada.send(&plain_chat(&ada).await, "Hello").await;
    // One token is asked, at most a hundred are answered.
    let held = json!({ "scope": "SERVER_KEY", "limitUsd": "0.01", "period": "TOTAL", "spentUsd": "0", "reservedUsd": "0.001005", "leftUsd": "0.008995" });
    assert_eq!(budgets(&ada).await, json!([held]));
    gate.open();
    assert_eq!(spent(&ada, &generation).await["usage"]["costUsd"], "0.000011");
    let left = json!({ "scope": "SERVER_KEY", "limitUsd": "0.01", "period": "TOTAL", "spentUsd": "0.000011", "reservedUsd": "0", "leftUsd": "0.009989" });
    assert_eq!(budgets(&ada).await, json!([left]));

    // A scripted answer is nobody's expense.
    ada.send(&ada.chat("scripted:words=1,first=0,delay=0").await, "Hello")
        .await;
    assert_eq!(budgets(&ada).await, json!([left]));
    let seen = house
        .admin
        .ok("{ admin { users(query: \"ada\") { nodes { budgets { spentUsd } } } auditLog(first: 1) { nodes { action target } } } }", json!({}))
        .await["admin"]
        .take();
    assert_eq!(
        seen["users"]["nodes"][0]["budgets"],
        json!([{ "spentUsd": "0.000011" }])
    );
    assert_eq!(
        seen["auditLog"]["nodes"][0],
        json!({ "action": "budget.set", "target": ada.id })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_nothing_left_is_told_what_to_do() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    let chat = plain_chat(&ada).await;
    house.allow(&ada, "0.001").await;
    let before = stored(&house).await;
    let payload = try_to_send(&ada, &chat, "Hello").await;
    assert_eq!(
        refusal(&payload),
        (
            "BUDGET_EXCEEDED",
            "Your budget for this server's keys is used up. Add a key of your own, or ask an administrator for more."
        )
    );
    assert_eq!(stored(&house).await, before, "nothing is stored");
    assert_eq!(budgets(&ada).await[0]["reservedUsd"], "0");

    // One's own key has a budget of its own, or none.
    let key = json!({ "provider": "OPENAI", "secret": KEY, "baseUrl": house.upstream.url(), "verify": false });
    ada.mutate("setApiKey", key, "apiKey { id }").await;
    let payload = try_to_send(&ada, &chat, "Hello").await;
    let generation = payload["generation"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{payload}"));
    assert_eq!(spent(&ada, generation).await["status"], "COMPLETED");
    let set = ada
        .mutate(
            "setBudget",
            json!({ "limitUsd": "0.00001" }),
            "budget { scope period spentUsd leftUsd }",
        )
        .await;
    assert_eq!(
        set["budget"],
        json!({ "scope": "OWN_KEYS", "period": "MONTH", "spentUsd": "0.000037", "leftUsd": "0" }),
        "what was spent before counts"
    );
    let refused = try_to_send(&ada, &chat, "Hello").await;
    let (code, message) = refusal(&refused);
    assert_eq!(code, "BUDGET_EXCEEDED");
    assert!(
        message.starts_with("The budget that you set for your own keys is used up until "),
        "{message}"
    );
    let payload = ada.mutate("setBudget", json!({}), "budget { scope }").await;
    assert_eq!(payload, json!({ "budget": null, "errors": [] }));
    assert!(try_to_send(&ada, &chat, "Hello").await["generation"]["id"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_that_nobody_knows_is_not_paid_by_the_server() {
    let house = House::open().await;
    let ada = house.app.user("ada").await;
    let chat = plain_chat(&ada).await;
    assert!(
        try_to_send(&ada, &chat, "Hello").await["generation"]["id"].is_string(),
        "no budget, no limit"
    );
    house.allow(&ada, "100").await;
    let payload = try_to_send(&ada, &chat, "Hello").await;
    let (code, message) = refusal(&payload);
    assert_eq!(code, "PRICE_UNKNOWN");
    assert!(message.contains("ask an administrator to set its prices"), "{message}");
    let key = json!({ "provider": "OPENAI", "secret": KEY, "baseUrl": house.upstream.url(), "verify": false });
    ada.mutate("setApiKey", key, "apiKey { id }").await;
    ada.mutate("setBudget", json!({ "limitUsd": "100" }), "budget { scope }")
        .await;
    let payload = try_to_send(&ada, &chat, "Hello").await;
    let generation = payload["generation"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{payload}"));
    assert_eq!(
        spent(&ada, generation).await["usage"]["costUsd"],
        Value::Null,
        "one's own key may spend what it will"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_period_begins_with_nothing_spent() {
    let house = House::priced(None).await;
    let ada = house.app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let input = json!({ "userId": ada.id, "limitUsd": "0.01", "period": "DAY" });
    house.admin.mutate("setUserBudget", input, "budget { scope }").await;
    let sql = house.app.sql().await;
    let spend = "UPDATE budgets SET spent_micro_usd = limit_micro_usd";
    sql.execute(spend, &[]).await.expect("a row");
    assert_eq!(refusal(&try_to_send(&ada, &chat, "Hello").await).0, "BUDGET_EXCEEDED");
    let yesterday = "UPDATE budgets SET period_started_at = period_started_at - interval '1 day', period_ends_at = period_ends_at - interval '1 day'";
    sql.execute(yesterday, &[]).await.expect("a row");
    let budget = budgets(&ada).await[0].take();
    assert_eq!((&budget["spentUsd"], &budget["leftUsd"]), (&json!("0"), &json!("0.01")));
    let generation = ada.send(&chat, "Hello").await;
    spent(&ada, &generation).await;
    assert_eq!(budgets(&ada).await[0]["spentUsd"], "0.000037");
    // An answer that ends in another period than it began in is spent in that one.
    let gate = Gate::new();
    house.upstream.script([Reply::stream()
        .word("one")
        .hold(&gate)
        .finish("stop")
        .usage(7, 3)
        .done()]);
    let generation = ada.send(&chat, "Hello").await;
    sql.execute(yesterday, &[]).await.expect("a row");
    gate.open();
    spent(&ada, &generation).await;
    let query =
        "SELECT spent_micro_usd, period_ends_at > now() AND period_ends_at <= now() + interval '1 day' FROM budgets";
    let row = sql.query_one(query, &[]).await.expect("a row");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (37, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_are_amounts_and_people_exist() {
    let house = House::priced(None).await;
    let input = json!({ "userId": "user_0192f3a0000070008000000000000000", "limitUsd": "1" });
    let payload = house.admin.mutate("setUserBudget", input, "budget { scope }").await;
    assert_eq!(payload["errors"][0]["code"], "NOT_FOUND");
    let input = json!({ "userId": house.admin.id, "limitUsd": "9999999999" });
    let payload = house.admin.mutate("setUserBudget", input, "budget { scope }").await;
    assert_eq!(
        (&payload["errors"][0]["code"], &payload["errors"][0]["field"]),
        (&json!("INVALID"), &json!(["input", "limitUsd"]))
    );
}
