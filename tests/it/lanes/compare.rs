//! All answers stay.

use serde_json::json;

use super::{QUICK, STARTED, Started, asked, told};
use crate::events::{follow, sync_cursor};
use crate::generation::ended;
use crate::harness::app::{TestApp, new_key};
use crate::tree::{list, message, selected, sent, shown};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lane_is_a_version_and_the_first_is_shown() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let models = ["scripted:echo,first=0", QUICK, "scripted:fail=unavailable,first=0,at=1"];
    let started = asked(&ada, &chat, "COMPARE", &models).await;
    let [one, two, three] = &started.answers[..] else {
        panic!("three lanes");
    };
    let mut ends = Vec::new();
    for generation in &started.generations {
        ends.push(ended(&ada, generation).await["status"].take());
    }
    assert_eq!(ends, ["COMPLETED", "COMPLETED", "FAILED"]);
    assert_eq!(shown(&ada, &chat).await, [&started.question, one].map(Clone::clone));
    let seen = told(&ada, two).await;
    assert_eq!((&seen["active"], &seen["deletedAt"]), (&json!(false), &json!(null)));
    assert_eq!(seen["parent"]["id"], json!(started.question));
    assert_eq!(list(&seen["siblings"]), [one, three].map(Clone::clone));

    // The conversation goes on below the one that is liked best.
    selected(&ada, two).await;
    let (next, _) = sent(&ada, &chat, "And then?").await;
    assert_eq!(message(&ada, &next, "parent { id }").await["parent"]["id"], json!(two));
    let fields = "id generation { model firstTokenMs tokensPerSecond usage { outputTokens } }";
    let seen = message(&ada, two, fields).await["generation"].take();
    assert_eq!(
        (&seen["model"], &seen["usage"]["outputTokens"]),
        (&json!(QUICK), &json!(3))
    );
    assert!(
        seen["firstTokenMs"]
            .as_i64()
            .is_some_and(|took| (0..60_000).contains(&took)),
        "{seen}"
    );
    assert!(seen["tokensPerSecond"].as_f64().is_none_or(|rate| rate > 0.0), "{seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_made_anew_by_several() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (question, first) = sent(&ada, &chat, "one").await;
    let cursor = sync_cursor(&ada).await;
    let lanes = json!([{ "model": QUICK }, { "model": "scripted:words=2,first=0,delay=0" }]);
    let input = json!({ "messageId": first, "idempotencyKey": "lanes", "reply": { "lanes": lanes } });
    let payload = ada.mutate("regenerateMessage", input.clone(), STARTED).await;
    let started = Started::of(&payload);
    assert_eq!(
        started.question, started.answers[0],
        "the payload's message is the first answer"
    );
    for generation in &started.generations {
        ended(&ada, generation).await;
    }
    assert_eq!(
        shown(&ada, &chat).await,
        [&question, &started.answers[0]].map(Clone::clone)
    );
    let all = [&first, &started.answers[1]].map(Clone::clone);
    assert_eq!(list(&told(&ada, &started.answers[0]).await["siblings"]), all);
    let mut stream = follow(&ada, Some(&cursor)).await;
    let mut kinds = Vec::new();
    for _ in 0..5 {
        kinds.push(stream.next().await.expect("an event")["__typename"].take());
    }
    let expected = [
        "BranchChanged",
        "MessageCreated",
        "MessageCreated",
        "ChatUpserted",
        "MessageUpdated",
    ];
    assert_eq!(kinds, expected);

    let repeat = Started::of(&ada.mutate("regenerateMessage", input.clone(), STARTED).await);
    assert_eq!(
        repeat.generations, started.generations,
        "a repeat gets all of them, in order"
    );
    for change in [
        json!({ "lanes": [{ "model": QUICK }] }),
        json!({ "lanes": lanes, "mode": "RACE" }),
    ] {
        let mut other = input.clone();
        other["reply"] = change;
        let refused = ada.mutate("regenerateMessage", other, "").await;
        assert_eq!(refused["errors"][0]["code"], "CONFLICT", "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_may_answer_in_anothers_name() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:context,first=0,delay=0").await;
    let input = json!({ "displayName": "Muse", "instructions": "Sing.", "model": "scripted:context,first=0,delay=0" });
    let muse = ada.mutate("createAssistant", input, "assistant { id }").await["assistant"]["id"].take();
    let reply = json!({ "lanes": [{}, { "assistantId": muse }] });
    let input = json!({ "chatId": chat, "content": "Hello", "idempotencyKey": new_key(), "reply": reply });
    let started = Started::of(&ada.mutate("sendMessage", input, STARTED).await);
    let mut texts = Vec::new();
    for generation in &started.generations {
        texts.push(
            ended(&ada, generation).await["text"]
                .as_str()
                .expect("a text")
                .to_owned(),
        );
    }
    assert!(!texts[0].contains("Sing.") && texts[1].contains("Sing."), "{texts:?}");
    let author = message(&ada, &started.answers[1], "author { displayName }").await;
    assert_eq!(author["author"]["displayName"], "Muse");
}
