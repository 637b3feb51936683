//! How much to think, in each format's own words.

use parlor::ai::{Effort, Endpoint, Format, Provider, Replay, Request, ToolCall, Turn};
use serde_json::{Value, json};

use crate::harness::upstream::{Reply, Upstream};

use super::{at, client, formats::speaking, hear, question};

fn thinking(model: &str, effort: Effort) -> Request {
    Request {
        model: model.into(),
        effort: Some(effort),
        temperature: Some(0.5),
        ..question("?")
    }
}

async fn asked(format: Format, request: Request) -> Value {
    let upstream = Upstream::start().await;
    upstream.script([Reply::status(400)]);
    hear(client().stream(speaking(&upstream, format), request)).await;
    upstream.requests().remove(0).body
}

/// The same in Chat Completions, at this provider.
async fn asked_at(provider: Provider, request: Request) -> Value {
    let upstream = Upstream::start().await;
    upstream.script([Reply::status(400)]);
    let endpoint = Endpoint {
        provider,
        format: Some(Format::ChatCompletions),
        ..at(&upstream)
    };
    hear(client().stream(endpoint, request)).await;
    upstream.requests().remove(0).body
}

#[tokio::test]
async fn chat_completions_have_a_word_for_it_that_differs_by_provider() {
    for (provider, model, flat, nested, temperature) in [
        (Provider::OpenAi, "gpt-5", json!("high"), Value::Null, Value::Null),
        (
            Provider::OpenAiCompatible,
            "qwen3",
            json!("high"),
            Value::Null,
            json!(0.5),
        ),
        (
            Provider::OpenRouter,
            "openai/gpt-5",
            Value::Null,
            json!({ "effort": "high" }),
            json!(0.5),
        ),
        (
            Provider::Groq,
            "openai/gpt-oss-120b",
            json!("high"),
            Value::Null,
            json!(0.5),
        ),
        (
            Provider::Groq,
            "qwen/qwen3-32b",
            json!("default"),
            Value::Null,
            json!(0.5),
        ),
    ] {
        let body = asked_at(provider, thinking(model, Effort::High)).await;
        let told = (&body["reasoning_effort"], &body["reasoning"], &body["temperature"]);
        assert_eq!(told, (&flat, &nested, &temperature), "{provider} {model}");
    }
    let plain = Request {
        effort: None,
        ..thinking("gpt-5", Effort::High)
    };
    let body = asked_at(Provider::OpenAi, plain).await;
    assert_eq!(
        (body.get("reasoning_effort"), &body["temperature"]),
        (None, &json!(0.5))
    );
}

#[tokio::test]
async fn responses_show_a_summary_of_it() {
    let body = asked(Format::Responses, thinking("unheard-of", Effort::Medium)).await;
    assert_eq!(body["reasoning"], json!({ "effort": "medium", "summary": "auto" }));
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(body.get("temperature"), None);
}

#[tokio::test]
async fn messages_have_a_budget_below_the_longest_answer() {
    for (most, effort, budget, longest) in [
        (None, Effort::Low, Some(2048), 16_384 + 2048),
        (None, Effort::High, Some(12_288), 16_384 + 12_288),
        (Some(20_000), Effort::Medium, Some(6144), 20_000),
        (Some(4000), Effort::High, Some(4000 - 64), 4000),
        // The least that the format has, and less.
        (Some(1024 + 64), Effort::Low, Some(1024), 1024 + 64),
        (Some(1024 + 63), Effort::Low, None, 1024 + 63),
    ] {
        let request = Request {
            max_output_tokens: most,
            ..thinking("claude-sonnet-4-5", effort)
        };
        let body = asked(Format::AnthropicMessages, request).await;
        let thinking = budget.map(|budget| json!({ "type": "enabled", "budget_tokens": budget }));
        assert_eq!(
            (body.get("thinking"), &body["max_tokens"]),
            (thinking.as_ref(), &json!(longest)),
            "{most:?} {effort:?}"
        );
        assert_eq!(
            body.get("temperature").is_none(),
            budget.is_some(),
            "one goes without the other"
        );
    }
    let body = asked(Format::AnthropicMessages, thinking("claude-opus-4-7", Effort::Low)).await;
    assert_eq!(
        (&body["thinking"], &body["output_config"], body.get("temperature")),
        (
            &json!({ "type": "adaptive", "display": "summarized" }),
            &json!({ "effort": "low" }),
            None
        )
    );
}

#[tokio::test]
async fn a_turn_of_claude_that_began_without_thoughts_goes_on_without_them() {
    let model = "claude-sonnet-4-5";
    let assistant = |calls: bool, signed: bool| {
        Turn::Assistant {
        text: "I look.".into(),
        tool_calls: Vec::from_iter(calls.then(|| ToolCall {
            id: "call_1".into(),
            name: "find".into(),
            arguments: "{}".into(),
        })),
        replay: signed.then(|| Replay {
            format: Format::AnthropicMessages,
            model: model.into(),
            content: r#"[{"type":"thinking","thinking":"Hm.","signature":"x"},{"type":"tool_use","id":"call_1","name":"find","input":{}}]"#.into(),
        }),
    }
    };
    let result = || Turn::ToolResult {
        call_id: "call_1".into(),
        name: "find".into(),
        text: "nobody".into(),
        failed: false,
    };
    for (turns, thinks) in [
        (vec![assistant(false, false), Turn::user("Sure?")], true),
        (vec![assistant(false, false)], false),
        (vec![assistant(true, true), result()], true),
        (vec![assistant(true, false), result()], false),
        (vec![assistant(true, false), result(), Turn::user("Sure?")], true),
    ] {
        let turns: Vec<Turn> = [Turn::user("Who?")].into_iter().chain(turns).collect();
        let request = Request {
            turns: turns.clone(),
            ..thinking(model, Effort::Low)
        };
        let body = asked(Format::AnthropicMessages, request).await;
        assert_eq!(body.get("thinking").is_some(), thinks, "{turns:?}");
    }
}

#[tokio::test]
async fn gemini_and_ollama() {
    let body = asked(Format::GeminiGenerate, thinking("gemini-2.5-pro", Effort::Medium)).await;
    assert_eq!(
        body["generationConfig"]["thinkingConfig"],
        json!({ "includeThoughts": true, "thinkingBudget": 6144 })
    );
    let body = asked(Format::GeminiGenerate, thinking("gemini-3-pro-preview", Effort::Low)).await;
    assert_eq!(
        body["generationConfig"]["thinkingConfig"],
        json!({ "includeThoughts": true, "thinkingLevel": "low" })
    );
    let body = asked(Format::OllamaChat, thinking("qwen3:8b", Effort::Low)).await;
    assert_eq!(body["think"], true);
    let body = asked(Format::OllamaChat, thinking("gpt-oss:20b", Effort::Low)).await;
    assert_eq!(body["think"], "low");
    let body = asked(Format::OllamaChat, question("?")).await;
    assert_eq!(body.get("think"), None);
}
