//! What cannot be is refused, with the path of the field and words that help.

use serde_json::{Value, json};

use super::{QUICK, look, refusal, refused, titles};
use crate::harness::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_with_its_field() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = ada.chat(QUICK).await;
    let title_too_long = refusal(
        "TOO_LONG",
        "input.title",
        "The title must be at most 120 characters long.",
    );
    let not_a_line = refusal(
        "INVALID",
        "input.title",
        "The title must be one line without control or invisible formatting characters.",
    );
    let bad_key = refusal(
        "INVALID",
        "input.idempotencyKey",
        "The idempotency key must be 1 to 128 visible ASCII characters. Use a new UUID for each action and the same one for its retries.",
    );
    for (input, why) in [
        (json!({ "title": "x".repeat(121) }), &title_too_long),
        (json!({ "title": "x".repeat(10_000) }), &title_too_long),
        (json!({ "title": "a\nb" }), &not_a_line),
        (json!({ "title": "a\u{202E}b" }), &not_a_line),
        (json!({ "idempotencyKey": "" }), &bad_key),
        (json!({ "idempotencyKey": "a b" }), &bad_key),
        (json!({ "idempotencyKey": "x".repeat(129) }), &bad_key),
        (
            json!({ "model": "m".repeat(201) }),
            &refusal(
                "TOO_LONG",
                "input.model",
                "The model must be at most 200 characters long.",
            ),
        ),
        (
            json!({ "model": "scripted:speed=9" }),
            &refusal("INVALID", "input.model", "unknown option `speed` of a scripted model"),
        ),
        (
            json!({ "model": "scripted:words=x" }),
            &refusal(
                "INVALID",
                "input.model",
                "option `words` of a scripted model takes a whole number up to 1000000",
            ),
        ),
    ] {
        assert_eq!(refused(&ada, "createChat", input.clone()).await, *why, "{input}");
        if input["idempotencyKey"].is_null() {
            let mut input = input;
            input["chatId"] = json!(chat);
            assert_eq!(refused(&ada, "updateChat", input.clone()).await, *why, "{input}");
        }
    }
    for input in [
        json!({ "title": "a\0b" }),
        json!({ "model": "a\0b" }),
        json!({ "idempotencyKey": "a\0b" }),
    ] {
        let query = "mutation ($input: CreateChatInput!) { createChat(input: $input) { chat { id } } }";
        let answer = ada.run(query, json!({ "input": input })).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
    }
    assert_eq!(titles(&ada, "").await, ["-"], "nothing was made");

    let missing = refusal(
        "NOT_FOUND",
        "input.chatId",
        "This chat does not exist, or you have no access to it.",
    );
    let unknown = "chat_0192f3a0000070008000000000000000";
    for id in [
        chat.as_str(),
        unknown,
        "chat_",
        "x",
        "",
        "msg_0192f3a0000070008000000000000000",
        "\u{FFFD}",
    ] {
        for (mutation, input) in [
            ("updateChat", json!({ "chatId": id, "title": "mine now" })),
            ("updateChat", json!({ "chatId": id })),
            ("deleteChat", json!({ "chatId": id })),
            ("clearHistory", json!({ "chatId": id })),
            ("markRead", json!({ "chatId": id, "messageId": "msg_0" })),
        ] {
            assert_eq!(refused(&bob, mutation, input).await, missing, "{mutation} {id:?}");
        }
    }
    assert_eq!(look(&bob, &chat).await, Value::Null);
    assert_eq!(look(&ada, &chat).await["version"], 1, "strangers changed nothing");
}
