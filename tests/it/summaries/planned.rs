//! What a model is shown of a long conversation and of the person: a summary, memories, preferences, and the newest words.

use serde_json::{Value, json};

use super::{ECHO, contents, summaries, summarised, watch};
use crate::generation::ended;
use crate::harness::app::{Client, TestApp, new_key};
use crate::titles::answered;

/// What the model is shown when this is asked.
async fn shown(client: &Client, chat: &str, question: &str) -> Vec<(String, String)> {
    let input = json!({ "chatId": chat, "content": question, "idempotencyKey": new_key(),
        "reply": { "model": "scripted:context,first=0,delay=0" } });
    let payload = client.mutate("sendMessage", input, "generation { id }").await;
    let generation = payload["generation"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{payload}"));
    let events = client.generation_events(generation, None).await.rest().await;
    let text = events.last().expect("an end")["generation"]["text"].clone();
    let turns: Vec<Value> = serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    turns
        .iter()
        .map(|turn| (text(&turn["role"]), text(&turn["text"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_conversation_goes_on_from_its_summary() {
    let app = TestApp::with(&["--context-tokens=400"]).await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let mut stream = watch(&ada, &chat).await;
    let mut said = 0;
    // Until the window is fuller than it should be.
    while summaries(&ada, &chat).await.is_empty() {
        answered(&ada, &chat, &format!("Word {said} {}", "and another ".repeat(20))).await;
        said += 1;
        if said == 6 {
            stream.until("SummaryUpserted").await;
        }
    }
    let summary = contents(&ada, &chat).await[0].clone();
    assert!(summary.starts_with("So far: Word 0 and another"), "{summary}");
    let turns = shown(&ada, &chat, "And now?").await;
    let expected = format!("The conversation so far, summarised; what follows is word for word:\n{summary}");
    assert_eq!(turns[0], ("system".to_owned(), expected));
    assert!(
        turns.len() > 1 && turns.iter().skip(1).all(|(_, text)| !text.starts_with("Word 0")),
        "{turns:?}"
    );

    let newest = summaries(&ada, &chat).await[0]["id"].clone();
    ada.mutate("revertSummary", json!({ "summaryId": newest }), "").await;
    let turns = shown(&ada, &chat, "And now?").await;
    assert_eq!(turns[0].0, "user", "as many messages as fit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_is_told_what_the_person_wants_it_to_know() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    for content in ["Owns a cat.", "Likes tea."] {
        ada.mutate("addMemory", json!({ "content": content }), "").await;
    }
    let wishes = json!({ "aboutMe": "A cook.", "responseStyle": "In short.", "language": "Deutsch" });
    ada.mutate("updatePreferences", wishes, "").await;
    let chat = ada.chat(ECHO).await;
    let turns = shown(&ada, &chat, "Hello").await;
    assert_eq!(turns.len(), 2);
    let told = &turns[0].1;
    for part in ["A cook.", "In short.", "Deutsch", "- Owns a cat.\n- Likes tea."] {
        assert!(told.contains(part), "{told}");
    }
    ada.mutate("updatePreferences", json!({ "memoryEnabled": false }), "")
        .await;
    let told = &shown(&ada, &chat, "Hello").await[0].1;
    assert!(!told.contains("cat") && told.contains("A cook."), "{told}");
    let theirs = shown(&bob, &bob.chat(ECHO).await, "Hello").await;
    assert_eq!(
        theirs,
        [("user".to_owned(), "Hello".to_owned())],
        "others are told nothing of it"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_answer_says_behind_its_summary_is_shown() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=3,first=0,delay=0,finish=length").await;
    let first = ada.send(&chat, "Tell me").await;
    let before = ended(&ada, &first).await["text"].take();
    summarised(&ada, &chat).await;
    let input = json!({ "generationId": first, "idempotencyKey": new_key() });
    let going_on = ada.mutate("continueGeneration", input, "generation { id }").await;
    let second = going_on["generation"]["id"].as_str().expect("an id");
    let after = ended(&ada, second).await["text"].take();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    assert!(text(&after).len() > text(&before).len(), "{before} {after}");
    summarised(&ada, &chat).await;
    let whole = contents(&ada, &chat).await[0].clone();
    assert!(whole.contains("about:You"), "the new one covers both parts: {whole}");

    let newest = summaries(&ada, &chat).await[0]["id"].clone();
    ada.mutate("revertSummary", json!({ "summaryId": newest }), "").await;
    let turns = shown(&ada, &chat, "And now?").await;
    let expected = [("user", "Tell me"), ("assistant", &text(&after)), ("user", "And now?")];
    let expected = expected.map(|(role, text)| (role.to_owned(), text.to_owned()));
    assert_eq!(turns, expected, "the old one does not stand for it");
}
