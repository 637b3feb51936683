//! Summaries of long conversations: made in the background, put aside and brought back, gone with what they cover.

mod making;
mod planned;

use serde_json::{Value, json};

use crate::chats::{refusal, refused};
use crate::harness::app::{Client, TestApp, new_key, uuid};
use crate::harness::stream::Subscription;
use crate::titles::{answered, until_jobs};

pub(super) const ECHO: &str = "scripted:echo,first=0,delay=0";

/// The summaries of a chat, those that go furthest first.
pub(super) async fn summaries(client: &Client, chat: &str) -> Vec<Value> {
    let query = "query ($id: ID!) { chat(id: $id) { summaries { id content tokens throughSequence provider model revertedAt version \
        throughMessage { sequence content } } } }";
    let found = client.ok(query, json!({ "id": chat })).await["chat"]["summaries"].take();
    found.as_array().expect("summaries").clone()
}

/// The words of them.
pub(super) async fn contents(client: &Client, chat: &str) -> Vec<String> {
    let found = summaries(client, chat).await;
    let contents = found
        .iter()
        .map(|summary| summary["content"].as_str().expect("a text").to_owned());
    contents.collect()
}

/// The events of a chat, from now on.
pub(super) async fn watch(client: &Client, chat: &str) -> Subscription {
    let query = "subscription ($id: ID!) { chatEvents(chatId: $id, ephemeral: false) { __typename ... on SummaryUpserted { summary { id content revertedAt version } } } }";
    let mut stream = client.subscribe(query, json!({ "id": chat })).await;
    assert_eq!(stream.next().await.expect("a beginning")["__typename"], "StreamReady");
    stream
}

