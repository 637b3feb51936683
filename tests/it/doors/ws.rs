//! Sockets that speak `graphql-transport-ws`.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use parlor::server::doors::DoorSettings;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Door, code, soon};

/// A client's end of a socket.
pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(super) async fn connect(door: &Door, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request = format!("ws://{}/graphql", door.address)
            .into_client_request()
            .expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) async fn open(door: &Door) -> Self {
        Self::connect(door, &[("sec-websocket-protocol", "graphql-transport-ws")])
            .await
            .expect("an upgrade")
    }

    /// A socket that has been acknowledged.
    pub(super) async fn ready(door: &Door, payload: Value) -> Self {
        let mut socket = Self::open(door).await;
        socket
            .say(json!({ "type": "connection_init", "payload": payload }))
            .await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket
    }

    pub(super) async fn say(&mut self, message: Value) {
        self.say_raw(Message::text(message.to_string())).await;
    }

    async fn say_raw(&mut self, message: Message) {
        self.0.send(message).await.expect("the socket is open");
    }

    pub(super) async fn subscribe(&mut self, id: &str, query: &str) {
        self.say(json!({ "type": "subscribe", "id": id, "payload": { "query": query } }))
            .await;
    }

    /// Says something many times without listening, or until the server hangs up.
    pub(super) async fn flood(&mut self, message: Value, times: usize) {
        let message = Message::text(message.to_string());
        for _ in 0..times {
            if self.0.send(message.clone()).await.is_err() {
                return;
            }
        }
    }

    pub(super) async fn hear(&mut self) -> Value {
        loop {
            match soon(self.0.next()).await.expect("a message").expect("a good message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The code the socket is closed with; what came before is skipped.
    pub(super) async fn closed(&mut self) -> u16 {
        loop {
            match soon(self.0.next()).await {
                Some(Ok(Message::Close(Some(frame)))) => {
                    assert!(frame.reason.len() <= 123);
                    return frame.code.into();
                }
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn the_protocol_is_walked_through() {
    let door = Door::open().await;
    let mut socket = Socket::ready(&door, json!({ "Authorization": "Bearer user-7" })).await;
    socket.subscribe("a", "subscription { count(to: 2) }").await;
    assert_eq!(
        socket.hear().await,
        json!({ "type": "next", "id": "a", "payload": { "data": { "count": 1 } } })
    );
    assert_eq!(
        socket.hear().await,
        json!({ "type": "next", "id": "a", "payload": { "data": { "count": 2 } } })
    );
    assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "a" }));
    socket.subscribe("a", "{ me }").await;
    assert_eq!(socket.hear().await["payload"]["data"]["me"], "7");
    assert_eq!(socket.hear().await["type"], "complete");
    socket.subscribe("m", "mutation { rename(name: \"x\") }").await;
    assert_eq!(socket.hear().await["payload"]["data"]["rename"], "x");
    assert_eq!(socket.hear().await["type"], "complete");
    socket.say(json!({ "type": "ping", "payload": { "any": 1 } })).await;
    assert_eq!(socket.hear().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn the_token_is_read_in_every_spelling() {
    let door = Door::open().await;
    for (payload, expected) in [
        (json!({ "Authorization": "Bearer user-7" }), json!("7")),
        (json!({ "authorization": "user-7" }), json!("7")),
        (json!({ "token": "user-7" }), json!("7")),
        (json!({ "accessToken": "user-7" }), json!("7")),
        (json!({ "headers": { "Authorization": "Bearer user-7" } }), json!("7")),
        (json!({}), json!(null)),
        (json!(null), json!(null)),
    ] {
        let mut socket = Socket::ready(&door, payload.clone()).await;
        socket.subscribe("a", "{ me }").await;
        assert_eq!(socket.hear().await["payload"]["data"]["me"], expected, "{payload}");
    }
}

#[tokio::test]
async fn the_acknowledgement_tells_when_the_token_ends() {
    let door = Door::open().await;
    let mut socket = Socket::open(&door).await;
    socket
        .say(json!({ "type": "connection_init", "payload": { "token": "user-7" } }))
        .await;
    let told = socket.hear().await["payload"]["expiresAt"]
        .as_str()
        .map(str::to_owned)
        .expect("a time");
    let left = chrono::DateTime::parse_from_rfc3339(&told).expect("RFC 3339") - chrono::Utc::now().fixed_offset();
    assert!((3_500..=3_600).contains(&left.num_seconds()), "{told}");
}

#[tokio::test]
async fn bad_tokens_close() {
    let door = Door::open().await;
    for (token, expected) in [("garbage", 4403), ("expired", 4403), ("ended", 4401), ("away", 1013)] {
        let mut socket = Socket::open(&door).await;
        socket
            .say(json!({ "type": "connection_init", "payload": { "token": token } }))
            .await;
        assert_eq!(socket.closed().await, expected, "{token}");
    }
}

#[tokio::test]
async fn breaches_of_the_protocol_close() {
    let door = Door::open().await;
    let subscribe = |id: &str| json!({ "type": "subscribe", "id": id, "payload": { "query": "subscription { one }" } });
    let mut early = Socket::open(&door).await;
    early.say(subscribe("a")).await;
    assert_eq!(early.closed().await, 4401);

    let mut twice = Socket::ready(&door, json!(null)).await;
    twice.say(json!({ "type": "connection_init" })).await;
    assert_eq!(twice.closed().await, 4429);

    let mut duplicate = Socket::ready(&door, json!(null)).await;
    let long = "é".repeat(100);
    duplicate.say(subscribe(&long)).await;
    duplicate.say(subscribe(&long)).await;
    assert_eq!(duplicate.closed().await, 4409);

    for message in [
        Message::text("{"),
        Message::text("[]"),
        Message::text(r#"{"type":"nonsense"}"#),
        Message::text(r#"{"type":"subscribe","id":"a","payload":{"query":7}}"#),
        Message::text(r#"{"type":"subscribe","payload":{"query":"{ hello }"}}"#),
        Message::text(format!(
            r#"{{"type":"ping","payload":{{"a":"{}"}}}}"#,
            "x".repeat(64 * 1024)
        )),
        Message::binary(b"{}".to_vec()),
    ] {
        let mut socket = Socket::ready(&door, json!(null)).await;
        socket.say_raw(message).await;
        assert_eq!(socket.closed().await, 4400);
    }

    for protocol in [&[][..], &[("sec-websocket-protocol", "graphql-ws")]] {
        // tungstenite's client refuses a server that selects nothing, so the handshake is left to reqwest.
        let mut request = reqwest::Client::new().get(door.url());
        for (name, value) in protocol {
            request = request.header(*name, *value);
        }
        let handshake = [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ];
        let request = handshake
            .into_iter()
            .fold(request, |request, (name, value)| request.header(name, value));
        let mut upgraded = request
            .send()
            .await
            .expect("an answer")
            .upgrade()
            .await
            .expect("an upgrade");
        let mut frame = [0; 4];
        tokio::io::AsyncReadExt::read_exact(&mut upgraded, &mut frame)
            .await
            .expect("a close frame");
        assert_eq!((frame[0], u16::from_be_bytes([frame[2], frame[3]])), (0x88, 4406));
    }
}

#[tokio::test]
async fn a_silent_socket_is_closed() {
    let door = Door::with(DoorSettings {
        init_timeout: Duration::from_millis(50),
        ..DoorSettings::default()
    })
    .await;
    assert_eq!(Socket::open(&door).await.closed().await, 4408);
}

#[tokio::test]
async fn failures_before_execution_are_errors_and_later_ones_answers() {
    let door = Door::open().await;
    let mut socket = Socket::ready(&door, json!(null)).await;
    for (query, expected) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { count }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ number(value: \"x\") }", "BAD_USER_INPUT"),
        ("subscription { refused }", "UNAUTHENTICATED"),
        ("", "BAD_REQUEST"),
    ] {
        socket.subscribe("a", query).await;
        let heard = socket.hear().await;
        assert_eq!(
            (&heard["type"], &heard["id"]),
            (&json!("error"), &json!("a")),
            "{heard}"
        );
        assert_eq!(code(&json!({ "errors": heard["payload"] })), expected, "{heard}");
    }
    socket.subscribe("a", "{ hello limited }").await;
    let heard = socket.hear().await;
    assert_eq!(heard["payload"]["data"], json!({ "hello": "world", "limited": null }));
    assert_eq!(code(&heard["payload"]), "RATE_LIMITED");
    assert_eq!(socket.hear().await["type"], "complete");
}

#[tokio::test]
async fn a_panic_ends_its_operation_alone() {
    let door = Door::open().await;
    let mut socket = Socket::ready(&door, json!(null)).await;
    socket.subscribe("a", "subscription { panics }").await;
    assert_eq!(socket.hear().await["payload"]["data"]["panics"], 1);
    let told = socket.hear().await;
    assert_eq!(code(&told["payload"]), "INTERNAL_SERVER_ERROR");
    assert!(!told.to_string().contains("secret"));
    assert_eq!(socket.hear().await["type"], "complete");
    socket.subscribe("b", "{ hello }").await;
    assert_eq!(socket.hear().await["payload"]["data"]["hello"], "world");
}

#[tokio::test]
async fn a_completed_subscription_is_dropped_and_its_id_is_free() {
    let door = Door::open().await;
    let mut socket = Socket::ready(&door, json!(null)).await;
    for _ in 0..3 {
        socket.subscribe("a", "subscription { one }").await;
        assert_eq!(socket.hear().await["type"], "next");
        socket.say(json!({ "type": "complete", "id": "a" })).await;
        soon(door.seen.dropped.notified()).await;
        assert_eq!(door.seen.streams.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn leaving_drops_all_subscriptions() {
    let door = Door::open().await;
    let mut socket = Socket::ready(&door, json!(null)).await;
    socket.subscribe("a", "subscription { one }").await;
    assert_eq!(socket.hear().await["type"], "next");
    drop(socket);
    soon(door.seen.dropped.notified()).await;
}
