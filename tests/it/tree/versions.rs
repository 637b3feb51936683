//! Answers made anew and questions put in other words.

use serde_json::json;

use super::{QUICK, edited, ids, list, message, regenerated, selected, sent, shown};
use crate::events::{follow, sync_cursor};
use crate::harness::app::{TestApp, new_key};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_answer_stands_beside_the_first() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (question, first) = sent(&ada, &chat, "Which way?").await;
    let second = regenerated(&ada, &first, Some("scripted:echo,first=0,delay=0")).await;
    assert_eq!(shown(&ada, &chat).await, [question.clone(), second.clone()]);
    let fields = "content active sequence parent { id } siblings { id } generation { model }";
    let seen = message(&ada, &second, fields).await;
    assert_eq!(
        seen,
        json!({ "content": "Which way?", "active": true, "sequence": 3, "parent": { "id": question },
            "siblings": [{ "id": first }], "generation": { "model": "scripted:echo,first=0,delay=0" } })
    );
    let seen = message(&ada, &first, "active parent { id } siblings { id }").await;
    assert_eq!(
        seen,
        json!({ "active": false, "parent": { "id": question }, "siblings": [{ "id": second }] })
    );
    let third = regenerated(&ada, &first, None).await;
    let siblings = message(&ada, &second, "siblings { id }").await;
    assert_eq!(
        list(&siblings["siblings"]),
        [first, third.clone()],
        "oldest first, itself left out"
    );
    assert_eq!(shown(&ada, &chat).await, [question, third]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_in_other_words_begins_a_branch() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:context,first=0,delay=0").await;
    let (q1, a1) = sent(&ada, &chat, "one").await;
    let (q2, a2) = sent(&ada, &chat, "two").await;
    let (q3, a3) = sent(&ada, &chat, "three").await;
    let (other, answer) = edited(&ada, &q2, "zwei").await;
    assert_eq!(shown(&ada, &chat).await, [&q1, &a1, &other, &answer].map(Clone::clone));
    let told = message(&ada, &answer, "content").await["content"].take();
    let told: Vec<serde_json::Value> = serde_json::from_str(told.as_str().expect("a text")).expect("JSON");
    let told: Vec<_> = told.iter().map(|turn| turn["text"].as_str().expect("a text")).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!((told[0], told[2]), ("one", "zwei"), "the model is shown its own branch");
    let seen = message(
        &ada,
        &other,
        "content role parent { id } siblings { id } editedAt author { displayName }",
    )
    .await;
    assert_eq!(
        seen,
        json!({ "content": "zwei", "role": "USER", "parent": { "id": a1 }, "siblings": [{ "id": q2 }],
            "editedAt": null, "author": { "displayName": "ada" } })
    );
    let old = message(&ada, &q2, "content active").await;
    assert_eq!(
        old,
        json!({ "content": "two", "active": false }),
        "the old version stays as it was"
    );

    // The first question can have another beginning beside it.
    let (root, root_answer) = edited(&ada, &q1, "eins").await;
    assert_eq!(shown(&ada, &chat).await, [root.clone(), root_answer]);
    assert_eq!(
        list(&message(&ada, &root, "siblings { id }").await["siblings"]),
        [q1.as_str()]
    );
    assert_eq!(
        list(&message(&ada, &q1, "siblings { id }").await["siblings"]),
        [root.as_str()]
    );
    assert_eq!(selected(&ada, &q3).await, [q1, a1, q2, a2, q3, a3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_conversation_goes_on_below_the_version_that_is_shown() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (q1, a1) = sent(&ada, &chat, "one").await;
    let (q2, a2) = sent(&ada, &chat, "two").await;
    let other = regenerated(&ada, &a1, None).await;
    let (q3, a3) = sent(&ada, &chat, "three").await;
    assert_eq!(
        message(&ada, &q3, "parent { id }").await,
        json!({ "parent": { "id": other } })
    );
    assert_eq!(shown(&ada, &chat).await, [&q1, &other, &q3, &a3].map(Clone::clone));
    // A version of something on a branch that is not shown leads there.
    let again = regenerated(&ada, &a2, None).await;
    assert_eq!(shown(&ada, &chat).await, [q1, a1, q2, again]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_gets_the_first_result() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (question, answer) = sent(&ada, &chat, "one").await;
    let fields = "message { id } generation { id }";
    let again = json!({ "messageId": answer, "idempotencyKey": "again" });
    let first = ada.mutate("regenerateMessage", again.clone(), fields).await;
    let all = futures_util::future::join_all((0..10).map(|_| ada.mutate("regenerateMessage", again.clone(), fields)));
    for repeat in all.await {
        assert_eq!(ids(&repeat), ids(&first));
    }
    let edit = json!({ "messageId": question, "content": "uno", "idempotencyKey": "edit" });
    let all = futures_util::future::join_all((0..10).map(|_| ada.mutate("editMessage", edit.clone(), fields))).await;
    assert!(all.iter().all(|repeat| ids(repeat) == ids(&all[0])));
    for (name, input) in [
        (
            "regenerateMessage",
            json!({ "messageId": answer, "idempotencyKey": "edit" }),
        ),
        (
            "regenerateMessage",
            json!({ "messageId": answer, "idempotencyKey": "again", "reply": { "model": QUICK } }),
        ),
        (
            "editMessage",
            json!({ "messageId": question, "content": "due", "idempotencyKey": "edit" }),
        ),
        (
            "sendMessage",
            json!({ "chatId": chat, "content": "uno", "idempotencyKey": "edit" }),
        ),
    ] {
        let refused = ada.mutate(name, input, fields).await;
        assert_eq!(refused["errors"][0]["code"], "CONFLICT", "{name}: {refused}");
    }
    let siblings = message(&ada, &answer, "siblings { id }").await;
    assert_eq!(list(&siblings["siblings"]).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_device_hears_of_it() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let (question, first) = sent(&ada, &chat, "one").await;
    let cursor = sync_cursor(&ada).await;
    let second = regenerated(&ada, &first, None).await;
    selected(&ada, &first).await;
    selected(&ada, &first).await;
    let mut stream = follow(&ada, Some(&cursor)).await;
    let mut seen = Vec::new();
    for _ in 0..8 {
        let event = stream.next().await.expect("an event");
        let message = event["message"]["id"].as_str().unwrap_or_default();
        let which = [(&question, "question"), (&first, "first"), (&second, "second")];
        let which = which.iter().find(|(id, _)| *id == message).map_or("", |(_, name)| name);
        seen.push(
            format!(
                "{} {which} {} {}",
                event["__typename"], event["afterSequence"], event["changed"]
            )
            .replace('"', ""),
        );
    }
    insta::assert_snapshot!(seen.join("\n"), @r"
    BranchChanged  1 null
    MessageCreated second null null
    ChatUpserted  null null
    MessageUpdated first null [SIBLINGS]
    MessageUpdated second null [CONTENT,GENERATION]
    ChatUpserted  null null
    BranchChanged  1 null
    ChatUpserted  null null
    ");
    ada.mutate("createChat", json!({ "idempotencyKey": new_key() }), "")
        .await;
    let next = stream.next().await.expect("an event");
    assert_ne!(
        next["chat"]["id"],
        json!(chat),
        "what is shown already is no event: {next}"
    );
}
