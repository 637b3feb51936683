//! How often: the limits on requests and messages, told with the wait.

use http::StatusCode;
use serde_json::json;

use crate::harness::app::{TestApp, new_key};
use crate::rooms::{done, group, people, say};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_root_field_counts_on_every_request() {
    let app = TestApp::with(&["--requests-per-minute=5"]).await;
    let ada = app.user("ada").await;
    let four = "{ a: viewer { id } b: viewer { id } c: viewer { id } ... on Query { d: viewer { id } } }";
    ada.ok(four, json!({})).await;
    ada.ok("{ viewer { id } }", json!({})).await;
    let (_, answer) = ada.post(json!({ "query": "{ viewer { id } }" })).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "RATE_LIMITED", "{answer}");
    let wait = error["extensions"]["retryAfter"].as_u64().expect("a wait in seconds");
    assert!((1..=60).contains(&wait), "{answer}");
    // Others are not slowed by it.
    let (status, answer) = app.anonymous().post(json!({ "query": "{ viewer { id } }" })).await;
    assert_eq!(
        (status, &answer),
        (StatusCode::OK, &json!({ "data": { "viewer": null } }))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_of_a_message_is_answered_whatever_the_limit() {
    let app = TestApp::with(&["--messages-per-minute=1"]).await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=1,first=0,delay=0").await;
    let first = json!({ "chatId": chat, "content": "Hello", "idempotencyKey": new_key() });
    let sent = ada
        .mutate("sendMessage", first.clone(), "message { id } generation { id }")
        .await;
    let query = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
    let another = json!({ "input": { "chatId": chat, "content": "More", "idempotencyKey": new_key() } });
    let refused = ada.run(query, another).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{refused}");
    let again = ada
        .mutate("sendMessage", first, "message { id } generation { id }")
        .await;
    assert_eq!(again, sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reactions_count_as_messages_do() {
    let app = TestApp::with(&["--messages-per-minute=2"]).await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let message = say(&ada, &chat, "Cake?").await;
    let input = json!({ "messageId": message, "emoji": "🍰" });
    done(&bob, "addReaction", input.clone()).await;
    done(&bob, "removeReaction", input.clone()).await;
    let query = "mutation ($input: AddReactionInput!) { addReaction(input: $input) { message { id } } }";
    let refused = bob.run(query, json!({ "input": input })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{refused}");
}
