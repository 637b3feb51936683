//! The real binary is killed, told to stop, and started again.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::generation::{ended, state};
use crate::harness::app::{Client, TestApp, new_key};
use crate::harness::process::Process;
use crate::harness::stream::shown;

const SLOW: &str = "scripted:words=2000,first=0,delay=5,seed=7";

/// A binary of its own on a database that the tests made; the app beside it only lends the database.
pub(crate) async fn on_database(app: &TestApp, arguments: &[&str]) -> Process {
    let database = format!("--database-url={}", app.database_url());
    let arguments: Vec<&str> = [database.as_str(), "--data-dir=/nonexistent"]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    Process::start(&arguments).await
}

/// What a script says in whole, heard from somewhere else.
async fn whole(client: &Client, script: &str, question: &str) -> String {
    let chat = client.chat(&script.replace("delay=5", "delay=0")).await;
    let generation = client.send(&chat, question).await;
    ended(client, &generation).await["text"]
        .as_str()
        .expect("a text")
        .to_owned()
}

/// Watches an answer until `enough` deltas have come; gives everything with the moment it came at.
async fn watched(client: &Client, generation: &str, enough: usize) -> Vec<(Instant, Value)> {
    let mut stream = client.generation_events(generation, None).await;
    let mut events = Vec::new();
    while events.len() < enough {
        let event = stream.next().await.expect("more of it");
        events.push((Instant::now(), event));
    }
    events
}

