//! What people say about themselves.

use serde_json::{Value, json};

use super::{refusal, refused};
use crate::harness::app::{Client, TestApp, User};
use crate::harness::stream::Subscription;
use crate::rooms::{done, group, people};

async fn update(client: &Client, input: Value) -> Value {
    client.mutate("updateProfile", input, "user { displayName bio }").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_away_stays() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let payload = update(
        &ada,
        json!({ "displayName": "  Ada 👩‍💻 ", "bio": "Poetical\nscience \u{202e}." }),
    )
    .await;
    let both = json!({ "displayName": "Ada 👩‍💻", "bio": "Poetical\nscience \u{202e}." });
    assert_eq!(payload["user"], both);
    assert_eq!(update(&ada, json!({})).await["user"], both);
    let payload = update(&ada, json!({ "bio": "" })).await;
    assert_eq!(payload["user"], json!({ "displayName": "Ada 👩‍💻", "bio": null }));

    let bob = app.user("bob").await;
    let query = "query ($name: String!) { user(by: { username: $name }) { displayName bio } }";
    let seen = bob.ok(query, json!({ "name": "ADA" })).await;
    assert_eq!(seen["user"], payload["user"]);
}

/// The names of somebody that a stream tells until one's own chat of this title.
async fn names(stream: &mut Subscription, client: &Client) -> Vec<Value> {
    client.mutate("createChat", json!({ "title": "the end" }), "").await;
    let mut names = Vec::new();
    loop {
        let event = stream.next().await.expect("an event");
        if event["__typename"] == "UserUpdated" {
            names.push(json!([event["user"]["displayName"], event["user"]["isDeleted"]]));
        }
        if event["chat"]["title"] == "the end" {
            return names;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_know_somebody_are_told_of_their_profile() {
    let app = TestApp::start().await;
    let [ada, bob, cyd, eve]: [User; 4] = people(&app, ["ada", "bob", "cyd", "eve"]).await;
    let phone = ada.second_device("ada").await;
    group(&ada, &[&cyd]).await;
    done(&bob, "addContact", json!({ "userId": ada.id })).await;
    let query = "subscription { events(ephemeral: false) { __typename ... on UserUpdated { user { displayName isDeleted } } ... on ChatUpserted { chat { title } } } }";
    let mut streams = Vec::new();
    for client in [&bob.client, &cyd.client, &eve.client, &phone] {
        let mut stream = client.subscribe(query, json!({})).await;
        stream.until("StreamReady").await;
        assert!(names(&mut stream, client).await.is_empty());
        streams.push((stream, client));
    }
    update(&ada, json!({ "displayName": "Countess" })).await;
    let changed = json!(["Countess", false]);
    for ((stream, client), knows) in streams.iter_mut().zip([true, true, false, true]) {
        let told = names(stream, client).await;
        assert_eq!(told.first(), knows.then_some(&changed), "{told:?}");
    }
    crate::privacy::delete(&ada).await;
    for ((stream, client), knows) in streams.iter_mut().take(3).zip([true, true, false]) {
        let told = names(stream, client).await;
        assert_eq!(told, Vec::from_iter(knows.then(|| json!(["Deleted account", true]))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_values_are_refused_by_name() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let endless = "a".repeat(10_000);
    for (field, code, value) in [
        ("displayName", "REQUIRED", " "),
        ("displayName", "TOO_LONG", &endless),
        ("displayName", "INVALID", "Ada\u{2066}"),
        ("bio", "TOO_LONG", &endless),
    ] {
        let payload = update(&ada, json!({ field: value })).await;
        assert_eq!(refusal(&payload), refused(code, &format!("input.{field}")));
        assert_eq!(payload["user"], Value::Null);
    }
    let mixed = update(&ada, json!({ "displayName": "Countess", "bio": endless })).await;
    assert_eq!(refusal(&mixed), refused("TOO_LONG", "input.bio"));
    let seen = ada.ok("{ viewer { user { displayName bio } } }", json!({})).await;
    assert_eq!(
        seen["viewer"]["user"],
        json!({ "displayName": "ada", "bio": null }),
        "nothing half-written"
    );
}
