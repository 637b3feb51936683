//! Silence, floods and endless answers.

use std::time::Duration;

use parlor::ai::{Client, FailureKind as Kind, FinishReason, Limits};

use crate::harness::upstream::{Reply, Upstream};

use super::{Heard, at, hear, question};

const SHORT: Duration = Duration::from_millis(80);

async fn ask_within(upstream: &Upstream, limits: Limits) -> Heard {
    let client = Client::new(limits);
    hear(client.stream(at(upstream), question("?"))).await
}

#[tokio::test]
async fn silence_before_the_first_word_has_an_end() {
    for reply in [
        Reply::stream().stall(),
        Reply::stream().bytes(": one comment\n\n").stall(),
        Reply::stream().word("").stall(),
    ] {
        let upstream = Upstream::start().await;
        upstream.script([reply]);
        let limits = Limits {
            first_byte: SHORT,
            ..Limits::default()
        };
        let heard = ask_within(&upstream, limits).await;
        assert_eq!(heard.failure().kind, Kind::Timeout);
        assert!(heard.failure().broke_off());
        assert_eq!(heard.retries, 0);
        upstream.hung_up(1).await;
    }
}

#[tokio::test]
async fn silence_between_words_has_an_end_of_its_own() {
    let upstream = Upstream::start().await;
    upstream.script([Reply::stream().word("Half").stall()]);
    let limits = Limits {
        idle: SHORT,
        ..Limits::default()
    };
    let heard = ask_within(&upstream, limits).await;
    assert_eq!(heard.text, "Half");
    assert_eq!(
        (heard.failure().kind, heard.failure().broke_off()),
        (Kind::Timeout, true)
    );
    upstream.hung_up(1).await;
}

#[tokio::test]
async fn keep_alives_do_not_keep_it_alive_for_good() {
    let upstream = Upstream::start().await;
    upstream.script([Reply::stream().word("Half").forever(": still here\n\n")]);
    let limits = Limits {
        total: 2 * SHORT,
        ..Limits::default()
    };
    let heard = ask_within(&upstream, limits).await;
    assert_eq!(heard.failure().kind, Kind::Timeout);
    upstream.hung_up(1).await;
}

#[tokio::test]
async fn an_endless_line_is_cut_off() {
    let upstream = Upstream::start().await;
    let mib = vec![b'a'; 1024 * 1024];
    upstream.script([
        Reply::stream().word("Half").bytes("data: ").forever(mib.clone()),
        Reply::stream()
            .word("Half")
            .forever(format!("data: {}\n", "a".repeat(1000))),
    ]);
    for served in 1..=2 {
        let heard = ask_within(&upstream, Limits::default()).await;
        assert_eq!((heard.text.as_str(), heard.failure().kind), ("Half", Kind::Unavailable));
        upstream.hung_up(served).await;
    }
}

#[tokio::test]
async fn an_endless_answer_ends_at_the_limit() {
    let upstream = Upstream::start().await;
    let word = r#"data: {"choices":[{"index":0,"delta":{"content":"wörd "}}]}"#;
    upstream.script([Reply::stream().forever(format!("{word}\n\n"))]);
    let limits = Limits {
        answer: 1000,
        ..Limits::default()
    };
    let heard = ask_within(&upstream, limits).await;
    assert_eq!(heard.reason(), FinishReason::Length);
    assert!((995..=1000).contains(&heard.text.len()), "{}", heard.text.len());
    assert!("wörd ".repeat(200).starts_with(&heard.text));
    upstream.hung_up(1).await;
}

#[tokio::test]
async fn an_endless_error_is_read_only_so_far() {
    let upstream = Upstream::start().await;
    upstream.script([Reply::status(400).forever(vec![b' '; 10_000])]);
    let heard = ask_within(&upstream, Limits::default()).await;
    assert_eq!(heard.failure().kind, Kind::InvalidRequest);
    upstream.hung_up(1).await;
}
