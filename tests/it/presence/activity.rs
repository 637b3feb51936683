//! What assistants do for an answer.

use serde_json::{Value, json};

use super::come;
use crate::harness::app::TestApp;

/// What is told of an answer until it is done.
async fn told(model: &str) -> Vec<Value> {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(model).await;
    let mut stream = come(&ada).await;
    let generation = ada.send(&chat, "Hello?").await;
    let mut told = Vec::new();
    loop {
        let event = stream.until("AssistantActivity").await;
        assert_eq!(
            (&event["generationId"], &event["cursor"]),
            (&json!(generation), &Value::Null)
        );
        told.push(event["activity"].clone());
        if event["activity"].is_null() {
            break;
        }
    }
    let query = "query ($id: ID!) { generation(id: $id) { activity } }";
    let after = ada.ok(query, json!({ "id": generation })).await;
    assert_eq!(after["generation"]["activity"], Value::Null);
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_thought_about_and_then_written() {
    let told = told("scripted:words=40,first=300,delay=5").await;
    assert_eq!(json!(told), json!(["THINKING", "WRITING", null]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_the_end_of_it_too() {
    let told = told("scripted:fail=unavailable,at=0,first=300,delay=0").await;
    assert_eq!(told.last(), Some(&Value::Null));
    assert!(!told.contains(&json!("WRITING")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_assistant_does_can_be_asked() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=100000,first=0,delay=5").await;
    let mut stream = come(&ada).await;
    let generation = ada.send(&chat, "Hello?").await;
    let other = app.sibling().await;
    while stream.until("AssistantActivity").await["activity"] != "WRITING" {}
    let query = "query ($id: ID!) { generation(id: $id) { activity status } }";
    let here = ada.ok(query, json!({ "id": generation })).await;
    assert_eq!(here["generation"]["activity"], "WRITING");
    let there = other.client_of(&ada);
    loop {
        let seen = there.ok(query, json!({ "id": generation })).await["generation"].take();
        let expected = if seen["status"] == "STREAMING" {
            "WRITING"
        } else {
            "THINKING"
        };
        assert_eq!(seen["activity"], expected);
        if seen["status"] == "STREAMING" {
            break;
        }
    }
    ada.mutate("stopGeneration", json!({ "generationId": generation }), "")
        .await;
    while !stream.until("AssistantActivity").await["activity"].is_null() {}
}
