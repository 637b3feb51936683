//! Scope: only what one may see, and of that what a filter leaves.

use serde_json::{Value, json};

use super::{ECHO, fill, found, narrowed, said, searched, speaker};
use crate::harness::app::{TestApp, User, new_key, uuid};
use crate::lanes;
use crate::rooms;
use crate::tree::{self, edited, regenerated, selected};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anothers_messages_are_never_found() {
    let (app, ada, chat) = speaker(&["The heron knows"]).await;
    let (bob, admin) = (app.user("bob").await, app.admin("root").await);
    let theirs = bob.chat(ECHO).await;
    said(&bob, &theirs, "My heron sleeps").await;
    for (client, expected) in [
        (&ada, vec!["The heron knows"]),
        (&bob, vec!["My heron sleeps"]),
        (&admin, vec![]),
    ] {
        assert_eq!(found(client, "heron").await, expected);
        for chats in [vec![&chat, &theirs], vec![&chat], vec![&theirs]] {
            let named = narrowed(client, "heron", json!({ "chatIds": chats, "roles": ["USER"] })).await;
            assert!(named.iter().all(|text| expected.contains(&text.as_str())), "{named:?}");
        }
        assert!(narrowed(client, "heron", json!({ "chatIds": [] })).await.is_empty());
    }
    let leave = "DELETE FROM chat_members WHERE chat_id = $1::text::uuid";
    app.sql().await.execute(leave, &[&uuid(&chat)]).await.expect("a member");
    assert!(found(&ada, "heron").await.is_empty(), "who has left finds nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_branch_that_is_shown_is_found() {
    let (_app, ada, chat) = speaker(&[]).await;
    let (question, answer) = said(&ada, &chat, "What do herons eat?").await;
    said(&ada, &chat, "And storks?").await;
    let (other, _) = edited(&ada, &question, "What do cranes eat?").await;
    assert_eq!(found(&ada, "eat").await, ["What do cranes eat?"]);
    assert!(found(&ada, "storks").await.is_empty() && found(&ada, "herons").await.is_empty());
    selected(&ada, &answer).await;
    assert_eq!(found(&ada, "eat").await, ["What do herons eat?"]);
    assert_eq!(found(&ada, "storks").await, ["And storks?"]);
    selected(&ada, &other).await;
    let again = regenerated(
        &ada,
        &tree::shown(&ada, &chat).await[1],
        Some("scripted:words=1,first=0,delay=0"),
    )
    .await;
    let cranes = searched(&ada, json!({ "query": "cranes", "filter": { "roles": ["ASSISTANT"] } })).await;
    assert_eq!(cranes["nodes"], json!([]), "the answer before {again} is not shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_is_found_no_more() {
    let (app, ada, chat) = speaker(&["The heron knows"]).await;
    let other = ada.chat(ECHO).await;
    let (question, _) = said(&ada, &other, "A heron too").await;
    let sql = app.sql().await;
    let entries = async || -> i64 {
        let count = "SELECT count(*) FROM message_words";
        sql.query_one(count, &[]).await.expect("a count").get(0)
    };
    assert_eq!(entries().await, 4);
    let tombstone =
        "UPDATE messages SET content = '', deleted_at = now(), version = version + 1 WHERE id = $1::text::uuid";
    sql.execute(tombstone, &[&uuid(&question)]).await.expect("a message");
    assert_eq!(found(&ada, "heron").await, ["The heron knows"]);
    assert_eq!(entries().await, 3, "no word of it is kept");
    ada.mutate("clearHistory", json!({ "chatId": chat }), "chat { id }")
        .await;
    assert!(found(&ada, "heron").await.is_empty());
    said(&ada, &chat, "Herons are back").await;
    assert_eq!(found(&ada, "heron").await, ["Herons are back"]);
    for chat in [&chat, &other] {
        ada.mutate("deleteChat", json!({ "chatId": chat }), "deletedChatId")
            .await;
    }
    assert_eq!((found(&ada, "heron").await.len(), entries().await), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_losers_of_a_race_leave_no_word() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let started = lanes::asked(&ada, &chat, "RACE", &[lanes::STALLED, ECHO]).await;
    for generation in &started.generations {
        tree::done(&ada, generation).await;
    }
    lanes::has_lost(&ada, &started.answers[0]).await;
    let hits = searched(&ada, json!({ "query": "which way" })).await;
    let mut ids = tree::list(&Value::Array(
        hits["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .map(|hit| hit["message"].clone())
            .collect(),
    ));
    ids.sort();
    assert_eq!(ids, [started.question, started.answers[1].clone()]);
    let kept = "SELECT count(*) FROM message_words WHERE message_id = $1::text::uuid";
    let kept: i64 = app
        .sql()
        .await
        .query_one(kept, &[&uuid(&started.answers[0])])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(kept, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_narrow_what_is_found() {
    let (app, ada, chat) = speaker(&["The heron knows"]).await;
    let bob = app.user("bob").await;
    let other = ada.chat(ECHO).await;
    said(&ada, &other, "Another heron").await;
    let sql = app.sql().await;
    let join = "INSERT INTO chat_members (chat_id, user_id) VALUES ($1::text::uuid, $2::text::uuid)";
    sql.execute(join, &[&uuid(&chat), &uuid(&bob.id)])
        .await
        .expect("a member");
    said(&bob, &chat, "Bob's heron").await;
    fill(&app, &other, 1, "Yesteryear's heron").await;
    let old = "UPDATE messages SET created_at = '2024-05-31T22:00:00Z', version = version + 1, content = content WHERE content LIKE 'Yester%'";
    sql.execute(old, &[]).await.expect("a message");

    let me = ada.ok("{ viewer { user { id } } }", json!({})).await["viewer"]["user"]["id"].take();
    for (filter, mut expected) in [
        (
            json!({ "chatIds": [chat], "roles": ["USER"] }),
            vec!["The heron knows", "Bob's heron"],
        ),
        (json!({ "authorId": bob.id }), vec!["Bob's heron"]),
        (json!({ "authorId": me }), vec!["The heron knows", "Another heron"]),
        (json!({ "authorId": me, "chatIds": [other] }), vec!["Another heron"]),
        (
            json!({ "roles": ["ASSISTANT"], "chatIds": [other] }),
            vec!["Another heron"],
        ),
        (json!({ "roles": [] }), vec![]),
        (json!({ "authorId": "user_1" }), vec![]),
        (json!({ "to": "2024-06-01T00:00:00Z" }), vec!["Yesteryear's heron 1"]),
        (
            json!({ "from": "2024-05-31T22:00:00Z", "to": "2024-05-31T22:00:01Z" }),
            vec!["Yesteryear's heron 1"],
        ),
        (
            json!({ "from": "2024-05-01T00:00:00Z", "to": "2024-05-31T22:00:00Z" }),
            vec![],
        ),
        (
            json!({ "from": "1970-01-01T00:00:00Z", "authorId": bob.id }),
            vec!["Bob's heron"],
        ),
        (
            json!({ "from": "2025-01-01T00:00:00Z", "roles": ["USER"], "chatIds": [other] }),
            vec!["Another heron"],
        ),
    ] {
        let mut hits = narrowed(&ada, "heron", filter.clone()).await;
        hits.sort();
        expected.sort();
        assert_eq!(hits, expected, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_rooms_what_one_is_shown_is_found() {
    let app = TestApp::start().await;
    let (ada, bob, cyd) = (app.user("ada").await, app.user("bob").await, app.user("cyd").await);
    let room = rooms::group(&ada, &[&bob]).await;
    rooms::say(&ada, &room, "The umbrella is at the station").await;
    let add = json!({ "chatId": room, "userIds": [cyd.id] });
    rooms::done(&ada, "addMembers", add).await;
    rooms::say(&bob, &room, "The parasol is here").await;
    for client in [&ada, &bob] {
        assert_eq!(found(client, "umbrella").await, ["The umbrella is at the station"]);
    }
    assert_eq!(found(&cyd, "parasol").await, ["The parasol is here"]);
    let before = json!({ "query": "umbrela" });
    assert_eq!(
        searched(&cyd, before).await["corrections"],
        json!([]),
        "not even the word of what was said before they joined"
    );
    assert_eq!(found(&cyd, "umbrella").await, [""; 0]);
    let out = json!({ "chatId": room, "userId": bob.id });
    rooms::done(&ada, "removeMember", out).await;
    assert_eq!(found(&bob, "parasol").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changed_words_while_blocked_finds_what_they_read_themselves() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = rooms::people(&app, ["ada", "bob"]).await;
    let chat = rooms::direct(&bob, &ada).await;
    let message = rooms::say(&bob, &chat, "A heron stands here").await;
    rooms::done(&ada, "blockUser", json!({ "userId": bob.id })).await;
    let edit = json!({ "messageId": message, "content": "A crane flies there", "idempotencyKey": new_key() });
    rooms::done(&bob, "editMessage", edit).await;
    for (query, to_ada, to_bob) in [
        ("heron", vec!["A heron stands here"], vec![]),
        ("crane", vec![], vec!["A crane flies there"]),
        ("\"crane flies\"", vec![], vec!["A crane flies there"]),
        ("cra", vec![], vec!["A crane flies there"]),
        ("a -heron", vec![], vec!["A crane flies there"]),
    ] {
        assert_eq!(found(&ada, query).await, to_ada, "{query}");
        assert_eq!(found(&bob, query).await, to_bob, "{query}");
    }
    let answer = searched(&bob, json!({ "query": "crane" })).await;
    assert_eq!(answer["nodes"][0]["fragments"][0]["text"], "A crane flies there");
    assert_eq!(answer["complete"], true);
    rooms::done(&bob, "deleteMessage", json!({ "messageId": message })).await;
    assert!(found(&bob, "crane").await.is_empty());
}
