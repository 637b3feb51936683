//! What does not fit into a model's window is refused before anything is stored; what does not fit beside the question
//! is left out.

use serde_json::json;

use super::{plan, refusals};
use crate::harness::app::{Client, TestApp, new_key};
use crate::harness::upstream::Reply;
use crate::send::{plain_chat, rows, with_upstream};

async fn small_window(app: &TestApp, tokens: i64) {
    let admin = app.admin("root").await;
    let model = json!({ "provider": "OPENAI", "model": "gpt-5-mini", "contextWindow": tokens, "maxOutputTokens": 20 });
    admin.mutate("setModel", model, "model { name }").await;
}

async fn talk(client: &Client, chat: &str, question: &str) {
    let generation = client.send(chat, question).await;
    client.generation_events(&generation, None).await.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_cannot_fit_is_refused_before_it_is_stored() {
    let (app, upstream) = with_upstream().await;
    small_window(&app, 100).await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let long = "sea ".repeat(120);
    let told = plan(&ada, json!({ "chatId": chat, "content": long })).await;
    assert_eq!(refusals(&told), ["CONTEXT_TOO_LONG"]);
    let before = rows(&app).await;
    let input = json!({ "chatId": chat, "content": long, "idempotencyKey": new_key() });
    let query = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } errors { code field message } } }";
    let sent = ada.ok(query, json!({ "input": input })).await["sendMessage"].take();
    assert_eq!(sent["errors"][0], told["refusals"][0]);
    assert_eq!(rows(&app).await, before);
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_into_the_window_is_left_out() {
    let (app, upstream) = with_upstream().await;
    small_window(&app, 100).await;
    let ada = app.user("ada").await;
    ada.mutate("updatePreferences", json!({ "summariesEnabled": false }), "")
        .await;
    let chat = plain_chat(&ada).await;
    // 24 tokens each, of the 75 that are left for what is sent.
    let story = |number: usize| format!("{number}: {}", "wave ".repeat(18).trim_end());
    for number in 1..=3 {
        upstream.script([Reply::says(&["ok"])]);
        talk(&ada, &chat, &story(number)).await;
    }
    let told = plan(&ada, json!({ "chatId": chat, "content": "And?" })).await;
    let lane = &told["lanes"][0];
    assert_eq!(lane["olderLeftOut"], true);
    assert_eq!(lane["contextWindow"], 100);
    upstream.script([Reply::says(&["ok"])]);
    talk(&ada, &chat, "And?").await;
    let requests = upstream.requests();
    let sent = requests.last().expect("a request").body["messages"].clone();
    let texts: Vec<String> = sent
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| message["content"].as_str().expect("a text").to_owned())
        .collect();
    assert_eq!(lane["messageIds"].as_array().map(Vec::len), Some(texts.len() - 1));
    assert_eq!(texts, [story(2), "ok".into(), story(3), "ok".into(), "And?".into()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_comes_meanwhile_is_shown_too() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:context,first=0,delay=0").await;
    let sends = (0..8).map(|number| {
        let (ada, chat) = (ada.clone(), chat.clone());
        tokio::spawn(async move { ada.send(&chat, &format!("question {number}")).await })
    });
    let mut shown = Vec::new();
    for send in sends.collect::<Vec<_>>() {
        let generation = send.await.expect("a send");
        let events = ada.generation_events(&generation, None).await.rest().await;
        let text = events.last().expect("an end")["generation"]["text"].clone();
        let turns: Vec<serde_json::Value> = serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
        let users = turns.iter().filter(|turn| turn["role"] == "user").count();
        shown.push(users);
    }
    shown.sort_unstable();
    assert_eq!(shown, [1, 2, 3, 4, 5, 6, 7, 8], "each sees all the questions before it");
}
