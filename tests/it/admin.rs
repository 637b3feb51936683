//! Administrators: who they are, what they see and do, and what is written down about it.

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use parlor::graphql;
use serde_json::{Value, json};

use crate::harness::app::{Client, PASSWORD, TestApp};

/// The usernames on a page, and where it ends.
async fn users(client: &Client, arguments: &str) -> (Vec<String>, Value) {
    let query = format!(
        "{{ admin {{ users({arguments}) {{ nodes {{ username }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
    );
    let page = client.ok(&query, json!({})).await["admin"]["users"].take();
    let nodes = page["nodes"].as_array().expect("a list");
    let names = nodes
        .iter()
        .map(|node| node["username"].as_str().expect("a name").to_owned());
    (names.collect(), page["pageInfo"].clone())
}

async fn set_role(client: &Client, id: &str, role: &str) -> Value {
    let input = json!({ "userId": id, "role": role });
    client.mutate("setUserRole", input, "user { username role }").await
}

async fn set_active(client: &Client, id: &str, active: bool) -> Value {
    let input = json!({ "userId": id, "active": active });
    client
        .mutate("setUserActive", input, "user { active deactivatedAt }")
        .await
}

/// What the audit log holds, oldest first: who, what and on whom.
async fn logged(client: &Client) -> Vec<Value> {
    let query = "{ admin { auditLog(last: 100) { nodes { actor { username } action target address detail } } } }";
    let nodes = client.ok(query, json!({})).await["admin"]["auditLog"]["nodes"].take();
    let mut nodes = nodes.as_array().expect("a list").clone();
    nodes.reverse();
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_gets_in() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for query in [
        "{ admin { users { nodes { email } } } }",
        "{ admin { auditLog { nodes { action } } } }",
        "{ admin { __typename } }",
    ] {
        for (client, code) in [(&ada.client, "FORBIDDEN"), (&app.anonymous(), "UNAUTHENTICATED")] {
            let answer = client.run(query, json!({})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{query}");
            assert_eq!(answer["data"], Value::Null);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_found_and_paged_through() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    for name in ["ada_1", "adax1", "bob"] {
        app.user(name).await;
    }
    let mutation = json!({ "displayName": "100% Äda \\ " });
    app.anonymous()
        .sign_in("bob")
        .await
        .mutate("updateProfile", mutation, "user { id }")
        .await;
    assert_eq!(
        users(&root, "first: 9").await.0,
        ["bob", "adax1", "ada_1", "root"],
        "newest first"
    );
    for (text, found) in [
        ("ADA", vec!["adax1", "ada_1"]),
        ("ädA", vec!["bob"]),
        ("a_", vec!["ada_1"]),
        ("_", vec!["ada_1"]),
        ("%", vec!["bob"]),
        ("0%", vec!["bob"]),
        ("\\\\", vec!["bob"]),
        ("@EXAMPLE.com", vec!["bob", "adax1", "ada_1", "root"]),
        ("  ", vec!["bob", "adax1", "ada_1", "root"]),
        ("nobody", vec![]),
    ] {
        assert_eq!(users(&root, &format!("query: \"{text}\"")).await.0, found, "{text}");
    }
    assert_eq!(users(&root, "role: ADMIN").await.0, ["root"]);
    assert_eq!(
        users(&root, "role: USER, active: true, query: \"ada\"").await.0,
        ["adax1", "ada_1"]
    );

    let (names, page) = users(&root, "first: 2").await;
    assert_eq!(
        (names, &page["hasNextPage"], &page["hasPreviousPage"]),
        (vec!["bob".into(), "adax1".into()], &json!(true), &json!(false))
    );
    let (names, rest) = users(&root, &format!("first: 2, after: {}", page["endCursor"])).await;
    assert_eq!(
        (names, &rest["hasNextPage"]),
        (vec!["ada_1".into(), "root".into()], &json!(false))
    );
    let (names, back) = users(&root, &format!("last: 1, before: {}", rest["startCursor"])).await;
    assert_eq!(
        (names, &back["hasPreviousPage"], &back["hasNextPage"]),
        (vec!["adax1".into()], &json!(true), &json!(true))
    );
    assert_eq!(users(&root, "last: 2").await.0, ["ada_1", "root"]);
    assert_eq!(users(&root, "first: 0").await.0, Vec::<String>::new());
    for wrong in [
        "first: 101",
        "first: -1",
        "first: 1, last: 1",
        "after: \"x\"",
        "after: \"\"",
    ] {
        let answer = root
            .run(
                &format!("{{ admin {{ users({wrong}) {{ nodes {{ id }} }} }} }}"),
                json!({}),
            )
            .await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_administrator_always_remains() {
    let app = TestApp::start().await;
    let (root, eve) = (app.admin("root").await, app.admin("eve").await);
    // Each takes the other's role at the same moment, several times over.
    for _ in 0..3 {
        let (one, other) = tokio::join!(
            try_set_role(&root, &eve.id, "USER"),
            try_set_role(&eve, &root.id, "USER")
        );
        let refused =
            |payload: &Value| payload["errors"][0]["code"] == "LAST_ADMIN" || payload["refused"] == "FORBIDDEN";
        assert_ne!(refused(&one), refused(&other), "{one} {other}");
        let admins = "SELECT username FROM users WHERE role = 'ADMIN'";
        let rows = app.sql().await.query(admins, &[]).await.expect("rows");
        assert_eq!(rows.len(), 1);
        let restore = "UPDATE users SET role = 'ADMIN'";
        app.sql().await.batch_execute(restore).await.expect("rows");
    }
    let demoted = set_role(&root, &eve.id, "USER").await;
    assert_eq!(demoted["user"], json!({ "username": "eve", "role": "USER" }));
    for payload in [
        set_role(&root, &root.id, "USER").await,
        set_active(&root, &root.id, false).await,
    ] {
        assert_eq!(payload["errors"][0]["code"], "LAST_ADMIN");
        assert_eq!(payload["errors"][0]["field"], json!(["input", "userId"]));
        assert_eq!(payload["user"], Value::Null);
    }
    assert_eq!(
        set_role(&root, "user_0", "ADMIN").await["errors"][0]["code"],
        "NOT_FOUND"
    );

    // One who is barred does not count.
    set_role(&root, &eve.id, "ADMIN").await;
    set_active(&root, &eve.id, false).await;
    assert_eq!(
        set_role(&root, &root.id, "USER").await["errors"][0]["code"],
        "LAST_ADMIN"
    );
}

/// The payload, or why there is none.
async fn try_set_role(client: &Client, id: &str, role: &str) -> Value {
    let query = "mutation ($input: SetUserRoleInput!) { setUserRole(input: $input) { user { role } errors { code } } }";
    let answer = client
        .run(query, json!({ "input": { "userId": id, "role": role } }))
        .await;
    match &answer["errors"][0]["extensions"]["code"] {
        Value::Null => answer["data"]["setUserRole"].clone(),
        code => json!({ "refused": code }),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn barring_an_account_ends_its_sessions() {
    let app = TestApp::start().await;
    let (root, ada) = (app.admin("root").await, app.user("ada").await);
    let payload = set_active(&root, &ada.id, false).await;
    assert_eq!(payload["user"]["active"], false);
    assert!(payload["user"]["deactivatedAt"].is_string());
    assert_eq!(ada.whoami().await, Value::Null);
    let input = json!({ "refreshToken": ada.refresh_token });
    let refresh = app
        .anonymous()
        .mutate("refreshSession", input, "tokens { accessToken }")
        .await;
    assert_eq!(refresh["errors"][0]["code"], "SESSION_ENDED");
    assert_eq!(users(&root, "active: false").await.0, ["ada"]);

    assert_eq!(
        set_active(&root, &ada.id, true).await["user"],
        json!({ "active": true, "deactivatedAt": null })
    );
    assert_eq!(ada.whoami().await, Value::Null, "the old sessions stay over");
    assert_eq!(app.anonymous().sign_in("ada").await.whoami().await, "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_they_read_and_do_is_written_down() {
    let app = TestApp::start().await;
    let (root, ada) = (app.admin("root").await, app.user("ada").await);
    let root = root.at("203.0.113.9");
    let chat = ada.chat("scripted:words=3,first=0,delay=0").await;
    let generation = ada.send(&chat, "A secret of Ada's").await;
    ada.generation_events(&generation, None)
        .await
        .until("GenerationFinished")
        .await;

    let chats = "query ($id: ID!) { admin { chats(userId: $id) { nodes { id title viewerState { pinned } lastMessage { role } } } } }";
    let seen = root.ok(chats, json!({ "id": ada.id })).await["admin"]["chats"]["nodes"].take();
    assert_eq!((&seen[0]["id"], &seen[0]["viewerState"]), (&json!(chat), &Value::Null));
    let messages = "query ($id: ID!) { admin { messages(chatId: $id) { nodes { content idempotencyKey author { displayName } generation { status } } } } }";
    let seen = root.ok(messages, json!({ "id": chat })).await["admin"]["messages"]["nodes"].take();
    assert_eq!(
        (&seen[0]["content"], &seen[0]["idempotencyKey"]),
        (&json!("A secret of Ada's"), &Value::Null)
    );
    assert_eq!(seen[1]["generation"]["status"], "COMPLETED");
    let query = "query ($id: ID!) { chat(id: $id) { id } node(id: $id) { id } }";
    assert_eq!(
        root.ok(query, json!({ "id": chat })).await,
        json!({ "chat": null, "node": null })
    );

    set_role(&root, &ada.id, "ADMIN").await;
    set_role(&root, &ada.id, "ADMIN").await;
    set_active(&root, &ada.id, false).await;
    let (who, address) = (json!({ "username": "root" }), "203.0.113.9");
    let entry = |action: &str, target: &str, detail: Value| json!({ "actor": who, "action": action, "target": target, "address": address, "detail": detail });
    let expected = [
        entry("admin.read_chats", &ada.id, json!({})),
        // The last message of a listed chat, and then the page of messages.
        entry("admin.read_messages", &chat, json!({})),
        entry("admin.read_messages", &chat, json!({})),
        entry("admin.set_role", &ada.id, json!({ "from": "USER", "to": "ADMIN" })),
        entry("admin.set_active", &ada.id, json!({ "active": false })),
    ];
    assert_eq!(logged(&root).await, expected);

    let page = "query ($after: String) { admin { auditLog(first: 3, after: $after) { nodes { action } pageInfo { hasNextPage endCursor } } } }";
    let first = root.ok(page, json!({})).await["admin"]["auditLog"].take();
    assert_eq!(first["nodes"][0]["action"], "admin.set_active", "newest first");
    let after = json!({ "after": first["pageInfo"]["endCursor"] });
    let rest = root.ok(page, after).await["admin"]["auditLog"].take();
    assert_eq!(
        rest["nodes"],
        json!([{ "action": "admin.read_messages" }, { "action": "admin.read_chats" }])
    );
    assert_eq!(rest["pageInfo"]["hasNextPage"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_one_comes_from_the_settings() {
    let password = format!("--admin-password={PASSWORD}");
    let flags = ["--admin-email=grace.hopper@example.com", &password];
    let app = TestApp::with(&flags).await;
    let grace = app.anonymous().login("Grace.Hopper@example.com", PASSWORD).await;
    assert_eq!(grace["viewer"]["user"]["username"], "gracehopper");
    let grace = app
        .anonymous()
        .with_token(grace["tokens"]["accessToken"].as_str().expect("a token"));
    assert_eq!(users(&grace, "role: ADMIN").await.0, ["gracehopper"]);

    // A start with another password changes nothing, and neither does one with another address.
    app.sibling_with(&["--admin-password=nine slow badgers hum"])
        .await
        .expect("a start");
    app.sibling_with(&["--admin-email=other@example.com"])
        .await
        .expect("a start");
    assert_eq!(users(&grace, "first: 9").await.0, ["gracehopper"]);
    assert!(app.anonymous().login("gracehopper", PASSWORD).await["tokens"].is_object());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_took_the_address_or_the_name_before_gains_nothing() {
    let app = TestApp::start().await;
    // Addresses are not verified: anybody can register with the operator's.
    let squatter = app.user("grace").await;
    let flags = [
        "--admin-email=grace@example.com",
        "--admin-password=nine slow badgers hum",
    ];
    let other = app.sibling_with(&flags).await.expect("a start");
    assert_eq!(squatter.whoami().await, Value::Null, "the squatter's session is over");
    assert_eq!(
        other.anonymous().login("grace", PASSWORD).await["errors"][0]["code"],
        "WRONG_CREDENTIALS"
    );
    let grace = other
        .anonymous()
        .login("grace@example.com", "nine slow badgers hum")
        .await;
    assert!(grace["tokens"].is_object(), "{grace}");

    let app = TestApp::start().await;
    app.user("root").await;
    let flags = [
        "--admin-email=root@example.org",
        "--admin-password=nine slow badgers hum",
    ];
    let other = app
        .sibling_with(&flags)
        .await
        .expect("a taken name is no reason not to start");
    assert!(
        other
            .anonymous()
            .login("root@example.org", "nine slow badgers hum")
            .await["tokens"]
            .is_object()
    );
}

/// Every input type with a field of this type.
fn inputs_with(field_type: &str) -> Vec<String> {
    let schema = parse_schema(graphql::sdl()).expect("a schema");
    let types = schema
        .definitions
        .into_iter()
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            _ => None,
        });
    let inputs = types.filter(|definition| match &definition.kind {
        TypeKind::InputObject(input) => input
            .fields
            .iter()
            .any(|field| field.node.ty.node.to_string().trim_matches(['!', '[', ']']) == field_type),
        _ => false,
    });
    inputs.map(|definition| definition.name.node.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_input_takes_a_role() {
    assert_eq!(inputs_with("Role"), ["SetUserRoleInput"]);
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    assert_eq!(
        try_set_role(&ada, &ada.id, "ADMIN").await,
        json!({ "refused": "FORBIDDEN" })
    );
    for (mutation, input) in [
        (
            "register",
            json!({ "username": "eve", "email": "eve@example.com", "password": PASSWORD, "role": "ADMIN" }),
        ),
        ("updateProfile", json!({ "displayName": "Ada", "role": "ADMIN" })),
    ] {
        let capital = mutation[..1].to_uppercase() + &mutation[1..];
        let query =
            format!("mutation ($input: {capital}Input!) {{ {mutation}(input: $input) {{ errors {{ code }} }} }}");
        let answer = ada.run(&query, json!({ "input": input })).await;
        assert!(answer["errors"][0]["extensions"]["code"].is_string(), "{answer}");
        assert_eq!(answer["data"], Value::Null);
    }
    let rows = app
        .sql()
        .await
        .query("SELECT role FROM users", &[])
        .await
        .expect("rows");
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["USER"]);
}
