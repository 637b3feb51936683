//! An account ends: who may end it, and what is over at once.

use serde_json::{Value, json};

use super::{cleared, count, delete, deleted, until};
use crate::harness::app::{PASSWORD, TestApp, User, new_key, uuid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_takes_the_password_and_then_is_over_at_once() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let phone = ada.second_device("ada").await;
    let wrong = json!({ "password": "not the password" });
    let payload = ada.mutate("deleteAccount", wrong, "deletedUserId").await;
    assert_eq!(payload["deletedUserId"], Value::Null);
    assert_eq!(payload["errors"][0]["code"], "WRONG_CREDENTIALS");
    assert_eq!(payload["errors"][0]["field"], json!(["input", "password"]));
    assert_eq!(phone.whoami().await, "ada");

    let mut stream = phone
        .subscribe("subscription { events { __typename } }", json!({}))
        .await;
    stream.next().await.expect("a beginning");
    let payload = delete(&ada).await;
    assert_eq!(payload, json!({ "deletedUserId": ada.id, "errors": [] }));
    let last = stream.result().await.expect("an answer that says why");
    assert_eq!(last["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{last}");
    assert_eq!((ada.whoami().await, phone.whoami().await), (Value::Null, Value::Null));
    let input = json!({ "refreshToken": ada.refresh_token });
    let refreshed = app
        .anonymous()
        .mutate("refreshSession", input, "tokens { accessToken }")
        .await;
    assert_eq!(refreshed["errors"][0]["code"], "SESSION_ENDED");
    for identifier in [
        "ada",
        "ada@example.com",
        &format!("deleted.{}", ada.id.replace("user_", "")),
    ] {
        let login = app.anonymous().login(identifier, PASSWORD).await;
        assert_eq!(login["errors"][0]["code"], "WRONG_CREDENTIALS", "{identifier}");
    }

    // Both names are free again, and whoever takes them is somebody else.
    let again = app.user("ada").await;
    assert_ne!(again.id, ada.id);
    let query = "query ($id: ID!) { user(by: { id: $id }) { displayName isDeleted bio } other: user(by: { username: \"ada\" }) { id } }";
    assert_eq!(
        again.ok(query, json!({ "id": ada.id })).await,
        json!({ "user": { "displayName": "Deleted account", "isDeleted": true, "bio": null }, "other": { "id": again.id } })
    );
    cleared(&app, &ada).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_delete_accounts_and_the_last_one_stays() {
    let app = TestApp::start().await;
    let (root, eve, ada) = (app.admin("root").await, app.admin("eve").await, app.user("ada").await);
    let remove = |who: &User, password: &str| json!({ "userId": who.id, "password": password });
    let refused = ada
        .run(
            "mutation ($input: DeleteUserInput!) { deleteUser(input: $input) { deletedUserId } }",
            json!({ "input": remove(&ada, PASSWORD) }),
        )
        .await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let payload = root
        .mutate("deleteUser", remove(&ada, "a wrong one"), "deletedUserId")
        .await;
    assert_eq!(payload["errors"][0]["code"], "WRONG_CREDENTIALS");
    let payload = root.mutate("deleteUser", remove(&ada, PASSWORD), "deletedUserId").await;
    assert_eq!(payload, json!({ "deletedUserId": ada.id, "errors": [] }));
    assert_eq!(ada.whoami().await, Value::Null);
    let again = root.mutate("deleteUser", remove(&ada, PASSWORD), "deletedUserId").await;
    assert_eq!(again["errors"][0]["code"], "NOT_FOUND");
    let activate = json!({ "userId": ada.id, "active": true });
    let activated = root.mutate("setUserActive", activate, "user { active }").await;
    assert_eq!(activated["errors"][0]["code"], "NOT_FOUND");
    let seen = root
        .ok("{ admin { users { nodes { username } } auditLog(first: 1) { nodes { action target actor { username } } } } }", json!({}))
        .await;
    assert_eq!(
        seen["admin"]["users"]["nodes"],
        json!([{ "username": "eve" }, { "username": "root" }])
    );
    assert_eq!(
        seen["admin"]["auditLog"]["nodes"][0],
        json!({ "action": "account.deleted", "target": ada.id, "actor": { "username": "root" } })
    );

    // Both at once: one of them stays, whoever was faster.
    let (one, other) = tokio::join!(delete(&root), delete(&eve));
    let is_refused = |payload: &Value| payload["errors"][0]["code"] == "LAST_ADMIN";
    assert_ne!(is_refused(&one), is_refused(&other), "{one} {other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_answers_stop_and_are_accounted_for() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=100000,first=0,delay=5").await;
    let generation = ada.send(&chat, "Go on for ever.").await;
    ada.generation_events(&generation, None)
        .await
        .until("GenerationDelta")
        .await;
    deleted(&app, &ada).await;
    until(&app, "SELECT bool_and(ended_at IS NOT NULL) FROM attempts").await;
    let kept = "SELECT count(*) = 1 AND bool_and(output_tokens > 0 AND outcome IN ('STOPPED', 'INTERRUPTED') AND chat_id IS NULL \
        AND user_id = '00000000-0000-0000-0000-000000000000' AND payer_id = user_id AND generation_id IS NULL) FROM attempts";
    until(&app, kept).await;
    let left =
        "SELECT (SELECT count(*) FROM chats) + (SELECT count(*) FROM messages) + (SELECT count(*) FROM generations)";
    assert_eq!(count(&app, left).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_alone_clears_everything_away() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = ada.chat("scripted:words=1,first=0,delay=0").await;
    let generation = ada.send(&chat, "Hello?").await;
    ada.generation_events(&generation, None).await.rest().await;
    ada.mutate("addMemory", json!({ "content": "Owns a cat." }), "").await;
    ada.mutate("addContact", json!({ "userId": bob.id }), "").await;
    bob.mutate("addContact", json!({ "userId": ada.id }), "").await;
    // The process died right after the account had ended.
    let (id, key) = (uuid(&ada.id), &ada.id);
    let died = format!(
        "UPDATE users SET deactivated_at = now(), deleted_at = now(), username = 'deleted', email = 'deleted' WHERE id = '{id}'; \
         INSERT INTO jobs (id, kind, key, payload) VALUES (gen_random_uuid(), 'privacy.clear', '{key}', '{{\"userId\": \"{id}\", \"again\": false}}')"
    );
    app.sql().await.batch_execute(&died).await.expect("rows");
    cleared(&app, &ada).await;
    let left = "SELECT (SELECT count(*) FROM chats) + (SELECT count(*) FROM memories) + (SELECT count(*) FROM contacts) \
        + (SELECT count(*) FROM sends) + (SELECT count(*) FROM sessions WHERE user_id <> (SELECT id FROM users WHERE username = 'bob'))";
    assert_eq!(count(&app, left).await, 0);
    // What a request that was under way has written is found a minute later; here it is made to be later.
    let late = format!(
        "INSERT INTO memories (id, user_id, content) VALUES (gen_random_uuid(), '{id}', 'late'); \
         UPDATE jobs SET run_at = now() WHERE kind = 'privacy.clear'"
    );
    app.sql().await.batch_execute(&late).await.expect("rows");
    until(
        &app,
        "SELECT NOT EXISTS (SELECT FROM memories) AND NOT EXISTS (SELECT FROM jobs)",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_finds_them_and_books_lose_them() {
    let app = TestApp::start().await;
    let (ada, bob, cyd) = (app.user("ada").await, app.user("bob").await, app.user("cyd").await);
    let added = bob
        .mutate("addContact", json!({ "userId": ada.id }), "contact { version }")
        .await;
    let added = added["contact"]["version"].as_i64().expect("a version");
    cyd.mutate("blockUser", json!({ "userId": ada.id }), "").await;
    let query = "subscription { events { __typename ... on ContactChanged { user { id displayName isDeleted } contact { version } isBlocked version } } }";
    let mut stream = bob.subscribe(query, json!({})).await;
    stream.next().await.expect("a beginning");
    deleted(&app, &ada).await;
    let event = stream.until("ContactChanged").await;
    assert!(
        event["version"].as_i64().is_some_and(|version| version > added),
        "{event}"
    );
    assert_eq!(
        event["user"],
        json!({ "id": ada.id, "displayName": "Deleted account", "isDeleted": true })
    );
    assert_eq!((&event["contact"], &event["isBlocked"]), (&Value::Null, &json!(false)));
    let seen = cyd
        .ok("{ viewer { blockedUsers { id } } findUsers(query: \"ada\") { nodes { id } } gone: findUsers(query: \"deleted\") { nodes { id } } }", json!({}))
        .await;
    assert_eq!(
        seen,
        json!({ "viewer": { "blockedUsers": [] }, "findUsers": { "nodes": [] }, "gone": { "nodes": [] } })
    );
    for mutation in ["addContact", "blockUser"] {
        let payload = bob.mutate(mutation, json!({ "userId": ada.id }), "").await;
        assert_eq!(payload["errors"][0]["code"], "NOT_FOUND", "{mutation}");
    }
    let direct = json!({ "kind": "DIRECT", "memberIds": [ada.id], "idempotencyKey": new_key() });
    let payload = bob.mutate("createChat", direct, "").await;
    assert_eq!(payload["errors"][0]["code"], "NOT_FOUND");
}
