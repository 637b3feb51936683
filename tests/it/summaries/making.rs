//! What a model is asked for a summary, and what is made of its words.

use serde_json::{Value, json};

use super::{contents, summaries, summarised, watch};
use crate::harness::upstream::{Gate, Reply};
use crate::send::{plain_chat, with_upstream};
use crate::titles::{answered, until_jobs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_that_answers_is_shown_what_was_said() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    upstream.script([
        Reply::says(&["A cat is nice."]),
        Reply::says(&["<think>hm</think>\n\nHas", " a cat.\n"]),
    ]);
    answered(&ada, &chat, "I own a cat.").await;
    assert_eq!(summarised(&ada, &chat).await["content"], "Has a cat.");
    let asked = upstream.requests()[1].body.clone();
    assert_eq!(asked["model"], "gpt-5-mini");
    let messages = asked["messages"].as_array().expect("messages");
    assert_eq!(messages.len(), 2);
    assert_eq!(
        messages[1]["content"],
        "What was said:\n\nPerson: I own a cat.\n\nAssistant: A cat is nice."
    );

    upstream.script([Reply::says(&["Dogs too."]), Reply::says(&["Has a cat, likes dogs."])]);
    answered(&ada, &chat, "And dogs?").await;
    summarised(&ada, &chat).await;
    let asked = upstream.requests()[3].body["messages"][1]["content"].clone();
    assert_eq!(
        asked,
        "The minutes so far:\n\nHas a cat.\n\nWhat was said since:\n\nPerson: And dogs?\n\nAssistant: Dogs too."
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_being_written_is_not_covered() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let gate = Gate::new();
    upstream.script([
        Reply::says(&["A cat is nice."]),
        Reply::stream().word("Dogs").hold(&gate).word(" too.").stop(),
        Reply::says(&["Has a cat."]),
    ]);
    answered(&ada, &chat, "I own a cat.").await;
    let running = ada.send(&chat, "And dogs?").await;
    let mut stream = ada.generation_events(&running, None).await;
    // In a snapshot or in a delta.
    while stream.next().await.expect("an event")["text"] != "Dogs" {}
    summarised(&ada, &chat).await;
    let made = summaries(&ada, &chat).await;
    assert!(made[0]["throughSequence"].as_i64() <= Some(3), "{made:?}");
    gate.open();
    ada.generation_events(&running, None).await.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cleared_meanwhile_is_not_summarised() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let gate = Gate::new();
    upstream.script([
        Reply::says(&["A cat is nice."]),
        Reply::stream().hold(&gate).word("Has a cat.").stop(),
    ]);
    answered(&ada, &chat, "I own a cat.").await;
    ada.mutate("summarizeChat", json!({ "chatId": chat }), "").await;
    upstream.asked(2).await;
    ada.mutate("clearHistory", json!({ "chatId": chat }), "").await;
    gate.open();
    until_jobs(&app, "count = 0").await;
    assert_eq!(contents(&ada, &chat).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_summary_is_none() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    upstream.script([
        Reply::says(&["A cat is nice."]),
        Reply::says(&["  \n"]),
        Reply::says(&["A cat."]),
    ]);
    answered(&ada, &chat, "I own a cat.").await;
    let mut stream = watch(&ada, &chat).await;
    ada.mutate("summarizeChat", json!({ "chatId": chat }), "").await;
    until_jobs(&app, "attempts = 1 AND error = 'the model gave no summary'").await;
    let due = "UPDATE jobs SET run_at = now()";
    app.sql().await.execute(due, &[]).await.expect("a job");
    app.app.jobs().wake();
    assert_eq!(stream.until("SummaryUpserted").await["summary"]["content"], "A cat.");
    assert_eq!(summaries(&ada, &chat).await[0]["revertedAt"], Value::Null);
}
