//! What the AI knows of a person: memories and preferences, on all their devices and nobody else's.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::chats::{refusal, refused};
use crate::harness::app::{Client, TestApp};

async fn added(client: &Client, content: &str) -> Value {
    let payload = client
        .mutate(
            "addMemory",
            json!({ "content": content }),
            "memory { id content version }",
        )
        .await;
    assert_eq!(payload["errors"], json!([]));
    payload["memory"].clone()
}

async fn contents(client: &Client) -> Vec<String> {
    let answer = client
        .ok("{ viewer { memories { nodes { content } } } }", json!({}))
        .await;
    let nodes = answer["viewer"]["memories"]["nodes"].as_array().expect("nodes").clone();
    let contents = nodes
        .iter()
        .map(|node| node["content"].as_str().expect("a text").to_owned());
    contents.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memories_are_added_changed_and_removed() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let cat = added(&ada, "  Owns a cat.\n").await;
    assert_eq!((&cat["content"], &cat["version"]), (&json!("Owns a cat."), &json!(1)));
    added(&ada, "Likes tea 🍵").await;
    assert_eq!(contents(&ada).await, ["Likes tea 🍵", "Owns a cat."], "newest first");
    assert_eq!(contents(&bob).await, [""; 0]);
    let input = json!({ "memoryId": cat["id"], "content": "Owns two cats." });
    let changed = ada.mutate("updateMemory", input, "memory { content version }").await;
    assert_eq!(changed["memory"], json!({ "content": "Owns two cats.", "version": 2 }));
    let node = "query ($id: ID!) { node(id: $id) { ... on Memory { content } } }";
    assert_eq!(
        ada.ok(node, json!({ "id": cat["id"] })).await["node"]["content"],
        "Owns two cats."
    );
    assert_eq!(bob.ok(node, json!({ "id": cat["id"] })).await["node"], Value::Null);
    let deleted = ada
        .mutate("deleteMemory", json!({ "memoryId": cat["id"] }), "deletedMemoryId")
        .await;
    assert_eq!(deleted["deletedMemoryId"], cat["id"]);
    assert_eq!(contents(&ada).await, ["Likes tea 🍵"]);

    let page = ada
        .ok(
            "{ viewer { memories(last: 1) { nodes { content } pageInfo { hasPreviousPage } } } }",
            json!({}),
        )
        .await;
    assert_eq!(page["viewer"]["memories"]["nodes"][0]["content"], "Likes tea 🍵");
    for (content, code, message) in [
        ("  ", "REQUIRED", "There is nothing to remember. Write something first."),
        (
            &*"x".repeat(501),
            "TOO_LONG",
            "The memory must be at most 500 characters long.",
        ),
    ] {
        let expected = refusal(code, "input.content", message);
        assert_eq!(
            refused(&ada, "addMemory", json!({ "content": content })).await,
            expected
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_an_end_to_what_is_remembered() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let fill = "INSERT INTO memories (id, user_id, content) SELECT gen_random_uuid(), users.id, 'x' FROM users, generate_series(1, 99)";
    app.sql().await.execute(fill, &[]).await.expect("rows");
    let tries = (0..5).map(|_| ada.mutate("addMemory", json!({ "content": "one more" }), "memory { id }"));
    let made = futures_util::future::join_all(tries).await;
    assert_eq!(made.iter().filter(|payload| !payload["memory"].is_null()).count(), 1);
    let expected = refusal("LIMIT_REACHED", "", "You have 100 memories. Remove some first.");
    assert_eq!(refused(&ada, "addMemory", json!({ "content": "y" })).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preferences_are_changed_one_by_one() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let fields = "aboutMe responseStyle language memoryEnabled titlesEnabled summariesEnabled version";
    let look = async |client: &Client| {
        let query = format!("{{ viewer {{ preferences {{ {fields} }} }} }}");
        client.ok(&query, json!({})).await["viewer"]["preferences"].take()
    };
    let first = look(&ada).await;
    assert_json_snapshot!(first, @r#"
    {
      "aboutMe": null,
      "language": null,
      "memoryEnabled": true,
      "responseStyle": null,
      "summariesEnabled": true,
      "titlesEnabled": true,
      "version": 0
    }
    "#);
    let set = async |input: Value| {
        let payload = ada
            .mutate("updatePreferences", input, &format!("preferences {{ {fields} }}"))
            .await;
        assert_eq!(payload["errors"], json!([]));
        payload["preferences"].clone()
    };
    let one = json!({ "aboutMe": " A cook. ", "language": "Deutsch", "memoryEnabled": false });
    assert_eq!(set(one).await["version"], 1);
    let second = set(json!({ "responseStyle": "In short.", "language": null })).await;
    assert_eq!(second, look(&ada).await);
    assert_json_snapshot!(second, @r#"
    {
      "aboutMe": "A cook.",
      "language": null,
      "memoryEnabled": false,
      "responseStyle": "In short.",
      "summariesEnabled": true,
      "titlesEnabled": true,
      "version": 2
    }
    "#);
    assert_eq!(look(&bob).await, first, "each has their own");
    let too_much = json!({ "aboutMe": "x".repeat(2_001), "language": "a\nb" });
    let refused = refused(&ada, "updatePreferences", too_much).await;
    let paths: Vec<&str> = refused.iter().map(|(_, path, _)| path.as_str()).collect();
    assert_eq!(paths, ["input.aboutMe", "input.language"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_devices_hear_of_it_and_other_people_do_not() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let phone = ada.second_device("ada").await;
    let query = "subscription { events(ephemeral: false) { __typename ... on MemoryUpserted { memory { content } } \
        ... on MemoryRemoved { memoryId } ... on PreferencesChanged { preferences { language } } ... on ChatUpserted { chat { title } } } }";
    let mut streams = [
        phone.subscribe(query, json!({})).await,
        bob.subscribe(query, json!({})).await,
    ];
    for stream in &mut streams {
        assert_eq!(stream.next().await.expect("a beginning")["__typename"], "StreamReady");
    }
    let [mine, theirs] = &mut streams;
    let cat = added(&ada, "Owns a cat.").await;
    let told = mine.next().await.expect("an event");
    assert_eq!(told["memory"]["content"], "Owns a cat.");
    ada.mutate("deleteMemory", json!({ "memoryId": cat["id"] }), "").await;
    assert_eq!(mine.next().await.expect("an event")["memoryId"], cat["id"]);
    ada.mutate("updatePreferences", json!({ "language": "Deutsch" }), "")
        .await;
    assert_eq!(
        mine.next().await.expect("an event")["preferences"]["language"],
        "Deutsch"
    );
    bob.mutate("createChat", json!({ "title": "Bob's" }), "").await;
    assert_eq!(theirs.next().await.expect("an event")["chat"]["title"], "Bob's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_wants_no_titles_gets_none() {
    let app = TestApp::with(&["--titles=true"]).await;
    let ada = app.user("ada").await;
    ada.mutate("updatePreferences", json!({ "titlesEnabled": false }), "")
        .await;
    let chat = ada.chat("scripted:words=3,first=0,delay=0").await;
    crate::titles::answered(&ada, &chat, "How do I boil an egg?").await;
    crate::titles::until_jobs(&app, "count = 0").await;
    assert_eq!(crate::titles::title(&ada, &chat).await.1, "HEURISTIC");
}
