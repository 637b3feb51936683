//! Stopping: from any device and any server, at once, with the text kept.

use serde_json::{Value, json};

use super::{STATE, ended, soon, state, upto};
use crate::harness::app::Client;
use crate::harness::upstream::{Reply, Upstream};
use crate::send::{plain_chat, with_upstream};

async fn stop(client: &Client, generation: &str) -> Value {
    client
        .mutate(
            "stopGeneration",
            json!({ "generationId": generation }),
            &format!("generation {{ {STATE} }}"),
        )
        .await
}

/// An answer that has said "Hello", what it used so far, and then nothing.
async fn begun(client: &Client, upstream: &Upstream) -> String {
    upstream.script([Reply::stream().word("Hel").word("lo").usage(7, 2).stall()]);
    let chat = plain_chat(client).await;
    let generation = client.send(&chat, "Greet me at length").await;
    upto(&mut client.generation_events(&generation, None).await, 2).await;
    generation
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_keeps_the_text_and_hangs_up() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let generation = begun(&ada, &upstream).await;
    let mut watcher = ada.generation_events(&generation, None).await;
    assert_eq!(watcher.next().await.expect("an event")["text"], "Hello");
    let stopped = soon(stop(&ada, &generation)).await;
    assert_eq!(
        (&stopped["errors"], &stopped["generation"]["status"]),
        (&json!([]), &json!("STOPPED"))
    );
    assert_eq!(
        (&stopped["generation"]["text"], &stopped["generation"]["error"]),
        (&json!("Hello"), &Value::Null)
    );
    assert_eq!(
        stopped["generation"]["usage"]["totalTokens"], 9,
        "what was used is known"
    );
    soon(upstream.hung_up(1)).await;
    let rest = watcher.rest().await;
    assert_eq!((rest.len(), &rest[0]["generation"]["status"]), (1, &json!("STOPPED")));
    assert_eq!(stop(&ada, &generation).await, stopped, "once is enough");
    assert_eq!(ended(&ada, &generation).await["text"], "Hello");

    // The slot is free and the chat goes on.
    let chat = "query ($id: ID!) { generation(id: $id) { message { chat { id activeGenerations { id } } } } }";
    let chat = ada.ok(chat, json!({ "id": generation })).await["generation"]["message"]["chat"].take();
    assert_eq!(chat["activeGenerations"], json!([]));
    let next = ada.send(chat["id"].as_str().expect("an id"), "And now?").await;
    assert_eq!(ended(&ada, &next).await["text"], "Hello, world");
    let sent = upstream.requests()[1].body["messages"].clone();
    assert_eq!(
        sent[1],
        json!({ "role": "assistant", "content": "Hello" }),
        "a stopped answer was said"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_device_and_any_server_can_stop_it() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let phone = ada.second_device("ada").await;
    let sibling = app.sibling().await;
    for (count, client) in [phone, sibling.client_of(&ada)].iter().enumerate() {
        let generation = begun(&ada, &upstream).await;
        let mut here = ada.generation_events(&generation, Some(2)).await;
        let mut there = client.generation_events(&generation, None).await;
        assert_eq!(soon(stop(client, &generation)).await["errors"], json!([]));
        soon(upstream.hung_up(count + 1)).await;
        assert_eq!(
            soon(here.until("GenerationFinished")).await["generation"]["status"],
            "STOPPED"
        );
        assert_eq!(
            soon(there.until("GenerationFinished")).await["generation"]["text"],
            "Hello"
        );
        assert_eq!(state(client, &generation).await["status"], "STOPPED");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_can_be_stopped_before_its_first_word() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    upstream.script([Reply::stream().stall()]);
    let generation = ada.send(&plain_chat(&ada).await, "Hello").await;
    upstream.asked(1).await;
    let stopped = soon(stop(&ada, &generation)).await["generation"].take();
    assert_eq!(
        (&stopped["status"], &stopped["text"], &stopped["usage"]["outputTokens"]),
        (&json!("STOPPED"), &json!(""), &json!(0))
    );
    soon(upstream.hung_up(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_ended_stays_as_it_is_and_what_is_not_ones_own_is_not_found() {
    let (app, upstream) = with_upstream().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let done = ada.send(&plain_chat(&ada).await, "Hello").await;
    ended(&ada, &done).await;
    assert_eq!(stop(&ada, &done).await["generation"]["status"], "COMPLETED");
    let running = begun(&ada, &upstream).await;
    for id in [
        running.as_str(),
        done.as_str(),
        "gen_0192f3a0000070008000000000000000",
        "x",
    ] {
        let refused = stop(&bob, id).await;
        let message = "This generation does not exist, or you have no access to it.";
        let expected = json!([{ "code": "NOT_FOUND", "message": message, "field": ["input", "generationId"], "retryAfterSeconds": null }]);
        assert_eq!((&refused["errors"], &refused["generation"]), (&expected, &Value::Null));
    }
    assert_eq!(state(&ada, &running).await["finishedAt"], Value::Null);
}
