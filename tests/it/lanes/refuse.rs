//! What cannot be asked is refused as a whole, before anything is stored.

use serde_json::json;

use super::{QUICK, STALLED, asked};
use crate::harness::app::{TestApp, new_key};
use crate::tree::shown;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_cannot_be_refuses_all() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let bob = app.user("bob").await;
    let muse = bob
        .mutate("createAssistant", json!({ "displayName": "Muse" }), "assistant { id }")
        .await["assistant"]["id"]
        .take();
    let chat = ada.chat(QUICK).await;
    let quick = json!({ "model": QUICK });
    for (reply, code, field) in [
        (json!({ "lanes": [] }), "INVALID", vec!["lanes"]),
        (json!({ "lanes": vec![quick.clone(); 5] }), "INVALID", vec!["lanes"]),
        (json!({ "lanes": [quick], "model": QUICK }), "INVALID", vec!["lanes"]),
        (
            json!({ "lanes": [quick, { "provider": "OPENAI" }] }),
            "KEY_MISSING",
            vec!["lanes", "1", "provider"],
        ),
        (
            json!({ "mode": "FALLBACK", "lanes": [quick, quick, { "provider": "OPENAI" }] }),
            "KEY_MISSING",
            vec!["lanes", "2", "provider"],
        ),
        (
            json!({ "lanes": [{ "model": "scripted:words=many" }] }),
            "INVALID",
            vec!["lanes", "0", "model"],
        ),
        (
            json!({ "lanes": [quick, { "assistantId": muse }] }),
            "NOT_FOUND",
            vec!["lanes", "1", "assistantId"],
        ),
    ] {
        let input = json!({ "chatId": chat, "content": "Hello", "idempotencyKey": new_key(), "reply": reply });
        let payload = ada
            .mutate("sendMessage", input, "message { id } generations { id }")
            .await;
        assert_eq!(payload["errors"][0]["code"], code, "{reply}: {payload}");
        let path: Vec<&str> = ["input", "reply"].into_iter().chain(field).collect();
        assert_eq!(payload["errors"][0]["field"], json!(path), "{reply}");
        assert_eq!(
            (&payload["message"], &payload["generations"]),
            (&json!(null), &json!([]))
        );
    }
    assert!(shown(&ada, &chat).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_lane_counts_as_a_running_answer() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for _ in 0..3 {
        let chat = ada.chat(QUICK).await;
        asked(&ada, &chat, "COMPARE", &[STALLED; 4]).await;
    }
    let chat = ada.chat(QUICK).await;
    let started = asked(&ada, &chat, "COMPARE", &[STALLED]).await;
    let lanes = json!({ "mode": "RACE", "lanes": vec![json!({ "model": STALLED }); 4] });
    let input = json!({ "chatId": chat, "content": "Hello", "idempotencyKey": new_key(), "reply": lanes });
    let refused = ada.mutate("sendMessage", input, "").await;
    assert_eq!(refused["errors"][0]["code"], "LIMIT_REACHED", "{refused}");
    assert_eq!(shown(&ada, &chat).await, [started.question, started.answers[0].clone()]);
    asked(&ada, &chat, "FALLBACK", &[STALLED; 3]).await;
    asked(&ada, &chat, "RACE", &[STALLED; 2]).await;
}
