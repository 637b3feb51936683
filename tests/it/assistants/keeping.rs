//! One's own assistants: what they may be, and the pages of them.

use insta::assert_json_snapshot;
use serde_json::{Value, json};

use super::{DEFAULT, changed, made, names};
use crate::chats::{refusal, refused};
use crate::harness::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assistant_is_made_and_changed() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let clio = json!({ "displayName": "  Clio ", "description": "Knows history", "instructions": "Answer\nin verse.",
        "provider": "SCRIPTED", "model": "scripted:context", "temperature": 0.5, "maxOutputTokens": 100, "reasoningEffort": "LOW",
        "avatarUrl": "https://example.com/clio.png" });
    let clio = made(&ada, clio).await;
    assert_json_snapshot!(clio, { ".id" => "[id]" }, @r#"
    {
      "available": true,
      "avatarUrl": "https://example.com/clio.png",
      "description": "Knows history",
      "displayName": "Clio",
      "id": "[id]",
      "instructions": "Answer\nin verse.",
      "isDefault": false,
      "maxOutputTokens": 100,
      "model": "scripted:context",
      "owner": {
        "username": "ada"
      },
      "provider": "SCRIPTED",
      "reasoningEffort": "LOW",
      "temperature": 0.5,
      "version": 1,
      "visibility": "PRIVATE"
    }
    "#);
    let nothing = json!({ "description": null, "instructions": "", "provider": null, "model": null, "temperature": null,
        "maxOutputTokens": null, "reasoningEffort": null, "avatarUrl": null });
    let plain = changed(&ada, &clio, nothing).await;
    assert_json_snapshot!(plain, { ".id" => "[id]" }, @r#"
    {
      "available": true,
      "avatarUrl": null,
      "description": null,
      "displayName": "Clio",
      "id": "[id]",
      "instructions": "",
      "isDefault": false,
      "maxOutputTokens": null,
      "model": null,
      "owner": {
        "username": "ada"
      },
      "provider": null,
      "reasoningEffort": null,
      "temperature": null,
      "version": 2,
      "visibility": "PRIVATE"
    }
    "#);
    assert_eq!(changed(&ada, &clio, json!({})).await["version"], 3);
    assert_eq!(names(&ada).await, ["Assistant", "Clio"]);
    let payload = ada
        .mutate(
            "deleteAssistant",
            json!({ "assistantId": clio["id"] }),
            "deletedAssistantId",
        )
        .await;
    assert_eq!(payload["deletedAssistantId"], clio["id"]);
    assert_eq!(names(&ada).await, ["Assistant"]);
    let missing = refusal(
        "NOT_FOUND",
        "input.assistantId",
        "This assistant does not exist, or you have no access to it.",
    );
    for mutation in ["updateAssistant", "deleteAssistant"] {
        assert_eq!(
            refused(&ada, mutation, json!({ "assistantId": clio["id"] })).await,
            missing,
            "{mutation}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_with_its_field() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let avatar = "The avatar must be an https address, or a path on this server that begins with a slash.";
    for (field, value, code, message) in [
        ("displayName", json!(" "), "REQUIRED", "The name must not be empty."),
        (
            "displayName",
            json!("x".repeat(81)),
            "TOO_LONG",
            "The name must be at most 80 characters long.",
        ),
        (
            "instructions",
            json!("x".repeat(8_001)),
            "TOO_LONG",
            "The instructions must be at most 8000 characters long.",
        ),
        (
            "temperature",
            json!(2.1),
            "INVALID",
            "The temperature must be between 0 and 2.",
        ),
        (
            "temperature",
            json!(-1),
            "INVALID",
            "The temperature must be between 0 and 2.",
        ),
        (
            "maxOutputTokens",
            json!(0),
            "INVALID",
            "The longest answer must be between 1 and 1000000 tokens.",
        ),
        (
            "model",
            json!("scripted:speed=9"),
            "INVALID",
            "unknown option `speed` of a scripted model",
        ),
        ("avatarUrl", json!("http://example.com/a.png"), "INVALID", avatar),
        ("avatarUrl", json!("//example.com/a.png"), "INVALID", avatar),
        ("avatarUrl", json!("javascript:alert(1)"), "INVALID", avatar),
        ("avatarUrl", json!("https://ada:secret@example.com/"), "INVALID", avatar),
        ("avatarUrl", json!("/\\example.com"), "INVALID", avatar),
        ("avatarUrl", json!("data:image/png;base64,AAAA"), "INVALID", avatar),
    ] {
        let mut input = json!({ "displayName": "Clio" });
        input[field] = value.clone();
        let expected = refusal(code, &format!("input.{field}"), message);
        assert_eq!(
            refused(&ada, "createAssistant", input).await,
            expected,
            "{field}: {value}"
        );
    }
    let two = json!({ "displayName": "", "temperature": 3 });
    assert_eq!(
        refused(&ada, "createAssistant", two).await.len(),
        2,
        "all that is wrong at once"
    );
    assert_eq!(names(&ada).await, ["Assistant"], "nothing was made");
    made(&ada, json!({ "displayName": "Clio", "avatarUrl": "/files/clio.png" })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_one_is_the_administrators() {
    let app = TestApp::start().await;
    let (root, ada) = (app.admin("root").await, app.user("ada").await);
    let default = json!({ "id": DEFAULT });
    let missing = refusal(
        "NOT_FOUND",
        "input.assistantId",
        "This assistant does not exist, or you have no access to it.",
    );
    for mutation in ["updateAssistant", "deleteAssistant"] {
        assert_eq!(
            refused(&ada, mutation, json!({ "assistantId": DEFAULT })).await,
            missing
        );
    }
    let hidden = json!({ "assistantId": DEFAULT, "visibility": "PRIVATE" });
    assert_eq!(
        refused(&root, "updateAssistant", hidden).await,
        refusal(
            "INVALID_STATE",
            "input.visibility",
            "The default assistant is everybody's and stays so."
        )
    );
    assert_eq!(
        refused(&root, "deleteAssistant", json!({ "assistantId": DEFAULT })).await,
        refusal(
            "INVALID_STATE",
            "input.assistantId",
            "The default assistant is always there and cannot be deleted."
        )
    );
    let house = json!({ "displayName": "House", "instructions": "Be kind." });
    let house = changed(&root, &default, house).await;
    assert_eq!((&house["owner"], &house["isDefault"]), (&Value::Null, &json!(true)));
    assert_eq!(names(&ada).await, ["House"]);
    let log = root
        .ok("{ admin { auditLog { nodes { action target } } } }", json!({}))
        .await;
    assert_eq!(
        log["admin"]["auditLog"]["nodes"][0],
        json!({ "action": "admin.update_assistant", "target": DEFAULT })
    );
    let chat = ada.chat("scripted:context,first=0,delay=0").await;
    let said = super::answer(&ada, &chat, Value::Null).await;
    assert_eq!(said["message"]["author"]["displayName"], "House");
    assert!(said["text"].as_str().expect("a text").contains("Be kind."), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_assistants_meet() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for number in 0..5 {
        made(&ada, json!({ "displayName": format!("muse {number}") })).await;
    }
    let query = "query ($after: String) { viewer { assistants(first: 2, after: $after) { nodes { displayName } pageInfo { hasNextPage endCursor } } } }";
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = ada.ok(query, json!({ "after": after })).await["viewer"]["assistants"].take();
        seen.extend(
            page["nodes"]
                .as_array()
                .expect("nodes")
                .iter()
                .map(|node| node["displayName"].clone()),
        );
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(seen, ["Assistant", "muse 0", "muse 1", "muse 2", "muse 3", "muse 4"]);
    let last = ada
        .ok(
            "{ viewer { assistants(last: 2) { nodes { displayName } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        last["viewer"]["assistants"]["nodes"],
        json!([{ "displayName": "muse 3" }, { "displayName": "muse 4" }])
    );
}
