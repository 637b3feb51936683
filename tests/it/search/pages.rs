//! Pages: without gaps and repetitions, also while more is said; and bounds that say so.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{ECHO, contents, fill, said, searched, speaker};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_lead_through_all_hits() {
    let (app, ada, chat) = speaker(&["A heron, the only one with a stork"]).await;
    fill(&app, &chat, 120, "heron").await;
    let filter = json!({ "roles": ["USER"] });
    let all = searched(&ada, json!({ "query": "heron", "filter": filter, "first": 100 })).await;
    let mut expected = contents(&all);
    let rest = json!({ "query": "heron", "filter": filter, "first": 100, "after": all["pageInfo"]["endCursor"] });
    expected.extend(contents(&searched(&ada, rest).await));
    assert_eq!(expected.iter().collect::<HashSet<_>>().len(), 121);

    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = searched(
            &ada,
            json!({ "query": "heron", "filter": filter, "first": 13, "after": after }),
        )
        .await;
        assert_eq!(page["complete"], true);
        seen.extend(contents(&page));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        // What is said meanwhile is on no page of what was found before.
        said(&ada, &chat, "heron heron heron").await;
    }
    assert_eq!(seen, expected);
    let end = searched(&ada, json!({ "query": "heron", "filter": filter, "after": after })).await;
    assert_eq!((&end["nodes"], &end["corrections"]), (&json!([]), &json!([])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_what_was_meant_go_on() {
    let (app, ada, chat) = speaker(&[]).await;
    fill(&app, &chat, 5, "umbrella").await;
    let first = searched(&ada, json!({ "query": "umbrela ", "first": 3 })).await;
    let second = searched(
        &ada,
        json!({ "query": "umbrela ", "first": 3, "after": first["pageInfo"]["endCursor"] }),
    )
    .await;
    let mut seen = contents(&first);
    seen.extend(contents(&second));
    seen.sort();
    assert_eq!(
        seen,
        ["umbrella 1", "umbrella 2", "umbrella 3", "umbrella 4", "umbrella 5"]
    );
    assert_eq!(second["corrections"], first["corrections"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_common_word_is_bounded_and_says_so() {
    let (app, ada, chat) = speaker(&["the beginning"]).await;
    fill(&app, &chat, 2_500, "the same").await;
    let common = searched(&ada, json!({ "query": "the" })).await;
    assert_eq!((contents(&common).len(), &common["complete"]), (20, &json!(false)));
    let rare = searched(
        &ada,
        json!({ "query": "the beginning", "filter": { "roles": ["USER"] } }),
    )
    .await;
    assert_eq!(
        (contents(&rare), &rare["complete"]),
        (vec!["the beginning".to_owned()], &json!(true))
    );
    let narrow = searched(&ada, json!({ "query": "same 1234 " })).await;
    assert_eq!(
        (contents(&narrow), &narrow["complete"]),
        (vec!["the same 1234".to_owned()], &json!(true))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phrase_of_frequent_words_is_looked_for_in_the_newest_messages() {
    let (app, ada, chat) = speaker(&["old is the same"]).await;
    fill(&app, &chat, 17_000, "same the").await;
    said(&ada, &chat, "new is the same").await;
    for (query, expected, complete) in [
        ("\"the same\"", vec!["new is the same"], false),
        ("\"old is the same\"", vec!["old is the same"], true),
        ("\"the same\" old ", vec!["old is the same"], true),
        ("the same -\"same the\"", vec!["new is the same"], false),
        ("\"same the 777\"", vec!["same the 777"], true),
        ("\"777 the same\"", vec![], true),
    ] {
        let answer = searched(&ada, json!({ "query": query, "filter": { "roles": ["USER"] } })).await;
        assert_eq!(
            (contents(&answer), &answer["complete"]),
            (expected.into_iter().map(str::to_owned).collect(), &json!(complete)),
            "{query}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_seldom_said_is_found_in_many_chats_and_only_in_ones_own() {
    let (app, ada, _) = speaker(&["the heron knows"]).await;
    let bob = app.user("bob").await;
    let theirs = bob.chat(ECHO).await;
    said(&bob, &theirs, "the heron of another").await;
    let many = "WITH many AS (INSERT INTO chats (id, kind, created_by, last_sequence) \
          SELECT gen_random_uuid(), 'ASSISTANT', id, 2 FROM users, generate_series(1, 200) WHERE username = 'ada' RETURNING id, created_by), \
        mine AS (INSERT INTO chat_members (chat_id, user_id, history_after) SELECT id, created_by, 1 FROM many) \
        INSERT INTO messages (id, chat_id, sequence, role, content) \
          SELECT gen_random_uuid(), id, n, 'USER', CASE n WHEN 1 THEN 'the heron that was cleared' ELSE 'the stork' END FROM many, generate_series(1, 2) AS n";
    app.sql().await.batch_execute(many).await.expect("many chats");
    let heron = searched(&ada, json!({ "query": "heron ", "filter": { "roles": ["USER"] } })).await;
    assert_eq!(
        (contents(&heron), &heron["complete"]),
        (vec!["the heron knows".to_owned()], &json!(true))
    );
    let stork = searched(&ada, json!({ "query": "stork ", "first": 100 })).await;
    assert_eq!((contents(&stork).len(), &stork["complete"]), (100, &json!(true)));
    let nothing = searched(&ada, json!({ "query": "pelican " })).await;
    assert_eq!((contents(&nothing).len(), &nothing["complete"]), (0, &json!(true)));
}
