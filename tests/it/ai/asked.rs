//! What is asked in each format: the address, the head, the body; and which models are offered.

use parlor::ai::{Effort, Endpoint, Format, Headroom, Offered, Provider, Replay, Request, Tool, ToolCall, Turn};
use serde_json::{Value, json};

use crate::harness::upstream::{Reply, Seen, Upstream};

use super::{KEY, at, client, formats::speaking, hear};

/// A conversation with everything in it.
fn conversation() -> Request {
    Request {
        model: "m-1".into(),
        turns: vec![
            Turn::system("Be brief."),
            Turn::user("Who?"),
            Turn::Assistant {
                text: "I look.".into(),
                tool_calls: vec![ToolCall {
                    id: "call_1".into(),
                    name: "find".into(),
                    arguments: r#"{"who":"Ada"}"#.into(),
                }],
                replay: None,
            },
            Turn::ToolResult {
                call_id: "call_1".into(),
                name: "find".into(),
                text: "nobody".into(),
                failed: true,
            },
            Turn::assistant("Nobody."),
            Turn::user("Sure?"),
        ],
        tools: vec![Tool {
            name: "find".into(),
            description: "Finds people.".into(),
            parameters: json!({"type": "object", "properties": {"who": {"type": "string"}}}),
        }],
        temperature: Some(0.5),
        max_output_tokens: Some(99),
        cache_key: Some("chat_1".into()),
        cache_through: Some(4),
        effort: None,
        context_window: None,
    }
}

async fn asked(format: Format, request: Request) -> Seen {
    let upstream = Upstream::start().await;
    upstream.script([Reply::status(400)]);
    hear(client().stream(speaking(&upstream, format), request)).await;
    upstream.requests().remove(0)
}

#[tokio::test]
async fn chat_completions() {
    let seen = asked(Format::ChatCompletions, conversation()).await;
    assert_eq!(seen.path, "/v1/chat/completions");
    let schema = json!({"type": "object", "properties": {"who": {"type": "string"}}});
    let expected = json!({
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Who?"},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": "{\"who\":\"Ada\"}"}}]},
            {"role": "tool", "content": "nobody", "tool_call_id": "call_1"},
            {"role": "assistant", "content": "Nobody."},
            {"role": "user", "content": "Sure?"},
        ],
        "stream": true,
        "stream_options": {"include_usage": true},
        "tools": [{"type": "function", "function": {"name": "find", "description": "Finds people.", "parameters": schema}}],
        "temperature": 0.5,
        "max_tokens": 99,
    });
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn responses() {
    let mut request = conversation();
    request.model = "gpt-5-mini".into();
    request.effort = Some(Effort::Low);
    let seen = asked(Format::Responses, request).await;
    assert_eq!(seen.path, "/v1/responses");
    assert_eq!(seen.headers["authorization"], format!("Bearer {KEY}"));
    let expected = json!({
        "model": "gpt-5-mini",
        "input": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Who?"},
            {"role": "assistant", "content": "I look."},
            {"type": "function_call", "call_id": "call_1", "name": "find", "arguments": "{\"who\":\"Ada\"}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "nobody"},
            {"role": "assistant", "content": "Nobody."},
            {"role": "user", "content": "Sure?"},
        ],
        "stream": true,
        "store": false,
        "include": ["reasoning.encrypted_content"],
        "tools": [{"type": "function", "name": "find", "description": "Finds people.", "strict": false,
            "parameters": {"type": "object", "properties": {"who": {"type": "string"}}}}],
        "max_output_tokens": 99,
        "reasoning": {"effort": "low", "summary": "auto"},
    });
    assert_eq!(seen.body, expected);
    let plain = asked(Format::Responses, conversation()).await;
    assert_eq!(
        (plain.body.get("include"), &plain.body["temperature"]),
        (None, &json!(0.5)),
        "a model that does not reason refuses to be asked"
    );
}

#[tokio::test]
async fn anthropic() {
    let seen = asked(Format::AnthropicMessages, conversation()).await;
    assert_eq!(seen.path, "/v1/messages");
    assert_eq!(
        (
            seen.headers["x-api-key"].as_str(),
            seen.headers["anthropic-version"].as_str()
        ),
        (KEY, "2023-06-01")
    );
    assert_eq!(seen.headers.get("authorization"), None);
    let kept = json!({"type": "ephemeral"});
    let expected = json!({
        "model": "m-1",
        "max_tokens": 99,
        "stream": true,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": kept}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Who?"}]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "call_1", "name": "find", "input": {"who": "Ada"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "nobody", "is_error": true}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Nobody.", "cache_control": kept}]},
            {"role": "user", "content": [{"type": "text", "text": "Sure?"}]},
        ],
        "tools": [{"name": "find", "description": "Finds people.",
            "input_schema": {"type": "object", "properties": {"who": {"type": "string"}}}}],
        "temperature": 0.5,
    });
    assert_eq!(seen.body, expected);

    // It neither begins with the model nor says nothing.
    let turns = vec![
        Turn::assistant("Before."),
        Turn::user(" "),
        Turn::user("Go on"),
        Turn::assistant("And so "),
    ];
    let request = Request {
        turns,
        ..conversation()
    };
    let body = asked(Format::AnthropicMessages, request).await.body;
    let roles: Vec<&Value> = body["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|m| &m["role"])
        .collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
    assert_eq!(body["messages"][3]["content"][0]["text"], "And so");
}

