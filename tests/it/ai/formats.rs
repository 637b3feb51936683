//! The other formats: what each says in its own words, whole, in pieces, broken off, and with news in it.

use parlor::ai::{Endpoint, FailureKind as Kind, FinishReason, Format, Provider, ToolCall};

use crate::harness::upstream::{Reply, Upstream};

use super::{Heard, at, client, hear, question};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/", $name, ".txt")).as_slice()
    };
}

/// How a format is asked at the fake provider.
pub(super) fn speaking(upstream: &Upstream, format: Format) -> Endpoint {
    let provider = match format {
        Format::ChatCompletions => Provider::OpenAiCompatible,
        Format::Responses => Provider::OpenAi,
        Format::AnthropicMessages => Provider::Anthropic,
        Format::GeminiGenerate => Provider::Gemini,
        Format::OllamaChat => Provider::Ollama,
    };
    Endpoint {
        provider,
        format: Some(format),
        ..at(upstream)
    }
}

async fn recorded(format: Format, bytes: &[u8]) -> Heard {
    let upstream = Upstream::start().await;
    upstream.script([Reply::recorded(bytes)]);
    hear(client().stream(speaking(&upstream, format), question("What?"))).await
}

const OTHERS: [Format; 4] = [
    Format::Responses,
    Format::AnthropicMessages,
    Format::GeminiGenerate,
    Format::OllamaChat,
];

pub(super) fn hello(format: Format) -> &'static [u8] {
    match format {
        Format::ChatCompletions => fixture!("openai/hello"),
        Format::Responses => fixture!("responses/hello"),
        Format::AnthropicMessages => fixture!("anthropic/hello"),
        Format::GeminiGenerate => fixture!("gemini/hello"),
        Format::OllamaChat => fixture!("ollama/hello"),
    }
}

pub(super) fn thinking(format: Format) -> &'static [u8] {
    match format {
        Format::ChatCompletions => fixture!("openai/tools"),
        Format::Responses => fixture!("responses/reasoning"),
        Format::AnthropicMessages => fixture!("anthropic/thinking"),
        Format::GeminiGenerate => fixture!("gemini/thinking"),
        Format::OllamaChat => fixture!("ollama/thinking"),
    }
}

#[tokio::test]
async fn the_same_answer_in_every_format() {
    for format in OTHERS {
        let heard = recorded(format, hello(format)).await;
        assert_eq!(heard.text, "Hello wörld 👩‍🚀", "{format}");
        assert_eq!(heard.reason(), FinishReason::Stop, "{format}");
        let tokens = match format {
            Format::AnthropicMessages => [19, 8, 10, 0],
            Format::OllamaChat => [19, 0, 10, 0],
            _ => [19, 8, 10, 4],
        };
        assert_eq!(heard.tokens(), tokens, "{format}");
        assert_eq!((heard.calls.len(), &heard.replay), (0, &None), "{format}");
        let (request_id, model) = heard.started.expect("a start");
        assert_eq!(request_id.as_deref(), Some("req_upstream"), "{format}");
        assert!(model.is_some_and(|model| !model.is_empty()), "{format}");
    }
    let heard = recorded(Format::AnthropicMessages, hello(Format::AnthropicMessages)).await;
    assert_eq!(heard.usage.expect("a usage").cache_write_tokens, 4);
}

#[tokio::test]
async fn reasoning_has_its_own_channel_and_calls_are_whole() {
    for format in OTHERS {
        let heard = recorded(format, thinking(format)).await;
        let said = (heard.reasoning.as_str(), heard.text.as_str(), heard.reason());
        assert_eq!(said, ("Let me see.", "I look.", FinishReason::ToolCalls), "{format}");
        let [call] = heard.calls.as_slice() else {
            panic!("{format}: {:?}", heard.calls)
        };
        let arguments: serde_json::Value = serde_json::from_str(&call.arguments).expect("JSON");
        assert_eq!(call.name, "find", "{format}");
        assert_eq!(arguments, serde_json::json!({"who": "Ada", "a": 2, "b": 1}), "{format}");
        assert!(!call.id.is_empty());
    }
}

