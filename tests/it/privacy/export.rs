//! Everything of one's own in an archive: what is in it, who can download it, and that nothing half-made is ever given.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use axum::body::Body;
use flate2::read::GzDecoder;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use parlor::server::Peer;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{delete, until};
use crate::harness::app::{Client, PASSWORD, TestApp, uuid};
use crate::harness::law::Device;
use crate::rooms::{done, group, say};

const EXPORT: &str = "id state progress bytes downloadUrl expiresAt finishedAt";

/// Asks for an archive, and waits until it is ready.
async fn exported(app: &TestApp, client: &Client) -> Value {
    let input = json!({ "password": PASSWORD });
    let payload = client.mutate("exportMyData", input, "dataExport { id }").await;
    assert_eq!(payload["errors"], json!([]));
    until(
        app,
        "SELECT count(*) > 0 AND bool_and(state = 'READY') FROM data_exports",
    )
    .await;
    let query = format!("{{ viewer {{ dataExports {{ {EXPORT} }} }} }}");
    client.ok(&query, json!({})).await["viewer"]["dataExports"][0].take()
}

/// What is answered to a GET of a path, by anybody.
async fn get(client: &Client, path: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
    let mut request = Request::get(path).body(Body::empty()).expect("a request");
    request.extensions_mut().insert(Peer(([127, 0, 0, 1], 40_000).into()));
    let response = client.router().oneshot(request).await.expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response
        .into_body()
        .collect()
        .await
        .map(|body| body.to_bytes().to_vec());
    (status, headers, body.unwrap_or_default())
}

