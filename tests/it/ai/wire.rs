//! Chat Completions in all its legal variety, and what is asked.

use futures_util::StreamExt;
use parlor::ai::{Delta, Endpoint, FinishReason, Provider};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::json;

use crate::harness::upstream::{Gate, Reply, Upstream};

use super::{Heard, KEY, ask, at, client, hear, question};

async fn recorded(bytes: &[u8]) -> Heard {
    let upstream = Upstream::start().await;
    upstream.script([Reply::recorded(bytes)]);
    ask(&upstream).await
}

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/openai/", $name, ".txt")).as_slice()
    };
}
pub(super) use fixture;

#[tokio::test]
async fn the_same_answer_in_every_spelling() {
    for (name, bytes) in [
        ("hello", fixture!("hello")),
        ("crlf", fixture!("crlf")),
        ("cr", fixture!("cr")),
        ("variety", fixture!("variety")),
    ] {
        let heard = recorded(bytes).await;
        assert_eq!(heard.text, "Hello wörld 👩‍🚀", "{name}");
        assert_eq!(heard.finish, Some((FinishReason::Stop, "stop".to_owned())), "{name}");
        assert_eq!(heard.tokens(), [19, 8, 10, 4], "{name}");
        let model = Some("gpt-4o-mini-2024-07-18".to_owned());
        assert_eq!(heard.started, Some((Some("req_upstream".to_owned()), model)), "{name}");
    }
}

#[tokio::test]
async fn each_dialect() {
    let heard = recorded(fixture!("openrouter")).await;
    assert_eq!((heard.reasoning.as_str(), heard.text.as_str()), ("Let me see.", "42"));
    assert_eq!(heard.tokens(), [7, 0, 5, 3]);
    let usage = heard.usage.expect("a usage");
    assert_eq!(
        usage.raw["cost"],
        json!(0),
        "kept raw, for those who know what it means"
    );

    let heard = recorded(fixture!("deepseek")).await;
    assert_eq!((heard.reasoning.as_str(), heard.text.as_str()), ("Let me see.", "42"));
    assert_eq!(heard.tokens(), [7, 0, 5, 3]);

    let heard = recorded(fixture!("groq")).await;
    assert_eq!(heard.text, "Hi");
    assert_eq!(heard.tokens(), [11, 0, 2, 0]);

    let heard = recorded(fixture!("mistral_parts")).await;
    assert_eq!(heard.text, "Parts");
}

#[tokio::test]
async fn each_ending() {
    let heard = recorded(fixture!("length")).await;
    assert_eq!((heard.text.as_str(), heard.reason()), ("Once", FinishReason::Length));
    assert_eq!(heard.usage, None);

    let heard = recorded(fixture!("azure_filter")).await;
    assert_eq!(
        (heard.text.as_str(), heard.reason()),
        ("Well", FinishReason::ContentFilter)
    );

    let heard = recorded(fixture!("refusal")).await;
    assert_eq!(
        (heard.text.as_str(), heard.reason()),
        ("I can't help.", FinishReason::ContentFilter)
    );

    let heard = recorded(fixture!("no_done")).await;
    assert_eq!((heard.text.as_str(), heard.reason()), ("Whole", FinishReason::Stop));

    let upstream = Upstream::start().await;
    let news = || Reply::stream().word("Ok").finish("a_new_reason");
    upstream.script([
        news().done(),
        news().cut(),
        Reply::stream().word("Call").finish("tool_calls").done(),
    ]);
    let heard = ask(&upstream).await;
    assert_eq!(heard.finish, Some((FinishReason::Other, "a_new_reason".to_owned())));
    let heard = ask(&upstream).await;
    assert_eq!(
        heard.reason(),
        FinishReason::Other,
        "what is finished is finished, however it hangs up"
    );
    assert_eq!(ask(&upstream).await.reason(), FinishReason::ToolCalls);
}