#[tokio::test]
async fn what_is_signed_is_kept_byte_for_byte() {
    let heard = recorded(Format::AnthropicMessages, fixture!("anthropic/thinking")).await;
    let replay = heard.replay.expect("a replay");
    assert_eq!(
        (replay.format, replay.model.as_str()),
        (Format::AnthropicMessages, "m-1")
    );
    assert_eq!(
        replay.content,
        concat!(
            r#"[{"type":"thinking","thinking":"Let me see.","signature":"EqQBCkYIARgCIkDK8Wb+/x2=="},"#,
            r#"{"data":"EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIw==","type":"redacted_thinking"},"#,
            r#"{"type":"text","text":"I look."},"#,
            r#"{"type":"tool_use","id":"toolu_01","name":"find","input":{"who": "Ada", "b":1,"a" :2}}]"#,
        )
    );
    for (format, bytes, sealed) in [
        (
            Format::Responses,
            fixture!("responses/reasoning"),
            r#""encrypted_content":"gAAAAABo+/x2==""#,
        ),
        (
            Format::GeminiGenerate,
            fixture!("gemini/thinking"),
            r#""thoughtSignature": "CiQB0e2Kb+/x2==""#,
        ),
    ] {
        let replay = recorded(format, bytes).await.replay.expect("a replay");
        let stream = str::from_utf8(bytes).expect("UTF-8");
        let parts: Vec<Box<serde_json::value::RawValue>> = serde_json::from_str(&replay.content).expect("parts");
        assert!(
            parts.len() >= 2 && replay.content.contains(sealed),
            "{format}: {}",
            replay.content
        );
        for part in parts {
            assert!(stream.contains(part.get()), "{format}: {part}");
        }
    }
}

#[tokio::test]
async fn imitators_begin_with_zeros_or_say_all_at_the_end() {
    let heard = recorded(Format::AnthropicMessages, fixture!("anthropic/gateway")).await;
    assert_eq!((heard.text.as_str(), heard.tokens()), ("Hi", [19, 0, 2, 0]));
    let heard = recorded(Format::Responses, fixture!("responses/mute")).await;
    assert_eq!((heard.text.as_str(), heard.tokens()), ("All at once", [19, 8, 10, 4]));
    let heard = recorded(Format::GeminiGenerate, fixture!("gemini/thinking")).await;
    assert_eq!(
        heard.tokens(),
        [22, 0, 10, 4],
        "what tools put into the prompt is prompt"
    );
}

#[tokio::test]
async fn each_ending() {
    use FinishReason::{ContentFilter, Length};
    for (format, bytes, text, reason) in [
        (Format::AnthropicMessages, fixture!("anthropic/length"), "Half", Length),
        (
            Format::AnthropicMessages,
            fixture!("anthropic/refusal"),
            "Half",
            ContentFilter,
        ),
        (Format::Responses, fixture!("responses/length"), "Half", Length),
        (Format::Responses, fixture!("responses/filter"), "Half", ContentFilter),
        (
            Format::Responses,
            fixture!("responses/refusal"),
            "I can't help.",
            ContentFilter,
        ),
        (Format::GeminiGenerate, fixture!("gemini/length"), "Half", Length),
        (Format::GeminiGenerate, fixture!("gemini/safety"), "Half", ContentFilter),
        (Format::GeminiGenerate, fixture!("gemini/blocked"), "", ContentFilter),
        (Format::OllamaChat, fixture!("ollama/length"), "Half", Length),
    ] {
        let heard = recorded(format, bytes).await;
        assert_eq!((heard.text.as_str(), heard.reason()), (text, reason), "{format}");
    }
}

