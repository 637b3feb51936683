//! What others see of an assistant: all of a shared one, nothing of a private one, the name of one that they knew.

use serde_json::{Value, json};

use super::{DEFAULT, answer, changed, chat_with, chosen, made, names};
use crate::harness::app::{Client, TestApp};
use crate::harness::law::Device;

const QUICK: &str = "scripted:words=2,first=0,delay=0";

async fn node(client: &Client, id: &Value) -> Value {
    let query = "query ($id: ID!) { node(id: $id) { id ... on Assistant { displayName instructions } } }";
    client.ok(query, json!({ "id": id })).await["node"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_one_is_its_owners_alone() {
    let app = TestApp::start().await;
    let (ada, bob, root) = (app.user("ada").await, app.user("bob").await, app.admin("root").await);
    let clio = made(&ada, json!({ "displayName": "Clio", "instructions": "A secret." })).await;
    assert_eq!(node(&ada, &clio["id"]).await["instructions"], "A secret.");
    for other in [&bob, &root] {
        assert_eq!(node(other, &clio["id"]).await, Value::Null);
        assert_eq!(names(other).await, ["Assistant"]);
    }
    assert_eq!(node(&bob, &json!(DEFAULT)).await["displayName"], "Assistant");

    // An administrator reads what was said, and by whom is none of their business either.
    let chat = chat_with(&ada, &[&clio], json!({ "model": QUICK })).await;
    answer(&ada, &chat, Value::Null).await;
    let query = "query ($id: ID!) { admin { messages(chatId: $id) { nodes { chat { assistants { displayName available instructions } } \
        author { ... on Assistant { displayName instructions } } } } } }";
    let seen = root.ok(query, json!({ "id": chat })).await["admin"]["messages"]["nodes"].take();
    let text = seen.to_string();
    assert!(!text.contains("Clio") && !text.contains("A secret."), "{text}");
    assert_eq!(
        seen[1]["author"],
        json!({ "displayName": "Assistant", "instructions": null })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_one_leaves_its_name_behind() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let clio = json!({ "displayName": "Clio", "instructions": "In verse.", "visibility": "SHARED", "model": QUICK });
    let clio = made(&ada, clio).await;
    assert_eq!(names(&bob).await, ["Assistant", "Clio"]);
    let mut device = Device::open(bob.client.clone(), 1).await;
    let chat = chat_with(&bob, &[&clio], json!({})).await;
    let said = answer(&bob, &chat, Value::Null).await;
    assert_eq!(said["message"]["author"]["instructions"], "In verse.");

    changed(&ada, &clio, json!({ "displayName": "Calliope" })).await;
    changed(&ada, &clio, json!({ "visibility": "PRIVATE" })).await;
    changed(&ada, &clio, json!({ "displayName": "Nobody's business" })).await;
    assert_eq!(node(&bob, &clio["id"]).await, Value::Null);
    assert_eq!(names(&bob).await, ["Assistant"]);
    let gone = json!([{ "displayName": "Calliope", "available": false, "instructions": null }]);
    assert_eq!(chosen(&bob, &chat).await, gone, "the name that was shared last");
    let query =
        "query ($id: ID!) { chat(id: $id) { messages { nodes { author { ... on Assistant { displayName } } } } } }";
    let old = bob.ok(query, json!({ "id": chat })).await;
    assert_eq!(
        old["chat"]["messages"]["nodes"][1]["author"],
        json!({ "displayName": "Calliope" })
    );
    let quick = json!({ "model": QUICK });
    let now = answer(&bob, &chat, quick.clone()).await;
    assert_eq!(now["message"]["author"]["id"], DEFAULT, "the default one answers");

    let shared = changed(&ada, &clio, json!({ "visibility": "SHARED" })).await;
    assert_eq!(
        answer(&bob, &chat, Value::Null).await["message"]["author"]["id"],
        clio["id"]
    );
    assert_eq!(shared["version"], 5);
    ada.mutate("deleteAssistant", json!({ "assistantId": clio["id"] }), "")
        .await;
    assert_eq!(
        chosen(&bob, &chat).await,
        json!([{ "displayName": "Nobody's business", "available": false, "instructions": null }])
    );
    assert_eq!(answer(&bob, &chat, quick).await["message"]["author"]["id"], DEFAULT);

    bob.mutate("createChat", json!({ "title": "the end" }), "").await;
    device.follow(|event| event["chat"]["title"] == "the end").await;
    device.obeys().await;
    let told: Vec<&str> = device
        .seen
        .iter()
        .filter(|event| {
            event["__typename"]
                .as_str()
                .is_some_and(|name| name.starts_with("Assistant"))
        })
        .filter_map(|event| event["__typename"].as_str())
        .collect();
    assert!(
        told.contains(&"AssistantUpserted") || told.contains(&"AssistantRemoved"),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_hears_of_shared_ones_and_nobody_of_private_ones() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = bob.chat(QUICK).await;
    let cursor = bob.ok("{ viewer { syncCursor } }", json!({})).await["viewer"]["syncCursor"].take();
    let fields =
        "__typename ... on AssistantUpserted { assistant { displayName } } ... on AssistantRemoved { assistantId }";
    let live = bob
        .subscribe(
            &format!("subscription {{ events(ephemeral: false) {{ {fields} }} }}"),
            json!({}),
        )
        .await;
    let one = format!("subscription ($id: ID!) {{ chatEvents(chatId: $id, ephemeral: false) {{ {fields} }} }}");
    let narrow = bob.subscribe(&one, json!({ "id": chat })).await;
    let mut streams = vec![live, narrow];
    for stream in &mut streams {
        assert_eq!(stream.next().await.expect("a beginning")["__typename"], "StreamReady");
    }
    made(&ada, json!({ "displayName": "Private" })).await;
    let shared = made(&ada, json!({ "displayName": "Shared", "visibility": "SHARED" })).await;
    let again = format!("subscription ($after: String) {{ events(after: $after, ephemeral: false) {{ {fields} }} }}");
    let mut later = bob.subscribe(&again, json!({ "after": cursor })).await;
    assert_eq!(later.next().await.expect("a beginning")["__typename"], "StreamReady");
    streams.push(later);
    for stream in &mut streams {
        assert_eq!(
            stream.next().await.expect("an event"),
            json!({ "__typename": "AssistantUpserted", "assistant": { "displayName": "Shared" } })
        );
    }
    changed(&ada, &shared, json!({ "visibility": "PRIVATE" })).await;
    for stream in &mut streams {
        assert_eq!(
            stream.next().await.expect("an event"),
            json!({ "__typename": "AssistantRemoved", "assistantId": shared["id"] })
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_tells_everybody_too_often_is_slowed() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let clio = made(&ada, json!({ "displayName": "Clio", "visibility": "SHARED" })).await;
    let query = "mutation ($input: UpdateAssistantInput!) { updateAssistant(input: $input) { errors { code } } }";
    let input = json!({ "input": { "assistantId": clio["id"], "displayName": "Clio" } });
    let mut refused = Value::Null;
    for _ in 0..30 {
        let answer = ada.run(query, input.clone()).await;
        if !answer["errors"].is_null() {
            refused = answer["errors"][0]["extensions"].clone();
            break;
        }
    }
    assert_eq!(refused["code"], "RATE_LIMITED");
    changed(&ada, &made(&ada, json!({ "displayName": "Mine" })).await, json!({})).await;
}
