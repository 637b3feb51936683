//! What OpenRouter tells afterwards of answers whose end was not heard.

use parlor::model::price::Tokens;
use parlor::usage::tab::Figures;
use parlor::usage::terms::CostState;
use serde_json::{Value, json};

use super::{SPENT, agrees, spent};
use crate::harness::app::{TestApp, User};
use crate::harness::upstream::{Reply, Upstream};
use crate::titles::until_jobs;

const KEY: &str = "sk-or-v1-AbCdEfGhIjKlMnOpQrStUvWxa1b2";
const OWN: &str = "sk-or-v1-ZyXwVuTsRqPoNmLkJiHgFeDcc3d4";

/// A server with a key for an OpenRouter, whose model's prices an administrator has set: one dollar for a million tokens of
/// prompt, ten for a million of answer.
struct House {
    app: TestApp,
    upstream: Upstream,
    admin: User,
}

impl House {
    async fn open() -> House {
        let upstream = Upstream::start().await;
        let url = format!("--openrouter-base-url={}", upstream.url());
        let key = format!("--openrouter-api-key={KEY}");
        let allow = format!("--base-urls=http://127.0.0.1:{}", upstream.port());
        let app = TestApp::with(&[&key, &url, &allow, "--openrouter-model=maker/model"]).await;
        let admin = app.admin("admin").await;
        let input =
            json!({ "provider": "OPENROUTER", "model": "maker/model", "prices": { "input": "1", "output": "10" } });
        let payload = admin.mutate("setModel", input, "model { name }").await;
        assert_eq!(payload["errors"], json!([]));
        House { app, upstream, admin }
    }

    /// An answer that breaks off after three words, and its chat.
    async fn broken_off(&self, ada: &User) -> (Value, String) {
        let payload = ada.mutate("createChat", json!({}), "chat { id }").await;
        let chat = payload["chat"]["id"].as_str().expect("an id").to_owned();
        self.upstream
            .script([named().word(" one").word(" two").word(" three").cut()]);
        let answer = spent(ada, &ada.send(&chat, "Hello there").await).await;
        assert_eq!(
            (&answer["usage"]["costUsd"], &answer["usage"]["costState"]),
            (&json!("0.000038"), &json!("ESTIMATED"))
        );
        (answer, chat)
    }

    /// Lets the job be tried at once.
    async fn look(&self) {
        let sql = self.app.sql().await;
        let due = "UPDATE jobs SET run_at = now(), last_error = NULL";
        assert_eq!(sql.execute(due, &[]).await.expect("jobs"), 1, "one job");
        self.app.app.jobs().wake();
    }

    async fn budget(&self, user: &User) -> (Value, Value) {
        let budget = super::budgets(user).await[0].take();
        (budget["spentUsd"].clone(), budget["reservedUsd"].clone())
    }

    async fn ledger(&self) -> String {
        let query = "SELECT format('%s %s/%s cached %s thought %s cost %s by %s %s %s', outcome, input_tokens, output_tokens, cached_input_tokens, \
            reasoning_tokens, cost_micro_usd, price_version, state, raw_usage->>'native_tokens_prompt') FROM attempts ORDER BY id LIMIT 1";
        let sql = self.app.sql().await;
        sql.query_one(query, &[]).await.expect("a ledger").get(0)
    }
}

fn named() -> Reply {
    Reply::stream().header("x-generation-id", "gen-1")
}

fn bill() -> Reply {
    Reply::status(200).json(&json!({ "data": {
        "id": "gen-1", "total_cost": 0.000_123, "usage": 0.000_123, "is_byok": false, "upstream_inference_cost": null,
        "tokens_prompt": 90, "tokens_completion": 91, "native_tokens_prompt": 20, "native_tokens_completion": 9,
        "native_tokens_reasoning": 4, "native_tokens_cached": 5, "cancelled": true, "finish_reason": null,
    } }))
}

