//! One in the place of another.

use serde_json::json;

use super::{QUICK, asked, told};
use crate::generation::ended;
use crate::harness::app::{TestApp, new_key};
use crate::harness::upstream::Reply;
use crate::send::with_upstream;
use crate::tree::{ids, message, shown};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_is_asked_when_one_fails_without_a_word() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    upstream.script([Reply::error(401, "invalid_request_error", "invalid_api_key", "no")]);
    let lanes = json!([{ "provider": "OPENAI", "model": "gpt-5-mini" }, { "model": "scripted:fail=unavailable,first=0" }, { "model": QUICK }]);
    let input = json!({ "chatId": chat, "content": "Hello", "idempotencyKey": new_key(), "reply": { "mode": "FALLBACK", "lanes": lanes } });
    let fields = "message { id } generation { id provider model keySource message { id } } generations { id }";
    let payload = ada.mutate("sendMessage", input, fields).await;
    let (question, generation) = ids(&payload);
    assert_eq!(payload["generations"].as_array().map(Vec::len), Some(1), "one answer");
    assert_eq!(payload["generation"]["provider"], "OPENAI");
    let end = ended(&ada, &generation).await;
    assert_eq!(end["status"], "COMPLETED", "{end}");
    let answer = payload["generation"]["message"]["id"].as_str().expect("an id");
    assert_eq!(shown(&ada, &chat).await, [question, answer.to_owned()]);
    let seen = message(
        &ada,
        answer,
        "siblings { id } generation { provider model keySource error { code } }",
    )
    .await;
    assert_eq!(
        seen,
        json!({ "siblings": [], "generation": { "provider": "SCRIPTED", "model": QUICK, "keySource": "NONE", "error": null } }),
        "who answered is who is named"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_sees_it() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let models = [
        "scripted:fail=rate_limited,first=0",
        "scripted:words=2,first=30,delay=0",
    ];
    let started = asked(&ada, &chat, "FALLBACK", &models).await;
    let events = ada
        .generation_events(&started.generations[0], Some(0))
        .await
        .rest()
        .await;
    let seen = events.iter().find(|event| event["__typename"] == "GenerationFellBack");
    // Who comes late finds the answer ended, and is told its end alone.
    if let Some(fell_back) = seen {
        assert_eq!(
            (&fell_back["provider"], &fell_back["model"], &fell_back["code"]),
            (&json!("SCRIPTED"), &json!(models[1]), &json!("RATE_LIMITED"))
        );
    }
    assert_eq!(events.last().expect("an end")["generation"]["status"], "COMPLETED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_first_word_nobody_takes_over() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let started = asked(
        &ada,
        &chat,
        "FALLBACK",
        &["scripted:fail=unavailable,at=2,first=0,delay=0", QUICK],
    )
    .await;
    let end = ended(&ada, &started.generations[0]).await;
    assert_eq!(
        (&end["status"], &end["error"]["code"]),
        (&json!("FAILED"), &json!("UNAVAILABLE"))
    );
    assert_ne!(end["text"], "", "what was said stays");

    let all_fail = [
        "scripted:fail=rate_limited,first=0",
        "scripted:fail=key_invalid,first=0",
    ];
    let started = asked(&ada, &chat, "FALLBACK", &all_fail).await;
    ended(&ada, &started.generations[0]).await;
    let seen = told(&ada, &started.answers[0]).await;
    assert_eq!(
        seen["generation"]["error"]["code"], "KEY_INVALID",
        "the last failure is the answer's"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_stops_the_substitutes_too() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let models = ["scripted:words=9,stall,first=0", QUICK];
    let started = asked(&ada, &chat, "FALLBACK", &models).await;
    let input = json!({ "generationId": started.generations[0] });
    let stopped = ada
        .mutate("stopGeneration", input, "generation { status text model }")
        .await;
    assert_eq!(
        stopped["generation"],
        json!({ "status": "STOPPED", "text": "", "model": models[0] })
    );
}
