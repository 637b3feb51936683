//! What is around the API: other sites, health, and what is not there.

use parlor::server::doors::DoorSettings;
use reqwest::StatusCode;
use reqwest::header::ORIGIN;
use serde_json::json;

use super::http::header;
use super::{Door, code, json as body};

#[tokio::test]
async fn pages_of_listed_origins_may_call() {
    let settings = DoorSettings {
        origins: vec!["https://chat.example.com".to_owned()],
        ..DoorSettings::default()
    };
    let door = Door::with(settings).await;
    for (origin, allowed) in [
        ("https://chat.example.com", true),
        ("https://evil.example.com", false),
        ("http://localhost:3000", false),
    ] {
        let response = door
            .post(&json!({ "query": "{ hello }" }))
            .header(ORIGIN, origin)
            .send()
            .await
            .expect("an answer");
        let told = header(response.headers(), "access-control-allow-origin");
        assert_eq!(told == origin, allowed, "{origin}");
    }
}

#[tokio::test]
async fn health_and_the_unknown_answer_in_json() {
    let door = Door::open().await;
    let get = async |path: &str| {
        reqwest::get(format!("http://{}{path}", door.address))
            .await
            .expect("an answer")
    };
    assert_eq!(get("/livez").await.status(), StatusCode::OK);
    assert_eq!(get("/readyz").await.status(), StatusCode::OK);
    let unknown = get("/nothing").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert_eq!(header(unknown.headers(), "x-content-type-options"), "nosniff");
    assert_eq!(code(&body(unknown).await), "NOT_FOUND");
}
