//! Every column that names people has a decision, and after the deletion nothing personal is left anywhere.

use std::collections::BTreeSet;

use parlor::privacy::fate::{COLUMNS, Fate};
use parlor::privacy::gather::sections::{LEFT_OUT, MESSAGES, SECTIONS};
use serde_json::json;

use super::{delete, until};
use crate::harness::app::{TestApp, uuid};
use crate::harness::mcp::McpServer;
use crate::rooms::{done, group, say};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_column_that_names_people_has_a_decision() {
    let app = TestApp::start().await;
    // Those that refer to people, and those of names that people have where nothing refers.
    let query = "SELECT conrelid::regclass::text AS table, attname::text AS column FROM pg_constraint \
          JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey) \
          WHERE contype = 'f' AND confrelid = 'users'::regclass \
        UNION SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND udt_name IN ('uuid', '_uuid') \
          AND column_name ~ '(^|_)(user|person|people|owner|author|actor|payer|subject|member|contact|blocked|sender|creator|invitee)(_|s_)?ids?$|^withheld_from$'";
    let rows = app.sql().await.query(query, &[]).await.expect("columns");
    let found: BTreeSet<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let decided: BTreeSet<(String, String)> = COLUMNS
        .iter()
        .map(|column| (column.table.to_owned(), column.name.to_owned()))
        .collect();
    assert_eq!(decided.len(), COLUMNS.len(), "one decision each");
    assert_eq!(
        found, decided,
        "decide in src/privacy/fate.rs what becomes of a column that names people when their account is deleted"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_personal_is_left() {
    let mcp = McpServer::start().await;
    let app = TestApp::with(&[&mcp.allowed(), "--answer-cache-seconds=600", "--messages-per-minute=0"]).await;
    // Everything of hers has her name in it, and nothing of the others'.
    let ada = app.user("zanzibar").await;
    let (bob, eve, root) = (app.user("bob").await, app.user("eve").await, app.admin("root").await);
    for (mutation, input) in [
        (
            "updateProfile",
            json!({ "displayName": "Zanzibar Ada", "bio": "I am Zanzibar." }),
        ),
        ("addMemory", json!({ "content": "Her name is Zanzibar." })),
        (
            "updatePreferences",
            json!({ "aboutMe": "Zanzibar", "language": "English" }),
        ),
        (
            "setApiKey",
            json!({ "provider": "OPENAI", "secret": "sk-zanzibar", "label": "Zanzibar's", "verify": false }),
        ),
        ("addToolServer", json!({ "name": "zanzibar", "url": mcp.url() })),
        ("setBudget", json!({ "limitUsd": "100", "period": "TOTAL" })),
        ("addContact", json!({ "userId": bob.id })),
        ("blockUser", json!({ "userId": eve.id })),
        (
            "createAssistant",
            json!({ "displayName": "Zanzibar's own", "instructions": "Zanzibar!", "avatarUrl": "/zanzibar.png" }),
        ),
    ] {
        done(&ada, mutation, input).await;
    }
    done(&bob, "addContact", json!({ "userId": ada.id })).await;
    let own = ada.chat("scripted:words=1,first=0,delay=0").await;
    done(
        &ada,
        "updateChat",
        json!({ "chatId": own, "title": "Zanzibar's diary" }),
    )
    .await;
    let generation = ada.send(&own, "Dear diary, I am Zanzibar.").await;
    ada.generation_events(&generation, None).await.rest().await;
    let room = group(&ada, &[&bob, &root]).await;
    done(&ada, "updateChat", json!({ "chatId": room, "description": "Painting" })).await;
    say(&ada, &room, "Hello, all.").await;
    done(&ada, "updateProfile", json!({ "displayName": "Zanzibar Lovelace" })).await;
    done(&ada, "removeMember", json!({ "chatId": room, "userId": root.id })).await;
    done(&root, "setUserBudget", json!({ "userId": ada.id, "limitUsd": "5" })).await;
    app.anonymous().login("zanzibar", "a wrong password").await;
    // What the server's own webhook was told of whom something was news to.
    let told = format!(
        "INSERT INTO webhooks (id, url, kinds, sealed, master_key_id) VALUES (gen_random_uuid(), 'https://hooks.example.com/', '{{NOTIFICATION}}', '', ''); \
         INSERT INTO webhook_deliveries (webhook_id, kind, payload, state) \
           SELECT id, 'NOTIFICATION', jsonb_build_object('userId', person), 'DELIVERED' FROM webhooks, unnest(ARRAY['{}', '{}']::uuid[]) AS person",
        uuid(&ada.id),
        uuid(&bob.id)
    );
    app.sql().await.batch_execute(&told).await.expect("rows");

    assert_eq!(delete(&ada).await["errors"], json!([]));
    let run = "WITH due AS (UPDATE jobs SET run_at = now() WHERE kind = 'privacy.clear' AND leased_by IS NULL RETURNING id) \
        SELECT NOT EXISTS (SELECT FROM jobs WHERE kind = 'privacy.clear')";
    until(&app, run).await;

    let sql = app.sql().await;
    let columns = "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public' \
        AND udt_name IN ('text', '_text', 'jsonb', 'tsvector') AND table_name NOT LIKE '\\_\\_%'";
    for row in sql.query(columns, &[]).await.expect("columns") {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let query = format!("SELECT count(*) FROM {table} WHERE {column}::text ILIKE '%zanzibar%'");
        let named: i64 = sql.query_one(&query, &[]).await.expect("a row").get(0);
        assert_eq!(named, 0, "{table}.{column} still has the name of somebody who is gone");
    }
    for column in COLUMNS {
        let query = format!(
            "SELECT count(*) FROM {} WHERE {} = $1::text::uuid",
            column.table, column.name
        );
        let left: i64 = sql.query_one(&query, &[&uuid(&ada.id)]).await.expect("a row").get(0);
        let stays = matches!(
            (column.table, column.fate),
            (_, Fate::Kept(_)) | ("assistants" | "audit_log" | "system_notes", Fate::Cleared(_))
        );
        assert!(
            stays || left == 0,
            "{}.{}: {left} rows are left",
            column.table,
            column.name
        );
    }
    let told = "SELECT payload->>'userId' FROM webhook_deliveries";
    let told: Vec<String> = sql
        .query(told, &[])
        .await
        .expect("rows")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(told.len(), 1, "others' are left alone");
    assert_eq!(told[0].replace('-', ""), uuid(&bob.id).replace('-', ""));
    let address = "SELECT count(*) FROM audit_log WHERE address IS NOT NULL AND (actor_id = $1::text::uuid OR (target = $2 AND actor_id IS NULL))";
    let left: i64 = sql
        .query_one(address, &[&uuid(&ada.id), &ada.id])
        .await
        .expect("a row")
        .get(0);
    assert_eq!(left, 0, "the audit log says where somebody was who is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_archives_are_read_where_an_index_leads() {
    let app = TestApp::start().await;
    let sql = app.sql().await;
    let only = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET enable_hashjoin = off; SET enable_mergejoin = off";
    sql.batch_execute(only).await.expect("settings");
    let id = "00000000-0000-7000-8000-000000000000";
    for (name, second) in [
        ("messages-elsewhere", ""),
        ("reactions", "x"),
        ("edits", "1"),
        ("tool-calls", id),
        ("usage", ""),
    ] {
        let section = SECTIONS.iter().find(|section| section.name == name).expect("a section");
        let statement = section.statement();
        let statement = statement
            .replace("$1", &format!("'{id}'::uuid"))
            .replace("$2", "NULL::uuid");
        let statement = statement.replace("$3", &format!("ARRAY['{id}', '{second}']::text[]"));
        let rows = sql.query(&format!("EXPLAIN {statement}"), &[]).await.expect("a plan");
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        let whole = plan
            .lines()
            .any(|line| line.contains("Sort  (") && !line.contains("Incremental"));
        assert!(!whole, "{name} sorts all there is for each page:\n{plan}");
        assert!(
            plan.lines()
                .any(|line| line.contains("Index Cond") && line.contains(">=")),
            "{name} begins at the beginning for each page:\n{plan}"
        );
    }
}

#[test]
fn whatever_names_people_is_in_archives_or_left_out_for_a_reason() {
    let statements: Vec<String> = SECTIONS
        .iter()
        .chain([&MESSAGES])
        .map(|section| section.statement())
        .collect();
    let is_read = |table: &str| {
        let words = |statement: &String| {
            let mut words =
                statement.split(|other: char| !other.is_ascii_alphanumeric() && other != '_' && other != '.');
            words.any(|word| word == table)
        };
        statements.iter().any(words)
    };
    let tables: BTreeSet<&str> = COLUMNS.iter().map(|column| column.table).collect();
    for table in &tables {
        let left_out = LEFT_OUT.iter().any(|(name, _)| name == table);
        assert_ne!(
            is_read(table),
            left_out,
            "gather {table} in src/privacy/gather/sections.rs, or say in LEFT_OUT why not"
        );
    }
    assert!(LEFT_OUT.iter().all(|(table, _)| tables.contains(table)));
}
