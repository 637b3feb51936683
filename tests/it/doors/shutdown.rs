//! What the doors do when the server stops, and what connections that do nothing get.

use std::time::Duration;

use parlor::server::doors::DoorSettings;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::ws::Socket;
use super::{Door, json as body, soon};

#[tokio::test]
async fn what_runs_is_finished_and_what_stays_is_closed() {
    let door = Door::open().await;
    let mut socket = Socket::ready(&door, json!(null)).await;
    socket.subscribe("a", "subscription { one }").await;
    assert_eq!(socket.hear().await["type"], "next");
    let mut events = door
        .post(&json!({ "query": "subscription { one }" }))
        .send()
        .await
        .expect("an answer");
    while !soon(events.chunk())
        .await
        .expect("a chunk")
        .expect("a chunk")
        .ends_with(b"\"one\":1}}\n\n")
    {}
    let running = tokio::spawn(door.post(&json!({ "query": "{ slow }" })).send());
    soon(door.seen.began.notified()).await;

    door.shutdown.cancel();
    assert_eq!(socket.closed().await, 1012);
    soon(events.chunk())
        .await
        .expect_err("a cut stream is a network error, not an end");
    door.seen.go_on.notify_one();
    let finished = soon(running).await.expect("no panic").expect("an answer");
    assert_eq!(body(finished).await["data"]["slow"], 1);
    soon(door.serving).await.expect("the server stops well");
    assert!(TcpStream::connect(door.address).await.is_err());
}

#[tokio::test]
async fn the_grace_is_not_exceeded() {
    let door = Door::with(DoorSettings {
        grace: Duration::from_millis(50),
        ..DoorSettings::default()
    })
    .await;
    let stuck = tokio::spawn(door.post(&json!({ "query": "{ never }" })).send());
    let mut idle = TcpStream::connect(door.address).await.expect("a connection");
    idle.write_all(b"GET / HTTP/1.1\r\n").await.expect("it is open");
    door.shutdown.cancel();
    soon(door.serving).await.expect("the server stops");
    assert!(soon(stuck).await.expect("no panic").is_err());
}

#[tokio::test]
async fn connections_that_send_no_head_are_closed() {
    let door = Door::with(DoorSettings {
        head_timeout: Duration::from_millis(50),
        ..DoorSettings::default()
    })
    .await;
    for beginning in ["", "POST /graphql HTTP/1.1\r\nhost: x\r\n"] {
        let mut connection = TcpStream::connect(door.address).await.expect("a connection");
        connection.write_all(beginning.as_bytes()).await.expect("it is open");
        let mut rest = Vec::new();
        soon(connection.read_to_end(&mut rest))
            .await
            .expect("the server closes");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let door = Door::with(DoorSettings {
        body_timeout: Duration::from_millis(50),
        ..DoorSettings::default()
    })
    .await;
    let mut connection = TcpStream::connect(door.address).await.expect("a connection");
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    connection.write_all(head.as_bytes()).await.expect("it is open");
    let mut beginning = [0; 12];
    soon(connection.read_exact(&mut beginning)).await.expect("an answer");
    assert_eq!(&beginning, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_client_that_takes_no_bytes_is_given_up() {
    let door = Door::with(DoorSettings {
        write_timeout: Duration::from_millis(100),
        ..DoorSettings::default()
    })
    .await;
    let text = "x".repeat(200_000);
    let body = json!({ "query": "query($t: String!) { echo(text: $t) }", "variables": { "t": text } }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut deaf = TcpStream::connect(door.address).await.expect("a connection");
    soon(async { while deaf.write_all(request.as_bytes()).await.is_ok() {} }).await;
}

/// Whether a connection is served.
async fn is_served(connection: &mut TcpStream) -> bool {
    let request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut beginning = [0; 12];
    connection.write_all(request).await.is_ok()
        && soon(connection.read_exact(&mut beginning)).await.is_ok()
        && &beginning == b"HTTP/1.1 200"
}

#[tokio::test]
async fn connections_of_an_address_are_capped() {
    let settings = DoorSettings {
        connections_per_address: 1,
        ..DoorSettings::default()
    };
    let behind_proxy = DoorSettings {
        trusted_proxies: vec!["127.0.0.1/32".parse().expect("a network")],
        ..settings.clone()
    };
    for (settings, has_room) in [(settings, false), (behind_proxy, true)] {
        let door = Door::with(settings).await;
        let mut first = TcpStream::connect(door.address).await.expect("a connection");
        let mut second = TcpStream::connect(door.address).await.expect("a connection");
        assert_eq!(is_served(&mut second).await, has_room);
        assert!(is_served(&mut first).await);
    }
}

#[tokio::test]
async fn connections_wait_for_room() {
    let door = Door::with(DoorSettings {
        connections: 1,
        ..DoorSettings::default()
    })
    .await;
    let mut first = TcpStream::connect(door.address).await.expect("a connection");
    let mut second = TcpStream::connect(door.address).await.expect("a connection");
    assert!(is_served(&mut first).await);
    drop(first);
    assert!(is_served(&mut second).await);
}
