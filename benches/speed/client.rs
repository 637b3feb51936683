//! A person with an account: GraphQL over HTTP, and streams over a socket.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Somebody who is signed in.
pub struct Client {
    address: SocketAddr,
    token: String,
    http: reqwest::Client,
}

impl Client {
    /// Makes an account.
    pub async fn register(address: SocketAddr, name: &str) -> Self {
        let mut client = Client {
            address,
            token: String::new(),
            http: reqwest::Client::new(),
        };
        let input = json!({ "username": name, "email": format!("{name}@example.com"), "password": "seven tall giraffes whisper" });
        let query = "mutation ($input: RegisterInput!) { register(input: $input) { tokens { accessToken } } }";
        let data = client.run(query, json!({ "input": input })).await;
        client.token = data["register"]["tokens"]["accessToken"]
            .as_str()
            .expect("a token")
            .to_owned();
        client
    }

    async fn run(&self, query: &str, variables: Value) -> Value {
        let mut request = self.http.post(format!("http://{}/graphql", self.address));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        let mut answer: Value = request
            .json(&json!({ "query": query, "variables": variables }))
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].take()
    }

    /// Makes a chat with a model.
    pub async fn chat(&self, model: &str) -> String {
        let query = "mutation ($model: String) { createChat(input: { model: $model }) { chat { id } } }";
        let data = self.run(query, json!({ "model": model })).await;
        data["createChat"]["chat"]["id"].as_str().expect("an id").to_owned()
    }

    /// Sends a message; gives the generation's id.
    pub async fn send(&self, chat_id: &str) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let input = json!({ "chatId": chat_id, "content": "Go", "idempotencyKey": format!("bench-{}", NEXT.fetch_add(1, Ordering::Relaxed)) });
        let query = "mutation ($input: SendMessageInput!) { sendMessage(input: $input) { generation { id } errors { message } } }";
        let data = self.run(query, json!({ "input": input })).await;
        data["sendMessage"]["generation"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{data}"))
            .to_owned()
    }

    /// Opens a chat as an app does: the chat, how it looks, its newest page.
    pub async fn open(&self, chat_id: &str) {
        let query = "query ($id: ID!) { viewer { syncCursor } chat(id: $id) { id title viewerState { unreadCount } activeGenerations { id } \
            messages(last: 50) { nodes { id role content generation { id status } } pageInfo { hasPreviousPage startCursor } } } }";
        let data = self.run(query, json!({ "id": chat_id })).await;
        assert_eq!(data["chat"]["messages"]["nodes"].as_array().map(Vec::len), Some(50));
    }

    /// A page of the chat list: how much is unread in all of it, and where the next one begins.
    pub async fn list(&self, after: Option<&str>) -> (u64, Option<String>) {
        let query = "query ($after: String) { viewer { chats(first: 100, after: $after) { pageInfo { hasNextPage endCursor } \
            nodes { id title lastActivityAt viewerState { unreadCount } } } } }";
        let data = self.run(query, json!({ "after": after })).await;
        let chats = &data["viewer"]["chats"];
        let unread = |chat: &Value| chat["viewerState"]["unreadCount"].as_u64().expect("a count");
        let counted = chats["nodes"].as_array().expect("chats").iter().map(unread).sum();
        let next = chats["pageInfo"]["hasNextPage"] == true;
        (
            counted,
            next.then(|| chats["pageInfo"]["endCursor"].as_str().expect("a cursor").to_owned()),
        )
    }

    /// Asks what an answer would take.
    pub async fn plan(&self, chat_id: &str) {
        let query = "query ($id: ID!) { generationPlan(input: { chatId: $id, content: \"Go\" }) { lanes { messageIds inputTokens cost { mostUsd } } refusals { code } } }";
        let data = self.run(query, json!({ "id": chat_id })).await;
        assert_eq!(data["generationPlan"]["refusals"], json!([]));
    }

    /// Reads the page of 50 before a message.
    pub async fn page(&self, chat_id: &str, sequence: u64) {
        let before = BASE64_URL_SAFE_NO_PAD.encode(sequence.to_string());
        let query = "query ($id: ID!, $before: String) { chat(id: $id) { messages(last: 50, before: $before) { nodes { id content } } } }";
        let data = self.run(query, json!({ "id": chat_id, "before": before })).await;
        assert_eq!(data["chat"]["messages"]["nodes"].as_array().map(Vec::len), Some(50));
    }
}

/// A socket that speaks graphql-transport-ws.
pub struct Socket {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    operations: u64,
    bytes: usize,
}

impl Socket {
    /// Opens one as this person.
    pub async fn open(client: &Client) -> Self {
        let mut request = format!("ws://{}/graphql", client.address)
            .into_client_request()
            .expect("a request");
        request.headers_mut().insert(
            "sec-websocket-protocol",
            "graphql-transport-ws".parse().expect("a header"),
        );
        let (socket, _) = tokio_tungstenite::connect_async(request).await.expect("a socket");
        let mut socket = Socket {
            socket,
            operations: 0,
            bytes: 0,
        };
        socket.say(json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {}", client.token) } })).await;
        assert_eq!(socket.hear().await["type"], "connection_ack");
        socket
    }

    /// Watches an answer.
    pub async fn watch(&mut self, generation_id: &str) {
        self.operations += 1;
        let query = "subscription ($id: ID!) { generationEvents(generationId: $id) { __typename ... on GenerationSnapshot { text } ... on GenerationDelta { text } } }";
        let payload = json!({ "query": query, "variables": { "id": generation_id } });
        self.say(json!({ "id": self.operations.to_string(), "type": "subscribe", "payload": payload }))
            .await;
    }

    /// Waits for the first text of any answer.
    pub async fn first_text(&mut self) {
        while self.step().await == 0 {}
    }

    /// Waits for the end of any answer; gives how many bytes of text came since the last end.
    pub async fn end(&mut self) -> usize {
        loop {
            let message = self.hear().await;
            self.count(&message);
            if message["type"] == "complete" {
                return std::mem::take(&mut self.bytes);
            }
        }
    }

    async fn step(&mut self) -> usize {
        let message = self.hear().await;
        assert_ne!(message["type"], "complete", "text comes before the end");
        self.count(&message)
    }

    fn count(&mut self, message: &Value) -> usize {
        let text = message["payload"]["data"]["generationEvents"]["text"]
            .as_str()
            .unwrap_or_default();
        self.bytes += text.len();
        text.len()
    }

    async fn say(&mut self, message: Value) {
        self.socket
            .send(Message::text(message.to_string()))
            .await
            .expect("the socket is open");
    }

    async fn hear(&mut self) -> Value {
        loop {
            match self
                .socket
                .next()
                .await
                .expect("the socket is open")
                .expect("a message")
            {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }
}
