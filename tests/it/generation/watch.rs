//! Watching: the whole text for everybody, from wherever they are.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{state, upto};
use crate::harness::app::TestApp;
use crate::harness::stream::shown;
use crate::harness::upstream::{Gate, Reply};
use crate::send::{plain_chat, with_upstream};

/// Pieces with letters of one to four bytes, and some that only make sense together.
const PIECES: [&str; 12] = [
    "A",
    " ré",
    "sumé",
    " ",
    "日本",
    "語",
    "👩",
    "\u{200D}🚀",
    "\n\n",
    "e",
    "\u{301}",
    ".",
];

fn reply(gate: &Gate) -> Reply {
    let begun = PIECES
        .iter()
        .fold(Reply::stream().thought("Hm, ").thought("日"), |reply, piece| {
            reply.word(piece)
        });
    begun.hold(gate).finish("stop").usage(3, 12).done()
}

fn joined(events: &[Value], channel: &str) -> String {
    let deltas = events
        .iter()
        .filter(|event| event["__typename"] == "GenerationDelta" && event["channel"] == channel);
    deltas.map(|event| event["text"].as_str().expect("a text")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resuming_anywhere_gives_the_same_text() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let gate = Gate::new();
    upstream.script([reply(&gate)]);
    let generation = ada.send(&chat, "Go on").await;
    let whole = PIECES.concat();
    // Two thoughts come before the pieces; each piece is one delta.
    let last = i64::try_from(PIECES.len()).expect("few") + 2;
    let mut first = ada.generation_events(&generation, None).await;
    let events = upto(&mut first, last).await;
    assert_eq!(events[0]["__typename"], "GenerationSnapshot");
    assert_eq!(shown(&events), whole);
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0]["sequence"].as_i64() < pair[1]["sequence"].as_i64()),
        "{events:#?}"
    );

    for after in 0..last {
        let mut resumed = ada.generation_events(&generation, Some(after)).await;
        let events = upto(&mut resumed, last).await;
        let after = usize::try_from(after).expect("not negative");
        assert!(
            events.iter().all(|event| event["__typename"] == "GenerationDelta"),
            "{events:#?}"
        );
        assert_eq!(
            joined(&events, "ANSWER"),
            PIECES[after.saturating_sub(2)..].concat(),
            "after {after}"
        );
        assert_eq!(
            joined(&events, "REASONING"),
            ["Hm, ", "日"][after.min(2)..].concat(),
            "after {after}"
        );
    }
    for impossible in [-1, last + 1, i64::from(i32::MAX), i64::from(i32::MIN)] {
        let snapshot = ada
            .generation_events(&generation, Some(impossible))
            .await
            .next()
            .await
            .expect("an event");
        assert_eq!(
            (&snapshot["__typename"], &snapshot["text"]),
            (&json!("GenerationSnapshot"), &json!(whole))
        );
        assert_eq!(
            (&snapshot["reasoning"], &snapshot["sequence"]),
            (&json!("Hm, 日"), &json!(last))
        );
    }
    let up_to_date = ada.generation_events(&generation, Some(last)).await;
    assert_eq!(
        state(&ada, &generation).await["text"],
        whole,
        "a query shows what streams"
    );
    gate.open();

    for mut watcher in [first, up_to_date] {
        let events = watcher.rest().await;
        assert_eq!(events.len(), 1, "{events:#?}");
        assert_eq!(events[0]["__typename"], "GenerationFinished");
        assert_eq!(events[0]["generation"]["text"], whole);
        assert_eq!(events[0]["sequence"], last);
    }
    // After its end it is told in the same way.
    for after in [None, Some(0), Some(5), Some(last + 1), Some(-1)] {
        let events = ada.generation_events(&generation, after).await.rest().await;
        let names: Vec<_> = events.iter().map(|event| event["__typename"].clone()).collect();
        assert_eq!(names, ["GenerationSnapshot", "GenerationFinished"]);
        assert_eq!(
            (shown(&events), &events[0]["reasoning"]),
            (whole.clone(), &json!("Hm, 日"))
        );
    }
    let events = ada.generation_events(&generation, Some(last)).await.rest().await;
    assert_eq!(events.len(), 1, "who has it all gets the end alone");
    let ended = state(&ada, &generation).await;
    assert_eq!(
        (&ended["status"], &ended["reasoning"]),
        (&json!("COMPLETED"), &json!("Hm, 日"))
    );
    assert_eq!(
        ended["usage"],
        json!({ "inputTokens": 3, "outputTokens": 12, "totalTokens": 15 })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_sees_the_same_at_their_own_pace() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let sibling = app.sibling().await;
    let chat = ada.chat("scripted:words=400,first=0,delay=1,reasoning=20,seed=5").await;
    let generation = ada.send(&chat, "Tell me everything").await;
    let mut slow = ada.generation_events(&generation, None).await;
    let mut seen = vec![slow.next().await.expect("an event")];
    drop(ada.generation_events(&generation, None).await);

    let elsewhere = sibling.client_of(&ada);
    let phone = ada.second_device("ada").await;
    let watchers = (0..9).map(|n| {
        let client = [&ada.client, &phone, &elsewhere][n % 3];
        let generation = &generation;
        async move { client.generation_events(generation, None).await.rest().await }
    });
    let all = join_all(watchers).await;
    let text = state(&ada, &generation).await["text"]
        .as_str()
        .expect("a text")
        .to_owned();
    assert_eq!(text.split(' ').count(), 400);
    for events in &all {
        assert_eq!(events[0]["__typename"], "GenerationSnapshot");
        assert_eq!(shown(events), text);
        let finished = events.last().expect("an end");
        assert_eq!(
            (&finished["__typename"], &finished["sequence"]),
            (&json!("GenerationFinished"), &json!(420))
        );
        assert_eq!(finished["generation"]["status"], "COMPLETED");
    }
    // Whoever did not read until now gets few and long pieces.
    seen.extend(slow.rest().await);
    assert_eq!(shown(&seen), text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_ones_own_does_not_exist() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let generation = ada.send(&ada.chat("scripted").await, "secret").await;
    let unknown = "gen_0192f3a0000070008000000000000000";
    let mut answers = Vec::new();
    for id in [generation.as_str(), unknown, "gen_", ""] {
        let mut stream = bob.generation_events(id, None).await;
        answers.push(stream.result().await.expect("an answer"));
        assert_eq!(stream.result().await, None, "and that is all");
        assert_eq!(state(&bob, id).await, Value::Null);
    }
    assert_eq!(answers[0]["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_belongs_to_no_subscription() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let gate = Gate::new();
    upstream.script([reply(&gate)]);
    let generation = ada.send(&chat, "Go on").await;
    let mut watcher = ada.generation_events(&generation, None).await;
    upto(&mut watcher, 3).await;
    drop(watcher);
    gate.open();
    let events = ada.generation_events(&generation, Some(3)).await.rest().await;
    assert_eq!(events.last().expect("an end")["generation"]["text"], PIECES.concat());
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_are_seen_and_numbered() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let gate = Gate::new();
    let busy = || Reply::status(503).header("retry-after-ms", "1");
    upstream.script([busy(), busy(), Reply::stream().hold(&gate).word("Here").stop()]);
    let generation = ada.send(&chat, "Hello").await;
    upstream.asked(3).await;
    // Whoever comes now has missed both, and nothing was said yet.
    let mut late = ada.generation_events(&generation, None).await;
    let beginning = late.next().await.expect("a snapshot");
    assert_eq!((&beginning["sequence"], &beginning["text"]), (&json!(0), &json!("")));
    for number in 1..=2 {
        let retry = late.next().await.expect("a retry");
        let told = [
            &retry["__typename"],
            &retry["attempt"],
            &retry["sequence"],
            &retry["code"],
        ];
        assert_eq!(
            told,
            [
                &json!("GenerationRetrying"),
                &json!(number),
                &json!(number),
                &json!("UNAVAILABLE")
            ]
        );
    }
    gate.open();
    let finished = late.until("GenerationFinished").await;
    assert_eq!(
        (&finished["sequence"], &finished["generation"]["text"]),
        (&json!(3), &json!("Here"))
    );
}
