//! The address book: people are added, listed and removed; to nobody's knowledge but the owner's.

use futures_util::future::join_all;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::{act, crowd, look};
use crate::chats::{refusal, refused};
use crate::harness::app::{Client, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_added_and_removed() {
    let app = TestApp::start().await;
    let (ada, bob, cyd) = (app.user("ada").await, app.user("bob").await, app.user("cyd").await);
    let input = json!({ "userId": bob.id });
    let fields = "contact { addedAt version user { username isContact isBlocked } }";
    let added = ada.mutate("addContact", input.clone(), fields).await;
    assert_json_snapshot!(added, { ".contact.addedAt" => "[time]" }, @r#"
    {
      "contact": {
        "addedAt": "[time]",
        "user": {
          "isBlocked": false,
          "isContact": true,
          "username": "bob"
        },
        "version": 1
      },
      "errors": []
    }
    "#);
    act(&ada, "addContact", &cyd).await;
    assert_eq!(
        ada.mutate("addContact", input, fields).await,
        added,
        "a repeat changes nothing"
    );
    assert_eq!(look(&ada).await.0, ["cyd", "bob"], "who was added last comes first");
    assert_eq!(look(&bob).await.0, [""; 0], "it is one-sided");

    let removed = act(&ada, "removeContact", &bob).await;
    assert_eq!(
        removed["user"],
        json!({ "id": bob.id, "isContact": false, "isBlocked": false })
    );
    assert_eq!(act(&ada, "removeContact", &bob).await, removed);
    assert_eq!(look(&ada).await.0, ["cyd"]);
    act(&ada, "addContact", &bob).await;
    assert_eq!(look(&ada).await.0, ["bob", "cyd"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_lead_through_the_book() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    crowd(&app, "contacts", "contact_id", &ada, 25).await;
    let page = async |arguments: String| {
        let query = format!(
            "{{ viewer {{ contacts({arguments}) {{ nodes {{ version }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
        );
        let mut answer = ada.ok(&query, json!({})).await;
        let page = answer["viewer"]["contacts"].take();
        let nodes = page["nodes"].as_array().expect("contacts").clone();
        let versions: Vec<i64> = nodes
            .iter()
            .map(|node| node["version"].as_i64().expect("a number"))
            .collect();
        (versions, page["pageInfo"].clone())
    };
    let all: Vec<i64> = (1..=25).rev().collect();
    let (mut seen, mut info) = page("first: 10".to_owned()).await;
    while info["hasNextPage"] == true {
        let (more, next) = page(format!("first: 10, after: {}", info["endCursor"])).await;
        seen.extend(more);
        info = next;
    }
    assert_eq!(seen, all);
    let (mut seen, mut info) = page("last: 10".to_owned()).await;
    while info["hasPreviousPage"] == true {
        let (more, next) = page(format!("last: 10, before: {}", info["startCursor"])).await;
        seen.splice(0..0, more);
        info = next;
    }
    assert_eq!(seen, all);
    for arguments in ["first: 101", "last: -1", "first: 1, last: 1", "after: \"garbage\""] {
        let query = format!("{{ viewer {{ contacts({arguments}) {{ nodes {{ version }} }} }} }}");
        let answer = ada.run(&query, json!({})).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{arguments}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_cannot_be_added_is_refused() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let nobody = "user_0192f3a0000070008000000000000000";
    let absent = "This person does not exist, or you have no access to it.";
    for mutation in ["addContact", "removeContact", "blockUser", "unblockUser"] {
        let expected = refusal("NOT_FOUND", "input.userId", absent);
        assert_eq!(refused(&ada, mutation, json!({ "userId": nobody })).await, expected);
        assert_eq!(refused(&ada, mutation, json!({ "userId": "bob" })).await, expected);
    }
    let oneself = refusal("INVALID", "input.userId", "You cannot add yourself. Add somebody else.");
    assert_eq!(refused(&ada, "addContact", json!({ "userId": ada.id })).await, oneself);
    act(&ada, "blockUser", &bob).await;
    let blocked = refusal(
        "INVALID_STATE",
        "input.userId",
        "You have blocked this person. Unblock them first.",
    );
    assert_eq!(refused(&ada, "addContact", json!({ "userId": bob.id })).await, blocked);
    assert_eq!(
        look(&ada).await,
        (Vec::new(), vec!["bob".to_owned()]),
        "nothing half-done"
    );
    act(&ada, "unblockUser", &bob).await;
    act(&ada, "addContact", &bob).await;
    assert_eq!(look(&ada).await, (vec!["bob".to_owned()], Vec::new()));
}

/// How many of the mutations that were sent at once for these people were accepted, and what the others were refused
/// with.
async fn at_once(client: &Client, mutation: &str, people: &[String]) -> (usize, Vec<Value>) {
    let sent = people
        .iter()
        .map(|id| client.mutate(mutation, json!({ "userId": id }), ""));
    let payloads = join_all(sent).await;
    let errors: Vec<Value> = payloads
        .iter()
        .filter_map(|payload| payload["errors"].get(0).cloned())
        .collect();
    (payloads.len() - errors.len(), errors)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_an_end_to_a_book() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut others = Vec::new();
    for name in ["bob", "cyd", "dan", "eve"] {
        others.push(app.user(name).await.id);
    }
    crowd(&app, "contacts", "contact_id", &ada, 4_999).await;
    let (added, errors) = at_once(&ada, "addContact", &others).await;
    assert_eq!(added, 1, "however many are added at once");
    for error in errors {
        assert_eq!(
            (&error["code"], &error["field"]),
            (&json!("LIMIT_REACHED"), &Value::Null)
        );
        assert_eq!(error["message"], "You have 5000 contacts. Remove some first.");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_an_end_to_blocking() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut others = Vec::new();
    for name in ["bob", "cyd", "dan", "eve"] {
        others.push(app.user(name).await.id);
    }
    at_once(&ada, "addContact", &others).await;
    crowd(&app, "blocks", "blocked_id", &ada, 999).await;
    let (blocked, errors) = at_once(&ada, "blockUser", &others).await;
    assert_eq!(blocked, 1, "however many are blocked at once");
    for error in errors {
        assert_eq!(error["code"], "LIMIT_REACHED");
        assert_eq!(error["message"], "You have blocked 1000 people. Unblock some first.");
    }
    let (contacts, blocked) = look(&ada).await;
    assert_eq!(
        (contacts.len(), blocked.len()),
        (3, 1000),
        "who was not blocked is a contact still"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_once_leave_one_thing_true() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let phone = ada.second_device("ada").await;
    for _ in 0..3 {
        let all = [
            "addContact",
            "blockUser",
            "removeContact",
            "unblockUser",
            "addContact",
            "blockUser",
        ];
        let sent = all.iter().enumerate().map(|(index, mutation)| {
            let client = if index % 2 == 0 { &ada.client } else { &phone };
            client.mutate(mutation, json!({ "userId": bob.id }), "")
        });
        for payload in join_all(sent).await {
            let code = &payload["errors"][0]["code"];
            assert!(code.is_null() || code == "INVALID_STATE", "{payload}");
        }
        let (contacts, blocked) = look(&ada).await;
        assert!(contacts.len() + blocked.len() <= 1, "a contact or blocked, not both");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_devices_hear_of_it_and_other_people_do_not() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let phone = ada.second_device("ada").await;
    let query = "subscription { events(ephemeral: false) { __typename cursor ... on ContactChanged { isBlocked version user { username isContact isBlocked } contact { version } } \
        ... on ChatUpserted { chat { title } } } }";
    let mut streams = [
        phone.subscribe(query, json!({})).await,
        bob.subscribe(query, json!({})).await,
    ];
    for stream in &mut streams {
        assert_eq!(stream.next().await.expect("a beginning")["__typename"], "StreamReady");
    }
    let [mine, theirs] = &mut streams;
    let mut versions = Vec::new();
    for (mutation, is_contact, is_blocked) in [
        ("addContact", true, false),
        ("blockUser", false, true),
        ("unblockUser", false, false),
        ("addContact", true, false),
        ("removeContact", false, false),
    ] {
        act(&ada, mutation, &bob).await;
        // What changes nothing tells nothing.
        act(&ada, mutation, &bob).await;
        let told = mine.next().await.expect("an event");
        assert!(told["cursor"].is_string(), "it is in the log");
        assert_eq!(
            told["user"],
            json!({ "username": "bob", "isContact": is_contact, "isBlocked": is_blocked })
        );
        assert_eq!(
            (told["contact"].is_object(), told["isBlocked"] == true),
            (is_contact, is_blocked)
        );
        versions.push(told["version"].as_i64().expect("a number"));
    }
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    bob.mutate("createChat", json!({ "title": "Bob's" }), "").await;
    assert_eq!(theirs.next().await.expect("an event")["chat"]["title"], "Bob's");
}
