//! What is kept: whole answers, and nothing that is less.

use serde_json::{Value, json};

use super::{Room, asked, chat, hello, told};
use crate::harness::app::new_key;
use crate::harness::upstream::{Gate, Reply};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_less_than_an_answer_is_not_kept() {
    let room = Room::open().await;
    let ends = [
        ("too long", Reply::stream().word("first").finish("length").done()),
        (
            "filtered",
            Reply::stream().word("first").finish("content_filter").done(),
        ),
        (
            "of a strange end",
            Reply::stream().word("first").finish("sleepy").done(),
        ),
        ("cut", Reply::stream().word("first").cut()),
        (
            "refused",
            Reply::error(401, "invalid_request_error", "invalid_api_key", "no"),
        ),
        ("empty", Reply::stream().stop()),
        ("blank", Reply::stream().word(" \n").stop()),
    ];
    for (count, (why, reply)) in ends.into_iter().enumerate() {
        room.upstream.script([reply]);
        let answer = hello(&room.ada).await;
        assert_eq!(
            (&answer["cached"], room.requests()),
            (&json!(false), count + 1),
            "{why}"
        );
        assert_eq!(room.kept().await, 0, "{why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stopped_is_not_kept() {
    let room = Room::open().await;
    let gate = Gate::new();
    room.upstream.script([Reply::stream().word("first").hold(&gate).stop()]);
    let chat = chat(&room.ada, json!({})).await;
    let id = room.ada.send(&chat, "Hello?").await;
    let mut events = room.ada.generation_events(&id, None).await;
    while events.next().await.expect("more")["sequence"] != 1 {}
    let input = json!({ "generationId": id });
    room.ada.mutate("stopGeneration", input, "generation { id }").await;
    assert_eq!(told(&room.ada, &id).await["status"], "STOPPED");
    assert_eq!(room.kept().await, 0);
    assert_eq!(hello(&room.ada).await["cached"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_answer_goes_on_with_is_asked_for_and_not_kept() {
    let room = Room::open().await;
    let cut = || Reply::stream().word("Once upon").finish("length").done();
    for count in [1, 2] {
        room.upstream.script([cut(), Reply::says(&[" a time"])]);
        let first = hello(&room.ada).await;
        assert_eq!(first["finishReason"], "LENGTH");
        let input = json!({ "generationId": first["id"], "idempotencyKey": new_key() });
        let payload = room.ada.mutate("continueGeneration", input, "generation { id }").await;
        let rest = told(&room.ada, payload["generation"]["id"].as_str().expect("an id")).await;
        assert_eq!(
            (&rest["text"], &rest["cached"], &rest["finishReason"]),
            (&json!("Once upon a time"), &json!(false), &json!("STOP"))
        );
        assert_eq!((room.requests(), room.kept().await), (2 * count, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_used_tools_is_not_kept() {
    let room = Room::open().await;
    let call = json!({ "index": 0, "id": "call_1", "type": "function", "function": { "name": "search_chats", "arguments": "{\"query\":\"tea\"}" } });
    let choice = json!({ "index": 0, "delta": { "tool_calls": [call] }, "finish_reason": null });
    let chunk = json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m-1", "choices": [choice] });
    for count in [1, 2] {
        let asks = Reply::stream().data(&chunk.to_string()).finish("tool_calls").done();
        room.upstream.script([asks, Reply::says(&["Nothing."])]);
        let chat = chat(&room.ada, json!({})).await;
        let tools = json!({ "chatId": chat, "builtinTools": ["SEARCH_CHATS"] });
        room.ada.mutate("updateChat", tools, "chat { id }").await;
        let answer = asked(&room.ada, &chat, "Did I speak of tea?", Value::Null).await;
        assert_eq!(
            (&answer["text"], &answer["cached"], room.requests()),
            (&json!("Nothing."), &json!(false), 2 * count)
        );
    }
    assert_eq!(room.kept().await, 0);
}
