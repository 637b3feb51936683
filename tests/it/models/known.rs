//! What everybody can read about models, and what administrators say of them.

use parlor::ai::Provider;
use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp};

const FACTS: &str = "provider name displayName contextWindow inputModalities tools prices { input cachedInput output longPrompts { aboveTokens input } } priceVersion source";

async fn models_of(client: &Client, provider: &str, arguments: &str) -> Value {
    let query = format!(
        "{{ serverInfo {{ providers {{ provider title models({arguments}) {{ nodes {{ {FACTS} }} pageInfo {{ hasNextPage endCursor }} }} }} }} }}"
    );
    let mut answer = client.ok(&query, json!({})).await;
    let providers = answer["serverInfo"]["providers"].as_array_mut().expect("a list");
    let found = providers.iter_mut().find(|info| info["provider"] == provider);
    found.unwrap_or_else(|| panic!("no {provider}"))["models"].take()
}

async fn model(client: &Client, name: &str) -> Value {
    let models = models_of(client, "OPENAI", "first: 100").await;
    let nodes = models["nodes"].as_array().expect("a list");
    nodes
        .iter()
        .find(|node| node["name"] == name)
        .cloned()
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_can_read_what_is_known() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let gpt = model(&nobody, "gpt-5-mini").await;
    assert_eq!(
        gpt,
        json!({
            "provider": "OPENAI", "name": "gpt-5-mini", "displayName": "GPT-5 mini", "contextWindow": 272_000,
            "inputModalities": ["TEXT", "IMAGE", "PDF"], "tools": true,
            "prices": { "input": "0.25", "cachedInput": "0.025", "output": "2", "longPrompts": null },
            "priceVersion": "2026-11-21", "source": "SEED",
        })
    );
    let mut names = Vec::new();
    let mut arguments = "first: 7".to_owned();
    loop {
        let page = models_of(&nobody, "OPENAI", &arguments).await;
        names.extend(
            page["nodes"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|node| node["name"].clone()),
        );
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        arguments = format!("first: 7, after: {}", page["pageInfo"]["endCursor"]);
    }
    let whole = models_of(&nobody, "OPENAI", "last: 100").await;
    let whole: Vec<Value> = whole["nodes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|node| node["name"].clone())
        .collect();
    assert!(whole.len() > 7);
    assert_eq!(names, whole);
    let free = models_of(&nobody, "SCRIPTED", "first: 5").await["nodes"][0].take();
    assert_eq!(
        (&free["prices"]["input"], &free["priceVersion"]),
        (&json!("0"), &json!("free"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_found_with_and_without_its_date() {
    let app = TestApp::start().await;
    let find = |model: &str| {
        app.app
            .models()
            .find(Provider::OpenAi, model)
            .map(|info| info.model.clone())
    };
    for (asked, found) in [
        ("gpt-5", Some("gpt-5")),
        ("gpt-5-2025-08-07", Some("gpt-5")),
        ("gpt-5-latest", Some("gpt-5")),
        ("gpt-5-chat-latest", Some("gpt-5-chat-latest")),
        ("gpt-5-chat", Some("gpt-5-chat-latest")),
        ("gpt-5-turbo", None),
        ("GPT-5", None),
        ("", None),
    ] {
        assert_eq!(find(asked).as_deref(), found, "{asked}");
    }
    let scripted = app.app.models().find(Provider::Scripted, "scripted:words=5,seed=1");
    assert_eq!(scripted.expect("known").price_version.as_deref(), Some("free"));
    assert_eq!(
        app.app.models().find(Provider::OpenAiCompatible, "gpt-5"),
        None,
        "who knows what that is"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_override_counts_value_by_value_on_every_server_and_can_be_taken_back() {
    let app = TestApp::start().await;
    let admin = app.admin("admin").await;
    let other = app.sibling().await;
    let before = model(&admin, "gpt-5-mini").await;
    let input = json!({ "provider": "OPENAI", "model": "gpt-5-mini", "prices": { "input": "0.3", "output": 2.5 } });
    let payload = admin.mutate("setModel", input, &format!("model {{ {FACTS} }}")).await;
    let set = &payload["model"];
    assert_eq!(payload["errors"], json!([]));
    assert_eq!(
        (&set["displayName"], &set["contextWindow"], &set["source"]),
        (&before["displayName"], &before["contextWindow"], &json!("ADMIN"))
    );
    assert_eq!(
        set["prices"],
        json!({ "input": "0.3", "cachedInput": null, "output": "2.5", "longPrompts": null })
    );
    assert!(set["priceVersion"].as_str().expect("a name").starts_with("admin-"));
    assert_eq!(model(&admin, "gpt-5-mini").await, *set);

    let there = other.client_of(&admin);
    assert_eq!(model(&there, "gpt-5-mini").await, before, "not yet read anew");
    let mut connection = other.app.connection().await.expect("a connection");
    other.app.models().refresh(&mut connection).await.expect("read");
    assert_eq!(model(&there, "gpt-5-mini").await, *set);

    // A new override takes the place of the old one as a whole.
    let input = json!({ "provider": "OPENAI", "model": "gpt-5-mini", "contextWindow": 8_000 });
    let payload = admin.mutate("setModel", input, &format!("model {{ {FACTS} }}")).await;
    assert_eq!(
        (&payload["model"]["contextWindow"], &payload["model"]["prices"]),
        (&json!(8_000), &before["prices"])
    );
    let input = json!({ "provider": "OPENAI", "model": "gpt-5-mini" });
    let payload = admin
        .mutate("resetModel", input.clone(), &format!("model {{ {FACTS} }}"))
        .await;
    assert_eq!(payload["model"], before);
    let payload = admin.mutate("resetModel", input, "model { name }").await;
    assert_eq!(payload["errors"][0]["code"], "NOT_FOUND");

    let input = json!({ "provider": "OPENAI_COMPATIBLE", "model": "house", "displayName": "House", "prices": { "input": "0", "output": "0" } });
    admin.mutate("setModel", input, "model { name }").await;
    let house = models_of(&admin, "OPENAI_COMPATIBLE", "first: 5").await["nodes"][0].take();
    assert_eq!(
        (&house["prices"]["input"], &house["inputModalities"]),
        (&json!("0"), &json!(["TEXT"]))
    );
    let input = json!({ "provider": "OPENAI_COMPATIBLE", "model": "house" });
    let payload = admin.mutate("resetModel", input, "model { name }").await;
    assert_eq!(payload, json!({ "model": null, "errors": [] }));

    let log = admin
        .ok("{ admin { auditLog { nodes { action target } } } }", json!({}))
        .await;
    let entry = |action: &str, target: &str| json!({ "action": action, "target": target });
    assert_eq!(
        log["admin"]["auditLog"]["nodes"],
        json!([
            entry("model.reset", "openai_compatible/house"),
            entry("model.set", "openai_compatible/house"),
            entry("model.reset", "openai/gpt-5-mini"),
            entry("model.set", "openai/gpt-5-mini"),
            entry("model.set", "openai/gpt-5-mini"),
        ])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_refused_field_by_field() {
    let app = TestApp::start().await;
    let admin = app.admin("admin").await;
    let input = json!({
        "provider": "OPENAI", "model": " ", "displayName": "\u{202e}", "contextWindow": 0, "maxOutputTokens": -1,
        "inputModalities": [], "prices": { "input": "2000000", "output": "1" },
    });
    let payload = admin.mutate("setModel", input, "model { name }").await;
    let fields: Vec<String> = payload["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| {
            error["field"]
                .as_array()
                .expect("a path")
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(".")
        })
        .collect();
    assert_eq!(
        fields,
        [
            "input.model",
            "input.displayName",
            "input.contextWindow",
            "input.maxOutputTokens",
            "input.inputModalities",
            "input.prices.input",
        ]
    );
    for price in [json!("0.0000001"), json!("-1"), json!("cheap"), json!(true)] {
        let query = "mutation ($input: SetModelInput!) { setModel(input: $input) { model { name } } }";
        let input = json!({ "provider": "OPENAI", "model": "gpt-5", "prices": { "input": price, "output": "1" } });
        let answer = admin.run(query, json!({ "input": input })).await;
        assert!(
            answer["errors"][0]["message"]
                .as_str()
                .expect("words")
                .contains("Decimal"),
            "{answer}"
        );
    }
}
