//! A person with an account, and a socket of theirs, which is read without being understood: a thousand of them share
//! the machine with the server.

use std::net::{Ipv4Addr, SocketAddr};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Person {
    /// Where the server is.
    pub server: SocketAddr,
    /// Where they are.
    pub from: Ipv4Addr,
    /// Their id.
    pub id: String,
    /// Their access token.
    pub token: String,
    /// What they speak HTTP with.
    pub http: reqwest::Client,
}

impl Person {
    async fn run(&self, query: &str, variables: Value) -> Value {
        let request = self
            .http
            .post(format!("http://{}/graphql", self.server))
            .bearer_auth(&self.token);
        let body = json!({ "query": query, "variables": variables });
        let answer = request.json(&body).send().await.expect("an answer");
        let mut answer: Value = answer.json().await.expect("JSON");
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].take()
    }

    /// Sends a message that is a number.
    pub async fn send(&self, chat_id: &str, number: usize) {
        let key = uuid::Uuid::now_v7().to_string();
        let input = json!({ "chatId": chat_id, "content": format!("number={number};"), "idempotencyKey": key });
        let query =
            "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { message { id } errors { message } } }";
        let data = self.run(query, json!({ "input": input })).await;
        assert!(data["sendMessage"]["message"]["id"].is_string(), "{data}");
    }

    /// Says that nobody is in front of the device, or somebody.
    pub async fn set_away(&self, away: bool) {
        let query = "mutation ($input: SetPresenceInput!) { setPresence(input: $input) { errors { message } } }";
        self.run(query, json!({ "input": { "away": away } })).await;
    }
}

/// A socket that speaks graphql-transport-ws.
pub struct Socket {
    socket: WebSocketStream<TcpStream>,
}

impl Socket {
    /// Opens one as this person, from where they are.
    pub async fn open(person: &Person) -> Self {
        let mut request = format!("ws://{}/graphql", person.server)
            .into_client_request()
            .expect("a request");
        let protocol = "graphql-transport-ws".parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .bind((person.from, 0).into())
            .expect("an address of the loopback");
        let stream = socket.connect(person.server).await.expect("a connection");
        let (socket, _) = tokio_tungstenite::client_async(request, stream)
            .await
            .expect("a socket");
        let mut socket = Socket { socket };
        let token = format!("Bearer {}", person.token);
        socket
            .say(json!({ "type": "connection_init", "payload": { "Authorization": token } }))
            .await;
        assert!(socket.hear().await.contains("connection_ack"));
        socket
    }

    /// Subscribes, and waits until the stream has begun.
    pub async fn subscribe(&mut self, query: &str) {
        self.say(json!({ "id": "1", "type": "subscribe", "payload": { "query": query } }))
            .await;
        let first = self.hear().await;
        assert!(first.contains("StreamReady"), "{first}");
    }

    /// Waits for a message; gives the number that it is.
    pub async fn message(&mut self) -> usize {
        loop {
            let text = self.hear().await;
            if let Some((_, rest)) = text.split_once("number=") {
                return rest
                    .split(';')
                    .next()
                    .and_then(|number| number.parse().ok())
                    .expect("a number");
            }
        }
    }

    /// Waits until something is told of somebody's presence.
    pub async fn presence(&mut self) -> String {
        loop {
            let text = self.hear().await;
            if text.contains("PresenceChanged") {
                return text;
            }
        }
    }

    async fn say(&mut self, message: Value) {
        let message = Message::text(message.to_string());
        self.socket.send(message).await.expect("the socket is open");
    }

    async fn hear(&mut self) -> String {
        loop {
            match self
                .socket
                .next()
                .await
                .expect("the socket is open")
                .expect("a message")
            {
                Message::Text(text) => return text.as_str().to_owned(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }
}
