//! Subscriptions in tests: GraphQL over SSE through the doors, without a socket.

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use http::{Request, header};
use parlor::server::Peer;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::app::Client;

/// A running subscription; dropped, it is over.
pub struct Subscription {
    body: BodyDataStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Starts a subscription.
    pub async fn subscribe(&self, query: &str, variables: Value) -> Subscription {
        self.stream(&json!({ "query": query, "variables": variables })).await
    }

    /// Starts what the body of a request asks for.
    pub async fn stream(&self, body: &Value) -> Subscription {
        let mut request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut request = request.body(Body::from(body.to_string())).expect("a request");
        request.extensions_mut().insert(Peer((self.address, 40_000).into()));
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        Subscription {
            body: response.into_body().into_data_stream(),
            buffer: Vec::new(),
        }
    }

    /// The events of one answer, to its end.
    pub async fn generation_events(&self, generation_id: &str, after: Option<i64>) -> Subscription {
        let query = "subscription ($id: ID!, $after: Int) { generationEvents(generationId: $id, after: $after) { \
            __typename generationId sequence \
            ... on GenerationSnapshot { text reasoning } \
            ... on GenerationDelta { channel text } \
            ... on GenerationRetrying { attempt afterMs code } ... on GenerationFellBack { provider model code } \
            ... on GenerationFinished { generation { status text sequence error { code message retryable retryAfterSeconds action } } } } }";
        self.subscribe(query, json!({ "id": generation_id, "after": after }))
            .await
    }
}

impl Subscription {
    /// The next whole result, with its `data` or `errors`; none at the end.
    pub async fn result(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let block = String::from_utf8(block).expect("UTF-8");
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                match field("event:") {
                    Some("next") => return Some(serde_json::from_str(field("data:").expect("data")).expect("JSON")),
                    Some("complete") => return None,
                    _ => continue,
                }
            }
            let chunk = self.body.next().await?.ok()?;
            self.buffer.extend_from_slice(&chunk);
        }
    }

    /// The next event: the one field of the result's data.
    pub async fn next(&mut self) -> Option<Value> {
        let mut result = self.result().await?;
        assert!(result.get("errors").is_none(), "{result:#}");
        let data = result["data"].take();
        data.as_object().and_then(|fields| fields.values().next()).cloned()
    }

    /// All events to the end.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// The next event of this type; others before it are dropped.
    pub async fn until(&mut self, typename: &str) -> Value {
        loop {
            let event = self
                .next()
                .await
                .unwrap_or_else(|| panic!("the stream ended before a {typename}"));
            if event["__typename"] == typename {
                return event;
            }
        }
    }
}

/// What a client shows after these events of one answer: snapshots replace, deltas append.
pub fn shown(events: &[Value]) -> String {
    let mut text = String::new();
    for event in events {
        match event["__typename"].as_str() {
            Some("GenerationSnapshot") => text = event["text"].as_str().unwrap_or_default().to_owned(),
            Some("GenerationDelta") if event["channel"] == "ANSWER" => {
                text.push_str(event["text"].as_str().unwrap_or_default());
            }
            _ => {}
        }
    }
    text
}
