//! Deleting in a chat with an assistant: models are shown nothing of it, nor are summaries left that tell of it.

use serde_json::{Value, json};

use super::{QUICK, done, edited, list, message, regenerated, sent, shown};
use crate::chats::refused;
use crate::harness::app::{Client, TestApp, new_key, uuid};

async fn delete(client: &Client, message: &str) {
    let payload = client
        .mutate("deleteMessage", json!({ "messageId": message }), "")
        .await;
    assert_eq!(payload["errors"], json!([]));
}

/// What the model is shown of a conversation before a question.
async fn context(client: &Client, chat: &str) -> Vec<String> {
    let input = json!({ "chatId": chat, "content": "now", "idempotencyKey": new_key(), "reply": { "model": "scripted:context,first=0,delay=0" } });
    let payload = client
        .mutate("sendMessage", input, "message { id } generation { id }")
        .await;
    let (question, generation) = super::ids(&payload);
    let events = client.generation_events(&generation, None).await.rest().await;
    let text = events.last().expect("an end")["generation"]["text"].clone();
    let turns: Vec<Value> = serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
    // Neither is what this has asked to stay.
    delete(client, &question).await;
    turns
        .iter()
        .map(|turn| turn["text"].as_str().expect("a text").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_goes_with_its_answers_and_an_answer_alone() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:echo,first=0,delay=0").await;
    let (one, answer_one) = sent(&ada, &chat, "one").await;
    let (two, answer_two) = sent(&ada, &chat, "two").await;
    let again = regenerated(&ada, &answer_two, None).await;
    assert_eq!(context(&ada, &chat).await, ["one", "one", "two", "two", "now"]);
    delete(&ada, &one).await;
    assert_eq!(context(&ada, &chat).await, ["two", "two", "now"]);
    assert_eq!(message(&ada, &answer_one, "content").await["content"], "");
    // They keep their places.
    assert_eq!(
        shown(&ada, &chat).await[..4],
        [one, answer_one, two.clone(), again.clone()]
    );
    // Of several answers one goes, and the others know that it is gone.
    let before = message(&ada, &answer_two, "version").await["version"].as_i64();
    delete(&ada, &again).await;
    assert_eq!(context(&ada, &chat).await, ["two", "now"]);
    let left = message(&ada, &answer_two, "content version siblings { id }").await;
    assert_eq!((&left["content"], &left["siblings"]), (&json!("two"), &json!([])));
    assert_eq!(left["version"].as_i64(), before.map(|version| version + 1));
    assert_eq!(
        list(&message(&ada, &again, "siblings { id }").await["siblings"]),
        std::slice::from_ref(&answer_two)
    );
    delete(&ada, &two).await;
    assert_eq!(
        message(&ada, &answer_two, "content").await["content"],
        "",
        "also on another branch"
    );
    for (mutation, target) in [
        ("regenerateMessage", &answer_two),
        ("selectBranch", &answer_two),
        ("editMessage", &two),
    ] {
        let mut input = json!({ "messageId": target });
        if mutation != "selectBranch" {
            input["idempotencyKey"] = json!(new_key());
        }
        if mutation == "editMessage" {
            input["content"] = json!("deux");
        }
        assert_eq!(refused(&ada, mutation, input).await[0].0, "NOT_FOUND", "{mutation}");
    }
    assert_eq!(context(&ada, &chat).await, ["now"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_words_for_a_deleted_question_stay() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:echo,first=0,delay=0").await;
    let (one, _) = sent(&ada, &chat, "one").await;
    let (uno, answer) = edited(&ada, &one, "uno").await;
    delete(&ada, &one).await;
    assert_eq!(shown(&ada, &chat).await, [uno.clone(), answer]);
    assert_eq!(message(&ada, &uno, "siblings { id }").await["siblings"], json!([]));
    assert_eq!(context(&ada, &chat).await, ["uno", "uno", "now"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_being_written_is_stopped_first() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:words=100000,first=0,delay=5").await;
    let input = json!({ "chatId": chat, "content": "Go on.", "idempotencyKey": new_key() });
    let payload = ada
        .mutate("sendMessage", input, "message { id } generation { id message { id } }")
        .await;
    let (question, generation) = super::ids(&payload);
    let answer = payload["generation"]["message"]["id"].as_str().expect("an id");
    for id in [question.as_str(), answer] {
        let refusals = refused(&ada, "deleteMessage", json!({ "messageId": id })).await;
        let words = "The answer is still being written. Stop it first, or wait for its end.";
        assert_eq!(
            (refusals[0].0.as_str(), refusals[0].2.as_str()),
            ("INVALID_STATE", words)
        );
    }
    assert_eq!(message(&ada, &question, "content").await["content"], "Go on.");
    ada.mutate("stopGeneration", json!({ "generationId": generation }), "")
        .await;
    done(&ada, &generation).await;
    delete(&ada, &question).await;
    let left = message(&ada, answer, "content deletedAt generation { text reasoning }").await;
    assert_eq!(
        (&left["content"], &left["generation"]["text"]),
        (&json!(""), &json!(""))
    );
    let refusals = refused(
        &ada,
        "continueGeneration",
        json!({ "generationId": generation, "idempotencyKey": new_key() }),
    );
    assert_eq!(refusals.await[0].0, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_tells_of_it_any_more() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(&format!("{QUICK},reasoning=3")).await;
    let (one, first) = sent(&ada, &chat, "one").await;
    let (_, second) = sent(&ada, &chat, "two").await;
    let sql = app.sql().await;
    let summary = "INSERT INTO chat_summaries (id, chat_id, through_message_id, through_sequence, through_octets, content, tokens, provider, model) \
        SELECT gen_random_uuid(), chat_id, id, sequence, octet_length(content), 'They counted.', 4, 'scripted', 'scripted' FROM messages \
        WHERE id = $1::text::uuid RETURNING replace(id::text, '-', '')";
    let mut summaries = Vec::new();
    for id in [&first, &second] {
        let row = sql.query_one(summary, &[&uuid(id)]).await.expect("a summary");
        summaries.push(format!("sum_{}", row.get::<_, String>(0)));
    }
    let cursor = ada.ok("{ viewer { syncCursor } }", json!({})).await["viewer"]["syncCursor"].take();
    let query = "query ($id: ID!) { chat(id: $id) { summaries { id } } }";
    // The one that covers less has nothing of what was said after it.
    delete(&ada, &second).await;
    let left = ada.ok(query, json!({ "id": chat })).await["chat"]["summaries"].take();
    assert_eq!(left, json!([{ "id": summaries[0] }]));
    let stream =
        "subscription ($after: String) { events(after: $after) { __typename ... on SummaryRemoved { summaryId } } }";
    let mut stream = ada.subscribe(stream, json!({ "after": cursor })).await;
    assert_eq!(stream.until("SummaryRemoved").await["summaryId"], summaries[1]);
    delete(&ada, &one).await;
    let left = ada.ok(query, json!({ "id": chat })).await["chat"]["summaries"].take();
    assert_eq!(left, json!([]));
    let thought = "SELECT count(*) FROM generations WHERE reasoning IS NOT NULL";
    let thought = sql.query_one(thought, &[]).await.expect("a count");
    assert_eq!(thought.get::<_, i64>(0), 0);
}