async fn sent(client: &Client, chat: &str, content: &str) -> Value {
    let input = json!({ "chatId": chat, "content": content, "idempotencyKey": new_key() });
    client
        .mutate("sendMessage", input, "message { id content } generation { id }")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_that_was_acknowledged() {
    let app = TestApp::start().await;
    let first = on_database(&app, &[]).await;
    let ada = first.client().register("ada").await;
    let chat = ada.chat(SLOW).await;
    let generation = ada.send(&chat, "Tell me all").await;
    let events = watched(&ada, &generation, 60).await;
    let last = sent(&ada, &chat, "And one more").await;
    first.kill().await;
    let killed = Instant::now();

    let second = on_database(&app, &[]).await;
    let again = second.client().with_token(ada.token.as_deref().expect("a token"));
    let end = timeout(Duration::from_secs(15), ended(&again, &generation))
        .await
        .expect("within 15 s");
    assert_eq!(
        (&end["status"], &end["error"]["code"]),
        (&json!("INTERRUPTED"), &json!("INTERRUPTED"))
    );
    let kept = end["text"].as_str().expect("a text");
    let long_before: Vec<Value> = events
        .iter()
        .take_while(|(at, _)| killed.duration_since(*at) > Duration::from_millis(250))
        .map(|(_, event)| event.clone())
        .collect();
    let promised = shown(&long_before);
    assert!(promised.len() > 20, "the test has seen something");
    assert!(
        kept.starts_with(&promised),
        "kept {} bytes, showed {} bytes in time",
        kept.len(),
        promised.len()
    );
    assert!(whole(&again, SLOW, "Tell me all").await.starts_with(kept));

    let query = "query ($id: ID!) { message(id: $id) { content } }";
    let message = again.ok(query, json!({ "id": last["message"]["id"] })).await;
    assert_eq!(message["message"]["content"], "And one more");
    let other = timeout(
        Duration::from_secs(15),
        ended(&again, last["generation"]["id"].as_str().expect("an id")),
    )
    .await;
    assert_eq!(other.expect("within 15 s")["status"], "INTERRUPTED");
    let next = again
        .send(&again.chat("scripted:words=3,delay=0").await, "It goes on")
        .await;
    assert_eq!(ended(&again, &next).await["status"], "COMPLETED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_server_takes_note_of_a_dead_one() {
    let app = TestApp::start().await;
    let server = on_database(&app, &[]).await;
    let ada = server.client().register("ada").await;
    let here = app.anonymous().with_token(ada.token.as_deref().expect("a token"));
    let generation = ada.send(&ada.chat(SLOW).await, "Tell me all").await;
    let mut watcher = here.generation_events(&generation, None).await;
    watched(&ada, &generation, 30).await;
    server.kill().await;
    let end = timeout(Duration::from_secs(15), watcher.until("GenerationFinished"))
        .await
        .expect("within 15 s");
    assert_eq!(end["generation"]["status"], "INTERRUPTED");
    assert!(!end["generation"]["text"].as_str().expect("a text").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_told_server_finishes_what_is_short() {
    let app = TestApp::start().await;
    let mut server = on_database(&app, &[]).await;
    let ada = server.client().register("ada").await;
    let chat = ada.chat("scripted:words=40,first=0,delay=25").await;
    let generation = ada.send(&chat, "Be brief").await;
    watched(&ada, &generation, 2).await;

    let mut request = format!("ws://{}/graphql", server.address)
        .into_client_request()
        .expect("a request");
    request.headers_mut().insert(
        "sec-websocket-protocol",
        "graphql-transport-ws".parse().expect("a value"),
    );
    let (mut socket, _) = connect_async(request).await.expect("a socket");
    let init = json!({ "type": "connection_init", "payload": { "token": ada.token } });
    socket
        .send(Message::text(init.to_string()))
        .await
        .expect("an open socket");
    assert!(matches!(socket.next().await, Some(Ok(Message::Text(text))) if text.contains("connection_ack")));

    let ready = format!("http://{}/readyz", server.address);
    assert_eq!(reqwest::get(&ready).await.expect("an answer").status(), StatusCode::OK);
    server.terminate();
    // Refused counts: whoever asks for readiness takes both for no.
    let not_ready = async {
        while reqwest::get(&ready)
            .await
            .is_ok_and(|answer| answer.status() == StatusCode::OK)
        {}
    };
    timeout(Duration::from_secs(1), not_ready).await.expect("at once");
    let code = loop {
        match timeout(Duration::from_secs(3), socket.next()).await.expect("soon") {
            Some(Ok(Message::Close(Some(frame)))) => break u16::from(frame.code),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, 1012);
    assert_eq!(server.ended().await.code(), Some(0));
    let here = app.anonymous().with_token(ada.token.as_deref().expect("a token"));
    let end = state(&here, &generation).await;
    assert_eq!(end["status"], "COMPLETED");
    assert_eq!(end["text"].as_str().expect("a text").split(' ').count(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_told_server_marks_what_is_long() {
    let app = TestApp::start().await;
    let mut server = on_database(&app, &["--shutdown-grace-seconds=1"]).await;
    let ada = server.client().register("ada").await;
    let generation = ada.send(&ada.chat(SLOW).await, "Tell me all").await;
    let events: Vec<Value> = watched(&ada, &generation, 20)
        .await
        .into_iter()
        .map(|(_, event)| event)
        .collect();
    let told = Instant::now();
    server.terminate();
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    let here = app.anonymous().with_token(ada.token.as_deref().expect("a token"));
    let end = state(&here, &generation).await;
    assert_eq!(
        end["status"], "INTERRUPTED",
        "by the one who leaves, not by the one who finds it"
    );
    assert!(end["text"].as_str().expect("a text").starts_with(&shown(&events)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_postgres_is_found_again_after_a_kill() {
    // The user that PostgreSQL runs as when we are root has to get there.
    let folder = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o711))
        .tempdir()
        .expect("a folder");
    let data_dir = format!("--data-dir={}", folder.path().display());
    let first = Process::start(&[&data_dir]).await;
    let ada = first.client().register("ada").await;
    let chat = ada.chat("scripted:echo,first=0,delay=0").await;
    let generation = ada.send(&chat, "Remember me").await;
    ended(&ada, &generation).await;
    first.kill().await;

    let mut second = Process::start(&[&data_dir]).await;
    let again = second.client().with_token(ada.token.as_deref().expect("a token"));
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { content } } } }";
    let found = again.ok(query, json!({ "id": chat })).await;
    let expected = json!([{ "content": "Remember me" }, { "content": "Remember me" }]);
    assert_eq!(found["chat"]["messages"]["nodes"], expected);
    let next = again.send(&chat, "Still here").await;
    assert_eq!(ended(&again, &next).await["text"], "Still here");
    second.terminate();
    assert_eq!(second.ended().await.code(), Some(0));
}