#[test]
fn any_split_of_the_bytes_gives_the_same_answer() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = runtime.block_on(async { client() });
    let upstream = runtime.block_on(Upstream::start());
    let hear_in_pieces = |bytes: &[u8], sizes: &[usize]| {
        upstream.script([Reply::recorded(bytes).in_pieces(sizes)]);
        runtime.block_on(hear(client.stream(at(&upstream), question("What?"))))
    };
    let streams = [
        fixture!("variety"),
        fixture!("crlf"),
        fixture!("openrouter"),
        fixture!("error_nested"),
        fixture!("cut_torn"),
    ];
    let whole: Vec<Heard> = streams
        .iter()
        .map(|bytes| hear_in_pieces(bytes, &[usize::MAX]))
        .collect();
    for (bytes, whole) in streams.iter().zip(&whole) {
        assert_eq!(&hear_in_pieces(bytes, &[1]), whole, "byte by byte");
    }
    let cases = (0..streams.len(), prop::collection::vec(1..90_usize, 1..12));
    let mut runner = TestRunner::new(Config {
        cases: 100,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&cases, |(which, sizes)| {
        prop_assert_eq!(&hear_in_pieces(streams[which], &sizes), &whole[which]);
        Ok(())
    });
    outcome.expect("the same answer");
}

#[tokio::test]
async fn what_is_asked() {
    let upstream = Upstream::start().await;
    let mut request = question("Wörld?");
    request.temperature = Some(0.7);
    request.max_output_tokens = Some(99);
    hear(client().stream(at(&upstream), request.clone())).await;
    let openai = Endpoint {
        provider: Provider::OpenAi,
        ..at(&upstream)
    };
    hear(client().stream(openai, request)).await;
    let nameless = Endpoint {
        secret: None,
        ..at(&upstream)
    };
    hear(client().stream(nameless, question("?"))).await;

    let seen = upstream.requests();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path.as_str()),
        ("POST", "/v1/chat/completions")
    );
    assert_eq!(seen[0].headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(seen[0].headers["content-type"], "application/json");
    assert_eq!(seen[0].headers["accept"], "text/event-stream");
    assert_eq!(seen[0].headers["accept-encoding"], "identity");
    assert_eq!(
        seen[0].body,
        json!({
            "model": "m-1",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Wörld?"},
            ],
            "stream": true,
            "stream_options": {"include_usage": true},
            "temperature": 0.7,
            "max_tokens": 99,
        })
    );
    assert_eq!(seen[1].body["max_completion_tokens"], 99);
    assert_eq!(seen[1].body["max_tokens"], json!(null));
    assert_eq!(seen[2].headers.get("authorization"), None);
    assert_eq!(seen[2].body.get("temperature"), None);
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let upstream = Upstream::start().await;
    let client = client();
    for _ in 0..3 {
        let heard = hear(client.stream(at(&upstream), question("?"))).await;
        assert_eq!(heard.text, "Hello, world");
    }
    assert_eq!(upstream.connections(), 1);
}

#[tokio::test]
async fn a_key_is_verified_by_listing_models() {
    let upstream = Upstream::start().await;
    let models = json!({"object": "list", "data": [{"id": "m-1"}]});
    upstream.script([
        Reply::status(200).json(&models),
        Reply::error(
            401,
            "invalid_request_error",
            "invalid_api_key",
            "Incorrect API key provided",
        ),
        Reply::status(200).header("content-type", "text/html").bytes("<html>"),
    ]);
    let endpoint = at(&upstream);
    assert_eq!(client().verify(&endpoint).await, Ok(()));
    let kind = |verified: Result<(), parlor::ai::Failure>| verified.expect_err("refused").kind.name();
    assert_eq!(kind(client().verify(&endpoint).await), "key_invalid");
    assert_eq!(kind(client().verify(&endpoint).await), "unavailable");
    assert_eq!(client().verify(&Endpoint::scripted()).await, Ok(()));
    let seen = upstream.requests();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("GET", "/v1/models"));
    assert_eq!(seen[0].headers["authorization"], format!("Bearer {KEY}"));
}

#[tokio::test]
async fn each_word_arrives_when_it_is_said() {
    let upstream = Upstream::start().await;
    let (first, second) = (Gate::new(), Gate::new());
    upstream.script([Reply::stream()
        .hold(&first)
        .thought("Hm.")
        .word("One")
        .hold(&second)
        .word(" two")
        .stop()]);
    let mut answer = client().stream(at(&upstream), question("?"));
    let mut next = async || answer.next().await.expect("more").expect("no failure");
    let (delta, ()) = tokio::join!(next(), async {
        upstream.asked(1).await;
        first.open();
    });
    assert!(matches!(delta, Delta::Started { .. }));
    assert_eq!(next().await, Delta::Reasoning("Hm.".to_owned()));
    assert_eq!(next().await, Delta::Text("One".to_owned()));
    second.open();
    assert_eq!(next().await, Delta::Text(" two".to_owned()));
    assert!(matches!(next().await, Delta::Finished { .. }));
}
