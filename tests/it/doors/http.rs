//! GraphQL over HTTP.

use std::time::Duration;

use parlor::server::doors::DoorSettings;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde_json::json;

use super::{Door, code, json as body, soon};

const GRAPHQL: &str = "application/graphql-response+json";

pub(super) fn header(headers: &HeaderMap, name: impl reqwest::header::AsHeaderName) -> String {
    headers
        .get(name)
        .map(|value| value.to_str().expect("text").to_owned())
        .unwrap_or_default()
}

#[tokio::test]
async fn the_form_of_the_answer_is_negotiated() {
    let door = Door::open().await;
    for (accept, expected) in [
        (Some(GRAPHQL), "application/graphql-response+json; charset=utf-8"),
        (Some("application/json"), "application/json; charset=utf-8"),
        (Some("*/*"), "application/json; charset=utf-8"),
    ] {
        let mut request = door.post(&json!({ "query": "{ hello }" }));
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header(response.headers(), CONTENT_TYPE), expected);
        assert_eq!(body(response).await, json!({ "data": { "hello": "world" } }));
    }
    let refused = door
        .post(&json!({ "query": "{ hello }" }))
        .header(ACCEPT, "text/html")
        .send()
        .await
        .expect("an answer");
    assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn a_failure_before_execution_has_no_data_and_a_status() {
    let door = Door::open().await;
    for (request, expected) in [
        (json!({ "query": "{" }), "GRAPHQL_PARSE_FAILED"),
        (json!({ "query": "{ nope }" }), "GRAPHQL_VALIDATION_FAILED"),
        (
            json!({ "query": "query($v: Int!) { number(value: $v) }" }),
            "BAD_USER_INPUT",
        ),
        (
            json!({ "query": "query($v: Int!) { number(value: $v) }", "variables": { "v": "x" } }),
            "BAD_USER_INPUT",
        ),
        (
            json!({ "query": "query A { hello } query B { hello }" }),
            "OPERATION_RESOLUTION_FAILURE",
        ),
        (
            json!({ "query": "{ hello }", "operationName": "A" }),
            "OPERATION_RESOLUTION_FAILURE",
        ),
        (
            json!({ "query": "{ hello }", "operationName": "a".repeat(10_000) }),
            "BAD_USER_INPUT",
        ),
        (
            json!({ "query": "query($t: String!) { echo(text: $t) }", "variables": { "t": "a\0" } }),
            "BAD_USER_INPUT",
        ),
        (
            json!({ "query": r#"{ echo(text: "\ud800") }"# }),
            "GRAPHQL_PARSE_FAILED",
        ),
    ] {
        let response = door
            .post(&request)
            .header(ACCEPT, GRAPHQL)
            .send()
            .await
            .expect("an answer");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{request}");
        let answer = body(response).await;
        assert_eq!(code(&answer), expected, "{answer}");
        assert_eq!(answer.get("data"), None, "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_request_is_the_clients_fault() {
    let door = Door::open().await;
    let nested = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let bodies: [Vec<u8>; 9] = [
        b"".to_vec(),
        b"{".to_vec(),
        b"[]".to_vec(),
        b"7".to_vec(),
        b"{\"query\":\"{ hello }\xff\"}".to_vec(),
        br#"{"query":"{ hello }","variables":{"t":"\ud800"}}"#.to_vec(),
        br#"{"query":"{ hello }","variables":7}"#.to_vec(),
        br#"{"query":"{ hello }","variables":{"n":1e999}}"#.to_vec(),
        format!(r#"{{"query":"{{ hello }}","variables":{{"n":{nested}}}}}"#).into_bytes(),
    ];
    for bytes in bodies {
        let response = door
            .post(&json!({}))
            .body(bytes.clone())
            .send()
            .await
            .expect("an answer");
        assert_eq!(
            response.status(),
            StatusCode::BAD_REQUEST,
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        assert_eq!(code(&body(response).await), "BAD_REQUEST");
    }
    let long = door
        .post(&json!({ "query": " ".repeat(300_000) }))
        .send()
        .await
        .expect("an answer");
    assert_eq!(long.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_another_site_could_forge_is_refused() {
    let door = Door::open().await;
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ] {
        let request = || {
            reqwest::Client::new()
                .post(door.url())
                .header(CONTENT_TYPE, content_type)
                .body(r#"{"query":"{ hello }"}"#)
        };
        let forged = request().send().await.expect("an answer");
        assert_eq!(forged.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(code(&body(forged).await), "CSRF_PREVENTION");
        let honest = request()
            .header("apollo-require-preflight", "1")
            .send()
            .await
            .expect("an answer");
        assert_eq!(code(&body(honest).await), "UNSUPPORTED_MEDIA_TYPE");
    }
}

#[tokio::test]
async fn mutations_never_run_on_get() {
    let door = Door::open().await;
    let get = async |query: &str| {
        let url = url::Url::parse_with_params(&door.url(), [("query", query)]).expect("a URL");
        reqwest::get(url).await.expect("an answer")
    };
    assert_eq!(
        body(get("{ hello }").await).await,
        json!({ "data": { "hello": "world" } })
    );
    let refused = get("mutation { rename(name: \"x\") }").await;
    assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(header(refused.headers(), ALLOW), "POST");
    let put = reqwest::Client::new().put(door.url()).send().await.expect("an answer");
    assert_eq!(put.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn batches_are_answered_in_order_and_capped() {
    let door = Door::open().await;
    let batch =
        json!([{ "query": "{ hello }" }, { "query": "{ nope }" }, { "query": "subscription { count(to: 1) }" }]);
    let answers = body(door.post(&batch).send().await.expect("an answer")).await;
    assert_eq!(answers[0], json!({ "data": { "hello": "world" } }));
    assert_eq!(code(&answers[1]), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(code(&answers[2]), "BAD_REQUEST");
    let long = json!(vec![json!({ "query": "{ hello }" }); 11]);
    assert_eq!(
        code(&body(door.post(&long).send().await.expect("an answer")).await),
        "BATCH_TOO_LARGE"
    );
}

#[tokio::test]
async fn few_of_a_batch_run_at_once() {
    let door = Door::open().await;
    let numbers = 0..10;
    let batch: Vec<_> = numbers
        .clone()
        .map(|number| json!({ "query": format!("{{ crowd(number: {number}) }}") }))
        .collect();
    let answers = body(door.post(&json!(batch)).send().await.expect("an answer")).await;
    let expected: Vec<_> = numbers.map(|number| json!({ "data": { "crowd": number } })).collect();
    assert_eq!(answers, json!(expected));
    assert_eq!(door.seen.most_inside.load(std::sync::atomic::Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_token_that_takes_too_long_to_look_up_is_told() {
    let door = Door::with(DoorSettings {
        authentication_timeout: Duration::from_millis(50),
        ..DoorSettings::default()
    })
    .await;
    let request = door.post(&json!({ "query": "{ me }" })).bearer_auth("stuck");
    let response = soon(request.send()).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(code(&body(response).await), "SERVICE_UNAVAILABLE");
}

#[tokio::test]
async fn a_token_makes_a_viewer_and_a_bad_one_makes_nobody() {
    let door = Door::open().await;
    let me = async |token: &str| {
        let request = door
            .post(&json!({ "query": "{ me }" }))
            .header(ACCEPT, GRAPHQL)
            .bearer_auth(token);
        request.send().await.expect("an answer")
    };
    assert_eq!(body(me("user-7").await).await["data"]["me"], "7");
    for token in ["expired", "ended", "garbage"] {
        assert_eq!(
            body(me(token).await).await,
            json!({ "data": { "me": null } }),
            "{token}"
        );
    }
    let away = me("away").await;
    assert_eq!(away.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(away.headers(), RETRY_AFTER), "5");
}

#[tokio::test]
async fn a_rate_limit_is_told_in_the_header_and_in_the_status_when_nothing_else_came() {
    let door = Door::open().await;
    let ask = async |query: &str, accept: &str| {
        door.post(&json!({ "query": query }))
            .header(ACCEPT, accept)
            .send()
            .await
            .expect("an answer")
    };
    let alone = ask("{ limitedNonNull }", GRAPHQL).await;
    assert_eq!(alone.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(header(alone.headers(), RETRY_AFTER), "7");
    assert_eq!(body(alone).await.get("data"), None);
    for (query, accept) in [
        ("{ limitedNonNull }", "application/json"),
        ("{ hello limited }", GRAPHQL),
    ] {
        let response = ask(query, accept).await;
        assert_eq!(
            (response.status(), header(response.headers(), RETRY_AFTER).as_str()),
            (StatusCode::OK, "7")
        );
        assert_eq!(code(&body(response).await), "RATE_LIMITED");
    }
}

#[tokio::test]
async fn nothing_internal_is_told() {
    let door = Door::open().await;
    for query in ["{ surprise }", "{ panic }"] {
        let answer = door.ask(query).await;
        assert_eq!(code(&answer), "INTERNAL_SERVER_ERROR");
        assert!(answer["errors"][0]["extensions"]["errorId"].is_string());
        let told = answer.to_string();
        assert!(!told.contains("users") && !told.contains("secret"), "{told}");
    }
}

#[tokio::test]
async fn failed_fields_are_null_and_nulls_spread() {
    let door = Door::open().await;
    for (query, expected) in [
        ("{ hello limited }", json!({ "hello": "world", "limited": null })),
        ("{ limited }", json!({ "limited": null })),
        ("{ hello limitedNonNull }", json!(null)),
        ("{ a: fragile { weak } }", json!({ "a": { "weak": null } })),
        ("{ fragile { name broken } }", json!(null)),
        (
            "{ fragile { name maybe { broken weak } } }",
            json!({ "fragile": { "name": "fragile", "maybe": null } }),
        ),
        (
            "{ fragile { many { name weak } } }",
            json!({ "fragile": { "many": [{ "name": "fragile", "weak": null }, null] } }),
        ),
        (
            "{ fragile { many { broken } } }",
            json!({ "fragile": { "many": [null, null] } }),
        ),
        (
            "{ fragile { maybe { all { ...F } } } } fragment F on Fragile { x: broken }",
            json!({ "fragile": { "maybe": null } }),
        ),
    ] {
        assert_eq!(door.ask(query).await["data"], expected, "{query}");
    }
}

#[tokio::test]
async fn persisted_queries_are_found_by_their_hash() {
    let door = Door::open().await;
    let query = "{ hello }";
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, query.as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
    let ask = async |request: serde_json::Value| body(door.post(&request).send().await.expect("an answer")).await;
    assert_eq!(
        code(&ask(json!({ "extensions": extensions })).await),
        "PERSISTED_QUERY_NOT_FOUND"
    );
    assert_eq!(
        code(&ask(json!({ "query": "{ me }", "extensions": extensions })).await),
        "BAD_USER_INPUT"
    );
    assert_eq!(
        ask(json!({ "query": query, "extensions": extensions })).await["data"]["hello"],
        "world"
    );
    assert_eq!(ask(json!({ "extensions": extensions })).await["data"]["hello"], "world");
}

#[tokio::test]
async fn an_operation_that_takes_too_long_is_given_up() {
    let door = Door::with(DoorSettings {
        execution_timeout: Duration::from_millis(50),
        ..DoorSettings::default()
    })
    .await;
    let response = soon(
        door.post(&json!({ "query": "{ never }" }))
            .header(ACCEPT, GRAPHQL)
            .send(),
    )
    .await
    .expect("an answer");
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(code(&body(response).await), "OPERATION_TIMEOUT");
}

#[tokio::test]
async fn a_mutation_goes_on_when_its_client_leaves() {
    let door = Door::open().await;
    let leaving = tokio::spawn(door.post(&json!({ "query": "mutation { slow }" })).send());
    soon(door.seen.began.notified()).await;
    leaving.abort();
    assert!(leaving.await.expect_err("it was cancelled").is_cancelled());
    door.seen.go_on.notify_one();
    door.shutdown.cancel();
    soon(door.serving).await.expect("the server stops well");
    assert_eq!(door.seen.finished.load(std::sync::atomic::Ordering::SeqCst), 1);
}
