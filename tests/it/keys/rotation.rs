//! Master keys: replaced while the server runs, retired for good, and never guessed at.

use parlor::db;
use parlor::vault::{Vault, rotate};
use serde_json::json;

use super::{OTHER, SECRET, keep, with_upstream};
use crate::harness::app::{Client, MASTER_KEY, PASSWORD, TestApp};

const NEW: &str = "--master-key=vT3mJ0b1xYkQ2sGZr8nLw5uPdC7hE9aFoIyKt4VqWgs=";

async fn revealed(client: &Client, id: &serde_json::Value) -> serde_json::Value {
    let input = json!({ "apiKeyId": id, "password": PASSWORD });
    client.mutate("revealApiKey", input, "secret").await["secret"].clone()
}

/// Why a server with these masters does not start on the test's database.
async fn refused(app: &TestApp, flags: &[&str]) -> String {
    match app.sibling_with(flags).await {
        Ok(_) => panic!("it starts"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_is_replaced_while_servers_run() {
    let (app, upstream) = with_upstream(&[]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let (first, second) = (
        keep(&ada, &upstream, SECRET).await["id"].clone(),
        keep(&bob, &upstream, OTHER).await["id"].clone(),
    );
    let words = refused(&app, &[NEW]).await;
    assert!(
        words.contains("PARLOR_MASTER_KEY") && words.contains("parlor keys rotate"),
        "{words}"
    );
    assert!(!words.contains(MASTER_KEY), "{words}");

    let previous = format!("--master-key-previous={MASTER_KEY}");
    let during = app.sibling_with(&[NEW, &previous]).await.expect("both masters");
    assert_eq!(revealed(&during.client_of(&ada), &first).await, SECRET);
    let mut connection = db::connect(app.database_url()).await.expect("a connection");
    let vault = Vault::open(&mut connection, during.app.config())
        .await
        .expect("both masters");
    assert_eq!(rotate::rotate(&mut connection, &vault).await.expect("moved"), 2);
    assert_eq!(rotate::rotate(&mut connection, &vault).await.expect("again"), 0);
    assert_eq!(revealed(&during.client_of(&bob), &second).await, OTHER);

    let after = app.sibling_with(&[NEW]).await.expect("the old one is retired");
    assert_eq!(revealed(&after.client_of(&ada), &first).await, SECRET);
    let words = refused(&app, &[]).await;
    assert!(words.contains("which is not the one given"), "{words}");
    let log = "SELECT detail->>'keys' FROM audit_log WHERE action = 'keys.rotated' ORDER BY id";
    let rows = app.sql().await.query(log, &[]).await.expect("the log");
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["2", "0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapped_rows_do_not_open() {
    let (app, upstream) = with_upstream(&[]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let id = keep(&ada, &upstream, SECRET).await["id"].clone();
    keep(&bob, &upstream, OTHER).await;
    let chat = ada.mutate("createChat", json!({}), "chat { id }").await["chat"]["id"].clone();
    let swap = "UPDATE api_keys AS mine SET sealed = theirs.sealed FROM api_keys AS theirs WHERE mine.id <> theirs.id";
    app.sql().await.batch_execute(swap).await.expect("rows");

    let reveal = "mutation ($input: RevealApiKeyInput!) { revealApiKey(input: $input) { secret } }";
    let send = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } } }";
    for (mutation, input) in [
        (reveal, json!({ "apiKeyId": id, "password": PASSWORD })),
        (
            send,
            json!({ "chatId": chat, "content": "Hello?", "idempotencyKey": "swapped" }),
        ),
    ] {
        let answer = ada.run(mutation, json!({ "input": input })).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR",
            "{answer}"
        );
        assert!(answer["errors"][0]["extensions"]["errorId"].is_string());
        let text = answer.to_string();
        assert!(
            !text.contains(SECRET) && !text.contains(OTHER) && !text.contains("sealed"),
            "{text}"
        );
    }
    assert_eq!(upstream.requests().len(), 0, "nobody's key was used");

    // A new key mends the row.
    keep(&ada, &upstream, SECRET).await;
    assert_eq!(revealed(&ada, &id).await, SECRET);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_persons_rows_are_not_swapped_either() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    let compatible =
        json!({ "provider": "OPENAI_COMPATIBLE", "secret": OTHER, "baseUrl": upstream.url(), "verify": false });
    ada.mutate("setApiKey", compatible, "apiKey { id }").await;
    let id = keep(&ada, &upstream, SECRET).await["id"].clone();
    let swap = "UPDATE api_keys AS mine SET sealed = theirs.sealed FROM api_keys AS theirs WHERE mine.id <> theirs.id";
    app.sql().await.batch_execute(swap).await.expect("rows");
    let reveal = "mutation ($input: RevealApiKeyInput!) { revealApiKey(input: $input) { secret errors { code } } }";
    let answer = ada
        .run(reveal, json!({ "input": { "apiKeyId": id, "password": PASSWORD } }))
        .await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR");
}
