//! Getting an account, and every way of not getting one.

use serde_json::{Value, json};

use super::{refusal, refusals, refused};
use crate::harness::app::{Client, PASSWORD, TestApp};

const FIELDS: &str = "tokens { accessToken } viewer { role user { username displayName } }";

fn good() -> Value {
    json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD })
}

fn with(field: &str, value: &str) -> Value {
    let mut input = good();
    input[field] = json!(value);
    input
}

async fn register(client: &Client, input: Value) -> Value {
    client.mutate("register", input, FIELDS).await
}

async fn accounts(app: &TestApp) -> i64 {
    let sql = app.sql().await;
    let row = sql.query_one("SELECT count(*) FROM users", &[]).await.expect("a count");
    row.get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_value_is_refused_by_name() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let endless = "a".repeat(10_000);
    let hundred_and_twenty_nine = "tall giraffes whisper! ".repeat(6)[..129].to_owned();
    for (field, code, value) in [
        ("username", "REQUIRED", ""),
        ("username", "REQUIRED", " \t "),
        ("username", "TOO_SHORT", "ad"),
        ("username", "TOO_LONG", &endless),
        ("username", "TOO_LONG", "a23456789012345678901234567890123"),
        ("username", "INVALID", "ada\nlovelace"),
        ("username", "INVALID", "ada lovelace"),
        ("username", "INVALID", "ada@example"),
        ("username", "INVALID", "-ada"),
        ("username", "INVALID", "аda"),
        ("username", "INVALID", "ad\u{202e}a"),
        ("email", "REQUIRED", ""),
        ("email", "INVALID", "ada"),
        ("email", "INVALID", "ada@"),
        ("email", "INVALID", "ada@example"),
        ("email", "INVALID", "ada@[127.0.0.1]"),
        ("email", "INVALID", "Ada <ada@example.com>"),
        ("email", "INVALID", "ada@\u{202e}moc.elpmaxe"),
        ("email", "INVALID", "ada@example.com\r\nBcc: eve@example.com"),
        ("email", "TOO_LONG", &endless),
        ("password", "TOO_SHORT", ""),
        ("password", "TOO_SHORT", "x9!Lq2z"),
        ("password", "TOO_LONG", &hundred_and_twenty_nine),
        ("password", "TOO_LONG", &endless),
        ("password", "WEAK_PASSWORD", "password"),
        ("password", "WEAK_PASSWORD", "12345678"),
        ("password", "WEAK_PASSWORD", "ada@example.com"),
        ("displayName", "TOO_LONG", &endless),
        ("displayName", "INVALID", "Ada\nLovelace"),
        ("displayName", "INVALID", "\u{202e}ecalevoL adA"),
        ("displayName", "INVALID", "Ada\u{200b}"),
    ] {
        let payload = register(&nobody, with(field, value)).await;
        let shown: String = value.chars().take(30).collect();
        assert_eq!(refusal(&payload), refused(code, &format!("input.{field}")), "{shown:?}");
        assert_eq!((&payload["tokens"], &payload["viewer"]), (&Value::Null, &Value::Null));
    }
    let all = json!({ "username": "", "email": "ada", "password": "short", "displayName": "\n!\n!" });
    let fields: Vec<String> = refusals(&register(&nobody, all).await)
        .into_iter()
        .map(|(_, field)| field)
        .collect();
    assert_eq!(
        fields,
        ["input.username", "input.email", "input.displayName", "input.password"]
    );
    assert_eq!(accounts(&app).await, 0, "nothing is stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_character_is_a_bad_request() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let query = "mutation ($input: RegisterInput!) { register(input: $input) { errors { code } } }";
    for half in ["\\ud800", "\\udc00\\ud800", "a\\udfff"] {
        let input = good().to_string().replace("\"ada\"", &format!("\"{half}\""));
        let body = format!(r#"{{"query":{},"variables":{{"input":{input}}}}}"#, json!(query));
        let (status, answer) = nobody.post_text(body).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer["errors"][0]["extensions"]["code"].is_string(), "{answer}");
        let literal = format!(
            r#"mutation {{ register(input: {{ username: "{half}", email: "a@example.com", password: "{PASSWORD}" }}) {{ errors {{ code }} }} }}"#
        );
        let answer = nobody.run(&literal, json!({})).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "GRAPHQL_PARSE_FAILED",
            "{answer}"
        );
    }
    assert_eq!(accounts(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_character_that_cannot_be_stored_is_a_bad_request() {
    let app = TestApp::start().await;
    let query = "mutation ($input: RegisterInput!) { register(input: $input) { errors { code } } }";
    for field in ["username", "email", "password", "displayName"] {
        let input = with(field, "seven tall\0giraffes whisper");
        let answer = app.anonymous().run(query, json!({ "input": input })).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{field}: {answer}"
        );
    }
    assert_eq!(accounts(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_addresses_are_taken_in_any_case() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let first = register(&nobody, good()).await;
    assert_eq!(first["viewer"]["role"], "USER");
    assert_eq!(
        first["viewer"]["user"],
        json!({ "username": "ada", "displayName": "ada" })
    );
    let token = first["tokens"]["accessToken"].as_str().expect("a token");
    assert_eq!(nobody.with_token(token).whoami().await, "ada");

    let same_name = json!({ "username": "ADA", "email": "other@example.com", "password": PASSWORD });
    assert_eq!(
        refusal(&register(&nobody, same_name).await),
        refused("TAKEN", "input.username")
    );
    let same_address = json!({ "username": "other", "email": "Ada@Example.COM", "password": PASSWORD });
    assert_eq!(
        refusal(&register(&nobody, same_address).await),
        refused("TAKEN", "input.email")
    );
    assert_eq!(accounts(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_at_once_one_gets_the_name() {
    let app = TestApp::start().await;
    let nobody = app.anonymous();
    let attempts = (0..4).map(|number| {
        let input = with("email", &format!("ada{number}@example.com"));
        register(&nobody, input)
    });
    let payloads = futures_util::future::join_all(attempts).await;
    let (made, refused): (Vec<_>, Vec<_>) = payloads.iter().partition(|payload| payload["tokens"].is_object());
    assert_eq!(made.len(), 1);
    assert!(
        refused
            .iter()
            .all(|payload| refusal(payload) == super::refused("TAKEN", "input.username"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_server_takes_nobody() {
    let app = TestApp::with(&["--registration=closed"]).await;
    let nobody = app.anonymous();
    let payload = register(&nobody, good()).await;
    assert_eq!(refusal(&payload), refused("INVALID_STATE", ""));
    let info = nobody.ok("{ serverInfo { registration } }", json!({})).await;
    assert_eq!(info["serverInfo"]["registration"], "CLOSED");
    assert_eq!(accounts(&app).await, 0);
}
