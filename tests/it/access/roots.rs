//! The access table is tried, and it is complete.

use std::collections::BTreeSet;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use parlor::graphql;
use serde_json::{Value, json};

use super::rooms::party::pending_call;
use super::table::TABLE;
use super::{Kind, Outcome, ask, furnish, people, summarised};
use crate::harness::app::{PASSWORD, TestApp, User, new_key, uuid};
use crate::harness::mcp::McpServer;
use crate::harness::upstream::{Reply, Upstream};
use crate::rooms::group;

pub(super) fn outcome(field: &str, answer: &Value) -> Outcome {
    let data = &answer["data"][field];
    let code = answer["errors"][0]["extensions"]["code"]
        .as_str()
        .or(data["errors"][0]["code"].as_str());
    match code {
        Some("UNAUTHENTICATED") => Outcome::Unauthenticated,
        Some("FORBIDDEN") => Outcome::Forbidden,
        Some("NOT_FOUND") => Outcome::NotFound,
        Some("INVALID_STATE") => Outcome::InvalidState,
        // Whoever is asked for the password is let in so far.
        Some("WRONG_CREDENTIALS") => Outcome::Allowed,
        Some(other) => panic!("{field}: {other} is no matter of access: {answer}"),
        None if data.is_null() => Outcome::Null,
        None => Outcome::Allowed,
    }
}

/// A leave for a tool, put there by hand.
async fn grant(app: &TestApp, owner: &User, server: &str) -> String {
    let id = "019a0000-0000-7000-8000-000000000002";
    let sql = format!(
        "INSERT INTO tool_grants (id, user_id, tool_server_id, tool) VALUES ('{id}', '{}', '{}', 'echo')",
        uuid(&owner.id),
        uuid(server)
    );
    app.sql().await.batch_execute(&sql).await.expect("a row");
    format!("grant_{}", id.replace('-', ""))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_gets_what_the_table_says() {
    let upstream = Upstream::start().await;
    // The one request that comes here is the owner's, who has a key verified.
    upstream.script([Reply::status(200).json(&json!({ "data": [] }))]);
    let mcp = McpServer::start().await;
    let allowed = format!("{},http://127.0.0.1:{}", mcp.allowed(), upstream.port());
    // Every row has a room of its own furnished, with a message in it.
    let app = TestApp::with(&[&allowed, "--messages-per-minute=0", "--requests-per-minute=0"]).await;
    let [stranger, owner, admin] = people(&app).await;
    let (anonymous, bystander) = (app.anonymous(), app.user("bystander").await);
    let session = app.anonymous().sign_in("owner").await.session_id().await;

    let tools = json!({ "name": "mine", "url": mcp.url() });
    let tools = owner.mutate("addToolServer", tools, "toolServer { id }").await["toolServer"]["id"].take();
    for row in TABLE {
        // What an earlier row has changed or deleted is no business of this one.
        let room = furnish(&owner).await;
        let key =
            json!({ "provider": "OPENAI", "secret": "sk-of-the-owner", "baseUrl": upstream.url(), "verify": false });
        let key = owner.mutate("setApiKey", key, "apiKey { id }").await["apiKey"]["id"].take();
        let assistant = json!({ "displayName": "Clio" });
        let assistant = owner.mutate("createAssistant", assistant, "assistant { id }").await["assistant"]["id"].take();
        let call = if row.call.contains("<call>") {
            pending_call(&app, &furnish(&owner).await.generation).await
        } else {
            String::new()
        };
        let grant = if row.call.contains("<grant>") {
            let tools = tools.as_str().expect("an id");
            grant(&app, &owner, tools).await
        } else {
            String::new()
        };
        let scheduled = if row.call.contains("<scheduled>") {
            let input =
                json!({ "chatId": room.chat, "content": "Later", "rule": "0 9 * * *", "idempotencyKey": new_key() });
            let made = owner.mutate("scheduleMessage", input, "scheduledMessage { id }").await;
            made["scheduledMessage"]["id"].as_str().expect("an id").to_owned()
        } else {
            String::new()
        };
        let push = if row.call.contains("<push>") {
            crate::notify::register(&owner, "https://push.example.com/owner").await
        } else {
            String::new()
        };
        let (hook, delivery) = if row.call.contains("<hook>") || row.call.contains("<delivery>") {
            crate::webhooks::furnished(&app, &owner).await
        } else {
            (String::new(), String::new())
        };
        let group = if row.call.contains("<group>") {
            group(&owner, &[&bystander]).await
        } else {
            String::new()
        };
        if row.field == "removeAssistant" {
            let input = json!({ "chatId": group, "assistantIds": [assistant] });
            owner.mutate("addAssistants", input, "").await;
        }
        let memory = json!({ "content": "Owns a cat." });
        let memory = owner.mutate("addMemory", memory, "memory { id }").await["memory"]["id"].take();
        let summary = summarised(&app, &furnish(&owner).await).await;
        for (who, client, refresh_token, expected) in [
            ("anonymous", &anonymous, &bystander.refresh_token, row.anonymous),
            ("stranger", &stranger.client, &stranger.refresh_token, row.stranger),
            ("admin", &admin.client, &admin.refresh_token, row.admin),
            ("owner", &owner.client, &owner.refresh_token, row.owner),
        ] {
            let mut document = row.call.to_owned();
            for (name, value) in [
                ("<who>", who),
                ("<refreshToken>", refresh_token),
                ("<password>", PASSWORD),
                ("<chat>", &room.chat),
                ("<question>", &room.question),
                ("<answer>", &room.answer),
                ("<generation>", &room.generation),
                ("<key>", key.as_str().expect("an id")),
                ("<call>", &call),
                ("<grant>", &grant),
                ("<mcp>", &mcp.url()),
                ("<tools>", tools.as_str().expect("an id")),
                ("<assistant>", assistant.as_str().expect("an id")),
                ("<memory>", memory.as_str().expect("an id")),
                ("<summary>", &summary),
                ("<group>", &group),
                ("<scheduled>", &scheduled),
                ("<push>", &push),
                ("<hook>", &hook),
                ("<delivery>", &delivery),
                ("<session>", &session),
                ("<owner>", &owner.id),
                ("<bystander>", &bystander.id),
            ] {
                document = document.replace(name, value);
            }
            let answer = ask(client, row.kind, &document).await;
            assert_eq!(outcome(row.field, &answer), expected, "{who}: {document}\n{answer}");
        }
    }
}

#[test]
fn the_table_has_a_row_for_every_root_field() {
    let schema = parse_schema(graphql::sdl()).expect("a schema");
    let mut fields = BTreeSet::new();
    for definition in schema.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let kind = match definition.node.name.node.as_str() {
            "Query" => Kind::Query,
            "Mutation" => Kind::Mutation,
            "Subscription" => Kind::Subscription,
            _ => continue,
        };
        if let TypeKind::Object(object) = definition.node.kind {
            fields.extend(
                object
                    .fields
                    .into_iter()
                    .map(|field| (kind, field.node.name.node.to_string())),
            );
        }
    }
    let rows: BTreeSet<_> = TABLE.iter().map(|row| (row.kind, row.field.to_owned())).collect();
    assert_eq!(rows.len(), TABLE.len(), "one row each");
    assert_eq!(
        rows, fields,
        "the access table and the schema name the same root fields"
    );
}