#[tokio::test]
async fn failures_in_the_middle_keep_what_was_said() {
    for (name, format, bytes, kind, broke_off) in [
        (
            "overloaded",
            Format::AnthropicMessages,
            fixture!("anthropic/error_overloaded"),
            Kind::Unavailable,
            false,
        ),
        (
            "window",
            Format::AnthropicMessages,
            fixture!("anthropic/window"),
            Kind::ContextTooLong,
            false,
        ),
        (
            "cut",
            Format::AnthropicMessages,
            fixture!("anthropic/cut"),
            Kind::Interrupted,
            true,
        ),
        (
            "torn",
            Format::AnthropicMessages,
            fixture!("anthropic/cut_torn"),
            Kind::Interrupted,
            true,
        ),
        (
            "failed",
            Format::Responses,
            fixture!("responses/failed"),
            Kind::Unavailable,
            false,
        ),
        (
            "flat",
            Format::Responses,
            fixture!("responses/error_flat"),
            Kind::Unavailable,
            false,
        ),
        (
            "cut",
            Format::Responses,
            fixture!("responses/cut"),
            Kind::Interrupted,
            true,
        ),
        (
            "torn",
            Format::Responses,
            fixture!("responses/cut_torn"),
            Kind::Interrupted,
            true,
        ),
        (
            "raw",
            Format::GeminiGenerate,
            fixture!("gemini/error_raw"),
            Kind::Unavailable,
            false,
        ),
        (
            "event",
            Format::GeminiGenerate,
            fixture!("gemini/error_event"),
            Kind::Unavailable,
            false,
        ),
        (
            "cut",
            Format::GeminiGenerate,
            fixture!("gemini/cut"),
            Kind::Interrupted,
            true,
        ),
        (
            "torn",
            Format::GeminiGenerate,
            fixture!("gemini/cut_torn"),
            Kind::Interrupted,
            true,
        ),
        (
            "string",
            Format::OllamaChat,
            fixture!("ollama/error"),
            Kind::Unavailable,
            false,
        ),
        (
            "cut",
            Format::OllamaChat,
            fixture!("ollama/cut"),
            Kind::Interrupted,
            true,
        ),
        (
            "torn",
            Format::OllamaChat,
            fixture!("ollama/cut_torn"),
            Kind::Interrupted,
            true,
        ),
    ] {
        let upstream = Upstream::start().await;
        upstream.script([Reply::recorded(bytes)]);
        let heard = hear(client().stream(speaking(&upstream, format), question("?"))).await;
        assert_eq!(heard.text, "Half", "{format} {name}");
        let failure = heard.failure();
        assert_eq!(
            (failure.kind, failure.broke_off()),
            (kind, broke_off),
            "{format} {name}"
        );
        assert_eq!(
            failure.provider_request_id.as_deref(),
            Some("req_upstream"),
            "{format} {name}"
        );
        assert_eq!(
            upstream.requests().len(),
            1,
            "never asked again after a word: {format} {name}"
        );
    }
}

#[tokio::test]
async fn an_error_before_the_first_word_is_tried_again() {
    for (format, first) in [
        (Format::AnthropicMessages, fixture!("anthropic/error_first")),
        (Format::AnthropicMessages, fixture!("anthropic/error_after_start")),
    ] {
        let upstream = Upstream::start().await;
        upstream.script([Reply::recorded(first), Reply::recorded(hello(format))]);
        let heard = hear(client().stream(speaking(&upstream, format), question("?"))).await;
        assert_eq!((heard.retries, heard.text.as_str()), (1, "Hello wörld 👩‍🚀"));
        assert_eq!(heard.tokens(), [19, 8, 10, 0], "the first try has left nothing behind");
    }
}

#[tokio::test]
async fn unknown_events_are_counted_and_skipped() {
    for (format, bytes, unknown) in [
        (Format::AnthropicMessages, fixture!("anthropic/variety"), 3),
        (Format::Responses, fixture!("responses/variety"), 1),
        (Format::GeminiGenerate, fixture!("gemini/variety"), 2),
        (Format::OllamaChat, fixture!("ollama/variety"), 1),
    ] {
        let upstream = Upstream::start().await;
        upstream.script([Reply::recorded(bytes)]);
        let client = client();
        let heard = hear(client.stream(speaking(&upstream, format), question("?"))).await;
        assert_eq!(
            (heard.text.as_str(), heard.reason()),
            ("Hello", FinishReason::Stop),
            "{format}"
        );
        assert_eq!(client.unknown_events(), unknown, "{format}");
    }
}

#[tokio::test]
async fn calls_in_chat_completions() {
    let call = |id: &str, name: &str, arguments: &str| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    let heard = recorded(Format::ChatCompletions, fixture!("openai/tools")).await;
    let calls = [call("call_a", "find", r#"{"who": "Ada"}"#), call("call_b", "now", "{}")];
    assert_eq!(
        (heard.calls.as_slice(), heard.reason()),
        (&calls[..], FinishReason::ToolCalls)
    );
    let heard = recorded(Format::ChatCompletions, fixture!("openai/tools_odd")).await;
    let calls = [call("call_0", "find", r#"{"who":"Ada"}"#), call("x2", "now", "{}")];
    assert_eq!(
        (heard.calls.as_slice(), heard.reason()),
        (&calls[..], FinishReason::ToolCalls)
    );
    let heard = recorded(Format::ChatCompletions, fixture!("openai/cost")).await;
    assert_eq!(heard.usage.expect("a usage").cost_micro_usd, Some(1123));
}
