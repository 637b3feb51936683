//! Every provider by its own format: chosen, stored, paid for by whoever has a key, and sent back what it signed.

use serde_json::{Value, json};

use super::{OTHER, SECRET, refusal, with_upstream};
use crate::harness::app::{Client, TestApp};
use crate::harness::upstream::{Reply, Upstream};

async fn set(client: &Client, upstream: &Upstream, provider: &str, format: Option<&str>) -> Value {
    let input =
        json!({ "provider": provider, "secret": SECRET, "baseUrl": upstream.url(), "format": format, "verify": false });
    client.mutate("setApiKey", input, "apiKey { id provider format }").await
}

async fn chat(client: &Client, provider: &str, model: &str) -> String {
    let payload = client
        .mutate(
            "createChat",
            json!({ "provider": provider, "model": model }),
            "chat { id }",
        )
        .await;
    payload["chat"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{payload}"))
        .to_owned()
}

async fn answered(client: &Client, chat: &str, question: &str) -> Value {
    let id = client.send(chat, question).await;
    client
        .generation_events(&id, None)
        .await
        .until("GenerationFinished")
        .await;
    let query = "query ($id: ID!) { generation(id: $id) { status text reasoning provider model keySource finishReason \
        usage { inputTokens cachedInputTokens outputTokens reasoningTokens } error { code } } }";
    client.ok(query, json!({ "id": id })).await["generation"].clone()
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/", $name, ".txt")).as_slice()
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_answers_by_its_own() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    for (provider, format, path, bytes) in [
        (
            "OPENAI",
            Some("RESPONSES"),
            "/v1/responses",
            fixture!("responses/hello"),
        ),
        ("ANTHROPIC", None, "/v1/messages", fixture!("anthropic/hello")),
        (
            "GEMINI",
            None,
            "/v1/models/m-1:streamGenerateContent?alt=sse",
            fixture!("gemini/hello"),
        ),
        ("OLLAMA", None, "/api/chat", fixture!("ollama/hello")),
        ("GROQ", None, "/v1/chat/completions", fixture!("openai/hello")),
        ("OPENROUTER", None, "/v1/chat/completions", fixture!("openai/hello")),
        (
            "OPENAI_COMPATIBLE",
            Some("ANTHROPIC_MESSAGES"),
            "/v1/messages",
            fixture!("anthropic/hello"),
        ),
    ] {
        let set = set(&ada, &upstream, provider, format).await;
        assert_eq!(
            (&set["errors"], &set["apiKey"]["format"]),
            (&json!([]), &json!(format)),
            "{provider}"
        );
        upstream.script([Reply::recorded(bytes)]);
        let answer = answered(&ada, &chat(&ada, provider, "m-1").await, "What?").await;
        assert_eq!(
            (
                &answer["status"],
                &answer["text"],
                &answer["provider"],
                &answer["usage"]["inputTokens"]
            ),
            (
                &json!("COMPLETED"),
                &json!("Hello wörld 👩‍🚀"),
                &json!(provider),
                &json!(19)
            ),
            "{provider}"
        );
        assert_eq!(upstream.requests().last().expect("a request").path, path);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_is_only_in_responses_is_asked_there() {
    let upstream = Upstream::start().await;
    let allow = format!("--base-urls=http://127.0.0.1:{}", upstream.port());
    let base_url = format!("--openai-base-url={}", upstream.url());
    let key = format!("--openai-api-key={OTHER}");
    let app = TestApp::with(&[&allow, &base_url, &key]).await;
    let (ada, root) = (app.user("ada").await, app.admin("root").await);
    let asked = async |provider: &str, model: &str| {
        upstream.script([Reply::status(400)]);
        answered(&ada, &chat(&ada, provider, model).await, "What?").await;
        upstream.requests().last().expect("a request").path.clone()
    };
    // The server's key, then one's own.
    for own in [false, true] {
        if own {
            set(&ada, &upstream, "OPENAI", None).await;
        }
        assert_eq!(asked("OPENAI", "gpt-5-codex").await, "/v1/responses");
        assert_eq!(asked("OPENAI", "gpt-5-mini").await, "/v1/chat/completions");
    }
    let input = json!({ "provider": "OPENAI", "model": "m-1", "mode": "RESPONSES" });
    root.mutate("setModel", input, "model { name }").await;
    assert_eq!(asked("OPENAI", "m-1").await, "/v1/responses");
    set(&ada, &upstream, "OPENROUTER", None).await;
    let input = json!({ "provider": "OPENROUTER", "model": "m-1", "mode": "RESPONSES" });
    root.mutate("setModel", input, "model { name }").await;
    assert_eq!(
        asked("OPENROUTER", "m-1").await,
        "/v1/chat/completions",
        "others have all their models there"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_format_that_is_not_spoken_there_is_refused() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    let payload = set(&ada, &upstream, "ANTHROPIC", Some("RESPONSES")).await;
    let (code, field, _) = refusal(&payload);
    assert_eq!((code, field.as_str()), ("INVALID", "input.format"));
    let usual = set(&ada, &upstream, "ANTHROPIC", Some("ANTHROPIC_MESSAGES")).await;
    assert_eq!(
        usual["apiKey"]["format"],
        Value::Null,
        "its usual one goes without saying"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_signed_goes_back_with_the_next_question() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    set(&ada, &upstream, "ANTHROPIC", None).await;
    let room = chat(&ada, "ANTHROPIC", "claude-x").await;
    upstream.script([Reply::recorded(fixture!("anthropic/thinking"))]);
    let first = answered(&ada, &room, "Who?").await;
    assert_eq!(
        (&first["text"], &first["reasoning"]),
        (&json!("I look."), &json!("Let me see."))
    );
    upstream.script([
        Reply::recorded(fixture!("anthropic/hello")),
        Reply::recorded(fixture!("anthropic/hello")),
    ]);
    answered(&ada, &room, "And?").await;
    let body = upstream.requests().last().expect("a request").body.clone();
    let sent = body.pointer("/messages/1/content").expect("the answer");
    assert_eq!(
        sent[0],
        json!({ "type": "thinking", "thinking": "Let me see.", "signature": "EqQBCkYIARgCIkDK8Wb+/x2==" })
    );
    assert_eq!(sent[1]["type"], "redacted_thinking");

    let input = json!({ "chatId": room, "model": "claude-y" });
    ada.mutate("updateChat", input, "chat { model }").await;
    answered(&ada, &room, "And now?").await;
    let body = upstream.requests().last().expect("a request").body.clone();
    assert!(!body.to_string().contains("signature"), "another model gets the text");
    assert_eq!(body.pointer("/messages/1/content/0/text"), Some(&json!("I look.")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_openrouter_tells_of_thoughts_goes_back_too() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    set(&ada, &upstream, "OPENROUTER", None).await;
    let room = chat(&ada, "OPENROUTER", "maker/model-x").await;
    let piece = |delta: Value| json!({ "choices": [{ "index": 0, "delta": delta }] }).to_string();
    let part = |text: Option<&str>, signature: Option<&str>| json!({ "type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1", "text": text, "signature": signature });
    upstream.script([Reply::stream()
        .data(&piece(
            json!({ "reasoning": "Let me", "reasoning_details": [part(Some("Let me"), None)] }),
        ))
        .data(&piece(
            json!({ "reasoning": " see.", "reasoning_details": [part(Some(" see."), None)] }),
        ))
        .data(&piece(
            json!({ "reasoning": null, "reasoning_details": [part(None, Some("EqQB/x2=="))] }),
        ))
        .data(&piece(
            json!({ "reasoning_details": [{ "type": "reasoning.encrypted", "index": 1, "data": "gAAA+b==" }] }),
        ))
        .word("I look.")
        .stop()]);
    let first = answered(&ada, &room, "Who?").await;
    assert_eq!(
        (&first["text"], &first["reasoning"]),
        (&json!("I look."), &json!("Let me see."))
    );
    answered(&ada, &room, "And?").await;
    let sent = upstream.requests()[1].body["messages"].clone();
    let whole = json!([
        { "type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1", "text": "Let me see.", "signature": "EqQB/x2==" },
        { "type": "reasoning.encrypted", "index": 1, "data": "gAAA+b==" },
    ]);
    assert_eq!(
        sent[1],
        json!({ "role": "assistant", "content": "I look.", "reasoning_details": whole })
    );
    let input = json!({ "chatId": room, "model": "maker/model-y" });
    ada.mutate("updateChat", input, "chat { model }").await;
    answered(&ada, &room, "And now?").await;
    let sent = upstream.requests()[2].body.to_string();
    assert!(
        sent.contains("I look.") && !sent.contains("reasoning_details"),
        "another model gets the text"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_has_keys_for_every_provider() {
    let upstream = Upstream::start().await;
    let root = upstream.url();
    let flags = [
        format!("--anthropic-api-key={OTHER}"),
        format!("--anthropic-base-url={root}"),
        format!("--gemini-api-key={OTHER}"),
        format!("--gemini-base-url={root}"),
        format!("--groq-api-key={OTHER}"),
        format!("--groq-base-url={root}"),
        format!("--openrouter-api-key={OTHER}"),
        format!("--openrouter-base-url={root}"),
        format!("--ollama-base-url={root}"),
        format!("--compatible-base-url={root}"),
        "--compatible-model=local".to_owned(),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let app = TestApp::with(&flags).await;
    let ada = app.user("ada").await;
    let info = ada
        .ok(
            "{ serverInfo { providers { provider serverKey defaultModel } } }",
            json!({}),
        )
        .await;
    let told: Vec<String> = info["serverInfo"]["providers"]
        .as_array()
        .expect("providers")
        .iter()
        .map(|info| format!("{} {} {}", info["provider"], info["serverKey"], info["defaultModel"]).replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "OPENAI false null",
            "ANTHROPIC true claude-sonnet-4-6",
            "GEMINI true gemini-2.5-flash",
            "GROQ true llama-3.3-70b-versatile",
            "OPENROUTER true openai/gpt-5-mini",
            "OLLAMA true null",
            "OPENAI_COMPATIBLE true local",
            "SCRIPTED false scripted",
        ]
    );
    upstream.script([Reply::recorded(fixture!("gemini/hello"))]);
    let answer = answered(&ada, &chat(&ada, "GEMINI", "gemini-x").await, "What?").await;
    assert_eq!(
        (&answer["keySource"], &answer["model"]),
        (&json!("SERVER"), &json!("gemini-x"))
    );

    // A model that one provider is known to have is asked there, whoever stands first.
    let payload = ada
        .mutate("createChat", json!({ "model": "gemini-2.5-flash" }), "chat { id }")
        .await;
    upstream.script([Reply::recorded(fixture!("gemini/hello"))]);
    let answer = answered(&ada, payload["chat"]["id"].as_str().expect("an id"), "What?").await;
    assert_eq!(
        (&answer["provider"], &answer["status"]),
        (&json!("GEMINI"), &json!("COMPLETED"))
    );
}
