//! Streams in pieces: any split of the bytes gives the same answer, and no beginning of one is a whole answer.

use parlor::ai::Format;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::harness::upstream::{Reply, Upstream};

use super::{
    Heard, client,
    formats::{hello, speaking, thinking},
    hear, question,
};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../fixtures/", $name, ".txt")).as_slice()
    };
}

/// A stream, and the bytes in it that end the answer.
fn ends() -> Vec<(Format, &'static [u8], &'static str)> {
    vec![
        (
            Format::ChatCompletions,
            hello(Format::ChatCompletions),
            r#""finish_reason":"stop""#,
        ),
        (
            Format::Responses,
            hello(Format::Responses),
            r#""type":"response.completed""#,
        ),
        (
            Format::Responses,
            thinking(Format::Responses),
            r#""type":"response.completed""#,
        ),
        (
            Format::AnthropicMessages,
            hello(Format::AnthropicMessages),
            r#""stop_reason":"end_turn""#,
        ),
        (
            Format::AnthropicMessages,
            thinking(Format::AnthropicMessages),
            r#""stop_reason":"tool_use""#,
        ),
        (
            Format::GeminiGenerate,
            hello(Format::GeminiGenerate),
            r#""finishReason": "STOP""#,
        ),
        (
            Format::GeminiGenerate,
            thinking(Format::GeminiGenerate),
            r#""finishReason": "STOP""#,
        ),
        (Format::OllamaChat, hello(Format::OllamaChat), r#""done":true"#),
        (Format::OllamaChat, thinking(Format::OllamaChat), r#""done":true"#),
    ]
}

#[test]
fn any_split_gives_the_same_answer_and_no_beginning_is_an_answer() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = runtime.block_on(async { client() });
    let upstream = runtime.block_on(Upstream::start());
    let heard = |format: Format, bytes: &[u8], sizes: &[usize]| {
        upstream.script([Reply::recorded(bytes).in_pieces(sizes)]);
        runtime.block_on(hear(client.stream(speaking(&upstream, format), question("What?"))))
    };
    let mut streams: Vec<(Format, &[u8])> = ends().into_iter().map(|(format, bytes, _)| (format, bytes)).collect();
    streams.extend([
        (Format::AnthropicMessages, fixture!("anthropic/variety")),
        (Format::AnthropicMessages, fixture!("anthropic/error_overloaded")),
        (Format::Responses, fixture!("responses/variety")),
        (Format::Responses, fixture!("responses/failed")),
        (Format::GeminiGenerate, fixture!("gemini/variety")),
        (Format::GeminiGenerate, fixture!("gemini/error_raw")),
        (Format::OllamaChat, fixture!("ollama/variety")),
        (Format::OllamaChat, fixture!("ollama/error")),
    ]);
    let whole: Vec<Heard> = streams
        .iter()
        .map(|(format, bytes)| heard(*format, bytes, &[usize::MAX]))
        .collect();
    for ((format, bytes), whole) in streams.iter().zip(&whole) {
        assert_eq!(&heard(*format, bytes, &[1]), whole, "byte by byte: {format}");
    }
    let config = || Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    };
    let cases = (0..streams.len(), prop::collection::vec(1..90_usize, 1..12));
    let outcome = TestRunner::new(config()).run(&cases, |(which, sizes)| {
        let (format, bytes) = streams[which];
        prop_assert_eq!(&heard(format, bytes, &sizes), &whole[which]);
        Ok(())
    });
    outcome.expect("the same answer");

    let ends = ends();
    let cases = (0..ends.len(), 0.0..1.0_f64);
    let outcome = TestRunner::new(config()).run(&cases, |(which, part)| {
        let (format, bytes, end) = ends[which];
        let text = str::from_utf8(bytes).expect("UTF-8");
        let last = text.find(end).expect("an end") + end.len();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few thousand bytes"
        )]
        let cut = (last as f64 * part) as usize;
        let heard = heard(format, &bytes[..cut], &[usize::MAX]);
        prop_assert!(heard.finish.is_none(), "{} ends at byte {}: {:?}", format, cut, heard);
        prop_assert!(heard.replay.is_none() && heard.calls.is_empty());
        Ok(())
    });
    outcome.expect("no beginning is an answer");
}
