//! The conversation that a model is shown, and that rows and events tell the same.

use serde_json::{Value, json};

use super::{input, plain_chat, with_upstream};
use crate::harness::app::{Client, TestApp, new_key};
use crate::harness::upstream::Reply;

/// What the model was shown when this was asked: role and text of each turn.
async fn shown(client: &Client, chat: &str, question: &str) -> Vec<(String, String)> {
    let input = json!({ "chatId": chat, "content": question, "idempotencyKey": question, "reply": { "model": "scripted:context,first=0,delay=0" } });
    let payload = client.mutate("sendMessage", input, "generation { id }").await;
    let generation = payload["generation"]["id"].as_str().expect("an id");
    let events = client.generation_events(generation, None).await.rest().await;
    let text = events.last().expect("an end")["generation"]["text"].clone();
    let turns: Vec<Value> = serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    turns
        .iter()
        .map(|turn| (text(&turn["role"]), text(&turn["text"])))
        .collect()
}

fn turns(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(role, text)| ((*role).to_owned(), (*text).to_owned()))
        .collect()
}

async fn ask(client: &Client, chat: &str, question: &str, model: &str) {
    let input =
        json!({ "chatId": chat, "content": question, "idempotencyKey": new_key(), "reply": { "model": model } });
    let payload = client.mutate("sendMessage", input, "generation { id }").await;
    let generation = payload["generation"]["id"].as_str().expect("an id");
    client.generation_events(generation, None).await.rest().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_sees_what_was_said_before() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted").await;
    assert_eq!(shown(&ada, &chat, "alone").await, turns(&[("user", "alone")]));
    ada.mutate("clearHistory", json!({ "chatId": chat }), "").await;

    ask(&ada, &chat, "one 👩‍🚀", "scripted:echo,first=0").await;
    ask(&ada, &chat, "fails", "scripted:fail=unavailable,first=0").await;
    ask(&ada, &chat, "breaks", "scripted:echo,cut,first=0").await;
    let before = [
        ("user", "one 👩‍🚀"),
        ("assistant", "one 👩‍🚀"),
        ("user", "fails"),
        ("user", "breaks"),
    ];
    let mut expected = before.to_vec();
    expected.push(("user", "now"));
    assert_eq!(
        shown(&ada, &chat, "now").await,
        turns(&expected),
        "answers without a text are left out"
    );

    let other = ada.chat("scripted").await;
    assert_eq!(
        shown(&ada, &other, "elsewhere").await,
        turns(&[("user", "elsewhere")]),
        "each chat is its own"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_newest_that_fit_are_shown() {
    // Each message costs 4 tokens besides its text.
    let app = TestApp::with(&["--context-tokens=40"]).await;
    let ada = app.user("ada").await;
    ada.mutate("updatePreferences", json!({ "summariesEnabled": false }), "")
        .await;
    let chat = ada.chat("scripted:echo,first=0,delay=0").await;
    for question in ["aaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbb", "cccccccccccccccccc"] {
        ask(&ada, &chat, question, "scripted:echo,first=0,delay=0").await;
    }
    let expected = turns(&[
        ("user", "cccccccccccccccccc"),
        ("assistant", "cccccccccccccccccc"),
        ("user", "dddddddddddddddddd"),
    ]);
    assert_eq!(shown(&ada, &chat, "dddddddddddddddddd").await, expected);
    let long = "e".repeat(4000);
    let input = json!({ "chatId": chat, "content": long, "idempotencyKey": "long", "reply": { "model": "scripted:context,first=0,delay=0" } });
    let payload = ada.mutate("sendMessage", input, "generation { id }").await;
    let events = ada
        .generation_events(payload["generation"]["id"].as_str().expect("an id"), None)
        .await
        .rest()
        .await;
    let text = events.last().expect("an end")["generation"]["text"].clone();
    assert_eq!(
        text,
        json!(json!([{ "role": "user", "text": long }]).to_string()),
        "the question itself always goes"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_provider_gets_the_question_and_the_model() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    upstream.script([Reply::says(&["Hi ", "👋"])]);
    let generation = ada.send(&chat, "Greet me").await;
    let events = ada.generation_events(&generation, None).await.rest().await;
    assert_eq!(events.last().expect("an end")["generation"]["text"], "Hi 👋");
    let seen = &upstream.requests()[0];
    assert_eq!(seen.body["model"], "gpt-5-mini");
    assert_eq!(
        seen.body["messages"],
        json!([{ "role": "user", "content": "Greet me" }])
    );
    assert_eq!(seen.headers["authorization"], "Bearer sk-test-0123456789abcdef");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_events_tell_the_same() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=3,first=0,delay=0").await;
    let cursor = ada.ok("{ viewer { syncCursor } }", json!({})).await["viewer"]["syncCursor"].clone();
    let fields = "message { id version } generation { id message { id } } cursor";
    let sent = ada.mutate("sendMessage", input(&chat, "What now?", "k1"), fields).await;
    let generation = sent["generation"]["id"].as_str().expect("an id");
    ada.generation_events(generation, None).await.rest().await;

    let query = "subscription ($after: String) { events(after: $after, ephemeral: false) { __typename \
        ... on MessageCreated { message { id role sequence content } } \
        ... on MessageUpdated { message { id version content generation { status } } changed } \
        ... on ChatUpserted { chat { title version lastMessage { id } viewerState { unreadCount } } } } }";
    let mut stream = ada.subscribe(query, json!({ "after": cursor })).await;
    let mut events = Vec::new();
    for _ in 0..6 {
        events.push(stream.next().await.expect("an event"));
    }
    let names: Vec<_> = events
        .iter()
        .map(|event| event["__typename"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        names,
        [
            "StreamReady",
            "MessageCreated",
            "MessageCreated",
            "ChatUpserted",
            "MessageUpdated",
            "ChatUpserted"
        ]
    );
    let (question, answer, updated, upserted) = (
        &events[1]["message"],
        &events[2]["message"],
        &events[4],
        &events[5]["chat"],
    );
    assert_eq!(
        (&question["id"], &question["sequence"]),
        (&sent["message"]["id"], &json!(1))
    );
    assert_eq!(
        (&answer["id"], &answer["role"]),
        (&sent["generation"]["message"]["id"], &json!("ASSISTANT"))
    );
    assert_eq!(updated["changed"], json!(["CONTENT", "GENERATION"]));
    let history = "query ($id: ID!) { chat(id: $id) { title version lastMessage { id } viewerState { unreadCount } messages { nodes { id version content generation { status } } } } }";
    let mut read = ada.ok(history, json!({ "id": chat })).await["chat"].take();
    assert_eq!(updated["message"], read["messages"]["nodes"][1]);
    read.as_object_mut().expect("a chat").remove("messages");
    assert_eq!(*upserted, read);

    // The cursor of the send lies behind its own events, and a repeat adds none.
    ada.mutate("sendMessage", input(&chat, "What now?", "k1"), fields).await;
    let mut stream = ada.subscribe(query, json!({ "after": sent["cursor"] })).await;
    ada.mutate("updateChat", json!({ "chatId": chat, "title": "marker" }), "")
        .await;
    assert_eq!(stream.next().await.expect("an event")["__typename"], "StreamReady");
    loop {
        let event = stream.next().await.expect("an event");
        assert_ne!(event["__typename"], "MessageCreated");
        if event["chat"]["title"] == "marker" {
            break;
        }
    }
}
