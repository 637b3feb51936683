//! The branch that is shown.

use serde_json::json;

use super::{QUICK, edited, ids, message, regenerated, selected, sent, shown};
use crate::generation::{ended, state};
use crate::harness::app::{TestApp, new_key};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_comes_back_as_it_was_left() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (q1, a1) = sent(&ada, &chat, "one").await;
    let (q2, a2) = sent(&ada, &chat, "two").await;
    let other = regenerated(&ada, &a2, None).await;
    let (e1, ea) = edited(&ada, &q1, "uno").await;
    assert_eq!(
        selected(&ada, &q1).await,
        [&q1, &a1, &q2, &other].map(Clone::clone),
        "down to what was shown last"
    );
    assert_eq!(selected(&ada, &a2).await, [&q1, &a1, &q2, &a2].map(Clone::clone));
    assert_eq!(selected(&ada, &e1).await, [&e1, &ea].map(Clone::clone));
    assert_eq!(
        selected(&ada, &a1).await,
        [&q1, &a1, &q2, &a2].map(Clone::clone),
        "the last choice counts"
    );
    assert_eq!(selected(&ada, &q1).await.len(), 4, "what is shown stays");
    assert_eq!(shown(&ada, &chat).await, [q1, a1, q2, a2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_on_a_branch_that_one_leaves_goes_on() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (_, first) = sent(&ada, &chat, "one").await;
    let slow = "scripted:words=40,first=0,delay=5";
    let input = json!({ "messageId": first, "idempotencyKey": new_key(), "reply": { "model": slow } });
    let (second, generation) = ids(&ada
        .mutate("regenerateMessage", input, "message { id } generation { id }")
        .await);
    assert_eq!(selected(&ada, &first).await.last(), Some(&first));
    let end = ended(&ada, &generation).await;
    assert_eq!(end["status"], "COMPLETED");
    let seen = message(&ada, &second, "active content").await;
    assert_eq!(seen, json!({ "active": false, "content": end["text"] }));
    assert_eq!(shown(&ada, &chat).await.last(), Some(&first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_shown_is_not_unread_and_is_cleared_with_the_rest() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (_, first) = sent(&ada, &chat, "one").await;
    let second = regenerated(&ada, &first, None).await;
    let query = "query ($id: ID!) { chat(id: $id) { viewerState { unreadCount } activeGenerations { id } } }";
    let unread = async || ada.ok(query, json!({ "id": chat })).await["chat"]["viewerState"]["unreadCount"].take();
    assert_eq!(unread().await, 1);
    selected(&ada, &first).await;
    assert_eq!(unread().await, 0, "the new answer is not shown, the old one was read");

    let slow = json!({ "messageId": first, "idempotencyKey": new_key(), "reply": { "model": "scripted:words=100000,first=0,delay=5" } });
    let (_, generation) = ids(&ada
        .mutate("regenerateMessage", slow, "message { id } generation { id }")
        .await);
    selected(&ada, &second).await;
    ada.mutate("clearHistory", json!({ "chatId": chat }), "").await;
    assert_eq!(state(&ada, &generation).await, json!(null));
    assert_eq!(message(&ada, &first, "id").await, json!(null));
    let (question, answer) = sent(&ada, &chat, "anew").await;
    assert_eq!(shown(&ada, &chat).await, [question.clone(), answer]);
    let beginning = message(&ada, &question, "parent { id } siblings { id }").await;
    assert_eq!(beginning, json!({ "parent": null, "siblings": [] }));
}
