//! How much an assistant thinks, from its form to the provider, and what is shown of it.

use serde_json::{Value, json};

use super::{answer, changed, chat_with, made};
use crate::harness::app::{Client, TestApp, User};
use crate::harness::upstream::{Reply, Upstream};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/", $name, ".txt")).as_slice()
    };
}

async fn with_upstream() -> (TestApp, Upstream) {
    let upstream = Upstream::start().await;
    let allow = format!("--base-urls=http://127.0.0.1:{}", upstream.port());
    (TestApp::with(&[&allow]).await, upstream)
}

async fn keep(client: &Client, upstream: &Upstream, provider: &str, format: Option<&str>) {
    let input = json!({ "provider": provider, "secret": "sk-0123456789abcdef", "baseUrl": upstream.url(), "format": format,
        "verify": false });
    let payload = client.mutate("setApiKey", input, "apiKey { id }").await;
    assert_eq!(payload["errors"], json!([]));
}

/// What the provider is asked by an assistant like this.
async fn asked(ada: &User, upstream: &Upstream, assistant: &Value, provider: &str, model: &str) -> Value {
    let chat = chat_with(ada, &[assistant], json!({ "provider": provider, "model": model })).await;
    let before = upstream.requests().len();
    upstream.script([Reply::status(400)]);
    answer(ada, &chat, Value::Null).await;
    upstream.requests()[before].body.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_provider_is_told_in_its_own_words() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let clio = json!({ "displayName": "Clio", "reasoningEffort": "MEDIUM", "maxOutputTokens": 1000 });
    let clio = made(&ada, clio).await;
    // Known to think, and never heard of.
    for (provider, format, model, place, told, longest) in [
        (
            "OPENAI",
            None,
            "gpt-5-mini",
            "/reasoning_effort",
            json!("medium"),
            "/max_completion_tokens",
        ),
        (
            "OPENAI",
            Some("RESPONSES"),
            "gpt-5-mini",
            "/reasoning",
            json!({ "effort": "medium", "summary": "auto" }),
            "/max_output_tokens",
        ),
        (
            "ANTHROPIC",
            None,
            "claude-haiku-4-5",
            "/thinking",
            json!({ "type": "enabled", "budget_tokens": 6144 }),
            "/max_tokens",
        ),
        (
            "GEMINI",
            None,
            "gemini-2.5-flash",
            "/generationConfig/thinkingConfig",
            json!({ "includeThoughts": true, "thinkingBudget": 6144 }),
            "/generationConfig/maxOutputTokens",
        ),
        (
            "OPENROUTER",
            None,
            "openai/gpt-5-mini",
            "/reasoning",
            json!({ "effort": "medium" }),
            "/max_tokens",
        ),
        (
            "GROQ",
            None,
            "of-my-own",
            "/reasoning_effort",
            json!("medium"),
            "/max_completion_tokens",
        ),
        (
            "OLLAMA",
            None,
            "of-my-own",
            "/think",
            json!(true),
            "/options/num_predict",
        ),
        (
            "OPENAI_COMPATIBLE",
            None,
            "of-my-own",
            "/reasoning_effort",
            json!("medium"),
            "/max_tokens",
        ),
    ] {
        keep(&ada, &upstream, provider, format).await;
        let body = asked(&ada, &upstream, &clio, provider, model).await;
        assert_eq!(body.pointer(place), Some(&told), "{provider} {format:?}: {body}");
        assert_eq!(
            body.pointer(longest),
            Some(&json!(1000 + 6144)),
            "{provider}: thoughts leave the answer its room"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_known_not_to_think_is_not_asked_to() {
    let (app, upstream) = with_upstream().await;
    let (ada, root) = (app.user("ada").await, app.admin("root").await);
    keep(&ada, &upstream, "OPENAI", None).await;
    let clio = json!({ "displayName": "Clio", "reasoningEffort": "HIGH", "maxOutputTokens": 1000 });
    let clio = made(&ada, clio).await;
    let told = async |model: &str| {
        let body = asked(&ada, &upstream, &clio, "OPENAI", model).await;
        (body["reasoning_effort"].clone(), body["max_completion_tokens"].clone())
    };
    assert_eq!(told("gpt-4.1-nano").await, (Value::Null, json!(1000)));
    let priced = json!({ "provider": "OPENAI", "model": "of-my-own", "prices": { "input": "1", "output": "2" } });
    root.mutate("setModel", priced, "model { name }").await;
    assert_eq!(
        told("of-my-own").await,
        (json!("high"), json!(1000 + 12_288)),
        "nobody has said that it does not"
    );
    let plain = json!({ "provider": "OPENAI", "model": "of-my-own", "reasoning": false });
    root.mutate("setModel", plain, "model { name }").await;
    assert_eq!(told("of-my-own").await, (Value::Null, json!(1000)));

    let plain = changed(&ada, &clio, json!({ "reasoningEffort": null })).await;
    assert_eq!(plain["reasoningEffort"], Value::Null);
    let body = asked(&ada, &upstream, &clio, "OPENAI", "gpt-5-mini").await;
    assert_eq!(
        (body.get("reasoning_effort"), &body["max_completion_tokens"]),
        (None, &json!(1000))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_thought_is_shown_and_foretold() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    keep(&ada, &upstream, "ANTHROPIC", None).await;
    let clio = json!({ "displayName": "Clio", "reasoningEffort": "LOW", "maxOutputTokens": 100, "temperature": 0.5,
        "provider": "ANTHROPIC", "model": "claude-haiku-4-5" });
    let clio = made(&ada, clio).await;
    let chat = chat_with(&ada, &[&clio], json!({})).await;
    let plan = "query ($input: GenerationPlanInput!) { generationPlan(input: $input) { lanes { maxOutputTokens } } }";
    let input = json!({ "chatId": chat, "content": "Who?" });
    let told = ada.ok(plan, json!({ "input": input })).await;
    assert_eq!(told["generationPlan"]["lanes"][0]["maxOutputTokens"], json!(100 + 2048));
    upstream.script([Reply::recorded(fixture!("anthropic/thinking"))]);
    let generation = ada.send(&chat, "Who?").await;
    ada.generation_events(&generation, None).await.rest().await;
    let query = "query ($id: ID!) { generation(id: $id) { text reasoning } }";
    let said = ada.ok(query, json!({ "id": generation })).await["generation"].take();
    assert_eq!(said, json!({ "text": "I look.", "reasoning": "Let me see." }));
    let body = upstream.requests()[0].body.clone();
    assert_eq!(
        (
            &body["thinking"]["budget_tokens"],
            &body["max_tokens"],
            body.get("temperature")
        ),
        (&json!(2048), &json!(2148), None)
    );
}
