//! The provider without a network.

use std::time::Duration;

use futures_util::StreamExt;
use parlor::ai::{
    Delta, Endpoint, FailureKind, FinishReason, Request, ToolCall, Turn,
    scripted::{Script, ScriptError},
};
use tokio::time::Instant;

use super::{Heard, client, hear, question};

async fn play(model: &str) -> Heard {
    play_to(model, question("Where is the café, please?")).await
}

async fn play_to(model: &str, request: Request) -> Heard {
    let request = Request {
        model: model.to_owned(),
        ..request
    };
    hear(client().stream(Endpoint::scripted(), request)).await
}

#[tokio::test(start_paused = true)]
async fn the_default_answer_is_pleasant() {
    let started = Instant::now();
    let heard = play("scripted").await;
    assert!(heard.text.contains("Where is the café please"), "{}", heard.text);
    assert!(heard.text.contains("Add a key"), "{}", heard.text);
    assert!(heard.text.ends_with('.'));
    let words = heard.text.split(' ').count();
    assert_eq!(heard.reason(), FinishReason::Stop);
    assert_eq!(heard.tokens(), [7, 0, words as u64, 0]);
    let took = started.elapsed();
    assert_eq!(took, Duration::from_millis(150 + (words as u64 - 1) * 25));
}

#[tokio::test(start_paused = true)]
async fn a_seed_always_says_the_same() {
    let model = |seed| format!("scripted:words=300,seed={seed},delay=0,reasoning=5");
    let first = play(&model(3)).await;
    assert_eq!(first, play(&model(3)).await);
    assert_ne!(first.text, play(&model(4)).await.text);
    assert!(first.text.chars().any(|c| c.len_utf8() == 4) && first.text.contains('é'));
    assert_eq!(first.text.split(' ').count(), 300);
    assert_eq!(first.reasoning.split(' ').count(), 5);
    assert_eq!(first.tokens()[2..], [305, 5]);
}

