//! Who answers in a chat, by whose model, and how.

use serde_json::{Value, json};

use super::{DEFAULT, answer, changed, chat_with, chosen, made};
use crate::chats::{refusal, refused};
use crate::harness::app::TestApp;
use crate::harness::upstream::Reply;
use crate::send::with_upstream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_assistant_answers_in_its_own_manner() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let clio = json!({ "displayName": "Clio", "instructions": "Answer in verse.", "model": "gpt-5-nano",
        "temperature": 0.5, "maxOutputTokens": 77 });
    let (clio, urania) = (
        made(&ada, clio).await,
        made(&ada, json!({ "displayName": "Urania" })).await,
    );
    let chat = chat_with(&ada, &[&clio, &urania, &clio], json!({})).await;
    upstream.script([Reply::says(&["A verse"])]);
    let said = answer(&ada, &chat, Value::Null).await;
    assert_eq!(
        (&said["message"]["author"]["id"], &said["model"]),
        (&clio["id"], &json!("gpt-5-nano"))
    );
    let body = &upstream.requests()[0].body;
    assert_eq!(
        body["messages"],
        json!([{ "role": "system", "content": "Answer in verse." }, { "role": "user", "content": "Who are you?" }])
    );
    assert_eq!(body["model"], "gpt-5-nano");
    assert_eq!(body["temperature"], 0.5);
    let limits = [&body["max_tokens"], &body["max_completion_tokens"]];
    assert!(limits.contains(&&json!(77)), "{body}");

    // The order counts, and each is there once.
    let order = |value: Value| -> Vec<Value> {
        let named = value.as_array().expect("a list").clone();
        named.into_iter().map(|one| one["displayName"].clone()).collect()
    };
    assert_eq!(order(chosen(&ada, &chat).await), ["Clio", "Urania"]);
    let turned = json!({ "chatId": chat, "assistantIds": [urania["id"], clio["id"]] });
    let version = ada.mutate("updateChat", turned, "chat { version }").await["chat"]["version"].clone();
    assert_eq!(order(chosen(&ada, &chat).await), ["Urania", "Clio"]);
    assert!(version.as_i64() > Some(1));
    upstream.script([Reply::says(&["A star"])]);
    assert_eq!(
        answer(&ada, &chat, Value::Null).await["message"]["author"]["displayName"],
        "Urania"
    );
    assert_eq!(
        upstream.requests()[1].body["messages"][0]["role"],
        "user",
        "no instructions, no turn"
    );
    ada.mutate("updateChat", json!({ "chatId": chat, "assistantIds": [] }), "")
        .await;
    assert_eq!(order(chosen(&ada, &chat).await), ["Assistant"]);
    upstream.script([Reply::says(&["Me"])]);
    assert_eq!(
        answer(&ada, &chat, Value::Null).await["message"]["author"]["id"],
        DEFAULT
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chat_and_the_message_overrule_the_assistants_model() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let echo = "scripted:echo,first=0,delay=0";
    let clio = json!({ "displayName": "Clio", "provider": "OPENAI", "model": "gpt-5-nano" });
    let clio = made(&ada, clio).await;
    // The assistant's model needs a key that nobody has.
    let without = chat_with(&ada, &[&clio], json!({})).await;
    let missing = json!({ "chatId": without, "content": "Hello", "idempotencyKey": "k" });
    let expected = "No API key configured. Please add your OpenAI API key in profile settings.";
    assert_eq!(refused(&ada, "sendMessage", missing).await[0].2, expected);
    // The chat's own, together with its provider, takes the place of the assistant's.
    let with = chat_with(&ada, &[&clio], json!({ "model": echo })).await;
    let said = answer(&ada, &with, Value::Null).await;
    assert_eq!(
        (&said["model"], &said["message"]["author"]["displayName"]),
        (&json!(echo), &json!("Clio"))
    );
    let reply = json!({ "provider": "SCRIPTED", "model": "scripted:words=2,first=0,delay=0" });
    let said = answer(&ada, &without, reply).await;
    assert_eq!(said["model"], "scripted:words=2,first=0,delay=0");
    // Another provider than the chosen one does not get the chosen one's model.
    let said = answer(&ada, &without, json!({ "provider": "SCRIPTED" })).await;
    assert_eq!(
        (&said["provider"], &said["model"]),
        (&json!("SCRIPTED"), &json!("scripted"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_counts_from_the_next_answer() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let clio = json!({ "displayName": "Clio", "model": "scripted:words=9,first=0,delay=0", "maxOutputTokens": 3 });
    let clio = made(&ada, clio).await;
    let chat = chat_with(&ada, &[&clio], json!({})).await;
    let first = answer(&ada, &chat, Value::Null).await;
    assert_eq!(first["finishReason"], "LENGTH");
    assert_eq!(first["text"].as_str().expect("a text").split(' ').count(), 3);
    changed(
        &ada,
        &clio,
        json!({ "displayName": "Calliope", "maxOutputTokens": null }),
    )
    .await;
    let second = answer(&ada, &chat, Value::Null).await;
    assert_eq!(second["finishReason"], "STOP");
    assert_eq!(second["message"]["author"]["displayName"], "Calliope");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_is_checked_and_part_of_the_creation() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let (clio, theirs) = (
        made(&ada, json!({ "displayName": "Clio" })).await,
        made(&bob, json!({ "displayName": "Bob's" })).await,
    );
    let missing = refusal(
        "NOT_FOUND",
        "input.assistantIds",
        "This assistant does not exist, or you have no access to it.",
    );
    let chat = ada.chat("scripted").await;
    for ids in [
        json!([theirs["id"]]),
        json!([clio["id"], theirs["id"]]),
        json!(["asst_0"]),
    ] {
        assert_eq!(
            refused(&ada, "createChat", json!({ "assistantIds": ids })).await,
            missing
        );
        let change = json!({ "chatId": chat, "assistantIds": ids });
        assert_eq!(refused(&ada, "updateChat", change).await, missing);
    }
    let mut many = Vec::new();
    for number in 0..9 {
        many.push(made(&ada, json!({ "displayName": format!("muse {number}") })).await["id"].clone());
    }
    assert_eq!(
        refused(&ada, "createChat", json!({ "assistantIds": many })).await,
        refusal(
            "LIMIT_REACHED",
            "input.assistantIds",
            "A chat has at most 8 assistants. Choose fewer."
        )
    );
    let wanted = json!({ "assistantIds": [clio["id"]], "idempotencyKey": "k1" });
    let first = ada.mutate("createChat", wanted.clone(), "chat { id }").await;
    assert_eq!(ada.mutate("createChat", wanted, "chat { id }").await, first);
    let other = json!({ "idempotencyKey": "k1" });
    assert_eq!(refused(&ada, "createChat", other).await[0].0, "CONFLICT");
}
