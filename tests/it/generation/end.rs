//! Ends of other kinds: chats that go away, reasons to stop, and texts that Postgres cannot hold.

use serde_json::{Value, json};

use super::{ended, soon, state, upto};
use crate::harness::app::TestApp;
use crate::harness::stream::shown;
use crate::harness::upstream::Reply;
use crate::send::{plain_chat, rows, with_upstream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_ends_with_its_chat_or_its_history() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let sibling = app.sibling().await;
    for (count, mutation) in ["deleteChat", "clearHistory"].into_iter().enumerate() {
        let chat = plain_chat(&ada).await;
        upstream.script([Reply::stream().word("Hello").stall()]);
        let generation = ada.send(&chat, "Greet me").await;
        let mut watcher = ada.generation_events(&generation, None).await;
        let mut elsewhere = sibling.client_of(&ada).generation_events(&generation, None).await;
        upto(&mut watcher, 1).await;
        upto(&mut elsewhere, 0).await;
        let payload = soon(ada.mutate(mutation, json!({ "chatId": chat }), "")).await;
        assert_eq!(payload["errors"], json!([]));
        soon(upstream.hung_up(count + 1)).await;
        for stream in [&mut watcher, &mut elsewhere] {
            loop {
                let result = soon(stream.result()).await.expect("a word about it");
                if result.get("errors").is_some() {
                    assert_eq!(result["errors"][0]["extensions"]["code"], "NOT_FOUND");
                    break;
                }
            }
            assert_eq!(soon(stream.result()).await, None);
        }
        assert_eq!(state(&ada, &generation).await, Value::Null);
    }
    let rows = rows(&app).await;
    assert!(
        rows.contains(&("messages", 0)) && rows.contains(&("generations", 0)),
        "{rows:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nul_costs_one_character_and_not_the_answer() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    upstream.script([Reply::stream().thought("a\0b").word("one\0").word("\0two").stop()]);
    let generation = ada.send(&chat, "Say NUL").await;
    let events = ada.generation_events(&generation, None).await.rest().await;
    assert_eq!(
        shown(&events),
        "one\u{FFFD}\u{FFFD}two",
        "what is shown is what is stored"
    );
    let stored = state(&ada, &generation).await;
    assert_eq!(
        (&stored["status"], &stored["text"]),
        (&json!("COMPLETED"), &json!("one\u{FFFD}\u{FFFD}two"))
    );
    assert_eq!(stored["reasoning"], "a\u{FFFD}b");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_figures_do_not_keep_an_answer_from_ending() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = plain_chat(&ada).await;
    let most = u64::MAX;
    let usage = format!(
        r#"{{"choices":[],"usage":{{"prompt_tokens":{most},"completion_tokens":{most},"note":"a\u0000b","x\u0000":1,"cost":1e300}}}}"#
    );
    upstream.script([Reply::stream().word("Hello").finish("length").data(&usage).done()]);
    let generation = ada.send(&chat, "Count").await;
    let end = soon(ended(&ada, &generation)).await;
    assert_eq!((&end["status"], &end["text"]), (&json!("COMPLETED"), &json!("Hello")));
    let stored = state(&ada, &generation).await;
    assert_eq!(
        (&stored["finishReason"], &stored["usage"]["inputTokens"]),
        (&json!("LENGTH"), &json!((1u64 << 53) - 1))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_used_is_recorded() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=5,reasoning=3,first=0,delay=0").await;
    let generation = ada.send(&chat, "one two three").await;
    ended(&ada, &generation).await;
    let stored = state(&ada, &generation).await;
    assert_eq!(
        stored["usage"],
        json!({ "inputTokens": 3, "outputTokens": 8, "totalTokens": 11 })
    );
    assert_eq!(
        (&stored["finishReason"], &stored["sequence"]),
        (&json!("STOP"), &json!(8))
    );
    let silent = ada.chat("scripted:words=5,usage=off,first=0,delay=0").await;
    let silent = ada.send(&silent, "one two three").await;
    ended(&ada, &silent).await;
    // Nobody told, so it was counted.
    assert_eq!(
        state(&ada, &silent).await["usage"],
        json!({ "inputTokens": 3, "outputTokens": 6, "totalTokens": 9 })
    );
}