async fn stored(ada: &User, answer: &Value) -> Value {
    let query = format!("query ($id: ID!) {{ generation(id: $id) {{ {SPENT} }} }}");
    ada.ok(&query, json!({ "id": answer["id"] })).await["generation"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bill_takes_the_place_of_the_estimate_everywhere() {
    let house = House::open().await;
    let ada = house.app.user("ada").await;
    let limit = json!({ "userId": ada.id, "limitUsd": "1", "period": "MONTH" });
    house.admin.mutate("setUserBudget", limit, "").await;
    let (answer, chat) = house.broken_off(&ada).await;
    assert_eq!(house.budget(&ada).await, (json!("0.000038"), json!("0")));
    let query = "subscription ($id: ID!) { chatEvents(chatId: $id, ephemeral: false) { __typename ... on MessageUpdated { \
        message { version generation { id usage { costUsd costState } } } } } }";
    let mut events = ada.subscribe(query, json!({ "id": chat })).await;
    events.until("StreamReady").await;

    // At first the provider does not know.
    house.upstream.script([Reply::status(404), bill()]);
    house.look().await;
    until_jobs(
        &house.app,
        "attempts = 1 AND error LIKE 'the provider does not know yet%'",
    )
    .await;
    assert_eq!(stored(&ada, &answer).await, answer);
    house.look().await;
    let told = events.until("MessageUpdated").await["message"]["generation"].take();
    assert_eq!(
        told,
        json!({ "id": answer["id"], "usage": { "costUsd": "0.000123", "costState": "RECONCILED" } })
    );
    until_jobs(&house.app, "count = 0").await;
    assert_eq!(
        house.ledger().await,
        "INTERRUPTED 20/9 cached 5 thought 4 cost 123 by provider RECONCILED 20"
    );
    let corrected = stored(&ada, &answer).await;
    assert_eq!(
        corrected["usage"],
        json!({ "inputTokens": 20, "outputTokens": 9, "reasoningTokens": 4, "totalTokens": 29, "costUsd": "0.000123",
            "costState": "RECONCILED", "priceVersion": "provider" })
    );
    assert_eq!(
        (&corrected["text"], &corrected["status"]),
        (&answer["text"], &answer["status"])
    );
    agrees(&house.app, &corrected).await;
    assert_eq!(house.budget(&ada).await, (json!("0.000123"), json!("0")));
    let asked = house.upstream.requests().pop().expect("a request");
    assert_eq!(
        (
            asked.method.as_str(),
            asked.path.as_str(),
            asked.headers["authorization"].as_str()
        ),
        ("GET", "/v1/generation?id=gen-1", format!("Bearer {KEY}").as_str())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_that_has_paid_asks_and_a_cheaper_bill_gives_back() {
    let house = House::open().await;
    let ada = house.app.user("ada").await;
    let key = json!({ "provider": "OPENROUTER", "secret": OWN, "baseUrl": house.upstream.url(), "verify": false });
    ada.mutate("setApiKey", key, "apiKey { id }").await;
    ada.mutate("setBudget", json!({ "limitUsd": "1", "period": "TOTAL" }), "")
        .await;
    // Stopped while it waits for words.
    let payload = ada.mutate("createChat", json!({}), "chat { id }").await;
    let chat = payload["chat"]["id"].as_str().expect("an id").to_owned();
    house.upstream.script([named().word(" one").stall()]);
    let generation = ada.send(&chat, "Hello there").await;
    let mut events = ada.generation_events(&generation, None).await;
    while events.next().await.expect("more")["sequence"] != 1 {}
    let stop = json!({ "generationId": generation });
    ada.mutate("stopGeneration", stop, "generation { id }").await;
    let answer = spent(&ada, &generation).await;
    assert_eq!(house.budget(&ada).await.0, "0.000018");
    let free = json!({ "data": { "total_cost": 0, "is_byok": true, "upstream_inference_cost": 0.000_002, "native_tokens_prompt": 3,
        "native_tokens_completion": 1 } });
    house.upstream.script([Reply::status(200).json(&free)]);
    house.look().await;
    until_jobs(&house.app, "count = 0").await;
    let corrected = stored(&ada, &answer).await;
    assert_eq!(
        (&corrected["usage"]["costUsd"], &corrected["usage"]["costState"]),
        (&json!("0.000002"), &json!("RECONCILED"))
    );
    agrees(&house.app, &corrected).await;
    assert_eq!(house.budget(&ada).await, (json!("0.000002"), json!("0")));
    let asked = house.upstream.requests().pop().expect("a request");
    assert_eq!(asked.headers["authorization"], format!("Bearer {OWN}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_estimate_stays_where_nobody_can_tell() {
    let house = House::open().await;
    let ada = house.app.user("ada").await;
    let (answer, _) = house.broken_off(&ada).await;
    // Six times, then never again.
    for attempt in 1..=6 {
        house.upstream.script([Reply::status(404)]);
        house.look().await;
        let next = match attempt {
            6 => "count = 0".to_owned(),
            _ => format!("attempts = {attempt} AND error IS NOT NULL"),
        };
        until_jobs(&house.app, &next).await;
    }
    assert_eq!(stored(&ada, &answer).await, answer);
    assert_eq!(house.upstream.requests().len(), 7);

    // A key that is refused, a key that is gone, and an address that nobody may ask any more.
    let (_, _) = house.broken_off(&ada).await;
    house.upstream.script([Reply::status(401)]);
    house.look().await;
    until_jobs(&house.app, "count = 0").await;
    assert_eq!(house.upstream.requests().len(), 9);
    let key = json!({ "provider": "OPENROUTER", "secret": OWN, "baseUrl": house.upstream.url(), "verify": false });
    let key = ada.mutate("setApiKey", key, "apiKey { id }").await["apiKey"]["id"].take();
    house.broken_off(&ada).await;
    let sql = house.app.sql().await;
    let moved = "UPDATE api_keys SET base_url = 'http://10.0.0.1/v1'";
    assert_eq!(sql.execute(moved, &[]).await.expect("a key"), 1);
    house.look().await;
    until_jobs(&house.app, "count = 0").await;
    let back = format!("UPDATE api_keys SET base_url = '{}'", house.upstream.url());
    sql.execute(&back, &[]).await.expect("a key");
    house.broken_off(&ada).await;
    ada.mutate("deleteApiKey", json!({ "apiKeyId": key }), "deletedApiKeyId")
        .await;
    house.look().await;
    until_jobs(&house.app, "count = 0").await;
    assert_eq!(house.upstream.requests().len(), 11, "nobody else was asked");
    let query = "SELECT string_agg(DISTINCT state, ' ') FROM attempts";
    let states: String = sql.query_one(query, &[]).await.expect("a ledger").get(0);
    assert_eq!(states, "ESTIMATED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_not_told_is_asked_for() {
    let house = House::open().await;
    let ada = house.app.user("ada").await;
    let payload = ada.mutate("createChat", json!({}), "chat { id }").await;
    let chat = payload["chat"]["id"].as_str().expect("an id").to_owned();
    let unnamed = Reply::status(200).header("content-type", "text/event-stream");
    for reply in [
        named().word("Hi").finish("stop").usage(7, 1).done(),
        unnamed.word("Hi").cut(),
        Reply::status(400),
    ] {
        house.upstream.script([reply]);
        spent(&ada, &ada.send(&chat, "Hello there").await).await;
    }
    let sql = house.app.sql().await;
    let jobs: i64 = sql
        .query_one("SELECT count(*) FROM jobs", &[])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(jobs, 0);
    // An answer that is whole, but for its usage.
    house.upstream.script([named().word("Hi").stop()]);
    let answer = spent(&ada, &ada.send(&chat, "Hello there").await).await;
    assert_eq!(answer["usage"]["costState"], "ESTIMATED");
    // Its chat goes, and takes the answer with it; what it cost stays, and is corrected.
    ada.mutate("deleteChat", json!({ "chatId": chat }), "deletedChatId")
        .await;
    house.upstream.script([bill()]);
    house.look().await;
    until_jobs(&house.app, "count = 0").await;
    let query = "SELECT count(*) FROM attempts WHERE state = 'RECONCILED' AND cost_micro_usd = 123";
    let reconciled: i64 = sql.query_one(query, &[]).await.expect("a count").get(0);
    assert_eq!(reconciled, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_of_another_period_is_left_alone() {
    let house = House::open().await;
    let ada = house.app.user("ada").await;
    let limit = json!({ "userId": ada.id, "limitUsd": "1", "period": "DAY" });
    house.admin.mutate("setUserBudget", limit, "").await;
    house.broken_off(&ada).await;
    let sql = house.app.sql().await;
    // As if the answer had been yesterday's.
    sql.batch_execute(
        "UPDATE attempts SET started_at = started_at - interval '1 day', ended_at = ended_at - interval '1 day'; \
         UPDATE budgets SET spent_micro_usd = 7",
    )
    .await
    .expect("yesterday");
    house.upstream.script([bill()]);
    house.look().await;
    until_jobs(&house.app, "count = 0").await;
    assert_eq!(house.budget(&ada).await.0, "0.000007");
    assert!(house.ledger().await.contains("RECONCILED"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_still_written_comes_first() {
    let house = House::open().await;
    let ada = house.app.user("ada").await;
    house.broken_off(&ada).await;
    let sql = house.app.sql().await;
    let running = "UPDATE generations SET finished_at = NULL, status = 'STREAMING', leased_by = gen_random_uuid(), \
        lease_expires_at = now() + interval '1 hour'";
    sql.batch_execute(running).await.expect("as if it ran");
    house.upstream.script([bill(), bill()]);
    house.look().await;
    until_jobs(
        &house.app,
        "attempts = 1 AND error LIKE 'the answer is still being written%'",
    )
    .await;
    assert!(house.ledger().await.contains("ESTIMATED"));
    let ended = "UPDATE generations SET finished_at = now(), status = 'INTERRUPTED'";
    sql.batch_execute(ended).await.expect("as if it had ended");
    house.look().await;
    until_jobs(&house.app, "count = 0").await;
    assert!(house.ledger().await.contains("RECONCILED"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_left_is_asked_for_too() {
    let house = House::open().await;
    let ada = house.app.user("ada").await;
    let payload = ada.mutate("createChat", json!({}), "chat { id }").await;
    let chat = payload["chat"]["id"].as_str().expect("an id").to_owned();
    house.upstream.script([named().word("one").stall()]);
    let generation = ada.send(&chat, "Hello there").await;
    // Stored while it is written, for whoever finds it.
    let sql = house.app.sql().await;
    let named_there = async {
        let query = "SELECT count(*) FROM generations WHERE provider_request_id = 'gen-1' AND finished_at IS NULL";
        while sql.query_one(query, &[]).await.expect("a count").get::<_, i64>(0) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), named_there)
        .await
        .expect("a name");
    let stop = json!({ "generationId": generation });
    ada.mutate("stopGeneration", stop, "generation { id }").await;
    spent(&ada, &generation).await;
    // As if the process had died before the end.
    sql.batch_execute(
        "DELETE FROM jobs; UPDATE attempts SET ended_at = NULL, outcome = NULL, provider_request_id = NULL; \
         UPDATE generations SET finished_at = NULL, status = 'STREAMING', lease_expires_at = now() - interval '1 minute', \
           leased_by = gen_random_uuid()",
    )
    .await
    .expect("left");
    let answer = spent(&ada, &generation).await;
    assert_eq!(
        (&answer["status"], &answer["usage"]["costState"]),
        (&json!("INTERRUPTED"), &json!("ESTIMATED"))
    );
    house.upstream.script([bill()]);
    house.look().await;
    until_jobs(&house.app, "count = 0").await;
    let corrected = stored(&ada, &answer).await;
    assert_eq!(corrected["usage"]["costState"], "RECONCILED");
    agrees(&house.app, &corrected).await;
}

#[test]
fn a_sum_is_as_sure_as_the_least_sure_of_what_counts() {
    use CostState::{Estimated, Reconciled, Reported};
    let figures = |state: CostState, output: i64| Figures {
        tokens: Tokens {
            output,
            ..Tokens::default()
        },
        cost: Some(output),
        price_version: None,
        state: Some(state),
    };
    for (one, other, sum) in [
        ((Reconciled, 1), (Estimated, 1), Estimated),
        ((Reconciled, 1), (Reported, 1), Reported),
        ((Reconciled, 1), (Reconciled, 1), Reconciled),
        ((Reported, 1), (Estimated, 1), Estimated),
        // A refusal that came to nothing.
        ((Reconciled, 1), (Estimated, 0), Reconciled),
        ((Reported, 1), (Estimated, 0), Reported),
    ] {
        let both = [figures(one.0, one.1), figures(other.0, other.1)];
        let turned = [both[1].clone(), both[0].clone()];
        assert_eq!(Figures::sum(both.into_iter()).state, Some(sum));
        assert_eq!(Figures::sum(turned.into_iter()).state, Some(sum));
    }
}