#[tokio::test]
async fn gemini() {
    let seen = asked(Format::GeminiGenerate, conversation()).await;
    assert_eq!(seen.path, "/v1/models/m-1:streamGenerateContent?alt=sse");
    assert_eq!(seen.headers["x-goog-api-key"], KEY);
    assert_eq!(seen.headers.get("authorization"), None);
    let expected = json!({
        "contents": [
            {"role": "user", "parts": [{"text": "Who?"}]},
            {"role": "model", "parts": [{"text": "I look."}, {"functionCall": {"name": "find", "args": {"who": "Ada"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "find", "response": {"error": "nobody"}}}]},
            {"role": "model", "parts": [{"text": "Nobody."}]},
            {"role": "user", "parts": [{"text": "Sure?"}]},
        ],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [{"functionDeclarations": [{"name": "find", "description": "Finds people.",
            "parametersJsonSchema": {"type": "object", "properties": {"who": {"type": "string"}}}}]}],
        "generationConfig": {"temperature": 0.5, "maxOutputTokens": 99},
    });
    assert_eq!(seen.body, expected);
    let mut request = conversation();
    request.model = "gemini-2.5-flash".into();
    let body = asked(Format::GeminiGenerate, request).await.body;
    assert_eq!(
        body["generationConfig"]["thinkingConfig"],
        json!({"includeThoughts": true})
    );
}

#[tokio::test]
async fn ollama() {
    let seen = asked(Format::OllamaChat, conversation()).await;
    assert_eq!(seen.path, "/api/chat", "not below the /v1 of its imitation of OpenAI");
    let expected = json!({
        "model": "m-1",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Who?"},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"function": {"name": "find", "arguments": {"who": "Ada"}}}]},
            {"role": "tool", "content": "nobody", "tool_name": "find"},
            {"role": "assistant", "content": "Nobody."},
            {"role": "user", "content": "Sure?"},
        ],
        "stream": true,
        "tools": [{"type": "function", "function": {"name": "find", "description": "Finds people.",
            "parameters": {"type": "object", "properties": {"who": {"type": "string"}}}}}],
        "options": {"temperature": 0.5, "num_predict": 99, "num_ctx": 8192},
    });
    assert_eq!(seen.body, expected);
}

#[tokio::test]
async fn ollama_is_told_how_much_to_hold() {
    let words = |count: usize| "word ".repeat(count);
    for (text, most, window, held) in [
        ("?".to_owned(), None, None, 8192),
        ("?".to_owned(), None, Some(131_072), 8192),
        ("?".to_owned(), None, Some(2048), 2048),
        (words(5000), None, None, 16_384),
        (words(5000), Some(100), None, 8192),
        (words(5000), None, Some(12_000), 12_000),
        ("?".to_owned(), Some(30_000), None, 32_768),
    ] {
        let request = Request {
            max_output_tokens: most,
            context_window: window,
            ..super::question(&text)
        };
        let body = asked(Format::OllamaChat, request).await.body;
        assert_eq!(body["options"]["num_ctx"], held, "{} {most:?} {window:?}", text.len());
    }
}

#[tokio::test]
async fn a_replay_goes_back_to_its_own_model_only() {
    let parts = r#"[{"type":"thinking","thinking":"Hm.","signature":"b+/2=="},{"z":1,  "a":2}]"#;
    for (format, place) in [
        (Format::AnthropicMessages, "/messages/1/content"),
        (Format::Responses, "/input"),
        (Format::GeminiGenerate, "/contents/1/parts"),
    ] {
        let upstream = Upstream::start().await;
        let request = |model: &str| Request {
            model: model.into(),
            turns: vec![
                Turn::user("Who?"),
                Turn::Assistant {
                    text: "Ada.".into(),
                    tool_calls: Vec::new(),
                    replay: Some(Replay {
                        format,
                        model: "m-1".into(),
                        content: parts.into(),
                    }),
                },
                Turn::user("Sure?"),
            ],
            ..Request::default()
        };
        upstream.script([Reply::status(400), Reply::status(400)]);
        hear(client().stream(speaking(&upstream, format), request("m-1"))).await;
        hear(client().stream(speaking(&upstream, format), request("m-2"))).await;
        let seen = upstream.requests();
        let sent = seen[0].body.pointer(place).expect("the parts").to_string();
        assert!(sent.contains("b+/2==") && !sent.contains("Ada."), "{format}: {sent}");
        let sent = seen[1].body.pointer(place).expect("the parts").to_string();
        assert!(!sent.contains("b+/2==") && sent.contains("Ada."), "{format}: {sent}");
    }
}

