//! A stream leaves the executor after its first event, and nobody can tell.

use serde_json::{Value, json};

use super::mark;
use crate::harness::app::{Client, TestApp, User};
use crate::rooms::{group, people, say};

const DOCUMENT: &str = "query Other { __typename } \
    subscription Mine($with: Boolean!, $last: Int!) { mine: events(ephemeral: false) { kind: __typename ...new \
      ... on ChatUpserted { chat { title id @include(if: $with) messages(last: $last) { nodes { content } } } } } } \
    fragment new on MessageCreated { message { content } }";

async fn told(client: &Client, variables: Value) -> (Value, Value) {
    let body = json!({ "query": DOCUMENT, "operationName": "Mine", "variables": variables });
    let mut stream = client.stream(&body).await;
    let ready = stream.result().await.expect("a beginning");
    assert_eq!(ready, json!({ "data": { "mine": { "kind": "StreamReady" } } }));
    mark(client, "one").await;
    mark(client, "two").await;
    let results = (stream.result().await, stream.result().await);
    (results.0.expect("an event"), results.1.expect("an event"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_name_variables_fragments_and_aliases_go_with_it() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let (one, two) = told(&ada, json!({ "with": false, "last": 1 })).await;
    let event = |title: &str| json!({ "data": { "mine": { "kind": "ChatUpserted", "chat": { "title": title, "messages": { "nodes": [] } } } } });
    assert_eq!((one, two), (event("one"), event("two")));
    let (one, _) = told(&ada, json!({ "with": true, "last": 1 })).await;
    assert!(one["data"]["mine"]["chat"]["id"].is_string(), "{one}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_fails_says_where_and_the_stream_goes_on() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let (one, two) = told(&ada, json!({ "with": true, "last": 101 })).await;
    for result in [one, two] {
        let error = &result["errors"][0];
        assert_eq!(
            (&error["path"], &error["extensions"]["code"]),
            (&json!(["mine", "chat", "messages"]), &json!("BAD_USER_INPUT")),
            "{result}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shared_is_called_what_each_calls_it() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let fields = "(ephemeral: false) { ... on MessageCreated { message { content } } }";
    let mut plain = bob
        .subscribe(&format!("subscription {{ events {fields} }}"), json!({}))
        .await;
    let mut named = bob
        .subscribe(&format!("subscription {{ mine: events {fields} }}"), json!({}))
        .await;
    for stream in [&mut plain, &mut named] {
        stream.result().await.expect("a beginning");
    }
    say(&ada, &chat, "Hello \"there\".").await;
    let event = json!({ "message": { "content": "Hello \"there\"." } });
    assert_eq!(plain.result().await, Some(json!({ "data": { "events": event } })));
    assert_eq!(named.result().await, Some(json!({ "data": { "mine": event } })));
}
