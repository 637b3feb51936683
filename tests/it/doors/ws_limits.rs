//! What ends a socket, and how much one may take.

use std::time::Duration;

use parlor::server::doors::DoorSettings;
use serde_json::json;

use super::ws::Socket;
use super::{Door, code, soon};

#[tokio::test]
async fn a_busy_stream_starves_nothing() {
    let door = Door::open().await;
    let mut socket = Socket::ready(&door, json!(null)).await;
    socket.subscribe("busy", "subscription { busy(bytes: 10) }").await;
    assert_eq!(socket.hear().await["id"], "busy");
    socket.subscribe("other", "{ hello }").await;
    while socket.hear().await["id"] != "other" {}
    socket.say(json!({ "type": "complete", "id": "busy" })).await;
    soon(door.seen.dropped.notified()).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let door = Door::with(DoorSettings {
        write_timeout: Duration::from_millis(100),
        ..DoorSettings::default()
    })
    .await;
    let mut socket = Socket::ready(&door, json!(null)).await;
    socket.subscribe("busy", "subscription { busy(bytes: 30000) }").await;
    soon(door.seen.dropped.notified()).await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_pings_is_dropped() {
    let door = Door::with(DoorSettings {
        ping_every: Duration::from_millis(50),
        ..DoorSettings::default()
    })
    .await;
    let mut socket = Socket::ready(&door, json!(null)).await;
    socket.subscribe("a", "subscription { one }").await;
    // Not polled any more, this client answers no ping.
    soon(door.seen.dropped.notified()).await;
}

#[tokio::test]
async fn a_revoked_session_and_an_expired_token_close() {
    let door = Door::open().await;
    let mut brief = Socket::ready(&door, json!({ "token": "brief" })).await;
    brief.subscribe("a", "subscription { one }").await;
    assert_eq!(brief.closed().await, 4403);
    soon(door.seen.dropped.notified()).await;
    let mut revoked = Socket::ready(&door, json!({ "token": "user-7" })).await;
    revoked.subscribe("a", "subscription { busy(bytes: 10) }").await;
    assert_eq!(revoked.hear().await["type"], "next");
    door.seen.revoked.cancel();
    assert_eq!(revoked.closed().await, 4401);
    soon(door.seen.dropped.notified()).await;
}

#[tokio::test]
async fn operations_of_a_socket_are_capped() {
    let door = Door::with(DoorSettings {
        operations_per_socket: 1,
        ..DoorSettings::default()
    })
    .await;
    let mut socket = Socket::ready(&door, json!(null)).await;
    socket.subscribe("a", "subscription { one }").await;
    assert_eq!(socket.hear().await["type"], "next");
    socket.subscribe("b", "{ hello }").await;
    let heard = socket.hear().await;
    assert_eq!((&heard["type"], &heard["id"]), (&json!("error"), &json!("b")));
    assert_eq!(code(&json!({ "errors": heard["payload"] })), "TOO_MANY_OPERATIONS");
}

#[tokio::test]
async fn a_client_that_asks_and_does_not_listen_is_closed() {
    let door = Door::with(DoorSettings {
        operations_per_socket: 4,
        write_timeout: Duration::from_secs(3600),
        ..DoorSettings::default()
    })
    .await;
    let mut socket = Socket::ready(&door, json!(null)).await;
    socket.subscribe("busy", "subscription { busy(bytes: 300000) }").await;
    assert_eq!(socket.hear().await["id"], "busy");
    let malformed = json!({ "type": "subscribe", "id": "a", "payload": { "query": "{" } });
    socket.flood(malformed, 2_000).await;
    assert_eq!(soon(socket.closed()).await, 1013);
}

#[tokio::test]
async fn sockets_of_an_account_are_capped() {
    let door = Door::with(DoorSettings {
        streams_per_user: 1,
        ..DoorSettings::default()
    })
    .await;
    let _first = Socket::ready(&door, json!({ "token": "user-7" })).await;
    let mut second = Socket::open(&door).await;
    second
        .say(json!({ "type": "connection_init", "payload": { "token": "user-7" } }))
        .await;
    assert_eq!(second.closed().await, 1013);
    let _other = Socket::ready(&door, json!({ "token": "user-8" })).await;
}

#[tokio::test]
async fn sockets_of_an_address_are_capped() {
    let door = Door::with(DoorSettings {
        streams_per_address: 1,
        ..DoorSettings::default()
    })
    .await;
    let _first = Socket::open(&door).await;
    let second = Socket::connect(&door, &[("sec-websocket-protocol", "graphql-transport-ws")]).await;
    assert_eq!(second.err(), Some(429));
}

#[tokio::test]
async fn pages_from_elsewhere_may_not_open_sockets() {
    let settings = DoorSettings {
        origins: vec!["https://chat.example.com".to_owned()],
        ..DoorSettings::default()
    };
    let door = Door::with(settings).await;
    let here = format!("http://{}", door.address);
    for (origin, allowed) in [
        ("https://chat.example.com", true),
        (here.as_str(), true),
        ("https://evil.example.com", false),
        ("null", false),
    ] {
        let socket = Socket::connect(
            &door,
            &[("sec-websocket-protocol", "graphql-transport-ws"), ("origin", origin)],
        )
        .await;
        assert_eq!(socket.err(), (!allowed).then_some(403), "{origin}");
    }
}
