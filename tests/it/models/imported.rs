//! `parlor models`, as whoever runs the server uses it.

use parlor::ai::Provider;
use serde_json::json;

use crate::command::on;
use crate::harness::app::TestApp;

const MAP: &str = r#"{
    "gpt-5-mini": { "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 300000, "input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06 },
    "gpt-9": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 9e-06, "output_cost_per_token": 9e-05 },
    "gpt-odd": { "litellm_provider": "openai", "mode": "chat", "max_input_tokens": true },
    "mistral/large": { "litellm_provider": "mistral", "mode": "chat" }
}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_price_map_is_imported_and_leaves_overrides_alone() {
    let app = TestApp::start().await;
    let admin = app.admin("admin").await;
    let input = json!({ "provider": "OPENAI", "model": "gpt-9", "prices": { "input": "1", "output": "2" } });
    admin.mutate("setModel", input, "model { name }").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prices.json");
    std::fs::write(&file, MAP).expect("a file");
    let file = file.to_str().expect("UTF-8");

    let done = on(&app, &["models", "import", file], "").await;
    assert!(done.ok, "{}", done.err);
    let lines: Vec<&str> = done.out.lines().collect();
    assert!(
        lines[0].starts_with("Imported 2 models, 2 of them with prices: import-"),
        "{}",
        done.out
    );
    assert_eq!(lines[1], "Left out 1 entries for other providers or other uses.");
    assert_eq!(
        lines[2],
        "Left out \"gpt-odd\": max_input_tokens is no number of tokens."
    );

    let mut connection = app.app.connection().await.expect("a connection");
    app.app.models().refresh(&mut connection).await.expect("read");
    let find = |model: &str| app.app.models().find(Provider::OpenAi, model).expect("known");
    let mini = find("gpt-5-mini");
    assert_eq!(mini.context_window, Some(300_000));
    assert_eq!(mini.tariff.map(|tariff| tariff.usual.output), Some(5_000_000));
    assert_eq!(mini.source.as_str(), "IMPORT");
    let nine = find("gpt-9");
    assert_eq!(
        nine.tariff.map(|tariff| tariff.usual.output),
        Some(2_000_000),
        "the administrator's word"
    );
    assert_eq!(
        find("gpt-5").source.as_str(),
        "SEED",
        "what the map does not name stays"
    );

    let list = on(&app, &["models", "list", "--provider=openai"], "").await;
    let line = list
        .out
        .lines()
        .find(|line| line.contains("gpt-9"))
        .unwrap_or_else(|| panic!("{}{}", list.out, list.err));
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words, ["openai", "gpt-9", "?", "1", "2", "ADMIN"]);
    assert!(!list.out.contains("scripted"));

    // Another import takes the place of the first, also of what it does not name any more.
    std::fs::write(
        file,
        r#"{ "gpt-10": { "litellm_provider": "openai", "mode": "chat" } }"#,
    )
    .expect("a file");
    assert!(on(&app, &["models", "import", file], "").await.ok);
    app.app.models().refresh(&mut connection).await.expect("read");
    assert_eq!(
        app.app
            .models()
            .find(Provider::OpenAi, "gpt-5-mini")
            .expect("known")
            .source
            .as_str(),
        "SEED"
    );
    assert!(
        app.app
            .models()
            .find(Provider::OpenAi, "gpt-10")
            .expect("known")
            .tariff
            .is_none()
    );

    for (content, complaint) in [("[]", "is no price map"), ("{}", "nothing was changed")] {
        std::fs::write(file, content).expect("a file");
        let refused = on(&app, &["models", "import", file], "").await;
        assert!(!refused.ok && refused.err.contains(complaint), "{}", refused.err);
    }
    let missing = on(&app, &["models", "import", "/nonexistent.json"], "").await;
    assert!(
        !missing.ok && missing.err.contains("Cannot read /nonexistent.json"),
        "{}",
        missing.err
    );
}
