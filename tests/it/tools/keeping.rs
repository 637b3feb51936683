//! Adding, changing, refreshing and removing tool servers, and who may.

use serde_json::{Value, json};

use super::{SHOWN, add, call, listed, refusals, with_workshop};
use crate::harness::app::TestApp;
use crate::harness::mcp::tool;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_added_once_it_has_listed_its_tools() {
    let (app, mcp) = with_workshop(&[]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let input = json!({ "name": "notes", "url": mcp.url() });
    let payload = ada.mutate("addToolServer", input.clone(), SHOWN).await;
    assert_eq!(payload["errors"], json!([]));
    let server = &payload["toolServer"];
    assert_eq!((&server["name"], &server["shared"]), (&json!("notes"), &json!(false)));
    assert_eq!(
        (&server["url"], &server["approval"]),
        (&json!(mcp.url()), &json!("WRITES"))
    );
    let tools = server["tools"].as_array().expect("tools");
    let echo = tools.iter().find(|tool| tool["name"] == "echo").expect("a tool");
    assert_eq!(echo["readOnly"], true);
    assert_eq!(echo["parameters"]["properties"]["text"]["type"], "string");
    let note = tools.iter().find(|tool| tool["name"] == "write_note").expect("a tool");
    assert_eq!(note["readOnly"], false, "it does not say that it only reads");

    let again = ada.mutate("addToolServer", input.clone(), SHOWN).await;
    assert_eq!(refusals(&again), [("TAKEN".into(), "name".into())]);
    assert_eq!(listed(&ada).await.as_array().map(Vec::len), Some(1));
    assert_eq!(listed(&bob).await, json!([]), "it is ada's own");
    add(&bob, input).await;
    assert_eq!(app.app.tools().open(), 0, "trying leaves no conversation behind");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_share_servers_and_keep_their_address_to_themselves() {
    let (app, mcp) = with_workshop(&[]).await;
    let (ada, admin) = (app.user("ada").await, app.admin("admin").await);
    let shared = json!({ "name": "office", "url": mcp.url(), "shared": true, "headers": [{ "name": "X-Key", "value": "secret-one" }] });
    let mutation = "mutation ($input: AddToolServerInput!) { addToolServer(input: $input) { toolServer { id } } }";
    for input in [
        shared.clone(),
        json!({ "name": "shell", "transport": "STDIO", "command": "cat" }),
        json!({ "name": "shell", "transport": "STDIO", "command": "cat", "shared": true }),
    ] {
        let answer = ada.run(mutation, json!({ "input": input })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
    }
    let id = add(&admin, shared).await;
    let seen = listed(&ada).await[0].take();
    assert_eq!((&seen["name"], &seen["shared"]), (&json!("office"), &json!(true)));
    assert_eq!((&seen["url"], &seen["secretNames"]), (&Value::Null, &Value::Null));
    assert_eq!(listed(&admin).await[0]["secretNames"], json!(["x-key"]));
    assert_eq!(call(&app, &ada, &id, "echo", json!({ "text": "hi" })).await.text, "hi");

    for mutation in ["updateToolServer", "refreshToolServer", "removeToolServer"] {
        let payload = ada.mutate(mutation, json!({ "toolServerId": id }), "__typename").await;
        assert_eq!(
            refusals(&payload),
            [("NOT_FOUND".into(), "toolServerId".into())],
            "{mutation}"
        );
    }
    let off = json!({ "toolServerId": id, "enabled": false });
    admin.mutate("updateToolServer", off, SHOWN).await;
    assert_eq!(listed(&ada).await, json!([]));
    let query = "{ admin { toolServers { name enabled } } }";
    let seen = admin.ok(query, json!({})).await;
    assert_eq!(
        seen["admin"]["toolServers"],
        json!([{ "name": "office", "enabled": false }])
    );
    let removed = admin
        .mutate("removeToolServer", json!({ "toolServerId": id }), "removedToolServerId")
        .await;
    assert_eq!(removed["removedToolServerId"], json!(id));
    let log = "SELECT action FROM audit_log WHERE action LIKE 'tool_server.%' ORDER BY id";
    let rows = app.sql().await.query(log, &[]).await.expect("the log");
    let actions: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(
        actions,
        ["tool_server.added", "tool_server.updated", "tool_server.removed"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_moves_takes_no_secrets_along() {
    let (app, mcp) = with_workshop(&[]).await;
    let ada = app.user("ada").await;
    let headers = json!([{ "name": "Authorization", "value": "Bearer first" }]);
    let id = add(&ada, json!({ "name": "notes", "url": mcp.url(), "headers": headers })).await;
    call(&app, &ada, &id, "echo", json!({ "text": "1" })).await;

    let renamed = json!({ "toolServerId": id, "name": "papers", "approval": "NEVER" });
    let payload = ada.mutate("updateToolServer", renamed, SHOWN).await;
    let server = &payload["toolServer"];
    assert_eq!(
        (&server["name"], &server["approval"]),
        (&json!("papers"), &json!("NEVER"))
    );
    assert_eq!(server["secretNames"], json!(["authorization"]));
    call(&app, &ada, &id, "echo", json!({ "text": "2" })).await;

    let moved = json!({ "toolServerId": id, "url": format!("{}?there", mcp.url()) });
    let payload = ada.mutate("updateToolServer", moved, SHOWN).await;
    assert_eq!(payload["toolServer"]["secretNames"], json!([]), "{payload}");
    call(&app, &ada, &id, "echo", json!({ "text": "3" })).await;
    let headers = json!([{ "name": "Authorization", "value": "Bearer second" }]);
    let given = json!({ "toolServerId": id, "headers": headers });
    ada.mutate("updateToolServer", given, SHOWN).await;
    call(&app, &ada, &id, "echo", json!({ "text": "4" })).await;
    let calls = mcp.workshop.called();
    let texts: Vec<&Value> = calls.iter().map(|call| &call.arguments["text"]).collect();
    assert_eq!(texts, ["1", "2", "3", "4"]);
    assert!(calls.iter().all(|call| call.tool == "echo"));
    let sent: Vec<&Value> = calls.iter().map(|call| &call.headers["authorization"]).collect();
    let expected = [
        json!("Bearer first"),
        json!("Bearer first"),
        Value::Null,
        json!("Bearer second"),
    ];
    assert_eq!(sent, expected.iter().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_asked_anew_and_what_is_too_much_is_left_out() {
    let (app, mcp) = with_workshop(&[]).await;
    let ada = app.user("ada").await;
    let id = add(&ada, json!({ "name": "notes", "url": mcp.url() })).await;
    mcp.workshop.learn(tool("new", "Something new.", &json!({})));
    let endless = "x".repeat(20_000);
    mcp.workshop
        .learn(tool("endless", "", &json!({ "text": { "description": endless } })));
    let payload = ada
        .mutate("refreshToolServer", json!({ "toolServerId": id }), SHOWN)
        .await;
    let names: Vec<&str> = payload["toolServer"]["tools"]
        .as_array()
        .expect("tools")
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert!(names.contains(&"new") && !names.contains(&"endless"), "{names:?}");
    let words = payload["toolServer"]["lastError"].as_str().expect("a remark");
    assert!(words.starts_with("1 of its tools"), "{words}");
    drop(mcp);
    let payload = ada
        .mutate("refreshToolServer", json!({ "toolServerId": id }), SHOWN)
        .await;
    assert_eq!(refusals(&payload), [("TOOL_SERVER_UNAVAILABLE".into(), String::new())]);
    let kept = listed(&ada).await[0].take();
    assert!(
        kept["lastError"].as_str().expect("words").contains("cannot be reached"),
        "{kept}"
    );
    assert_eq!(
        kept["tools"].as_array().map(Vec::len),
        Some(names.len()),
        "the last listing stays"
    );
    let failed = call(&app, &ada, &id, "echo", json!({})).await;
    assert!(failed.failed && failed.text.contains("cannot be reached"), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_server_is_refused_by_field() {
    let (app, mcp) = with_workshop(&[]).await;
    let (ada, admin) = (app.user("ada").await, app.admin("admin").await);
    let url = mcp.url();
    let header = |name: &str, value: &str| json!([{ "name": name, "value": value }]);
    for (input, code, field) in [
        (json!({ "name": "", "url": url }), "INVALID", "name"),
        (json!({ "name": "My Notes", "url": url }), "INVALID", "name"),
        (json!({ "name": "parlor", "url": url }), "INVALID", "name"),
        (json!({ "name": "-notes", "url": url }), "INVALID", "name"),
        (json!({ "name": "n".repeat(25), "url": url }), "INVALID", "name"),
        (json!({ "name": "notes" }), "REQUIRED", "url"),
        (
            json!({ "name": "notes", "url": "tools" }),
            "BASE_URL_NOT_ALLOWED",
            "url",
        ),
        (
            json!({ "name": "notes", "url": url, "command": "cat" }),
            "INVALID",
            "command",
        ),
        (
            json!({ "name": "notes", "url": url, "environment": header("A", "b") }),
            "INVALID",
            "environment",
        ),
        (
            json!({ "name": "notes", "url": url, "headers": header("Host", "evil") }),
            "INVALID",
            "headers",
        ),
        (
            json!({ "name": "notes", "url": url, "headers": header("X-Parlor-User", "bob") }),
            "INVALID",
            "headers",
        ),
        (
            json!({ "name": "notes", "url": url, "headers": header("Mcp-Session-Id", "1") }),
            "INVALID",
            "headers",
        ),
        (
            json!({ "name": "notes", "url": url, "headers": header("X-A", "b\r\nHost: evil") }),
            "INVALID",
            "headers",
        ),
        (
            json!({ "name": "notes", "url": url, "headers": header("X A", "b") }),
            "INVALID",
            "headers",
        ),
    ] {
        let payload = ada.mutate("addToolServer", input.clone(), "toolServer { id }").await;
        assert_eq!(refusals(&payload), [(code.into(), field.into())], "{input}");
    }
    for (input, code, field) in [
        (json!({ "name": "shell", "transport": "STDIO" }), "REQUIRED", "command"),
        (
            json!({ "name": "shell", "transport": "STDIO", "command": "cat", "url": url }),
            "INVALID",
            "url",
        ),
        (
            json!({ "name": "shell", "transport": "STDIO", "command": "cat", "environment": header("1A", "b") }),
            "INVALID",
            "environment",
        ),
        (
            json!({ "name": "shell", "transport": "STDIO", "command": "/nonexistent/server" }),
            "TOOL_SERVER_UNAVAILABLE",
            "",
        ),
    ] {
        let mut input = input;
        input["shared"] = json!(true);
        let payload = admin.mutate("addToolServer", input.clone(), "toolServer { id }").await;
        assert_eq!(refusals(&payload), [(code.into(), field.into())], "{input}");
    }
    assert_eq!((listed(&ada).await, mcp.workshop.called().len()), (json!([]), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_reach_only_what_the_operator_allows() {
    let strict = TestApp::start().await;
    let open = TestApp::with(&["--base-urls=*"]).await;
    let (ada, bob) = (strict.user("ada").await, open.user("bob").await);
    for url in [
        "http://127.0.0.1:8080/mcp",
        "https://localhost/mcp",
        "https://tools.internal/mcp",
        "https://169.254.169.254/latest",
        "https://[::1]/mcp",
        "http://tools.example.com/mcp",
        "https://user:pw@tools.example.com/mcp",
    ] {
        for client in [&ada, &bob] {
            let input = json!({ "name": "inside", "url": url });
            let payload = client.mutate("addToolServer", input, "toolServer { id }").await;
            assert_eq!(
                refusals(&payload),
                [("BASE_URL_NOT_ALLOWED".into(), "url".into())],
                "{url}"
            );
        }
    }
}