async fn summarised(client: &Client, chat: &str) -> Value {
    let mut stream = watch(client, chat).await;
    let payload = client
        .mutate("summarizeChat", json!({ "chatId": chat }), "chat { id }")
        .await;
    assert_eq!(payload, json!({ "chat": { "id": chat }, "errors": [] }));
    stream.until("SummaryUpserted").await["summary"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_goes_on_from_the_one_before() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let nothing = refusal(
        "INVALID_STATE",
        "input.chatId",
        "Nothing was said since the last summary. Write something first.",
    );
    assert_eq!(refused(&ada, "summarizeChat", json!({ "chatId": chat })).await, nothing);
    answered(&ada, &chat, "I own a cat named Tom.").await;
    answered(&ada, &chat, "And tea.").await;
    let first = summarised(&ada, &chat).await;
    let words = "So far: I own a cat; I own a cat; And tea.; And tea.";
    assert_eq!(first["content"], words);
    let made = summaries(&ada, &chat).await;
    assert_eq!(made.len(), 1);
    assert_eq!(
        (&made[0]["throughSequence"], &made[0]["throughMessage"]["content"]),
        (&json!(4), &json!("And tea."))
    );
    assert_eq!(
        (&made[0]["provider"], &made[0]["model"]),
        (&json!("SCRIPTED"), &json!(ECHO))
    );
    assert!(made[0]["tokens"].as_i64() > Some(10), "{made:?}");
    assert_eq!(refused(&ada, "summarizeChat", json!({ "chatId": chat })).await, nothing);

    answered(&ada, &chat, "What about dogs?").await;
    summarised(&ada, &chat).await;
    let expected = [
        "So far: I own a cat; I own a cat; And tea.; And tea.; What about dogs?; What about dogs?",
        words,
    ];
    assert_eq!(contents(&ada, &chat).await, expected, "the one before stays");
    let messages = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } }";
    let kept = ada.ok(messages, json!({ "id": chat })).await;
    assert_eq!(
        kept["chat"]["messages"]["nodes"].as_array().map(Vec::len),
        Some(6),
        "and so do the messages"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_is_put_aside_and_brought_back() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = ada.chat(ECHO).await;
    answered(&ada, &chat, "One").await;
    let summary = summarised(&ada, &chat).await;
    let input = json!({ "summaryId": summary["id"] });
    let mut stream = watch(&ada, &chat).await;
    let reverted = ada
        .mutate("revertSummary", input.clone(), "summary { revertedAt version }")
        .await;
    assert!(reverted["summary"]["revertedAt"].is_string());
    assert_eq!(reverted["summary"]["version"], 2);
    assert_eq!(stream.until("SummaryUpserted").await["summary"]["version"], 2);
    let again = ada.mutate("revertSummary", input.clone(), "summary { version }").await;
    assert_eq!(again["summary"]["version"], 2, "once is enough");
    let restored = ada
        .mutate("restoreSummary", input.clone(), "summary { revertedAt version }")
        .await;
    assert_eq!(restored["summary"], json!({ "revertedAt": null, "version": 3 }));

    let node = "query ($id: ID!) { node(id: $id) { ... on ChatSummary { content } } }";
    let seen = ada.ok(node, json!({ "id": summary["id"] })).await;
    assert_eq!(seen["node"]["content"], summary["content"]);
    assert_eq!(bob.ok(node, json!({ "id": summary["id"] })).await["node"], Value::Null);
    let missing = "This summary does not exist, or you have no access to it.";
    for mutation in ["revertSummary", "restoreSummary"] {
        assert_eq!(
            refused(&bob, mutation, input.clone()).await,
            refusal("NOT_FOUND", "input.summaryId", missing)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_with_what_it_covers() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    answered(&ada, &chat, "One").await;
    summarised(&ada, &chat).await;
    ada.mutate("clearHistory", json!({ "chatId": chat }), "").await;
    assert_eq!(contents(&ada, &chat).await, [""; 0]);
    answered(&ada, &chat, "Two").await;
    assert_eq!(summarised(&ada, &chat).await["content"], "So far: Two; Two");
    ada.mutate("deleteChat", json!({ "chatId": chat }), "").await;
    let left = app
        .sql()
        .await
        .query_one("SELECT count(*) FROM chat_summaries", &[])
        .await;
    assert_eq!(left.expect("a row").get::<_, i64>(0), 0);
}

/// Lets a minute pass since the last call.
async fn a_minute_later(app: &TestApp) {
    let earlier = "UPDATE chats SET summary_asked_at = summary_asked_at - interval '61 seconds'";
    app.sql().await.execute(earlier, &[]).await.expect("a chat");
}

/// Calls for a summary as the planner does; says whether it was called for.
async fn called_for(app: &TestApp, user: &str, chat: &str, through: &str) -> bool {
    let mut connection = app.app.connection().await.expect("a connection");
    let (chat, user, through) = (chat.into(), user.into(), through.into());
    let called = parlor::chat::summary::request(&mut connection, chat, user, through).await;
    app.app.jobs().wake();
    called.expect("a job")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_planner_calls_for_is_made_unless_somebody_does_not_want_it() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    answered(&ada, &chat, "One").await;
    answered(&ada, &chat, "Two").await;
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } }";
    let ids = ada.ok(query, json!({ "id": chat })).await["chat"]["messages"]["nodes"].take();
    let id = |at: usize| ids[at]["id"].as_str().expect("an id");

    assert!(called_for(&app, &ada.id, &chat, id(1)).await);
    until_jobs(&app, "count = 0").await;
    assert_eq!(contents(&ada, &chat).await, ["So far: One; One"]);
    assert!(!called_for(&app, &ada.id, &chat, id(3)).await, "not twice in a minute");
    a_minute_later(&app).await;
    let summary = summaries(&ada, &chat).await[0]["id"].clone();
    ada.mutate("revertSummary", json!({ "summaryId": summary }), "").await;
    assert!(!called_for(&app, &ada.id, &chat, id(3)).await, "somebody put it aside");
    ada.mutate("restoreSummary", json!({ "summaryId": summary }), "").await;
    ada.mutate("updatePreferences", json!({ "summariesEnabled": false }), "")
        .await;
    assert!(called_for(&app, &ada.id, &chat, id(3)).await);
    until_jobs(&app, "count = 0").await;
    assert_eq!(contents(&ada, &chat).await.len(), 1, "nobody wants it");
    a_minute_later(&app).await;
    ada.mutate("updatePreferences", json!({ "summariesEnabled": true }), "")
        .await;
    assert!(called_for(&app, &ada.id, &chat, id(3)).await);
    until_jobs(&app, "count = 0").await;
    assert_eq!(contents(&ada, &chat).await[0], "So far: One; One; Two; Two");
    // Nothing is left to say: no empty summary is made.
    for through in [id(3), "msg_0"] {
        a_minute_later(&app).await;
        assert!(called_for(&app, &ada.id, &chat, through).await);
    }
    until_jobs(&app, "count = 0").await;
    assert_eq!(contents(&ada, &chat).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_goes_before_a_conversation_is_recalled_at_once() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let recall = async |before: i64| {
        let connection = app.app.connection().await.expect("a connection");
        let recalled = parlor::chat::recall::recall(&connection, chat.as_str().into(), ada.id.as_str().into(), before);
        recalled.await.expect("a recollection")
    };
    let bare = recall(i64::MAX).await;
    assert_eq!(bare.preferences, parlor::memory::Preferences::default());
    assert_eq!((bare.memories.len(), bare.summary), (0, None));

    answered(&ada, &chat, "One").await;
    summarised(&ada, &chat).await;
    answered(&ada, &chat, "Two").await;
    summarised(&ada, &chat).await;
    for content in ["Owns a cat.", "Likes tea."] {
        ada.mutate("addMemory", json!({ "content": content }), "").await;
    }
    ada.mutate("updatePreferences", json!({ "aboutMe": "A cook." }), "")
        .await;
    let full = recall(i64::MAX).await;
    assert_eq!(full.memories, ["Owns a cat.", "Likes tea."]);
    assert_eq!(full.preferences.about_me.as_deref(), Some("A cook."));
    let summary = full.summary.expect("a summary");
    assert_eq!(
        (summary.content.as_str(), summary.through_sequence),
        ("So far: One; One; Two; Two", 4)
    );
    let earlier = recall(4).await.summary.expect("a summary");
    assert_eq!(
        (earlier.content.as_str(), earlier.through_sequence),
        ("So far: One; One", 2)
    );
    let aside = "UPDATE chat_summaries SET reverted_at = now() WHERE id = $1::text::uuid";
    app.sql()
        .await
        .execute(aside, &[&uuid(&summary.id.to_string())])
        .await
        .expect("a row");
    assert_eq!(
        recall(i64::MAX).await.summary,
        Some(earlier),
        "the one before stands in"
    );
    ada.mutate("updatePreferences", json!({ "memoryEnabled": false }), "")
        .await;
    assert_eq!(recall(i64::MAX).await.memories.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_summary_belongs_to_its_branch() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    answered(&ada, &chat, "One").await;
    answered(&ada, &chat, "Two").await;
    summarised(&ada, &chat).await;
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } }";
    let ids = ada.ok(query, json!({ "id": chat })).await["chat"]["messages"]["nodes"].take();
    let used = async || {
        let mut connection = app.app.connection().await.expect("a connection");
        let found = parlor::chat::summary::newest_for(&mut connection, chat.as_str().into(), i64::MAX);
        found.await.expect("a query").map(|summary| summary.content)
    };
    let two = "So far: One; One; Two; Two";
    assert_eq!(used().await.as_deref(), Some(two));

    let edit = json!({ "messageId": ids[2]["id"], "content": "Three", "idempotencyKey": new_key() });
    let edited = ada
        .mutate("editMessage", edit, "message { id } generation { id }")
        .await;
    let generation = edited["generation"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{edited}"));
    ada.generation_events(generation, None).await.rest().await;
    assert_eq!(used().await, None, "it speaks of what is not shown");
    let third = summarised(&ada, &chat).await;
    assert_eq!(third["content"], "So far: One; One; Three; Three");
    assert_eq!(contents(&ada, &chat).await.len(), 2, "both are listed");

    ada.mutate("selectBranch", json!({ "messageId": ids[2]["id"] }), "")
        .await;
    assert_eq!(used().await.as_deref(), Some(two));
    ada.mutate("selectBranch", json!({ "messageId": edited["message"]["id"] }), "")
        .await;
    assert_eq!(used().await.as_deref(), Some("So far: One; One; Three; Three"));
}
