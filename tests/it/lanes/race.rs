//! The first to be done stays.

use serde_json::{Value, json};

use super::{QUICK, STALLED, STARTED, Started, asked, has_lost, told};
use crate::generation::{ended, soon, state, upto};
use crate::harness::app::{Client, TestApp, new_key, uuid};
use crate::harness::upstream::{Gate, Reply};
use crate::send::with_upstream;
use crate::tree::{ids, list, message, selected, sent, shown};

/// Waits for the ends of all lanes: their states.
async fn all_ended(client: &Client, started: &Started) -> Vec<Value> {
    let mut ends = Vec::new();
    for generation in &started.generations {
        ends.push(soon(ended(client, generation)).await["status"].take());
    }
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_to_be_done_is_shown_and_the_others_are_cut_off() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let gate = Gate::new();
    upstream.script([Reply::stream()
        .word("Slow")
        .usage(7, 1)
        .hold(&gate)
        .word(" and late")
        .stop()]);
    let lanes = json!([{ "provider": "OPENAI", "model": "gpt-5-mini" }, { "model": QUICK }, { "model": STALLED }]);
    let reply = json!({ "mode": "RACE", "lanes": lanes });
    let input = json!({ "chatId": chat, "content": "Which way?", "idempotencyKey": new_key(), "reply": reply });
    let started = Started::of(&ada.mutate("sendMessage", input.clone(), STARTED).await);
    assert_eq!(all_ended(&ada, &started).await, ["STOPPED", "COMPLETED", "STOPPED"]);
    // The provider may have been cut off before or after it was asked.
    if !upstream.requests().is_empty() {
        soon(upstream.hung_up(1)).await;
    }
    assert_eq!(
        shown(&ada, &chat).await,
        [&started.question, &started.answers[1]].map(Clone::clone)
    );
    let winner = told(&ada, &started.answers[1]).await;
    assert_eq!((&winner["active"], &winner["siblings"]), (&json!(true), &json!([])));
    has_lost(&ada, &started.answers[0]).await;
    has_lost(&ada, &started.answers[2]).await;
    let refused = ada
        .mutate("selectBranch", json!({ "messageId": started.answers[0] }), "")
        .await;
    assert_eq!(
        refused["errors"][0]["code"], "NOT_FOUND",
        "what has lost cannot be shown"
    );
    let repeat = Started::of(&ada.mutate("sendMessage", input, STARTED).await);
    assert_eq!(repeat.generations, started.generations);
}

