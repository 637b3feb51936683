//! Setting a key: the provider is asked first, and only where the server may ask.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{OTHER, SECRET, SHOWN, keep, keys, refusal, with_upstream};
use crate::harness::app::{Client, TestApp};
use crate::harness::upstream::{Reply, Upstream};

async fn set(client: &Client, upstream: &Upstream, secret: &str) -> Value {
    let input = json!({ "provider": "OPENAI", "secret": secret, "baseUrl": upstream.url(), "label": "work" });
    client.mutate("setApiKey", input, SHOWN).await
}

fn models() -> Reply {
    Reply::status(200).json(&json!({ "object": "list", "data": [] }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_provider_is_asked_first() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    upstream.script([models()]);
    let payload = set(&ada, &upstream, &format!("  {SECRET}\n")).await;
    assert_eq!(payload["errors"], json!([]));
    let asked = &upstream.requests()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/v1/models"));
    assert_eq!(asked.headers["authorization"], format!("Bearer {SECRET}"));
    let key = &payload["apiKey"];
    assert_eq!((&key["hint"], &key["label"]), (&json!("sk-proj-…a1b2"), &json!("work")));
    assert_eq!(
        (&key["provider"], &key["baseUrl"]),
        (&json!("OPENAI"), &json!(upstream.url()))
    );
    assert_eq!(
        (&key["health"]["accepted"], &key["lastUsedAt"]),
        (&json!(true), &Value::Null)
    );

    upstream.script([models()]);
    let replaced = set(&ada, &upstream, OTHER).await["apiKey"].clone();
    assert_eq!(replaced["id"], key["id"], "the row keeps its id");
    assert_eq!(replaced["hint"], "sk-proj-…c3d4");
    assert_ne!(replaced["fingerprint"], key["fingerprint"]);
    assert_eq!(keys(&ada).await.as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_key_is_not_kept() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    let classic = "Invalid API key. Please check your OpenAI API key in profile settings.";
    let words = format!("Incorrect API key provided: {SECRET}");
    let unauthorized = || Reply::error(401, "invalid_request_error", "invalid_api_key", &words);
    upstream.script([unauthorized()]);
    let payload = set(&ada, &upstream, SECRET).await;
    assert_eq!(refusal(&payload), ("KEY_INVALID", "input.secret".to_owned(), classic));
    assert_eq!((&payload["apiKey"], keys(&ada).await), (&Value::Null, json!([])));

    // A key that is there survives a refused one.
    let kept = keep(&ada, &upstream, OTHER).await;
    upstream.script([unauthorized()]);
    assert_eq!(refusal(&set(&ada, &upstream, SECRET).await).0, "KEY_INVALID");
    assert_eq!(keys(&ada).await[0]["hint"], kept["hint"]);

    for (reply, code, field) in [
        (Reply::status(503), "PROVIDER_UNAVAILABLE", "input.baseUrl"),
        (Reply::status(404), "PROVIDER_UNAVAILABLE", "input.baseUrl"),
        (
            Reply::status(200).bytes("<html>hello</html>"),
            "PROVIDER_UNAVAILABLE",
            "input.baseUrl",
        ),
        (
            Reply::status(302).header("location", "http://169.254.169.254/"),
            "PROVIDER_UNAVAILABLE",
            "input.baseUrl",
        ),
        (
            Reply::status(429).header("retry-after", "7"),
            "PROVIDER_UNAVAILABLE",
            "input.secret",
        ),
    ] {
        upstream.script([reply]);
        let before = upstream.requests().len();
        let payload = set(&ada, &upstream, SECRET).await;
        let (refused, at, message) = refusal(&payload);
        assert_eq!((refused, at.as_str()), (code, field), "{message}");
        assert_eq!(upstream.requests().len(), before + 1, "asked once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_not_there_is_said_to_be_so() {
    let (app, upstream) = with_upstream(&[]).await;
    let ada = app.user("ada").await;
    let url = upstream.url();
    drop(upstream);
    let input = json!({ "provider": "OPENAI_COMPATIBLE", "secret": SECRET, "baseUrl": url });
    let payload = ada.mutate("setApiKey", input, SHOWN).await;
    let (code, field, message) = refusal(&payload);
    assert_eq!((code, field.as_str()), ("PROVIDER_UNAVAILABLE", "input.baseUrl"));
    assert!(
        message.contains("OpenAI-compatible") && !message.contains("127.0.0.1"),
        "{message}"
    );
    assert_eq!(keys(&ada).await, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_go_only_where_the_operator_allows() {
    let strict = TestApp::start().await;
    let open = TestApp::with(&["--base-urls=*"]).await;
    let (ada, bob) = (strict.user("ada").await, open.user("bob").await);
    let query = "mutation ($input: SetApiKeyInput!) { setApiKey(input: $input) { errors { code field } } }";
    let asked = async |client: &Client, url: &str| {
        let input = json!({ "provider": "OPENAI_COMPATIBLE", "secret": SECRET, "baseUrl": url, "verify": false });
        client.ok(query, json!({ "input": input })).await["setApiKey"]["errors"].clone()
    };
    let refused = json!([{ "code": "BASE_URL_NOT_ALLOWED", "field": ["input", "baseUrl"] }]);
    let everywhere = [
        "http://api.openai.com/v1",
        "https://key:secret@api.openai.com/v1",
        "https://api.openai.com/v1#fragment",
        "https://localhost/v1",
        "https://localhost./v1",
        "https://llm.internal/v1",
        "https://metadata.google.internal/v1",
        "https://router/v1",
        "http://127.0.0.1:11434/v1",
        "https://127.0.0.1/v1",
        "https://127.1/v1",
        "https://2130706433/v1",
        "https://0x7f000001/v1",
        "https://0177.0.0.1/v1",
        "https://0/v1",
        "https://10.0.0.1/v1",
        "https://172.16.0.1/v1",
        "https://192.168.1.1/v1",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/v1",
        "https://[::ffff:127.0.0.1]/v1",
        "https://[::ffff:a9fe:a9fe]/v1",
        "https://[fe80::1]/v1",
        "https://[fd00::1]/v1",
        "https://[64:ff9b::7f00:1]/v1",
        "https://１２７.0.0.1/v1",
        "ftp://api.openai.com/v1",
        "file:///etc/passwd",
        "gopher://api.openai.com",
        "//api.openai.com/v1",
        "not a URL",
        &format!("https://api.openai.com/{}", "a".repeat(500)),
    ];
    for client in [&ada, &bob] {
        let answers = join_all(everywhere.iter().map(|url| asked(client, url))).await;
        for (url, answer) in everywhere.iter().zip(answers) {
            assert_eq!(answer, refused, "{url}");
        }
    }
    assert_eq!(
        asked(&ada, "https://llm.example.com/v1").await,
        refused,
        "not on the list"
    );
    assert_eq!(asked(&bob, "https://llm.example.com/v1").await, json!([]));
    assert_eq!(
        asked(&ada, "https://openrouter.ai/api/v1").await,
        json!([]),
        "well known"
    );
    assert_eq!(keys(&ada).await.as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_key_is_refused_by_field() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let endless = "a".repeat(10_000);
    for (input, code, field) in [
        (json!({ "provider": "OPENAI" }), "REQUIRED", "input.secret"),
        (
            json!({ "provider": "OPENAI", "secret": " \n" }),
            "REQUIRED",
            "input.secret",
        ),
        (
            json!({ "provider": "OPENAI", "secret": "sk-one sk-two" }),
            "INVALID",
            "input.secret",
        ),
        (
            json!({ "provider": "OPENAI", "secret": "sk-ключ" }),
            "INVALID",
            "input.secret",
        ),
        (
            json!({ "provider": "OPENAI", "secret": "sk-a\r\nHost: evil" }),
            "INVALID",
            "input.secret",
        ),
        (
            json!({ "provider": "OPENAI", "secret": endless }),
            "TOO_LONG",
            "input.secret",
        ),
        (
            json!({ "provider": "OPENAI", "secret": SECRET, "label": endless }),
            "TOO_LONG",
            "input.label",
        ),
        (
            json!({ "provider": "OPENAI", "secret": SECRET, "label": "\u{202e}krow" }),
            "INVALID",
            "input.label",
        ),
        (
            json!({ "provider": "OPENAI_COMPATIBLE", "secret": SECRET }),
            "REQUIRED",
            "input.baseUrl",
        ),
        (
            json!({ "provider": "SCRIPTED", "secret": SECRET }),
            "INVALID",
            "input.provider",
        ),
    ] {
        let payload = ada.mutate("setApiKey", input.clone(), SHOWN).await;
        let (refused, at, _) = refusal(&payload);
        assert_eq!((refused, at.as_str()), (code, field), "{input}");
    }
    assert_eq!(keys(&ada).await, json!([]));
}
