//! When: a question in the transaction that stores it, an answer once it has ended, what was there before by and by.

use serde_json::{Value, json};

use super::{ECHO, fill, found, narrowed, said, speaker};
use crate::generation::{ended, upto};
use crate::harness::app::{TestApp, uuid};
use crate::titles::until_jobs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_found_once_it_has_ended() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat("scripted:echo,stall,at=2,first=0,delay=0").await;
    let generation = ada.send(&chat, "Heron alpha beta gamma").await;
    upto(&mut ada.generation_events(&generation, None).await, 2).await;
    assert_eq!(
        found(&ada, "heron").await,
        ["Heron alpha beta gamma"],
        "the question is"
    );
    let answers = json!({ "roles": ["ASSISTANT"] });
    let sql = app.sql().await;
    // As its checkpoints do, ten times a second.
    let checkpoint = "UPDATE messages SET content = 'Heron alpha' WHERE role = 'ASSISTANT'";
    sql.execute(checkpoint, &[]).await.expect("a message");
    assert!(narrowed(&ada, "heron", answers.clone()).await.is_empty());
    let entries: i64 = sql
        .query_one("SELECT count(*) FROM message_words", &[])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(entries, 1, "no entry for a checkpoint");
    ada.mutate(
        "stopGeneration",
        json!({ "generationId": generation }),
        "generation { id }",
    )
    .await;
    let text = ended(&ada, &generation).await["text"].take();
    assert_eq!(narrowed(&ada, "heron", answers).await, [text.as_str().expect("a text")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_left_is_found() {
    let (app, ada, chat) = speaker(&[]).await;
    let generation = ada.send(&chat, "Heron").await;
    ended(&ada, &generation).await;
    // As if the process had died before the end, after a checkpoint that said more than what was found before.
    let left = "UPDATE messages SET content = 'Heron and stork' WHERE role = 'ASSISTANT'; \
        UPDATE generations SET finished_at = NULL, status = 'STREAMING', lease_expires_at = now() - interval '1 minute', leased_by = gen_random_uuid()";
    app.sql().await.batch_execute(left).await.expect("left");
    assert_eq!(ended(&ada, &generation).await["status"], "INTERRUPTED");
    assert_eq!(narrowed(&ada, "stork", json!({})).await, ["Heron and stork"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_before_is_filled_in() {
    let (app, ada, chat) = speaker(&["The heron knows"]).await;
    fill(&app, &chat, 500, "Heron").await;
    let sql = app.sql().await;
    let upgrade = "TRUNCATE message_words; UPDATE messages SET content = '', deleted_at = now() WHERE content = 'Heron 7'; \
        INSERT INTO jobs (id, kind, key, payload, run_at) VALUES (gen_random_uuid(), 'search.fill', 'all', '{}', now() + interval '1 hour')";
    sql.batch_execute(upgrade).await.expect("an upgraded database");
    let query = "{ search(query: \"heron\") { complete nodes { rank } } }";
    let before = ada.ok(query, json!({})).await["search"].take();
    assert_eq!(before, json!({ "complete": false, "nodes": [] }), "it says so");
    sql.execute("UPDATE jobs SET run_at = now()", &[]).await.expect("a job");
    app.app.jobs().wake();
    until_jobs(&app, "count = 0").await;
    let missing = "SELECT count(*) FILTER (WHERE message_id IS NULL), count(*) FROM messages LEFT JOIN message_words ON message_id = id";
    let row = sql.query_one(missing, &[]).await.expect("a count");
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, i64>(1)),
        (1, 502),
        "all but the tombstone"
    );
    assert_eq!(ada.ok(query, json!({})).await["search"]["complete"], true);
    assert_eq!(found(&ada, "heron knows").await, ["The heron knows"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_long_and_very_odd_texts_can_be_said() {
    let app = TestApp::with(&["--message-characters=100000"]).await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let long: String = (0..14_000).map(|n| format!("w{n} ")).collect();
    let unbroken = "x".repeat(90_000);
    let han: String = ('\u{4E00}'..'\u{9F00}').collect();
    // Letters that are a quote without their accent.
    let quoted = "Say ʻokina, hello ʼtis, rock ʹn roll, ŉ, and /ˈwɔːtə/ in Hawaiʻi";
    let odd = "\u{301}\u{200B}\u{FFFD}\u{10FFFF} ' \\ \u{7} =0 ~202601 !USER @x heron";
    for text in [long.as_str(), &unbroken, &han, quoted, odd] {
        said(&ada, &chat, text).await;
    }
    assert_eq!(found(&ada, "w77").await.len(), 1);
    assert_eq!(found(&ada, "heron").await, [odd]);
    for query in ["ʻokina", "ŉ ", "ˈwɔːtə", "wɔːtə", "Hawaiʻi", "tis "] {
        assert_eq!(found(&ada, query).await, [quoted], "{query}");
    }
    for marks in ["=0", "!USER", "~202601 -heron"] {
        let hits = ada
            .ok(
                "query ($query: String!) { search(query: $query) { nodes { message { content } } } }",
                json!({ "query": marks }),
            )
            .await;
        let hits = hits["search"]["nodes"].as_array().expect("nodes").clone();
        let odd_only = |hit: &Value| hit["message"]["content"] == odd;
        assert!(hits.iter().all(odd_only), "marks are no words: {marks}");
    }
    let kept = "SELECT count(*) FROM message_words WHERE message_id = $1::text::uuid";
    let (question, _) = said(&ada, &chat, "heron").await;
    let kept: i64 = app
        .sql()
        .await
        .query_one(kept, &[&uuid(&question)])
        .await
        .expect("a count")
        .get(0);
    assert_eq!(kept, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_character_stops_a_message() {
    let app = TestApp::start().await;
    let sql = app.sql().await;
    // Each at the beginning of a word, within it and at its end; those that cannot be a text's are left out.
    let all = "WITH pages AS (SELECT string_agg(chr(n) || 'a b' || chr(n) || 'c d' || chr(n) || ' ' || chr(n), ' ') AS text \
          FROM generate_series(1, 131071) AS n WHERE n NOT BETWEEN 55296 AND 57343 GROUP BY n / 512) \
        SELECT count(search_words(text)) FROM pages";
    let pages: i64 = sql.query_one(all, &[]).await.expect("words").get(0);
    assert_eq!(pages, 252);
    let asked = "SELECT count(search_term(chr(n) || 'a') || search_term(chr(n)) || search_term('a' || chr(n))) FROM generate_series(1, 131071) AS n \
        WHERE n NOT BETWEEN 55296 AND 57343 AND unaccent(chr(n)) ~ '[^[:alnum:]]' AND unaccent(chr(n)) <> chr(n)";
    let asked: i64 = sql.query_one(asked, &[]).await.expect("terms").get(0);
    assert!(asked > 50, "{asked} letters are a sign without their accent");
}
