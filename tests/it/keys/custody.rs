//! What becomes of a key once it is kept: nobody sees it but its owner, who proves who they are.

use serde_json::{Value, json};

use super::{OTHER, SECRET, SHOWN, dump, keep, keys, refusal, with_upstream};
use crate::harness::app::{Client, PASSWORD};
use crate::harness::upstream::Reply;

async fn reveal(client: &Client, id: &Value, password: &str) -> Value {
    let input = json!({ "apiKeyId": id, "password": password });
    client.mutate("revealApiKey", input, "secret").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_itself_is_nowhere_to_be_seen() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.admin("ada").await;
    let key = keep(&ada, &upstream, SECRET).await;
    let everything = "query ($id: ID!) { viewer { apiKeys { id hint fingerprint label baseUrl } } node(id: $id) { id ... on ApiKey { hint } } \
        admin { auditLog { nodes { action target detail } } users { nodes { username } } } serverInfo { providers { provider } } }";
    let seen = ada.ok(everything, json!({ "id": key["id"] })).await;
    assert_eq!(seen["node"]["hint"], "sk-proj-…a1b2");
    assert_eq!(seen["admin"]["auditLog"]["nodes"][0]["action"], "key.set");
    let stored = [
        seen.to_string(),
        dump(&app, "api_keys").await,
        dump(&app, "audit_log").await,
        dump(&app, "events").await,
    ];
    for text in stored {
        assert!(!text.contains(&SECRET[8..]), "{text}");
        // As bytea shows it.
        let hex: String = SECRET[8..].bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!text.contains(&hex), "{text}");
    }
    let fields = "{ __type(name: \"ApiKey\") { fields { name } } }";
    let fields = ada.ok(fields, json!({})).await["__type"]["fields"].to_string();
    assert!(!fields.contains("secret") && !fields.contains("sealed"), "{fields}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_owner_sees_it_with_the_password_again() {
    let (app, upstream) = with_upstream(&[]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let id = &keep(&ada, &upstream, SECRET).await["id"];
    let wrong = reveal(&ada, id, "not the password").await;
    assert_eq!(
        refusal(&wrong),
        (
            "WRONG_CREDENTIALS",
            "input.password".to_owned(),
            "The password is wrong."
        )
    );
    assert_eq!(wrong["secret"], Value::Null);
    assert!(!dump(&app, "audit_log").await.contains("key.revealed"));

    assert_eq!(
        reveal(&ada, id, PASSWORD).await,
        json!({ "secret": SECRET, "errors": [] })
    );
    let sql = app.sql().await;
    let log = "SELECT target, detail::text, address FROM audit_log WHERE action = 'key.revealed'";
    let rows = sql.query(log, &[]).await.expect("the log");
    assert_eq!(rows.len(), 1);
    let row: (&str, &str, &str) = (rows[0].get(0), rows[0].get(1), rows[0].get(2));
    assert_eq!(row, (id.as_str().expect("an id"), "{}", "127.0.0.1"));

    let absent = reveal(&bob, &json!("key_01234567012370123456789abcdef012"), PASSWORD).await;
    assert_eq!(refusal(&absent).0, "NOT_FOUND");
    assert_eq!(reveal(&bob, id, PASSWORD).await, absent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_the_password_is_slowed_down() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    let id = &keep(&ada, &upstream, SECRET).await["id"];
    let who = parlor::id::UserId::from(ada.id.as_str());
    while app.app.throttle().password(who).is_ok() {}
    let query = "mutation ($input: RevealApiKeyInput!) { revealApiKey(input: $input) { secret } }";
    let answer = ada
        .run(query, json!({ "input": { "apiKeyId": id, "password": PASSWORD } }))
        .await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    assert!(answer["errors"][0]["extensions"]["retryAfter"].is_u64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_be_tried_again() {
    let (app, upstream) = with_upstream(&[]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let key = keep(&ada, &upstream, SECRET).await;
    assert_eq!(key["health"]["accepted"], Value::Null, "nobody was asked");
    let verify =
        async |client: &Client, id: &Value| client.mutate("verifyApiKey", json!({ "apiKeyId": id }), SHOWN).await;
    upstream.script([
        Reply::error(401, "invalid_request_error", "invalid_api_key", SECRET),
        Reply::status(200).json(&json!({ "data": [] })),
    ]);
    let payload = verify(&ada, &key["id"]).await;
    assert_eq!(refusal(&payload).0, "KEY_INVALID");
    assert!(!payload.to_string().contains(SECRET));
    assert_eq!(
        keys(&ada).await[0]["health"],
        json!({ "accepted": false, "lastErrorCode": "KEY_INVALID" })
    );
    let health = &verify(&ada, &key["id"]).await["apiKey"]["health"];
    assert_eq!(
        (&health["accepted"], &health["lastErrorCode"]),
        (&json!(true), &Value::Null)
    );

    let absent = verify(&bob, &json!("key_01234567012370123456789abcdef012")).await;
    assert_eq!(verify(&bob, &key["id"]).await, absent);
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_deleted_by_its_owner_alone() {
    let (app, upstream) = with_upstream(&[]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let (id, theirs) = (
        keep(&ada, &upstream, SECRET).await["id"].clone(),
        keep(&bob, &upstream, OTHER).await["id"].clone(),
    );
    let delete = async |client: &Client, id: &Value| {
        client
            .mutate("deleteApiKey", json!({ "apiKeyId": id }), "deletedApiKeyId")
            .await
    };
    let absent = delete(&ada, &json!("key_01234567012370123456789abcdef012")).await;
    assert_eq!(refusal(&absent).0, "NOT_FOUND");
    assert_eq!(delete(&ada, &theirs).await, absent);
    assert_eq!(delete(&ada, &json!("")).await, absent);
    assert_eq!(delete(&ada, &id).await["deletedApiKeyId"], id);
    assert_eq!(delete(&ada, &id).await, absent);
    assert_eq!(keys(&ada).await, json!([]));
    assert_eq!(keys(&bob).await[0]["id"], theirs);
    let node = ada
        .ok("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": theirs }))
        .await;
    assert_eq!(node["node"], Value::Null);
}
