//! Accounts from outside: getting one, signing in, staying signed in, and being signed out.

mod login;
mod profile;
mod refresh;
mod register;
mod revocation;
mod sessions;
mod tokens;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::app::Client;
use crate::harness::stream::Subscription;

/// What "within 5 s" allows, and a little for a busy machine.
const SOON: Duration = Duration::from_secs(8);

/// The refusals in a payload as `(code, field)`.
fn refusals(payload: &Value) -> Vec<(String, String)> {
    let errors = payload["errors"].as_array().unwrap_or_else(|| panic!("{payload}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    errors
        .iter()
        .map(|error| {
            assert!(!text(&error["message"]).is_empty(), "{error}");
            let path = error["field"].as_array().cloned().unwrap_or_default();
            let path: Vec<String> = path.iter().map(text).collect();
            (text(&error["code"]), path.join("."))
        })
        .collect()
}

/// The one refusal in a payload.
fn refusal(payload: &Value) -> (String, String) {
    let mut all = refusals(payload);
    assert_eq!(all.len(), 1, "{payload}");
    all.remove(0)
}

fn refused(code: &str, field: &str) -> (String, String) {
    (code.to_owned(), field.to_owned())
}

/// What exchanging a refresh token gives.
async fn refresh(client: &Client, token: &str) -> Value {
    let input = json!({ "refreshToken": token });
    client
        .mutate("refreshSession", input, "tokens { accessToken refreshToken expiresAt }")
        .await
}

/// A live stream that has begun.
async fn follow(client: &Client) -> Subscription {
    let mut stream = client
        .subscribe("subscription { events(ephemeral: false) { __typename } }", json!({}))
        .await;
    assert_eq!(stream.next().await.expect("a beginning")["__typename"], "StreamReady");
    stream
}

/// Waits until a stream is ended because its session is over; nothing may come before that.
async fn ended(stream: &mut Subscription) {
    let last = tokio::time::timeout(SOON, stream.result())
        .await
        .expect("the stream ends soon");
    let last = last.expect("an answer that says why");
    assert_eq!(last["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{last}");
    assert!(stream.result().await.is_none(), "nothing comes after the end");
}

/// Makes a stream's owner cause an event and waits for it: the stream is alive.
async fn alive(client: &Client, stream: &mut Subscription) {
    client.chat("scripted").await;
    let event = tokio::time::timeout(SOON, stream.next()).await.expect("an event soon");
    assert_eq!(event.expect("an event")["__typename"], "ChatUpserted");
}
