//! Unread counts are exact, however many write at once.

use serde_json::json;

use super::{done, group, people, say, texts, unread};
use crate::harness::app::{TestApp, new_key};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_counts_what_the_others_wrote() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob, &cyd]).await;
    let sends = (0..20).map(|turn| {
        let client = [&ada, &bob, &cyd][turn % 3].client.clone();
        let input = json!({ "chatId": chat, "content": format!("number {turn}"), "idempotencyKey": new_key() });
        async move { client.mutate("sendMessage", input, "message { sequence }").await }
    });
    let sent = futures_util::future::join_all(sends).await;
    let mut sequences: Vec<i64> = sent
        .iter()
        .map(|payload| payload["message"]["sequence"].as_i64().expect("a number"))
        .collect();
    sequences.sort_unstable();
    assert_eq!(sequences, (2..=21).collect::<Vec<_>>(), "one order, without gaps");
    // Seven are Ada's, seven Bob's, six Cyd's.
    assert_eq!(
        (
            unread(&ada, &chat).await,
            unread(&bob, &chat).await,
            unread(&cyd, &chat).await
        ),
        (13, 13, 14)
    );
    let query = "query ($id: ID!) { chat(id: $id) { lastMessage { sequence } lastActivityAt messages { nodes { id author { ... on User { username } } } } } }";
    let seen = ada.ok(query, json!({ "id": chat })).await["chat"].take();
    assert_eq!(seen["lastMessage"]["sequence"], 21);
    assert_eq!(
        bob.ok(query, json!({ "id": chat })).await["chat"],
        seen,
        "all see the same"
    );
    let nodes = seen["messages"]["nodes"].as_array().expect("messages");
    let behind = nodes[11..]
        .iter()
        .filter(|node| node["author"]["username"] != "ada")
        .count();
    done(
        &ada,
        "markRead",
        json!({ "chatId": chat, "messageId": nodes[10]["id"] }),
    )
    .await;
    assert_eq!(unread(&ada, &chat).await, i64::try_from(behind).expect("few"));
    assert_eq!(unread(&bob, &chat).await, 13, "what Ada has read is Ada's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_leaves_unread_what_came_before_it_unread() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    say(&ada, &chat, "one").await;
    say(&bob, &chat, "two").await;
    assert_eq!((unread(&ada, &chat).await, unread(&bob, &chat).await), (1, 1));
    done(
        &ada,
        "setMemberRole",
        json!({ "chatId": chat, "userId": bob.id, "role": "MODERATOR" }),
    )
    .await;
    assert_eq!(unread(&bob, &chat).await, 1, "what Parlor tells is nothing to be read");
    assert_eq!(texts(&ada, &chat).await.expect("hers").len(), 4);
}
