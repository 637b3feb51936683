//! Answers that go on where they broke off.

use serde_json::{Value, json};

use super::{done, edited, ids, message, regenerated, sent};
use crate::generation::{ended, state};
use crate::harness::app::{Client, TestApp, new_key};
use crate::harness::stream::shown;
use crate::harness::upstream::Reply;
use crate::send::{plain_chat, with_upstream};

async fn go_on(client: &Client, generation: &str) -> Value {
    let input = json!({ "generationId": generation, "idempotencyKey": new_key() });
    client
        .mutate(
            "continueGeneration",
            input,
            "message { id } generation { id text sequence }",
        )
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_goes_on_where_it_ended() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    upstream.script([
        Reply::stream().word("Once 👩‍🚀 ").word("upon").cut(),
        Reply::stream()
            .word(" a ")
            .word("ti")
            .finish("length")
            .usage(3, 2)
            .done(),
        Reply::says(&["me."]),
    ]);
    let first = ada.send(&chat, "A tale").await;
    let end = ended(&ada, &first).await;
    assert_eq!(
        (&end["status"], &end["text"]),
        (&json!("INTERRUPTED"), &json!("Once 👩‍🚀 upon"))
    );

    let gone_on = go_on(&ada, &first).await;
    let (answer, second) = ids(&gone_on);
    assert_eq!(
        (&gone_on["generation"]["text"], &gone_on["generation"]["sequence"]),
        (&json!("Once 👩‍🚀 upon"), &json!(0)),
        "it begins with what there is"
    );
    let events = ada.generation_events(&second, None).await.rest().await;
    assert_eq!(events[0]["__typename"], "GenerationSnapshot");
    assert!(events[0]["text"].as_str().expect("a text").starts_with("Once 👩‍🚀 upon"));
    assert_eq!(shown(&events), "Once 👩‍🚀 upon a ti");
    let from_the_start = ada.generation_events(&second, Some(0)).await.rest().await;
    assert_eq!(
        from_the_start.last().expect("an end")["generation"]["text"],
        "Once 👩‍🚀 upon a ti"
    );
    let asked = &upstream.requests()[1].body["messages"];
    assert_eq!(asked[0], json!({ "role": "user", "content": "A tale" }));
    assert_eq!(asked[1], json!({ "role": "assistant", "content": "Once 👩‍🚀 upon" }));
    assert_eq!(asked[2]["role"], "user");
    assert!(
        asked[2]["content"]
            .as_str()
            .expect("words")
            .contains("Go on exactly where it ends")
    );

    let (_, third) = ids(&go_on(&ada, &second).await);
    assert_eq!(ended(&ada, &third).await["text"], "Once 👩‍🚀 upon a time.");
    let seen = message(&ada, &answer, "content generation { id } siblings { id }").await;
    assert_eq!(
        seen,
        json!({ "content": "Once 👩‍🚀 upon a time.", "generation": { "id": third }, "siblings": [] }),
        "one message, and the newest is its generation"
    );
    for (generation, text) in [(&first, "Once 👩‍🚀 upon"), (&second, "Once 👩‍🚀 upon a ti")] {
        assert_eq!(state(&ada, generation).await["text"], text, "each keeps its own part");
        assert_eq!(ended(&ada, generation).await["text"], text);
    }
    let usage = state(&ada, &second).await["usage"]["outputTokens"].take();
    assert_eq!(usage, 2, "and what it used");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_answer_goes_on_and_what_is_whole_does_not() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=100000,first=0,delay=2").await;
    let first = ada.send(&chat, "Talk").await;
    let refused = go_on(&ada, &first).await;
    assert_eq!(
        refused["errors"][0]["code"], "INVALID_STATE",
        "it is still being written"
    );
    ada.generation_events(&first, None).await.until("GenerationDelta").await;
    ada.mutate("stopGeneration", json!({ "generationId": first }), "").await;
    let before = state(&ada, &first).await["text"].take();
    let (_, second) = ids(&go_on(&ada, &first).await);
    ada.generation_events(&second, None)
        .await
        .until("GenerationDelta")
        .await;
    ada.mutate("stopGeneration", json!({ "generationId": second }), "")
        .await;
    let after = state(&ada, &second).await["text"].take();
    let (before, after) = (before.as_str().expect("a text"), after.as_str().expect("a text"));
    assert!(after.len() > before.len() && after.starts_with(before));
    let refused = go_on(&ada, &first).await;
    assert_eq!(
        refused["errors"][0]["code"], "INVALID_STATE",
        "it was continued already"
    );
    assert_eq!(refused["errors"][0]["field"], json!(["input", "generationId"]));

    let (_, answer) = sent(&ada, &ada.chat("scripted:words=3,first=0,delay=0").await, "Short").await;
    let whole = message(&ada, &answer, "generation { id }").await["generation"]["id"].take();
    let refused = go_on(&ada, whole.as_str().expect("an id")).await;
    assert_eq!(refused["errors"][0]["code"], "INVALID_STATE", "it is complete");
    let failing = ada.chat("scripted:fail=unavailable,at=2,first=0,delay=0").await;
    let failed = ada.send(&failing, "Fail").await;
    done(&ada, &failed).await;
    assert_eq!(
        go_on(&ada, &failed).await["errors"][0]["code"],
        "INVALID_STATE",
        "it failed"
    );
    assert_eq!(go_on(&ada, "gen_0").await["errors"][0]["code"], "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_to_go_on_keeps_the_text_and_can_be_tried_again() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    upstream.script([
        Reply::stream().word("Half").cut(),
        Reply::error(400, "invalid_request_error", "x", "no"),
        Reply::says(&[" whole"]),
    ]);
    let first = ada.send(&chat, "Go").await;
    done(&ada, &first).await;
    let (_, second) = ids(&go_on(&ada, &first).await);
    let failed = ended(&ada, &second).await;
    assert_eq!((&failed["status"], &failed["text"]), (&json!("FAILED"), &json!("Half")));
    let (_, third) = ids(&go_on(&ada, &second).await);
    assert_eq!(ended(&ada, &third).await["text"], "Half whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_end_of_a_branch_goes_on_and_only_once() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=2,finish=length,first=0,delay=0").await;
    let (question, answer) = sent(&ada, &chat, "one").await;
    let generation = async |id: &str| {
        let seen = message(&ada, id, "generation { id }").await;
        seen["generation"]["id"].as_str().expect("an id").to_owned()
    };
    let first = generation(&answer).await;
    sent(&ada, &chat, "two").await;
    assert_eq!(
        go_on(&ada, &first).await["errors"][0]["code"],
        "INVALID_STATE",
        "something follows it"
    );

    let (_, other) = edited(&ada, &question, "uno").await;
    regenerated(&ada, &other, None).await;
    let first = generation(&other).await;
    let input = json!({ "generationId": first, "idempotencyKey": "once" });
    let all = (0..10).map(|_| ada.mutate("continueGeneration", input.clone(), "message { id } generation { id }"));
    let all = futures_util::future::join_all(all).await;
    assert!(all.iter().all(|one| ids(one) == ids(&all[0])));
    let newest = ids(&all[0]).1;
    done(&ada, &newest).await;
    let at_once = futures_util::future::join_all((0..5).map(|_| go_on(&ada, &newest))).await;
    let accepted = at_once.iter().filter(|payload| payload["errors"] == json!([])).count();
    assert_eq!(accepted, 1, "{at_once:?}");
    assert_eq!(
        message(&ada, &other, "active").await["active"],
        false,
        "a branch that is not shown goes on unseen"
    );
}
