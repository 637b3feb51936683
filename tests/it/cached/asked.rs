//! When the model is asked all the same.

use serde_json::{Value, json};

use super::{Room, asked, chat, hello, told};
use crate::harness::app::{Client, TestApp, new_key, uuid};
use crate::harness::upstream::Reply;

/// Fails unless `Hello?` is answered by the model.
async fn is_asked(room: &Room, client: &Client, why: &str) {
    let before = room.requests();
    let answer = hello(client).await;
    assert_eq!(
        (&answer["text"], &answer["cached"]),
        (&json!("second"), &json!(false)),
        "{why}"
    );
    assert_eq!(room.requests(), before + 1, "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_off_unless_the_operator_says_otherwise() {
    let room = Room::with(&[]).await;
    for count in 1..=2 {
        assert_eq!(hello(&room.ada).await["cached"], false);
        assert_eq!(room.requests(), count);
    }
    assert_eq!(room.kept().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_person_asks_for_themselves() {
    let room = Room::after_hello().await;
    let bob = room.app.user("bob").await;
    is_asked(&room, &bob, "another person").await;
    assert_eq!(hello(&bob).await["text"], "second", "each is given their own");
    assert_eq!(hello(&room.ada).await["text"], "first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_different_is_another_question() {
    let room = Room::open().await;
    let assistant = async |input: Value| {
        let payload = room.ada.mutate("createAssistant", input, "assistant { id }").await;
        assert_eq!(payload["errors"], json!([]));
        payload["assistant"]["id"].clone()
    };
    let with = async |input: Value| chat(&room.ada, json!({ "assistantIds": [assistant(input).await] })).await;
    let cool = with(json!({ "displayName": "Cool", "temperature": 0.5 })).await;
    let warm = with(json!({ "displayName": "Warm", "temperature": 1.5 })).await;
    let short = with(json!({ "displayName": "Short", "maxOutputTokens": 100 })).await;
    let pirate = with(json!({ "displayName": "Pirate", "instructions": "You are a pirate." })).await;
    let other_model = chat(&room.ada, json!({ "provider": "OPENAI", "model": "other-model" })).await;
    let with_tools = chat(&room.ada, json!({})).await;
    let tools = json!({ "chatId": with_tools, "builtinTools": ["SEARCH_CHATS"] });
    room.ada.mutate("updateChat", tools, "chat { id }").await;
    let usual = chat(&room.ada, json!({})).await;
    let mut requests = 0;
    for chat in [&usual, &cool, &warm, &short, &pirate, &other_model, &with_tools, &usual] {
        // The last time, it comes after another conversation.
        let answer = asked(&room.ada, chat, "Hello?", Value::Null).await;
        requests += 1;
        assert_eq!(
            (&answer["cached"], room.requests()),
            (&json!(false), requests),
            "{chat}"
        );
    }
    assert_eq!(hello(&room.ada).await["cached"], true);
    let preferences = json!({ "responseStyle": "Very short." });
    room.ada
        .mutate("updatePreferences", preferences, "preferences { responseStyle }")
        .await;
    assert_eq!(hello(&room.ada).await["cached"], false, "told more of the person");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_time_ends() {
    let room = Room::after_hello().await;
    room.sql("UPDATE cached_answers SET created_at = now() - interval '599 seconds'")
        .await;
    assert_eq!(hello(&room.ada).await["cached"], true);
    room.sql("UPDATE cached_answers SET created_at = now() - interval '600 seconds'")
        .await;
    is_asked(&room, &room.ada, "its time is over").await;
    let again = hello(&room.ada).await;
    assert_eq!((&again["text"], &again["cached"]), (&json!("second"), &json!(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_after_the_question_is_none_of_it() {
    let room = Room::after_hello().await;
    // As when a lane beside it, or the same question from another device, was answered a moment ago.
    room.sql("UPDATE cached_answers SET created_at = now() + interval '5 minutes'")
        .await;
    is_asked(&room, &room.ada, "younger than the question").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_it_anew_gets_it_anew() {
    let room = Room::after_hello().await;
    let other = chat(&room.ada, json!({})).await;
    let anew = asked(&room.ada, &other, "Hello?", json!({ "cache": false })).await;
    assert_eq!((&anew["text"], &anew["cached"]), (&json!("second"), &json!(false)));
    assert_eq!(room.requests(), 2);
    let again = hello(&room.ada).await;
    assert_eq!(
        (&again["text"], &again["cached"]),
        (&json!("second"), &json!(true)),
        "the newest counts"
    );

    room.upstream.script([Reply::says(&["third"])]);
    let input = json!({ "messageId": again["message"]["id"], "idempotencyKey": new_key(), "reply": { "cache": true } });
    let payload = room.ada.mutate("regenerateMessage", input, "generation { id }").await;
    let third = told(&room.ada, payload["generation"]["id"].as_str().expect("an id")).await;
    assert_eq!((&third["text"], &third["cached"]), (&json!("third"), &json!(false)));
    assert_eq!(hello(&room.ada).await["text"], "third");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_is_given_to_nobody() {
    let room = Room::open().await;
    for action in ["deleteChat", "clearHistory"] {
        let kept = chat(&room.ada, json!({})).await;
        room.upstream
            .script([Reply::says(&["first"]), Reply::says(&["second"])]);
        asked(&room.ada, &kept, "Hello?", json!({ "cache": false })).await;
        assert_eq!(hello(&room.ada).await["text"], "first");
        room.ada.mutate(action, json!({ "chatId": kept }), "__typename").await;
        assert_eq!(room.kept().await, 0, "{action}");
        is_asked(&room, &room.ada, action).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_may_not_see_any_more_is_not_given() {
    for statement in [
        "UPDATE messages SET deleted_at = now(), content = '' WHERE role = 'ASSISTANT'",
        "UPDATE messages SET content = '' WHERE role = 'ASSISTANT'",
        "DELETE FROM chat_members",
        "UPDATE generations SET text_octets = 5",
    ] {
        let room = Room::after_hello().await;
        room.sql(statement).await;
        is_asked(&room, &room.ada, statement).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_is_forgotten() {
    let room = Room::after_hello().await;
    let bob = room.app.user("bob").await;
    hello(&bob).await;
    assert_eq!(room.kept().await, 2);
    room.sql(&format!(
        "UPDATE cached_answers SET created_at = now() - interval '601 seconds' WHERE user_id = '{}'",
        uuid(&bob.id)
    ))
    .await;
    assert_eq!(swept(&room.app, 600).await, 1);
    assert_eq!(hello(&room.ada).await["cached"], true);
    assert_eq!(swept(&room.app, 0).await, 1, "all of them where the cache is off");
    assert_eq!(room.kept().await, 0);
}

async fn swept(app: &TestApp, seconds: u32) -> usize {
    let mut connection = app.app.connection().await.expect("a connection");
    let swept = parlor::chat::reply::cache::sweep(&mut connection, seconds).await;
    swept.expect("a count")
}
