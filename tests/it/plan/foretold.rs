//! What would be sent, for how much, and what would be refused.

use serde_json::{Value, json};

use super::{plan, refusals};
use crate::harness::app::{TestApp, new_key};
use crate::harness::upstream::Reply;
use crate::send::{plain_chat, with_upstream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_is_what_is_sent() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    upstream.script([Reply::says(&["Deep, ", "and blue."]), Reply::says(&["Salty."])]);
    let generation = ada.send(&chat, "What is the sea?").await;
    ada.generation_events(&generation, None).await.rest().await;

    let told = plan(&ada, json!({ "chatId": chat, "content": "And its water?" })).await;
    assert_eq!(refusals(&told), [""; 0]);
    let lane = &told["lanes"][0];
    assert_eq!(
        (&lane["provider"], &lane["model"]),
        (&json!("OPENAI"), &json!("gpt-5-mini"))
    );
    assert_eq!(lane["keySource"], "SERVER");
    let history = "query ($id: ID!) { chat(id: $id) { messages { nodes { id content } } } }";
    let before = ada.ok(history, json!({ "id": chat })).await["chat"]["messages"]["nodes"].take();
    let ids: Vec<&Value> = before
        .as_array()
        .expect("nodes")
        .iter()
        .map(|node| &node["id"])
        .collect();
    assert_eq!(lane["messageIds"], json!(ids));
    assert_eq!(lane["olderLeftOut"], false);
    // 5 + 5 + 4 tokens of text, 4 for each turn.
    assert_eq!(lane["inputTokens"], 26);
    assert!(
        lane["windowUse"]
            .as_f64()
            .is_some_and(|part| part > 0.0 && part < 0.001)
    );
    let usd = |amount: &Value| amount.as_str().expect("an amount").parse::<f64>().expect("a number");
    assert!(usd(&lane["cost"]["leastUsd"]) > 0.0);
    assert!(usd(&lane["cost"]["mostUsd"]) > usd(&lane["cost"]["leastUsd"]));
    assert_eq!((&lane["budget"], &lane["budgetAfter"]), (&Value::Null, &Value::Null));
    assert_eq!(upstream.requests().len(), 1, "nobody is asked");

    let generation = ada.send(&chat, "And its water?").await;
    ada.generation_events(&generation, None).await.rest().await;
    let sent = &upstream.requests()[1].body["messages"];
    assert_eq!(
        *sent,
        json!([
            { "role": "user", "content": "What is the sea?" },
            { "role": "assistant", "content": "Deep, and blue." },
            { "role": "user", "content": "And its water?" },
        ])
    );

    let answer = &before[1]["id"];
    let again = plan(&ada, json!({ "regenerate": answer })).await;
    assert_eq!(again["lanes"][0]["messageIds"], json!([before[0]["id"]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_refused_is_told() {
    let (app, _upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let ask = |content: &str| json!({ "chatId": chat, "content": content });
    assert_eq!(refusals(&plan(&ada, ask(" ")).await), ["REQUIRED"]);
    assert_eq!(refusals(&plan(&ada, ask(&"x".repeat(4001))).await), ["TOO_LONG"]);
    let without_key = json!({ "chatId": chat, "content": "Hi", "reply": { "provider": "OPENAI_COMPATIBLE" } });
    let told = plan(&ada, without_key).await;
    assert_eq!(refusals(&told), ["KEY_MISSING"]);
    assert_eq!(told["lanes"], json!([]));
    let bob = app.user("bob").await;
    assert_eq!(refusals(&plan(&bob, ask("Hi")).await), ["NOT_FOUND"]);
    let history = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } }";
    assert_eq!(
        ada.ok(history, json!({ "id": chat })).await["chat"]["messages"]["nodes"],
        json!([]),
        "nothing is stored"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_are_told_before_and_after() {
    let (app, _upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let admin = app.admin("root").await;
    let model = json!({ "provider": "OPENAI", "model": "gpt-5-mini", "maxOutputTokens": 1000, "prices": { "input": "1", "output": "2" } });
    admin.mutate("setModel", model, "").await;
    let viewer = ada.ok("{ viewer { user { id } } }", json!({})).await;
    let user = &viewer["viewer"]["user"]["id"];
    let limit = |usd: &str| json!({ "userId": user, "limitUsd": usd, "period": "MONTH" });
    admin.mutate("setUserBudget", limit("0.01"), "").await;
    let chat = plain_chat(&ada).await;
    let ask = json!({ "chatId": chat, "content": "What is the sea?" });
    let told = plan(&ada, ask.clone()).await;
    let lane = &told["lanes"][0];
    // 9 tokens at 1 USD and 1000 at 2 USD for a million.
    assert_eq!(lane["cost"], json!({ "leastUsd": "0.000011", "mostUsd": "0.002009" }));
    assert_eq!(
        (&lane["budget"], &lane["budgetAfter"]),
        (
            &json!({ "leftUsd": "0.01" }),
            &json!({ "leastLeftUsd": "0.007991", "mostLeftUsd": "0.009989" })
        )
    );
    admin.mutate("setUserBudget", limit("0.000001"), "").await;
    assert_eq!(refusals(&plan(&ada, ask).await), ["BUDGET_EXCEEDED"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_for_one_thing() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for input in [json!({}), json!({ "content": new_key() })] {
        let query = "query ($input: GenerationPlanInput!) { generationPlan(input: $input) { refusals { code } } }";
        let answer = ada.run(query, json!({ "input": input })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lane_is_told_of() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted").await;
    let lanes = json!([{ "model": "scripted:words=1" }, { "model": "scripted:words=2" }]);
    let input = json!({ "chatId": chat, "content": "Hello", "reply": { "mode": "RACE", "lanes": lanes } });
    let told = plan(&ada, input).await;
    let models = told["lanes"]
        .as_array()
        .expect("lanes")
        .iter()
        .map(|lane| &lane["model"]);
    assert_eq!(models.collect::<Vec<_>>(), ["scripted:words=1", "scripted:words=2"]);
    let lanes = json!([{ "model": "scripted" }, { "provider": "OPENAI" }]);
    let told = plan(
        &ada,
        json!({ "chatId": chat, "content": "Hello", "reply": { "lanes": lanes } }),
    )
    .await;
    assert_eq!(
        told["refusals"][0]["field"],
        json!(["input", "reply", "lanes", "1", "provider"])
    );
}
