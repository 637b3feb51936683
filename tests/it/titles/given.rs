//! A title at once, a better one after the first answer, and a person's own for good.

use serde_json::{Value, json};

use super::{answered, title, told, until_jobs, untitled, watch, with_upstream};
use crate::chats::{refusal, refused};
use crate::harness::app::TestApp;
use crate::harness::upstream::{Gate, Reply};

const EGG: &str = "How do I boil an egg? I have never done it.";

fn model(text: &str) -> (Value, Value) {
    (json!(text), json!("MODEL"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_answer_brings_a_better_title() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = untitled(&ada).await;
    let mut stream = watch(&ada, &chat).await;
    let gate = Gate::new();
    upstream.script([
        Reply::stream()
            .word("Put it")
            .hold(&gate)
            .word(" into water.")
            .finish("stop")
            .usage(1, 2)
            .done(),
        Reply::says(&["\"**Boiling", " eggs**\"\n", "\nEnjoy!"]),
    ]);
    let generation = ada.send(&chat, EGG).await;
    assert_eq!(
        title(&ada, &chat).await,
        (json!("How do I boil an egg?"), json!("HEURISTIC"))
    );
    upstream.asked(1).await;
    gate.open();
    ada.generation_events(&generation, None).await.rest().await;
    assert_eq!(told(&mut stream).await, "Boiling eggs");
    assert_eq!(title(&ada, &chat).await, model("Boiling eggs"));

    let asked = upstream.requests()[1].body.clone();
    assert_eq!(asked["model"], "gpt-5-mini", "the model that answered");
    let messages = asked["messages"].as_array().expect("messages");
    let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "user"]);
    assert_eq!(
        (&messages[1]["content"], &messages[2]["content"]),
        (&json!(EGG), &json!("Put it into water."))
    );

    // Once for good: neither further answers nor a cleared history ask again.
    answered(&ada, &chat, "And a potato?").await;
    ada.mutate("clearHistory", json!({ "chatId": chat }), "").await;
    answered(&ada, &chat, "Bread").await;
    until_jobs(&app, "count = 0").await;
    assert_eq!(upstream.requests().len(), 4, "three answers and one title");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_title_stays() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let own = ada
        .mutate("createChat", json!({ "title": "Mine" }), "chat { id }")
        .await;
    let own = own["chat"]["id"].as_str().expect("an id");
    answered(&ada, own, EGG).await;
    until_jobs(&app, "count = 0").await;
    assert_eq!(
        upstream.requests().len(),
        1,
        "a chat with a title of its own is not asked about"
    );

    // Given, or taken away, while the model thinks.
    for (theirs, expected) in [(json!("Breakfast"), json!("Breakfast")), (Value::Null, Value::Null)] {
        let chat = untitled(&ada).await;
        let gate = Gate::new();
        let before = upstream.requests().len();
        upstream.script([
            Reply::says(&["Water."]),
            Reply::stream().hold(&gate).word("Eggs").stop(),
        ]);
        answered(&ada, &chat, EGG).await;
        upstream.asked(before + 2).await;
        ada.mutate("updateChat", json!({ "chatId": chat, "title": theirs }), "")
            .await;
        gate.open();
        until_jobs(&app, "count = 0").await;
        assert_eq!(title(&ada, &chat).await, (expected, json!("USER")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_title_from_the_model_the_first_one_stays() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = untitled(&ada).await;
    upstream.script([
        Reply::says(&["Water."]),
        Reply::error(400, "invalid_request_error", "unsupported_parameter", "no"),
    ]);
    answered(&ada, &chat, EGG).await;
    upstream.asked(2).await;
    until_jobs(&app, "count = 0").await;
    assert_eq!(
        title(&ada, &chat).await,
        (json!("How do I boil an egg?"), json!("HEURISTIC"))
    );

    // An answer that failed is nothing to make a title of.
    let failed = untitled(&ada).await;
    upstream.script([Reply::error(
        400,
        "invalid_request_error",
        "unsupported_parameter",
        "no",
    )]);
    answered(&ada, &failed, EGG).await;
    until_jobs(&app, "count = 0").await;
    assert_eq!(upstream.requests().len(), 3);
    upstream.script([Reply::says(&["Water."]), Reply::says(&["Eggs"])]);
    let mut stream = watch(&ada, &failed).await;
    answered(&ada, &failed, "Again, please").await;
    assert_eq!(told(&mut stream).await, "Eggs", "the first whole answer is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_be_switched_off_and_asked_for() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=3,first=0,delay=0").await;
    let nothing = refusal(
        "INVALID_STATE",
        "input.chatId",
        "Nothing was said in this chat yet. Write something first.",
    );
    assert_eq!(
        refused(&ada, "regenerateTitle", json!({ "chatId": chat })).await,
        nothing
    );
    answered(&ada, &chat, EGG).await;
    until_jobs(&app, "count = 0").await;
    assert_eq!(
        title(&ada, &chat).await,
        (json!("How do I boil an egg?"), json!("HEURISTIC"))
    );

    ada.mutate("updateChat", json!({ "chatId": chat, "title": "Mine" }), "")
        .await;
    let mut stream = watch(&ada, &chat).await;
    let payload = ada
        .mutate("regenerateTitle", json!({ "chatId": chat }), "chat { title }")
        .await;
    assert_eq!(payload, json!({ "chat": { "title": "Mine" }, "errors": [] }));
    assert_eq!(
        told(&mut stream).await,
        "About: How do I boil an",
        "the scripted provider plays its part"
    );

    ada.mutate("updateChat", json!({ "chatId": chat, "provider": "OPENAI" }), "")
        .await;
    let missing = "No API key configured. Please add your OpenAI API key in profile settings.";
    assert_eq!(
        refused(&ada, "regenerateTitle", json!({ "chatId": chat })).await[0].2,
        missing
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_gets_titles_without_a_key() {
    let app = TestApp::with(&["--titles=true"]).await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=3,first=0,delay=0").await;
    let mut stream = watch(&ada, &chat).await;
    answered(&ada, &chat, EGG).await;
    assert_eq!(told(&mut stream).await, "About: How do I boil an");
    let always = ada.ok("{ viewer { assistantChat { id } } }", json!({})).await;
    let always = always["viewer"]["assistantChat"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    answered(&ada, &always, EGG).await;
    until_jobs(&app, "count = 0").await;
    assert_eq!(
        title(&ada, &always).await,
        (Value::Null, Value::Null),
        "it is always called the same"
    );
}
