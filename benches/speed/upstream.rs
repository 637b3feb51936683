//! A provider that speaks Chat Completions. The model's name says what it does: `tokens=200,rate=50` streams 200 tokens,
//! 50 a second; a rate of 0 is as fast as it goes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What every token says.
pub const TOKEN: &str = " token";

/// The provider, running.
pub struct Upstream {
    address: SocketAddr,
    http: reqwest::Client,
}

impl Upstream {
    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().route("/v1/chat/completions", post(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Upstream {
            address,
            http: reqwest::Client::new(),
        }
    }

    /// Where it is.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Asks without Parlor, until the first token.
    pub async fn ask_directly(&self, model: &str) {
        let body = json!({ "model": model, "stream": true, "messages": [{ "role": "user", "content": "Go" }] });
        let url = format!("{}/chat/completions", self.base_url());
        let response = self
            .http
            .post(url)
            .bearer_auth("sk-bench")
            .json(&body)
            .send()
            .await
            .expect("an answer");
        let mut seen = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            seen.extend_from_slice(&chunk.expect("a chunk"));
            if String::from_utf8_lossy(&seen).contains(TOKEN) {
                return;
            }
        }
        panic!("no token came");
    }
}

async fn answer(Json(request): Json<Value>) -> axum::response::Response {
    let model = request["model"].as_str().unwrap_or_default();
    let setting = |name: &str| {
        model
            .split(',')
            .find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok())
    };
    let (tokens, rate) = (setting("tokens").unwrap_or(1), setting("rate").unwrap_or(0));
    let event = |delta: Value, finish: Value| {
        let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "model": "bench",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] });
        format!("data: {chunk}\n\n")
    };
    let token = Bytes::from(event(json!({ "content": TOKEN }), Value::Null));
    let end = event(json!({}), json!("stop")) + "data: [DONE]\n\n";
    let start = tokio::time::Instant::now();
    let tokens = stream::iter(0..tokens).then(move |number| {
        let token = token.clone();
        async move {
            // At rate 0 all of them at once.
            if let Some(after) = (number * 1_000_000).checked_div(rate) {
                tokio::time::sleep_until(start + Duration::from_micros(after)).await;
            }
            Ok::<_, Infallible>(token)
        }
    });
    let body = tokens.chain(stream::once(async move { Ok(Bytes::from(end)) }));
    (
        [("content-type", "text/event-stream"), ("x-request-id", "bench")],
        Body::from_stream(body),
    )
        .into_response()
}