/// Fails unless one lane has won and is shown, and all others have lost.
async fn one_has_won(client: &Client, chat: &str, started: &Started) {
    let ends = all_ended(client, started).await;
    assert_eq!(ends.iter().filter(|end| *end == "COMPLETED").count(), 1, "{ends:?}");
    assert_eq!(ends.iter().filter(|end| *end == "STOPPED").count(), 3, "{ends:?}");
    let winner = ends.iter().position(|end| end == "COMPLETED").expect("a winner");
    let now = shown(client, chat).await;
    assert_eq!(
        now[now.len() - 2..],
        [started.question.clone(), started.answers[winner].clone()]
    );
    for (index, answer) in started.answers.iter().enumerate() {
        if index != winner {
            has_lost(client, answer).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_close_it_is_one_wins() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    for _ in 0..5 {
        let started = asked(&ada, &chat, "RACE", &["scripted:words=1,first=0,delay=0"; 4]).await;
        one_has_won(&ada, &chat, &started).await;
    }
    // With the chat's row held no end can be stored before all are done.
    let gate = Gate::new();
    upstream.script(vec![Reply::stream().word("Here").hold(&gate).stop(); 4]);
    let lanes = vec![json!({ "provider": "OPENAI", "model": "gpt-5-mini" }); 4];
    let input = json!({ "chatId": chat, "content": "one", "idempotencyKey": new_key(), "reply": { "mode": "RACE", "lanes": lanes } });
    let started = Started::of(&ada.mutate("sendMessage", input, STARTED).await);
    for generation in &started.generations {
        upto(&mut ada.generation_events(generation, None).await, 1).await;
    }
    let mut sql = app.sql().await;
    let holding = sql.transaction().await.expect("a transaction");
    let hold = "SELECT 1 FROM chats WHERE id = $1::text::uuid FOR UPDATE";
    holding.query(hold, &[&uuid(&chat)]).await.expect("the chat");
    gate.open();
    holding.commit().await.expect("an end");
    one_has_won(&ada, &chat, &started).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_one_ends_the_race_with_it() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let started = asked(&ada, &chat, "RACE", &[STALLED; 3]).await;
    upto(&mut ada.generation_events(&started.generations[1], None).await, 1).await;
    let stopped = ada
        .mutate(
            "stopGeneration",
            json!({ "generationId": started.generations[1] }),
            "generation { status text }",
        )
        .await;
    assert_eq!(stopped["generation"]["status"], "STOPPED");
    assert_ne!(stopped["generation"]["text"], "");
    assert_eq!(all_ended(&ada, &started).await, ["STOPPED"; 3]);
    assert_eq!(
        shown(&ada, &chat).await,
        [&started.question, &started.answers[1]].map(Clone::clone)
    );
    has_lost(&ada, &started.answers[0]).await;
    has_lost(&ada, &started.answers[2]).await;
    let again = ada
        .mutate(
            "stopGeneration",
            json!({ "generationId": started.generations[0] }),
            "generation { status }",
        )
        .await;
    assert_eq!(again["generation"]["status"], "STOPPED");
    assert_eq!(
        shown(&ada, &chat).await[1],
        started.answers[1],
        "one that has lost decides nothing"
    );
    // What was stopped can be gone on with.
    let input = json!({ "generationId": started.generations[1], "idempotencyKey": new_key() });
    let gone_on = ada
        .mutate("continueGeneration", input, "message { id } generation { id }")
        .await;
    assert_eq!(ids(&gone_on).0, started.answers[1]);
    let input = json!({ "generationId": started.generations[0], "idempotencyKey": new_key() });
    let refused = ada.mutate("continueGeneration", input, "").await;
    assert_eq!(refused["errors"][0]["code"], "NOT_FOUND", "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn if_all_fail_the_first_failure_is_shown() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let models = [
        "scripted:fail=content_filtered,at=2,first=20,delay=5",
        "scripted:fail=key_invalid,first=0",
        "scripted:cut,at=1,first=0",
    ];
    let started = asked(&ada, &chat, "RACE", &models).await;
    assert_eq!(all_ended(&ada, &started).await, ["FAILED", "FAILED", "INTERRUPTED"]);
    assert_eq!(
        shown(&ada, &chat).await,
        [&started.question, &started.answers[0]].map(Clone::clone)
    );
    let seen = told(&ada, &started.answers[0]).await;
    assert_eq!(seen["generation"]["error"]["code"], "CONTENT_FILTERED");
    assert_eq!(seen["siblings"], json!([]));
    assert_ne!(seen["content"], "", "with its text");
    has_lost(&ada, &started.answers[1]).await;
    has_lost(&ada, &started.answers[2]).await;
    // One that fails does not end the race.
    let started = asked(&ada, &chat, "RACE", &["scripted:fail=unavailable,first=0", QUICK]).await;
    assert_eq!(all_ended(&ada, &started).await, ["FAILED", "COMPLETED"]);
    assert_eq!(shown(&ada, &chat).await.last(), Some(&started.answers[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_meanwhile_goes_on_below_the_winner() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let gate = Gate::new();
    upstream.script([Reply::stream().word("Here").hold(&gate).stop()]);
    let lanes = json!([{ "model": STALLED }, { "provider": "OPENAI", "model": "gpt-5-mini" }, { "model": STALLED }]);
    let input = json!({ "chatId": chat, "content": "one", "idempotencyKey": new_key(), "reply": { "mode": "RACE", "lanes": lanes } });
    let started = Started::of(&ada.mutate("sendMessage", input, STARTED).await);
    let (third_question, third_answer) = {
        selected(&ada, &started.answers[2]).await;
        sent(&ada, &chat, "below the third").await
    };
    selected(&ada, &started.answers[0]).await;
    let (next, answer) = sent(&ada, &chat, "below the first").await;
    upstream.asked(1).await;
    gate.open();
    assert_eq!(all_ended(&ada, &started).await, ["STOPPED", "COMPLETED", "STOPPED"]);
    let path = [&started.question, &started.answers[1], &next, &answer].map(Clone::clone);
    assert_eq!(shown(&ada, &chat).await, path);
    let parent = message(&ada, &next, "parent { id } siblings { id }").await;
    assert_eq!(parent["parent"]["id"], json!(started.answers[1]));
    assert_eq!(list(&parent["siblings"]), std::slice::from_ref(&third_question));
    assert_eq!(
        selected(&ada, &third_question).await[2..],
        [third_question, third_answer],
        "and what was not shown can be"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_on_a_branch_that_one_leaves_is_run_unseen() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (_, first) = sent(&ada, &chat, "one").await;
    let gate = Gate::new();
    upstream.script([Reply::stream().word("Here").hold(&gate).stop()]);
    let lanes = json!([{ "model": STALLED }, { "provider": "OPENAI", "model": "gpt-5-mini" }]);
    let input = json!({ "messageId": first, "idempotencyKey": new_key(), "reply": { "mode": "RACE", "lanes": lanes } });
    let started = Started::of(&ada.mutate("regenerateMessage", input, STARTED).await);
    selected(&ada, &first).await;
    upstream.asked(1).await;
    gate.open();
    assert_eq!(all_ended(&ada, &started).await, ["STOPPED", "COMPLETED"]);
    assert_eq!(shown(&ada, &chat).await.last(), Some(&first), "what is shown stays");
    assert_eq!(
        list(&told(&ada, &first).await["siblings"]),
        [started.answers[1].clone()]
    );
    assert_eq!(
        selected(&ada, &started.answers[1]).await.last(),
        Some(&started.answers[1])
    );
    assert_eq!(state(&ada, &started.generations[0]).await["status"], "STOPPED");
}
