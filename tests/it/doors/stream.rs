//! Server-sent events and multipart subscriptions.

use std::time::Duration;

use async_graphql::Request;
use axum::body::{Body, to_bytes};
use parlor::account::viewer::{Client, Viewer};
use parlor::server::doors::{DoorSettings, Doors};
use parlor::server::sse;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Response, StatusCode};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::toy::{Seen, Toy};
use super::{Door, soon};

const EVENTS: &str = "text/event-stream";
const PARTS: &str = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json";

async fn stream(door: &Door, accept: &str, token: Option<&str>, query: &str) -> Response {
    let mut request = door.post(&json!({ "query": query })).header(ACCEPT, accept);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    soon(request.send()).await.expect("an answer")
}

/// Reads until the body holds some text.
async fn until(response: &mut Response, expected: &str) -> String {
    let mut read = String::new();
    while !read.contains(expected) {
        let chunk = soon(response.chunk())
            .await
            .expect("the stream goes on")
            .expect("the stream goes on");
        read.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
    }
    read
}

async fn all(response: Response) -> String {
    soon(response.text()).await.expect("the stream ends well")
}

#[tokio::test]
async fn events_come_and_end_with_complete() {
    let door = Door::open().await;
    let response = stream(&door, EVENTS, None, "subscription { count(to: 2) }").await;
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream; charset=utf-8");
    let expected = ":\n\nevent: next\ndata: {\"data\":{\"count\":1}}\n\nevent: next\ndata: {\"data\":{\"count\":2}}\n\nevent: complete\ndata:\n\n";
    assert_eq!(all(response).await, expected);
    let query = all(stream(&door, EVENTS, Some("user-7"), "{ me }").await).await;
    assert_eq!(
        query,
        ":\n\nevent: next\ndata: {\"data\":{\"me\":\"7\"}}\n\nevent: complete\ndata:\n\n"
    );
}

#[tokio::test]
async fn a_malformed_document_is_told_in_the_stream() {
    let door = Door::open().await;
    for query in ["{", "subscription { nope }"] {
        let response = stream(&door, EVENTS, None, query).await;
        assert_eq!(response.status(), StatusCode::OK);
        let told = all(response).await;
        assert!(
            told.contains("event: next\ndata: {\"errors\":[") && told.ends_with("event: complete\ndata:\n\n"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn each_part_is_closed_at_once() {
    let door = Door::open().await;
    let mut open = stream(&door, PARTS, None, "subscription { one }").await;
    assert_eq!(
        open.headers()[CONTENT_TYPE],
        "multipart/mixed;boundary=\"graphql\";subscriptionSpec=\"1.0\""
    );
    until(&mut open, "{\"payload\":{\"data\":{\"one\":1}}}\r\n--graphql").await;
    let counted = all(stream(&door, PARTS, None, "subscription { count(to: 1) }").await).await;
    let expected = "\r\n--graphql\r\ncontent-type: application/json\r\n\r\n{\"payload\":{\"data\":{\"count\":1}}}\r\n--graphql--\r\n";
    assert_eq!(counted, expected);
}

#[tokio::test]
async fn quiet_streams_show_that_they_are_alive() {
    let door = Door::with(DoorSettings {
        heartbeat_every: Duration::from_millis(20),
        ..DoorSettings::default()
    })
    .await;
    let mut events = stream(&door, EVENTS, None, "subscription { one }").await;
    until(&mut events, "\n\n:\n\n").await;
    let mut parts = stream(&door, PARTS, None, "subscription { one }").await;
    until(&mut parts, "\r\n\r\n{}\r\n--graphql").await;
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let door = Door::open().await;
    let mut events = stream(&door, EVENTS, Some("user-7"), "subscription { one }").await;
    let mut parts = stream(&door, PARTS, Some("user-7"), "subscription { one }").await;
    until(&mut events, "\"one\":1").await;
    until(&mut parts, "\"one\":1").await;
    door.seen.revoked.cancel();
    let told = all(events).await;
    assert!(
        told.contains("UNAUTHENTICATED") && told.ends_with("event: complete\ndata:\n\n"),
        "{told}"
    );
    let told = all(parts).await;
    assert!(
        told.contains("{\"payload\":null,\"errors\":[{")
            && told.contains("UNAUTHENTICATED")
            && told.ends_with("\r\n--graphql--\r\n"),
        "{told}"
    );
}

/// The body of a stream that nobody has read, whose queue is full.
async fn full(seen: &Seen, shutdown: &CancellationToken) -> Body {
    let settings = DoorSettings {
        write_timeout: Duration::from_secs(3600),
        ..DoorSettings::default()
    };
    let doors = Doors::new(Toy::new(seen.clone()), settings, shutdown.clone());
    let opened = doors.open(Request::new("subscription { eager(tellAt: 16) }"));
    let viewer = doors.house().authenticate("user-7").await.expect("a known token");
    let client = Client {
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        user_agent: None,
    };
    let response = sse::respond(
        &doors,
        opened.expect("it is well formed"),
        Viewer::SignedIn(viewer),
        client,
    );
    soon(seen.began.notified()).await;
    response.expect("there is room").into_body()
}

#[tokio::test]
async fn an_end_is_noticed_while_the_queue_is_full_and_nothing_follows() {
    let (seen, shutdown) = (Seen::default(), CancellationToken::new());
    let revoked = full(&seen, &shutdown).await;
    seen.revoked.cancel();
    soon(seen.dropped.notified()).await;
    let told = to_bytes(revoked, usize::MAX).await.expect("it ends well");
    let told = std::str::from_utf8(&told).expect("UTF-8");
    assert!(told.contains("UNAUTHENTICATED") && !told.contains("eager"), "{told}");

    let (seen, shutdown) = (Seen::default(), CancellationToken::new());
    let stopped = full(&seen, &shutdown).await;
    shutdown.cancel();
    soon(seen.dropped.notified()).await;
    to_bytes(stopped, usize::MAX)
        .await
        .expect_err("a cut stream is a network error, not an end");
}

#[tokio::test]
async fn an_expired_token_ends_a_stream_so_that_clients_come_back() {
    let door = Door::open().await;
    let told = all(stream(&door, EVENTS, Some("brief"), "subscription { one }").await).await;
    assert!(
        told.contains("UNAUTHENTICATED") && !told.contains("event: complete"),
        "{told}"
    );
    soon(door.seen.dropped.notified()).await;
}

#[tokio::test]
async fn a_client_that_leaves_or_does_not_read_ends_its_stream() {
    let door = Door::with(DoorSettings {
        write_timeout: Duration::from_millis(100),
        ..DoorSettings::default()
    })
    .await;
    let mut leaving = stream(&door, EVENTS, None, "subscription { one }").await;
    until(&mut leaving, "\"one\":1").await;
    drop(leaving);
    soon(door.seen.dropped.notified()).await;
    let _unread = stream(&door, EVENTS, None, "subscription { busy(bytes: 30000) }").await;
    soon(door.seen.dropped.notified()).await;
}

#[tokio::test]
async fn streams_are_capped() {
    let door = Door::with(DoorSettings {
        streams_per_user: 1,
        ..DoorSettings::default()
    })
    .await;
    let _first = stream(&door, EVENTS, Some("user-7"), "subscription { one }").await;
    let second = stream(&door, EVENTS, Some("user-7"), "subscription { one }").await;
    assert_eq!(second.status(), StatusCode::TOO_MANY_REQUESTS);
}