#[tokio::test(start_paused = true)]
async fn every_failure_at_any_word() {
    for kind in FailureKind::ALL {
        for at in [0, 1, 10] {
            let heard = play(&format!("scripted:fail={kind},at={at},retry_after=7,words=10")).await;
            let failure = heard.failure();
            assert_eq!(failure.kind, kind);
            assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
            assert_eq!(heard.text.split_whitespace().count(), at);
            assert_eq!(heard.started.is_some(), at > 0);
        }
    }
    let heard = play("scripted:cut=4").await;
    assert_eq!(heard.text.split_whitespace().count(), 4);
    assert!(heard.failure().broke_off());
    let started = Instant::now();
    let heard = play("scripted:stall=4").await;
    assert_eq!(
        (heard.failure().kind, heard.failure().broke_off()),
        (FailureKind::Timeout, true)
    );
    assert!(started.elapsed() >= Duration::from_secs(30));
    let started = Instant::now();
    assert!(play("scripted:stall").await.failure().broke_off());
    assert!(started.elapsed() >= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn it_shows_what_it_was_given() {
    let turns = vec![
        Turn::system("Be \"kind\"."),
        Turn::user("One\ntwo  three 👩‍🚀"),
        Turn::assistant("…"),
        Turn::user(" last\tone "),
    ];
    let request = Request { turns, ..question("") };
    let heard = play_to("scripted:context,first=0,delay=0", request.clone()).await;
    let seen: Vec<(String, String)> = serde_json::from_str::<Vec<serde_json::Value>>(&heard.text)
        .expect("JSON")
        .into_iter()
        .map(|turn| {
            (
                turn["role"].as_str().unwrap_or("").into(),
                turn["text"].as_str().unwrap_or("").into(),
            )
        })
        .collect();
    let given: Vec<(String, String)> = request
        .turns
        .iter()
        .map(|turn| (turn.role().into(), turn.text().to_owned()))
        .collect();
    assert_eq!(seen, given);
    assert_eq!(play_to("scripted:echo", request).await.text, " last\tone ");
}

#[tokio::test(start_paused = true)]
async fn limits_retries_and_silence_about_usage() {
    let mut request = question("?");
    request.max_output_tokens = Some(5);
    let heard = play_to("scripted:words=9", request).await;
    assert_eq!(
        (heard.text.split(' ').count(), heard.reason()),
        (5, FinishReason::Length)
    );
    let heard = play("scripted:retries=2,usage=off,finish=content_filter").await;
    assert_eq!(
        (heard.retries, heard.usage.is_none(), heard.reason()),
        (2, true, FinishReason::ContentFilter)
    );

    let mut answer = client().stream(
        Endpoint::scripted(),
        Request {
            model: "scripted:words=2".into(),
            ..question("")
        },
    );
    let mut pieces = Vec::new();
    while let Some(Ok(delta)) = answer.next().await {
        if let Delta::Text(text) = delta {
            pieces.push(text);
        }
    }
    assert_eq!(pieces, ["You", " asked"], "one delta for each word");
}

#[tokio::test(start_paused = true)]
async fn tools_are_called_and_their_results_told() {
    let model = r#"scripted:tool=find({"name":"Ada, \"A)\"","n":[1,2]}),tool=now(),delay=0"#;
    let mut request = question("Who?");
    let heard = play_to(model, request.clone()).await;
    let call = |id: &str, name: &str, arguments: &str| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    let calls = vec![
        call("call_0", "find", r#"{"name":"Ada, \"A)\"","n":[1,2]}"#),
        call("call_1", "now", "{}"),
    ];
    assert_eq!((&heard.calls, heard.reason()), (&calls, FinishReason::ToolCalls));
    assert_eq!(heard.text, "");
    request.turns.push(Turn::Assistant {
        text: String::new(),
        tool_calls: calls,
        replay: None,
    });
    for (id, name, text, failed) in [
        ("call_0", "find", "Ada Lovelace", false),
        ("call_1", "now", "no clock", true),
    ] {
        request.turns.push(Turn::ToolResult {
            call_id: id.into(),
            name: name.into(),
            text: text.into(),
            failed,
        });
    }
    let heard = play_to(model, request).await;
    assert_eq!(heard.text, "find said: Ada Lovelace now failed: no clock");
    assert_eq!((heard.calls.len(), heard.reason()), (0, FinishReason::Stop));
}

#[test]
fn a_script_that_makes_no_sense_says_why() {
    for (model, why) in [
        (
            "gpt-4o",
            "a scripted model is called `scripted` or `scripted:option=value,…`",
        ),
        (
            "scriptedx",
            "a scripted model is called `scripted` or `scripted:option=value,…`",
        ),
        ("scripted:speed=3", "unknown option `speed` of a scripted model"),
        (
            "scripted:words=many",
            "option `words` of a scripted model takes a whole number up to 1000000",
        ),
        (
            "scripted:words=1000001",
            "option `words` of a scripted model takes a whole number up to 1000000",
        ),
        (
            "scripted:fail=badly",
            "option `fail` of a scripted model takes a kind of failure such as rate_limited or key_invalid",
        ),
        (
            "scripted:fail=timeout,cut",
            "options `fail` and `cut` of a scripted model exclude each other",
        ),
        (
            "scripted:echo,words=3",
            "options `words` and `echo` of a scripted model exclude each other",
        ),
        (
            "scripted:at=3",
            "option `at` of a scripted model needs `fail`, `cut` or `stall`",
        ),
        (
            "scripted:retry_after=3",
            "option `retry_after` of a scripted model needs `fail`",
        ),
        (
            "scripted:usage=maybe",
            "option `usage` of a scripted model takes on or off",
        ),
        (
            "scripted:tool=find",
            "option `tool` of a scripted model takes a call such as find({\"name\":\"Ada\"})",
        ),
        ("scripted:echo=1", "option `echo` of a scripted model takes no value"),
    ] {
        let error: ScriptError = model.parse::<Script>().expect_err(model);
        assert_eq!(error.to_string(), why, "{model}");
    }
    assert_eq!("scripted:".parse::<Script>(), "scripted".parse());
    assert_eq!("scripted: cut=5 ,".parse::<Script>(), "scripted:cut,at=5".parse());
}
