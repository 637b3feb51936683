//! How a key fares: told when it changes, not for every answer, and with what is left of its limits.

use serde_json::{Value, json};

use super::{OTHER, SECRET, keep, refusal, with_upstream};
use crate::harness::app::Client;
use crate::harness::law::Device;
use crate::harness::upstream::{Reply, Upstream};

const HEALTH: &str = "health { accepted lastErrorCode throttledUntil \
    headroom { requestsLimit requestsRemaining tokensLimit tokensRemaining resetsAt observedAt } }";

async fn health(client: &Client) -> Value {
    let query = format!("{{ viewer {{ apiKeys {{ {HEALTH} }} }} }}");
    client.ok(&query, json!({})).await["viewer"]["apiKeys"][0]["health"].clone()
}

async fn plain_chat(client: &Client) -> String {
    let payload = client.mutate("createChat", json!({}), "chat { id }").await;
    payload["chat"]["id"].as_str().expect("an id").to_owned()
}

/// Asks, and waits until the answer has ended and its key was noted: the next query sees it.
async fn ask(client: &Client, chat: &str) {
    let id = client.send(chat, "Hello?").await;
    client
        .generation_events(&id, None)
        .await
        .until("GenerationFinished")
        .await;
}

fn limited(wait: &str) -> Reply {
    Reply::error(429, "requests", "rate_limit_exceeded", "Slow down")
        .header("retry-after", wait)
        .header("x-ratelimit-limit-requests", "60")
        .header("x-ratelimit-remaining-requests", "0")
        .header("x-ratelimit-reset-requests", "1m0s")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_told_once_and_a_fresh_read_agrees() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let mut device = Device::open(ada.client.clone(), 1).await;
    keep(&ada, &upstream, SECRET).await;
    let good = || Reply::says(&["Ok"]);
    let refusals = [
        limited("60"),
        limited("60"),
        Reply::error(401, "invalid_request_error", "invalid_api_key", "No"),
        Reply::error(500, "server_error", "", "No").header("x-should-retry", "false"),
    ];
    let query = "subscription { events(ephemeral: false) { __typename ... on ApiKeyHealthChanged { apiKey { health { accepted } } } } }";
    let mut events = ada.subscribe(query, json!({})).await;
    // A refusal is noted before its answer ends, and a good answer behind it: there the event tells when.
    upstream.script([good()]);
    ask(&ada, &chat).await;
    while events.until("ApiKeyHealthChanged").await["apiKey"]["health"]["accepted"] != true {}
    upstream.script(refusals);
    for _ in 0..4 {
        ask(&ada, &chat).await;
    }
    upstream.script([good(), good()]);
    ask(&ada, &chat).await;
    while events.until("ApiKeyHealthChanged").await["apiKey"]["health"]["accepted"] != true {}
    ask(&ada, &chat).await;
    // A replaced key begins anew.
    keep(&ada, &upstream, OTHER).await;
    ada.mutate("createChat", json!({ "title": "the end" }), "").await;
    device.follow(|event| event["chat"]["title"] == "the end").await;
    device.obeys().await;
    let mut told: Vec<Value> = Vec::new();
    let mut cursors = std::collections::BTreeSet::new();
    for event in device
        .seen
        .iter()
        .filter(|event| event["__typename"] == "ApiKeyHealthChanged")
    {
        if cursors.insert(event["cursor"].to_string()) {
            told.push(event["apiKey"]["id"].clone());
        }
    }
    // Set, accepted, limited, refused, accepted, replaced: what repeats and what is no fault of the key's is not told.
    assert_eq!(told.len(), 6, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_shown_until_it_has_passed() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    keep(&ada, &upstream, SECRET).await;
    assert_eq!(
        health(&ada).await,
        json!({ "accepted": null, "lastErrorCode": null, "throttledUntil": null, "headroom": null })
    );
    upstream.script([limited("60")]);
    let before = chrono::Utc::now();
    ask(&ada, &chat).await;
    let limited = health(&ada).await;
    let until = limited["throttledUntil"].as_str().expect("a time");
    let until = chrono::DateTime::parse_from_rfc3339(until).expect("a time").to_utc();
    let wait = (until - before).num_seconds();
    assert!((59..=75).contains(&wait), "{wait}");
    assert_eq!(
        (&limited["accepted"], &limited["lastErrorCode"]),
        (&json!(false), &json!("RATE_LIMITED"))
    );
    let headroom = &limited["headroom"];
    assert_eq!(
        (
            &headroom["requestsLimit"],
            &headroom["requestsRemaining"],
            &headroom["tokensLimit"]
        ),
        (&json!(60), &json!(0), &Value::Null)
    );
    assert!(headroom["resetsAt"].is_string() && headroom["observedAt"].is_string());

    upstream.script([Reply::says(&["Ok"])
        .header("x-ratelimit-limit-requests", "60")
        .header("x-ratelimit-remaining-requests", "59")]);
    let mut events = ada
        .subscribe("subscription { events(ephemeral: false) { __typename ... on ApiKeyHealthChanged { apiKey { health { accepted throttledUntil } } } } }", json!({}))
        .await;
    ask(&ada, &chat).await;
    // The answer is told first, then its key: the event says when.
    let changed = events.until("ApiKeyHealthChanged").await;
    assert_eq!(
        changed["apiKey"]["health"],
        json!({ "accepted": true, "throttledUntil": null })
    );
    assert_eq!(health(&ada).await["headroom"]["requestsRemaining"], 59);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_models_are_listed_and_remembered() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    keep(&ada, &upstream, SECRET).await;
    let list =
        json!({ "data": [{ "id": "b", "context_length": 8192 }, { "id": "a", "name": "The A" }, { "id": "c" }] });
    upstream.script([Reply::status(200).json(&list)]);
    let query = "query ($after: String) { viewer { apiKeys { models { errors { code } \
        page(first: 2, after: $after) { pageInfo { hasNextPage endCursor } nodes { name displayName contextWindow maxOutputTokens } } } } } }";
    let first = ada.ok(query, json!({})).await["viewer"]["apiKeys"][0]["models"].clone();
    assert_eq!(
        first["page"]["nodes"],
        json!([
            { "name": "a", "displayName": "The A", "contextWindow": null, "maxOutputTokens": null },
            { "name": "b", "displayName": null, "contextWindow": 8192, "maxOutputTokens": null },
        ])
    );
    let after = json!({ "after": first["page"]["pageInfo"]["endCursor"] });
    let rest = ada.ok(query, after).await["viewer"]["apiKeys"][0]["models"].clone();
    assert_eq!(rest["page"]["nodes"][0]["name"], "c");
    assert_eq!(
        (
            rest["page"]["pageInfo"]["hasNextPage"].clone(),
            upstream.requests().len()
        ),
        (json!(false), 1)
    );

    keep(&ada, &upstream, OTHER).await;
    upstream.script([Reply::error(401, "invalid_request_error", "invalid_api_key", "No")]);
    let refused = ada.ok(query, json!({})).await["viewer"]["apiKeys"][0]["models"].clone();
    assert_eq!(refusal(&refused).0, "KEY_INVALID");
    assert_eq!((&refused["page"], upstream.requests().len()), (&Value::Null, 2));
}

/// A provider that is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_gone_is_no_error_of_the_query() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    keep(&ada, &upstream, SECRET).await;
    drop::<Upstream>(upstream);
    let query = "{ viewer { apiKeys { models { errors { code } page { nodes { name } } } } } }";
    let gone = ada.ok(query, json!({})).await["viewer"]["apiKeys"][0]["models"].clone();
    assert_eq!(refusal(&gone).0, "PROVIDER_UNAVAILABLE");
}
