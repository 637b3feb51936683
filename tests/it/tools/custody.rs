//! Whose conversation it is: two people never share one, nobody's headers go elsewhere, and none come out again.

use parlor::db;
use parlor::vault::{Vault, rotate};
use serde_json::{Value, json};

use super::{SHOWN, add, call, with_workshop};
use crate::harness::app::MASTER_KEY;

const NEW: &str = "--master-key=vT3mJ0b1xYkQ2sGZr8nLw5uPdC7hE9aFoIyKt4VqWgs=";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_never_share_a_conversation() {
    let (app, mcp) = with_workshop(&[]).await;
    let (ada, bob, admin) = (app.user("ada").await, app.user("bob").await, app.admin("admin").await);
    let told = json!({ "name": "told", "url": mcp.url(), "shared": true, "tellsUser": true });
    let id = add(&admin, told).await;
    for user in [&ada, &bob, &ada] {
        assert_eq!(call(&app, user, &id, "who", json!({})).await.text, user.id);
    }
    assert_eq!(app.app.tools().open(), 2, "one for each, and each used again");
    let calls = mcp.workshop.called();
    for (call, user) in calls.iter().zip([&ada, &bob, &ada]) {
        assert_eq!(call.headers["x-parlor-user"], json!(user.id));
    }
    let silent = json!({ "toolServerId": id, "tellsUser": false });
    admin.mutate("updateToolServer", silent, SHOWN).await;
    assert_eq!(call(&app, &ada, &id, "who", json!({})).await.text, "nobody");
    let last = mcp.workshop.called().pop().expect("a call");
    assert_eq!(
        (&last.headers["x-parlor-user"], &last.user),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_go_to_their_server_and_nowhere_else() {
    let (app, mcp) = with_workshop(&[]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    for (user, secret) in [(&ada, "Bearer of-ada"), (&bob, "Bearer of-bob")] {
        let headers = json!([{ "name": "Authorization", "value": secret }]);
        let input = json!({ "name": "notes", "url": mcp.url(), "headers": headers });
        let payload = user.mutate("addToolServer", input, SHOWN).await;
        assert!(!payload.to_string().contains(secret), "{payload}");
        let id = payload["toolServer"]["id"].as_str().expect("an id").to_owned();
        call(&app, user, &id, "who", json!({})).await;
        let last = mcp.workshop.called().pop().expect("a call");
        assert_eq!(last.headers["authorization"], json!(secret));
    }
    let dump = "SELECT string_agg(row::text, E'\\n') FROM tool_servers AS row";
    let dump: String = app.sql().await.query_one(dump, &[]).await.expect("rows").get(0);
    assert!(!dump.contains("of-ada") && dump.contains("authorization"), "{dump}");

    // Moved to another's row, an envelope does not open.
    let swap = "UPDATE tool_servers AS mine SET sealed = theirs.sealed, revision = mine.revision + 1 \
        FROM tool_servers AS theirs WHERE mine.id <> theirs.id";
    app.sql().await.batch_execute(swap).await.expect("rows");
    let before = mcp.workshop.called().len();
    let id = ada.ok("{ viewer { toolServers { id } } }", json!({})).await["viewer"]["toolServers"][0]["id"].take();
    let failed = call(&app, &ada, id.as_str().expect("an id"), "who", json!({})).await;
    assert!(failed.failed, "{failed:?}");
    assert_eq!(mcp.workshop.called().len(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_move_to_a_new_master_with_the_keys() {
    let (app, mcp) = with_workshop(&[]).await;
    let ada = app.user("ada").await;
    let headers = json!([{ "name": "X-Key", "value": "kept" }]);
    add(&ada, json!({ "name": "notes", "url": mcp.url(), "headers": headers })).await;
    assert!(app.sibling_with(&[NEW]).await.is_err(), "a master that opens nothing");
    let previous = format!("--master-key-previous={MASTER_KEY}");
    let during = app.sibling_with(&[NEW, &previous]).await.expect("both masters");
    let mut connection = db::connect(app.database_url()).await.expect("a connection");
    let vault = Vault::open(&mut connection, during.app.config())
        .await
        .expect("both masters");
    assert_eq!(rotate::rotate(&mut connection, &vault).await.expect("moved"), 1);
    let after = app.sibling_with(&[NEW]).await.expect("the old one is retired");
    let query = "{ viewer { toolServers { id } } }";
    let id = after.client_of(&ada).ok(query, json!({})).await["viewer"]["toolServers"][0]["id"].take();
    let refreshed = after
        .client_of(&ada)
        .mutate("refreshToolServer", json!({ "toolServerId": id }), SHOWN)
        .await;
    assert_eq!(refreshed["errors"], json!([]), "{refreshed}");
}
