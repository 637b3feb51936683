//! Models, asked through the public words of `parlor::ai`.

mod asked;
mod broken;
mod details;
mod effort;
mod failures;
mod formats;
mod guard;
mod limits;
mod pieces;
mod scripted;
mod sse;
mod wire;

use futures_util::StreamExt;
use parlor::ai::{
    Answer, Client, Delta, Endpoint, Failure, FinishReason, Headroom, Limits, Provider, Reach, Replay, Request,
    ToolCall, Turn, Usage,
};

use crate::harness::upstream::Upstream;

/// The key that must never be seen again.
const KEY: &str = "sk-live-4f9d2c7be1a84d06";
/// What upstreams say in the fixtures and must never be passed on.
const LEAK: &str = "sk-UPSTREAM-SAYS-leaked";

fn client() -> Client {
    Client::new(Limits::default())
}

fn at(upstream: &Upstream) -> Endpoint {
    Endpoint {
        provider: Provider::OpenAiCompatible,
        format: None,
        base_url: Some(upstream.url()),
        secret: Some(KEY.into()),
        reach: Reach::Operator,
    }
}

fn question(text: &str) -> Request {
    Request {
        model: "m-1".to_owned(),
        turns: vec![Turn::system("Be brief."), Turn::user(text)],
        ..Request::default()
    }
}

async fn ask(upstream: &Upstream) -> Heard {
    hear(client().stream(at(upstream), question("What?"))).await
}

/// A whole answer.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    retries: u32,
    started: Option<(Option<String>, Option<String>)>,
    reasoning: String,
    text: String,
    usage: Option<Usage>,
    headroom: Option<Headroom>,
    calls: Vec<ToolCall>,
    replay: Option<Replay>,
    finish: Option<(FinishReason, String)>,
    failure: Option<Failure>,
}

async fn hear(mut answer: Answer) -> Heard {
    let mut heard = Heard::default();
    while let Some(item) = answer.next().await {
        assert!(
            heard.failure.is_none() && heard.finish.is_none(),
            "an end is the last item"
        );
        match item {
            Ok(Delta::Retrying { attempt, .. }) => {
                heard.retries += 1;
                assert_eq!(attempt, heard.retries);
            }
            Ok(Delta::Started {
                provider_request_id,
                model,
            }) => {
                assert_eq!(heard.started, None, "an answer starts once");
                heard.started = Some((provider_request_id, model));
            }
            Ok(Delta::Reasoning(text)) => heard.reasoning.push_str(&spoken(&heard.started, text)),
            Ok(Delta::Text(text)) => heard.text.push_str(&spoken(&heard.started, text)),
            Ok(Delta::Usage(usage)) => heard.usage = Some(usage),
            Ok(Delta::Headroom(headroom)) => heard.headroom = Some(headroom),
            Ok(Delta::ToolCall(call)) => heard.calls.push(call),
            Ok(Delta::Replay(replay)) => {
                assert_eq!(heard.replay, None, "one at most");
                heard.replay = Some(replay);
            }
            Ok(Delta::Finished { reason, raw }) => heard.finish = Some((reason, raw)),
            Err(failure) => heard.failure = Some(failure),
        }
    }
    assert!(heard.failure.is_some() != heard.finish.is_some(), "one end: {heard:?}");
    let everything = format!(
        "{heard:?} {}",
        heard.failure.as_ref().map_or(String::new(), ToString::to_string)
    );
    assert!(!everything.contains(KEY), "the key is out: {everything}");
    assert!(!everything.contains(LEAK), "the provider's words are out: {everything}");
    heard
}

fn spoken<T>(started: &Option<T>, text: String) -> String {
    assert!(started.is_some(), "nothing is said before the start");
    assert!(!text.is_empty());
    text
}

impl Heard {
    fn failure(&self) -> &Failure {
        self.failure
            .as_ref()
            .unwrap_or_else(|| panic!("it did not fail: {self:?}"))
    }

    fn reason(&self) -> FinishReason {
        self.finish.as_ref().unwrap_or_else(|| panic!("it failed: {self:?}")).0
    }

    fn tokens(&self) -> [u64; 4] {
        let usage = self.usage.as_ref().expect("a usage");
        [
            usage.input_tokens,
            usage.cached_input_tokens,
            usage.output_tokens,
            usage.reasoning_tokens,
        ]
    }
}
