//! Whose key pays: one's own, else the server's, else (in development) nobody's.

use serde_json::{Value, json};

use super::{OTHER, SECRET, keep, keys, refusal, with_upstream};
use crate::harness::app::{Client, TestApp, new_key};
use crate::harness::upstream::{Reply, Upstream};

/// How an answer came about.
async fn answered(client: &Client, chat: &str) -> Value {
    let id = client.send(chat, "Hello?").await;
    let finished = client
        .generation_events(&id, None)
        .await
        .until("GenerationFinished")
        .await;
    assert_eq!(finished["generation"]["status"], "COMPLETED", "{finished}");
    let query = "query ($id: ID!) { generation(id: $id) { keySource provider model } }";
    client.ok(query, json!({ "id": id })).await["generation"].clone()
}

async fn plain_chat(client: &Client) -> String {
    let payload = client.mutate("createChat", json!({}), "chat { id }").await;
    payload["chat"]["id"].as_str().expect("an id").to_owned()
}

fn bearer(upstream: &Upstream) -> String {
    let requests = upstream.requests();
    requests.last().expect("a request").headers["authorization"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ones_own_then_the_servers() {
    let servers = Upstream::start().await;
    let (key, url) = (
        format!("--openai-api-key={OTHER}"),
        format!("--openai-base-url={}", servers.url()),
    );
    let (app, upstream) = with_upstream(&[&key, &url, "--openai-model=house-model"]).await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let by_server = json!({ "keySource": "SERVER", "provider": "OPENAI", "model": "house-model" });
    assert_eq!(answered(&ada, &chat).await, by_server);
    assert_eq!(bearer(&servers), format!("Bearer {OTHER}"));

    let id = keep(&ada, &upstream, SECRET).await["id"].clone();
    let mut events = ada
        .subscribe("subscription { events(ephemeral: false) { __typename } }", json!({}))
        .await;
    assert_eq!(answered(&ada, &chat).await["keySource"], "USER");
    assert_eq!(bearer(&upstream), format!("Bearer {SECRET}"));
    assert_eq!(servers.requests().len(), 1, "the server's key was left alone");
    // A good answer waits for nothing: its key is noted behind it.
    events.until("ApiKeyHealthChanged").await;
    assert_eq!(keys(&ada).await[0]["health"]["accepted"], true);

    // Somebody else still has only the server's.
    let bob = app.user("bob").await;
    let theirs = plain_chat(&bob).await;
    assert_eq!(answered(&bob, &theirs).await["keySource"], "SERVER");
    ada.mutate("deleteApiKey", json!({ "apiKeyId": id }), "deletedApiKeyId")
        .await;
    assert_eq!(answered(&ada, &chat).await["keySource"], "SERVER");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_is_remembered_and_not_replaced_by_the_servers() {
    let servers = Upstream::start().await;
    let (key, url) = (
        format!("--openai-api-key={OTHER}"),
        format!("--openai-base-url={}", servers.url()),
    );
    let (app, upstream) = with_upstream(&[&key, &url]).await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    keep(&ada, &upstream, SECRET).await;
    upstream.script([Reply::error(401, "invalid_request_error", "invalid_api_key", SECRET)]);
    let id = ada.send(&chat, "Hello?").await;
    let finished = ada.generation_events(&id, None).await.until("GenerationFinished").await;
    let error = &finished["generation"]["error"];
    assert_eq!(
        (&error["code"], &error["action"]),
        (&json!("KEY_INVALID"), &json!("CHECK_KEY"))
    );
    assert_eq!(
        error["message"],
        "Invalid API key. Please check your OpenAI API key in profile settings."
    );
    assert_eq!(
        keys(&ada).await[0]["health"],
        json!({ "accepted": false, "lastErrorCode": "KEY_INVALID" })
    );
    assert_eq!(servers.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobodys_in_development_without_any() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=2,first=0,delay=0").await;
    assert_eq!(answered(&ada, &chat).await["keySource"], "NONE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_key_nothing_is_stored() {
    let app = TestApp::with(&["--env=production"]).await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let classic = "No API key configured. Please add your OpenAI API key in profile settings.";
    let before = counts(&app).await;
    let send = async |reply: Value| {
        let input = json!({ "chatId": chat, "content": "Hello?", "idempotencyKey": new_key(), "reply": reply });
        ada.mutate("sendMessage", input, "message { id } generation { id }")
            .await
    };
    let payload = send(Value::Null).await;
    assert_eq!(refusal(&payload), ("KEY_MISSING", String::new(), classic));
    assert_eq!(
        (&payload["message"], &payload["generation"]),
        (&Value::Null, &Value::Null)
    );
    let script = send(json!({ "model": "scripted:words=2" })).await;
    assert_eq!(refusal(&script).0, "KEY_MISSING", "nothing is scripted in production");
    let scripted = send(json!({ "provider": "SCRIPTED" })).await;
    let words = "The scripted provider answers in development only. Choose another provider.";
    assert_eq!(refusal(&scripted), ("INVALID", "input.reply.provider".into(), words));
    assert_eq!(counts(&app).await, before);
}

async fn counts(app: &TestApp) -> String {
    let sql = app.sql().await;
    let query = "SELECT format('%s %s %s %s', (SELECT count(*) FROM messages), (SELECT count(*) FROM generations), \
        (SELECT count(*) FROM sends), (SELECT count(*) FROM events))";
    sql.query_one(query, &[]).await.expect("counts").get(0)
}