#[tokio::test]
async fn each_provider_lists_its_models_and_proves_its_key() {
    let offered = |id: &str, title: Option<&str>, context: Option<u64>, most: Option<u64>| Offered {
        id: id.into(),
        title: title.map(str::to_owned),
        context_window: context,
        max_output_tokens: most,
    };
    let cases = [
        (
            Provider::Groq,
            "/v1/models",
            "/v1/models",
            json!({"data": [{"id": "llama", "context_window": 131_072, "max_completion_tokens": 32_768}, {"id": "llama"}]}),
            vec![offered("llama", None, Some(131_072), Some(32_768))],
        ),
        (
            Provider::OpenRouter,
            "/v1/models",
            "/v1/key",
            json!({"data": [{"id": "openai/gpt-5", "name": "OpenAI: GPT-5", "context_length": 400_000,
                "top_provider": {"max_completion_tokens": 128_000}}]}),
            vec![offered(
                "openai/gpt-5",
                Some("OpenAI: GPT-5"),
                Some(400_000),
                Some(128_000),
            )],
        ),
        (
            Provider::Anthropic,
            "/v1/models?limit=1000",
            "/v1/models?limit=1000",
            json!({"data": [{"type": "model", "id": "claude-x", "display_name": "Claude X"}], "has_more": false}),
            vec![offered("claude-x", Some("Claude X"), None, None)],
        ),
        (
            Provider::Gemini,
            "/v1/models?pageSize=1000",
            "/v1/models?pageSize=1000",
            json!({"models": [
                {"name": "models/gemini-x", "displayName": "Gemini X", "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536,
                    "supportedGenerationMethods": ["generateContent"]},
                {"name": "models/embedding", "supportedGenerationMethods": ["embedContent"]}]}),
            vec![offered("gemini-x", Some("Gemini X"), Some(1_048_576), Some(65_536))],
        ),
        (
            Provider::Ollama,
            "/api/tags",
            "/api/tags",
            json!({"models": [{"name": "llama3.2:latest", "model": "llama3.2:latest", "size": 2_000_000_000_u64}]}),
            vec![offered("llama3.2:latest", None, None, None)],
        ),
        (
            Provider::OpenAiCompatible,
            "/v1/models",
            "/v1/models",
            json!({"data": [{"id": "b", "max_model_len": 4096}, {"id": "a", "meta": {"n_ctx_train": 2048}}, {"id": "not a name"}]}),
            vec![
                offered("a", None, Some(2048), None),
                offered("b", None, Some(4096), None),
            ],
        ),
    ];
    for (provider, list, proof, body, expected) in cases {
        let upstream = Upstream::start().await;
        upstream.script([Reply::status(200).json(&body), Reply::status(200).json(&body)]);
        let endpoint = Endpoint {
            provider,
            ..at(&upstream)
        };
        assert_eq!(client().models(&endpoint).await, Ok(expected), "{provider}");
        assert_eq!(client().verify(&endpoint).await, Ok(()), "{provider}");
        let paths: Vec<String> = upstream.requests().into_iter().map(|seen| seen.path).collect();
        assert_eq!(paths, [list, proof], "{provider}");
    }
    let upstream = Upstream::start().await;
    upstream.script([Reply::status(200).json(&json!({"status": "ok"}))]);
    client().models(&at(&upstream)).await.expect_err("no list");
}

#[tokio::test]
async fn addresses_are_taken_as_people_write_them() {
    for (provider, written, asked) in [
        (Provider::Anthropic, "", "/v1/messages"),
        (Provider::Anthropic, "/anthropic/", "/anthropic/v1/messages"),
        (Provider::Gemini, "", "/v1beta/models/m-1:streamGenerateContent?alt=sse"),
        (Provider::Ollama, "", "/api/chat"),
        (Provider::Ollama, "/api", "/api/chat"),
        (Provider::OpenAiCompatible, "/deep/v1/", "/deep/v1/chat/completions"),
    ] {
        let upstream = Upstream::start().await;
        upstream.script([Reply::status(400)]);
        let base_url = upstream.url().join("/").expect("a root").join(written).expect("a URL");
        let endpoint = Endpoint {
            provider,
            base_url: Some(base_url),
            ..at(&upstream)
        };
        hear(client().stream(endpoint, super::question("?"))).await;
        assert_eq!(upstream.requests()[0].path, asked, "{provider} {written}");
    }
}

#[tokio::test]
async fn headers_tell_what_is_left() {
    let upstream = Upstream::start().await;
    let told = |reply: Reply, left: &str| {
        reply
            .header("x-ratelimit-limit-requests", "10")
            .header("x-ratelimit-remaining-requests", left)
    };
    upstream.script([
        told(Reply::status(429), "0").header("retry-after-ms", "1"),
        told(Reply::says(&["Ok"]), "9"),
        told(Reply::status(429), "0").header("retry-after", "99"),
    ]);
    let headroom = |left| Headroom {
        requests_limit: Some(10),
        requests_remaining: Some(left),
        ..Headroom::default()
    };
    let heard = hear(client().stream(at(&upstream), super::question("?"))).await;
    assert_eq!((heard.retries, heard.headroom), (1, Some(headroom(9))));
    let heard = hear(client().stream(at(&upstream), super::question("?"))).await;
    assert_eq!(
        (heard.failure().kind.name(), heard.headroom),
        ("rate_limited", Some(headroom(0)))
    );
}