/// The lines of each folder of an archive.
fn unpack(bytes: &[u8]) -> BTreeMap<String, Vec<Value>> {
    let mut archive = tar::Archive::new(GzDecoder::new(bytes));
    let mut folders: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").to_string_lossy().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("UTF-8");
        let folder = path.trim_start_matches("parlor/").split('/').next().unwrap_or_default();
        if folder == "README.txt" {
            assert!(text.contains("messages: What was said"), "{text}");
            continue;
        }
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        folders.entry(folder.to_owned()).or_default().extend(lines);
    }
    folders
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_holds_everything_and_no_secret() {
    let app = TestApp::with(&["--messages-per-minute=0", "--requests-per-minute=0"]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    for (mutation, input) in [
        ("updateProfile", json!({ "bio": "Paints." })),
        ("updatePreferences", json!({ "aboutMe": "A painter" })),
        ("addMemory", json!({ "content": "Owns a cat." })),
        (
            "setApiKey",
            json!({ "provider": "OPENAI", "secret": "sk-very-secret-0123456789", "verify": false }),
        ),
        (
            "createAssistant",
            json!({ "displayName": "Clio", "instructions": "Sing." }),
        ),
        ("setBudget", json!({ "limitUsd": "100", "period": "TOTAL" })),
        ("addContact", json!({ "userId": bob.id })),
    ] {
        done(&ada, mutation, input).await;
    }
    let room = group(&bob, &[]).await;
    say(&bob, &room, "Before she came.").await;
    done(&bob, "addMembers", json!({ "chatId": room, "userIds": [ada.id] })).await;
    say(&bob, &room, "Welcome, Ada.").await;
    let secret = group(&bob, &[]).await;
    say(&bob, &secret, "She never came here.").await;
    let own = ada.chat("scripted:words=3,first=0,delay=0").await;
    for number in 0..210 {
        let insert = format!(
            "INSERT INTO messages (id, chat_id, sequence, role, author_id, content) VALUES (gen_random_uuid(), '{}', {}, 'USER', '{}', 'line {number}')",
            uuid(&own),
            number + 10,
            uuid(&ada.id)
        );
        app.sql().await.batch_execute(&insert).await.expect("a row");
    }

    // More of each than a page has.
    let many = format!(
        "INSERT INTO message_reactions (message_id, user_id, emoji) SELECT id, '{ada}', '👍' FROM messages WHERE chat_id = '{own}'; \
         INSERT INTO message_edits (message_id, number, content, written_at, replaced_at) \
           SELECT id, number, 'before', now(), now() FROM messages CROSS JOIN generate_series(1, 2) AS number WHERE chat_id = '{own}'",
        ada = uuid(&ada.id),
        own = uuid(&own),
    );
    app.sql().await.batch_execute(&many).await.expect("rows");
    let left = group(&ada, &[&bob]).await;
    say(&ada, &left, "I was here.").await;
    say(&bob, &left, "So was I.").await;
    done(&ada, "leaveChat", json!({ "chatId": left })).await;
    done(
        &ada,
        "updateChat",
        json!({ "chatId": room, "notifications": "MENTIONS" }),
    )
    .await;
    let thought = ada.chat("scripted:words=1,first=0,delay=0").await;
    crate::titles::answered(&ada, &thought, "Think.").await;
    let thinks = "UPDATE generations SET reasoning = 'Let me think.'";
    app.sql().await.execute(thinks, &[]).await.expect("a row");

    let export = exported(&app, &ada).await;
    let link = export["downloadUrl"].as_str().expect("a link");
    let (status, headers, bytes) = get(&app.anonymous(), link).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "application/gzip");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["cache-control"], "no-store");
    assert!(
        headers["content-disposition"]
            .to_str()
            .is_ok_and(|text| text.starts_with("attachment; filename=\"parlor-"))
    );
    assert_eq!(headers["content-length"], bytes.len().to_string());
    assert_eq!(
        (export["bytes"].as_i64(), export["progress"].as_i64()),
        (i64::try_from(bytes.len()).ok(), Some(100))
    );

    let folders = unpack(&bytes);
    let texts: Vec<&str> = folders["messages"]
        .iter()
        .filter_map(|line| line["content"].as_str())
        .collect();
    assert!(texts.contains(&"Welcome, Ada."));
    assert!(
        (0..210).all(|number| texts.contains(&format!("line {number}").as_str())),
        "all pages are there"
    );
    let all = serde_json::to_string(&folders).expect("JSON");
    for hidden in [
        "Before she came.",
        "She never came here.",
        "So was I.",
        "sk-very-secret",
        "argon2",
        "sealed",
        "bob@example.com",
    ] {
        assert!(!all.contains(hidden), "{hidden}");
    }
    assert_eq!(folders["profile"][0]["email"], "ada@example.com");
    assert_eq!(folders["profile"][0]["id"], json!(ada.id));
    assert_eq!(folders["preferences"][0]["aboutMe"], "A painter");
    assert_eq!(folders["memories"][0]["content"], "Owns a cat.");
    assert_eq!(folders["assistants"][0]["instructions"], "Sing.");
    assert_eq!(folders["contacts"][0]["userId"], json!(bob.id));
    assert_eq!(folders["api-keys"][0]["provider"], "openai");
    assert_eq!(folders["budgets"][0]["limitMicroUsd"], 100_000_000);
    assert_eq!(folders["chats"].len(), 3);
    let of =
        |folder: &str, field: &str| -> Vec<Value> { folders[folder].iter().map(|line| line[field].clone()).collect() };
    assert!(of("chats", "notifications").contains(&json!("MENTIONS")));
    assert!(of("messages", "reasoning").contains(&json!("Let me think.")));
    assert!(of("messages-elsewhere", "content").contains(&json!("I was here.")));
    let distinct = |folder: &str| {
        folders[folder]
            .iter()
            .map(Value::to_string)
            .collect::<BTreeSet<String>>()
            .len()
    };
    assert_eq!((folders["reactions"].len(), distinct("reactions")), (210, 210));
    assert_eq!(folders["edits"].len(), 420);
    assert_eq!(folders["sessions"].len(), 1);
    assert!(
        folders["audit"]
            .iter()
            .any(|line| line["action"] == "budget.set" && line["byYou"] == true)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_good_link_downloads() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let refused = ada
        .mutate(
            "exportMyData",
            json!({ "password": "a wrong one" }),
            "dataExport { id }",
        )
        .await;
    assert_eq!(refused["errors"][0]["code"], "WRONG_CREDENTIALS");
    let export = exported(&app, &ada).await;
    let link = export["downloadUrl"].as_str().expect("a link");
    let query =
        "query ($id: ID!) { node(id: $id) { ... on DataExport { state downloadUrl } } viewer { dataExports { id } } }";
    let seen = bob.ok(query, json!({ "id": export["id"] })).await;
    assert_eq!(seen, json!({ "node": null, "viewer": { "dataExports": [] } }));
    let (status, _, bent) = get(&app.anonymous(), &format!("{link}A")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // Whichever server is asked has it.
    let other = app.sibling().await;
    assert_eq!(get(&other.anonymous(), link).await.0, StatusCode::OK);
    // A good link to what is not there any more is like one that never was good.
    let sql = app.sql().await;
    sql.batch_execute("UPDATE data_exports SET expires_at = now()")
        .await
        .expect("a row");
    assert_eq!(get(&app.anonymous(), link).await.2, bent);
    sql.batch_execute("UPDATE data_exports SET expires_at = now() + interval '1 hour'")
        .await
        .expect("a row");
    assert_eq!(get(&app.anonymous(), link).await.0, StatusCode::OK);
    assert_eq!(delete(&ada).await["errors"], json!([]));
    assert_eq!(get(&app.anonymous(), link).await.2, bent);
    let left = "SELECT count(*) FROM data_export_chunks";
    assert_eq!(sql.query_one(left, &[]).await.expect("a row").get::<_, i64>(0), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_at_a_time_and_three_a_day_with_events() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut device = Device::open(ada.client.clone(), 3).await;
    let input = json!({ "password": PASSWORD });
    for round in 0..3 {
        let (one, other) = tokio::join!(
            ada.mutate("exportMyData", input.clone(), "dataExport { id }"),
            ada.mutate("exportMyData", input.clone(), "dataExport { id }")
        );
        // The second one finds the first, unless that was ready already.
        if round == 0 {
            assert_eq!(one["errors"], json!([]));
        }
        drop(other);
        until(&app, "SELECT bool_and(state = 'READY') FROM data_exports").await;
    }
    let payload = ada.mutate("exportMyData", input, "dataExport { id }").await;
    let made = "SELECT count(*) FROM data_exports";
    let made: i64 = app.sql().await.query_one(made, &[]).await.expect("a row").get(0);
    assert_eq!(
        (payload["errors"][0]["code"].as_str(), made),
        (Some("LIMIT_REACHED"), 3)
    );
    // Their time is over: the bytes go, and all devices hear of it.
    app.sql()
        .await
        .batch_execute("UPDATE data_exports SET expires_at = now() - interval '1 second'")
        .await
        .expect("rows");
    parlor::export::row::sweep(&app.app).await.expect("swept");
    let left = "SELECT count(*) FROM data_export_chunks";
    assert_eq!(
        app.sql()
            .await
            .query_one(left, &[])
            .await
            .expect("a row")
            .get::<_, i64>(0),
        0
    );
    done(&ada, "createChat", json!({ "title": "the end" })).await;
    device.follow(|event| event["chat"]["title"] == "the end").await;
    let states: Vec<&str> = device
        .seen
        .iter()
        .filter_map(|event| event["dataExport"]["state"].as_str())
        .collect();
    assert!(states.contains(&"EXPIRED"), "{states:?}");
    // What was told of a time is as it was set by hand.
    let query = "{ viewer { dataExports { state downloadUrl } } }";
    let seen = ada.ok(query, json!({})).await["viewer"]["dataExports"].take();
    assert_eq!(seen, json!(vec![json!({ "state": "EXPIRED", "downloadUrl": null }); 3]));
    device.obeys().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_taken_for_dead_spoils_nothing() {
    use parlor::export::row::{Turn, begin, keep, note};
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    // Asked for, and not begun by any worker.
    let id = uuid(&ada.id);
    let asked = format!("INSERT INTO data_exports (id, user_id) VALUES (gen_random_uuid(), '{id}') RETURNING id::text");
    let id: String = app.sql().await.query_one(&asked, &[]).await.expect("a row").get(0);
    let id = parlor::id::DataExportId(id.parse().expect("a UUID"));
    let dead = begin(&app.app, id).await.expect("begun").expect("a run");
    let mut connection = app.app.connection().await.expect("a connection");
    assert!(keep(&mut connection, &dead, 0, b"half").await.expect("kept"));
    // Another process takes over, and begins anew.
    let run = begin(&app.app, id).await.expect("begun").expect("a run");
    assert_eq!((dead.run, run.run, run.progress), (1, 2, 0));
    assert!(!keep(&mut connection, &dead, 1, b"other half").await.expect("refused"));
    assert!(!note(&app.app, &dead, Turn::Ready(9)).await.expect("refused"));
    assert!(keep(&mut connection, &run, 0, b"the whole").await.expect("kept"));
    let query = "{ viewer { dataExports { state downloadUrl } } }";
    let seen = ada.ok(query, json!({})).await["viewer"]["dataExports"].take();
    assert_eq!(seen, json!([{ "state": "RUNNING", "downloadUrl": null }]));
    assert!(note(&app.app, &run, Turn::Ready(9)).await.expect("noted"));
    let link = ada.ok(query, json!({})).await["viewer"]["dataExports"][0]["downloadUrl"].take();
    let (_, _, bytes) = get(&app.anonymous(), link.as_str().expect("a link")).await;
    assert_eq!(bytes, b"the whole");
    assert!(begin(&app.app, id).await.expect("nothing").is_none(), "it is done");
}
