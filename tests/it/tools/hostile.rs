//! Tool servers that mean ill, are broken, or are slow: a call ends in words for the model, in time and in bounds.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{SHOWN, add, call, refusals, with_workshop};
use crate::harness::app::TestApp;
use crate::harness::upstream::{Reply, Upstream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_tool_says_is_cut_and_named() {
    let (app, mcp) = with_workshop(&["--tool-seconds=1"]).await;
    let ada = app.user("ada").await;
    let id = add(&ada, json!({ "name": "notes", "url": mcp.url() })).await;
    let huge = call(&app, &ada, &id, "huge", json!({})).await;
    assert!(!huge.failed && huge.text.len() < 34_000, "{}", huge.text.len());
    assert!(
        huge.text
            .ends_with("[cut here: the result has 1000000 bytes, and these are the first 32768]")
    );
    let image = call(&app, &ada, &id, "image", json!({})).await;
    assert_eq!(image.text, "[an image was left out here: image/png, 15 bytes]");
    let broken = call(&app, &ada, &id, "broken", json!({})).await;
    assert_eq!((broken.failed, broken.text.as_str()), (true, "out of paper"));
    let unknown = call(&app, &ada, &id, "nothing", json!({})).await;
    assert!(
        unknown.failed && unknown.text.contains("no tool is called nothing"),
        "{unknown:?}"
    );
    let nul = call(&app, &ada, &id, "echo", json!({ "text": "a\0b" })).await;
    assert_eq!(nul.text, "a\u{FFFD}b", "Postgres has no NUL");
    for arguments in [json!([1]), json!("text"), json!({ "text": "x".repeat(70_000) })] {
        let refused = call(&app, &ada, &id, "echo", arguments).await;
        assert!(
            refused.failed && refused.text.starts_with("The arguments are"),
            "{refused:?}"
        );
    }
    let began = Instant::now();
    let slow = call(&app, &ada, &id, "slow", json!({})).await;
    assert!(slow.failed && slow.text.contains("within 1 seconds"), "{slow:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let after = call(&app, &ada, &id, "echo", json!({ "text": "still here" })).await;
    assert_eq!(after.text, "still here");
}

/// What comes of adding a server that answers every request like this.
async fn added(reply: Reply) -> (Value, Upstream) {
    let upstream = Upstream::start().await;
    upstream.script(std::iter::repeat_n(reply, 20));
    let app = TestApp::with(&[&format!("--base-urls=http://127.0.0.1:{}", upstream.port())]).await;
    let ada = app.user("ada").await;
    let input = json!({ "name": "odd", "url": upstream.url() });
    let payload = ada.mutate("addToolServer", input, SHOWN).await;
    (payload, upstream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_not_followed() {
    let target = Upstream::start().await;
    for status in [301, 302, 307, 308] {
        let reply = Reply::status(status).header("location", target.url().as_str());
        let (payload, upstream) = added(reply).await;
        assert_eq!(
            refusals(&payload),
            [("TOOL_SERVER_UNAVAILABLE".into(), String::new())],
            "{status}"
        );
        assert!(!upstream.requests().is_empty());
    }
    assert_eq!(target.requests().len(), 0, "nobody was sent there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_no_server() {
    let event = |data: &str| Reply::stream().data(data);
    for (what, reply) in [
        (
            "a page",
            Reply::status(200)
                .header("content-type", "text/html")
                .bytes("<html>hello</html>"),
        ),
        (
            "no JSON",
            Reply::status(200)
                .header("content-type", "application/json")
                .bytes("{\"jsonrpc\":"),
        ),
        ("another JSON", Reply::status(200).json(&json!({ "hello": "world" }))),
        ("another event", event("{\"hello\":\"world\"}")),
        ("an error", Reply::status(500)),
        (
            "a cut",
            Reply::status(200)
                .header("content-type", "application/json")
                .bytes("{")
                .cut(),
        ),
        (
            "too much",
            Reply::stream().bytes(format!("data: {}\n\n", "x".repeat(5 * 1024 * 1024))),
        ),
    ] {
        let (payload, _upstream) = added(reply).await;
        let errors = &payload["errors"];
        assert_eq!(
            refusals(&payload),
            [("TOOL_SERVER_UNAVAILABLE".into(), String::new())],
            "{what}"
        );
        assert!(!errors.to_string().contains("hello"), "{what}: {errors}");
    }
    let (payload, _upstream) = added(Reply::status(401)).await;
    let words = payload["errors"][0]["message"].as_str().expect("words");
    assert_eq!(words, "The tool server refuses to let us in. Check its headers.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_answer_is_given_up() {
    let reply = Reply::status(200)
        .header("content-type", "application/json")
        .forever(vec![b' '; 64 * 1024]);
    let (payload, upstream) = added(reply).await;
    assert_eq!(refusals(&payload), [("TOOL_SERVER_UNAVAILABLE".into(), String::new())]);
    upstream.hung_up(1).await;
}
