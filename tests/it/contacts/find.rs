//! Finding people: who is found by what, page by page, and not by the thousand.

use std::collections::BTreeSet;

use parlor::contact::find;
use serde_json::{Value, json};

use super::found;
use crate::harness::app::{Client, TestApp, User, uuid};

async fn named(app: &TestApp, username: &str, display_name: &str) -> User {
    let user = app.user(username).await;
    user.mutate("updateProfile", json!({ "displayName": display_name }), "")
        .await;
    user
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_found_by_what_they_are_called() {
    let app = TestApp::start().await;
    let ada = named(&app, "ada", "Ada Lovelace").await;
    let gus = named(&app, "Gus_100", "Augusta Ada Byron").await;
    named(&app, "guxx100", "Jean-Luc 100%").await;
    named(&app, "love.lace", "Änne Österreich").await;
    for (query, names) in [
        ("GU", vec!["Gus_100", "guxx100"]),
        ("gus_", vec!["Gus_100"]),
        ("_1", vec![]),
        ("us_100", vec![]),
        ("augu", vec!["Gus_100"]),
        ("BYRON", vec!["Gus_100"]),
        ("ada by", vec!["Gus_100"]),
        ("usta", vec![]),
        ("lo", vec!["love.lace"]),
        ("  öSTER  ", vec!["love.lace"]),
        ("änne", vec!["love.lace"]),
        ("100%", vec!["guxx100"]),
        ("1%", vec![]),
        ("%%", vec![]),
        ("__", vec![]),
        ("\\\\", vec![]),
        ("' OR true --", vec![]),
        ("@gus", vec!["Gus_100"]),
        ("@byron", vec![]),
        ("@@gus", vec![]),
        // An address has to be whole.
        ("gus_100@example.com", vec!["Gus_100"]),
        ("GUS_100@Example.COM", vec!["Gus_100"]),
        ("gus_100@example", vec![]),
        ("gus_100@", vec![]),
        ("@example.com", vec![]),
        ("example.com", vec![]),
        // Nobody finds themselves.
        ("ada", vec!["Gus_100"]),
        ("ada@example.com", vec![]),
    ] {
        assert_eq!(found(&ada, query).await, names, "{query:?}");
    }
    // User names come before names, and the whole one first.
    named(&app, "adalbert", "Nobody").await;
    assert_eq!(found(&gus, "ada").await, ["ada", "adalbert"]);
    assert_eq!(found(&gus, "no").await, ["adalbert"]);
    named(&app, "nora", "Ada").await;
    assert_eq!(found(&gus, "ada").await, ["ada", "adalbert", "nora"]);
}

async fn page(client: &Client, arguments: &str) -> (Vec<String>, Value) {
    let query = format!(
        "{{ findUsers({arguments}) {{ nodes {{ username }} pageInfo {{ hasNextPage hasPreviousPage endCursor }} }} }}"
    );
    let mut answer = client.ok(&query, json!({})).await;
    let page = answer["findUsers"].take();
    let nodes = page["nodes"].as_array().expect("people").clone();
    let names = nodes
        .iter()
        .map(|node| node["username"].as_str().expect("a name").to_owned());
    (names.collect(), page["pageInfo"].clone())
}

/// Accounts by the hundred: `p0001` and on are called something else, `q0001` and on are called p and the number.
async fn crowd(app: &TestApp, count: i64) {
    let sql = format!(
        "INSERT INTO users (id, username, email, display_name, password_hash) \
           SELECT gen_random_uuid(), letter || number, letter || number || '@example.com', CASE letter WHEN 'q' THEN 'p' || number ELSE 'Person' END, '' \
           FROM generate_series(1, {count}) AS n, LATERAL (SELECT lpad(n::text, 4, '0') AS number) AS numbered, unnest('{{p,q}}'::text[]) AS letter"
    );
    app.sql().await.batch_execute(&sql).await.expect("a crowd");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_lead_through_all_who_are_found() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    crowd(&app, 30).await;
    let expected: Vec<String> = ["p", "q"]
        .iter()
        .flat_map(|letter| (1..=30).map(move |n| format!("{letter}{n:04}")))
        .collect();
    assert_eq!(
        page(&ada, "query: \"p00\"").await.0,
        expected[..20],
        "twenty, when nobody says"
    );
    assert_eq!(page(&ada, "query: \"p00\", first: 0").await.0, [""; 0]);
    for size in [7, 30, 100] {
        let (mut seen, mut info) = page(&ada, &format!("query: \"p00\", first: {size}")).await;
        while info["hasNextPage"] == true {
            let arguments = format!("query: \"p00\", first: {size}, after: {}", info["endCursor"]);
            let (more, next) = page(&ada, &arguments).await;
            assert_eq!(next["hasPreviousPage"], true);
            seen.extend(more);
            info = next;
        }
        assert_eq!(seen, expected, "{size} at a time");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_looked_for_is_refused() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let short = "`query` must have at least 2 characters.";
    let odd = "`query` must be one line without control or invisible formatting characters.";
    let foreign = "`after` is not a cursor of this list.";
    let size = "`first` must be between 0 and 100; ask for more with a cursor.";
    let search = "query ($query: String!, $first: Int! = 20, $after: String) { findUsers(query: $query, first: $first, after: $after) { nodes { id } } }";
    for (variables, message) in [
        (json!({ "query": "  " }), "`query` must not be empty."),
        (json!({ "query": " x " }), short),
        (json!({ "query": "@x" }), short),
        (json!({ "query": "a\u{1}b" }), odd),
        (json!({ "query": "a\u{202e}b" }), odd),
        (
            json!({ "query": "x".repeat(255) }),
            "`query` must be at most 254 characters long.",
        ),
        (json!({ "query": "ada", "first": 101 }), size),
        (json!({ "query": "ada", "first": -1 }), size),
        (json!({ "query": "ada", "after": "garbage" }), foreign),
        // A cursor of ours that holds what Postgres cannot store.
        (json!({ "query": "ada", "after": "WzEsIlx1MDAwMCJd" }), foreign),
    ] {
        let answer = ada.run(search, variables.clone()).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{variables}: {answer}"
        );
        assert_eq!(answer["errors"][0]["message"], message, "{variables}");
    }
    for by in ["{ username: \"ada@example.com\" }", "{ email: \"ada\" }"] {
        let answer = ada.ok(&format!("{{ user(by: {by}) {{ id }} }}"), json!({})).await;
        assert_eq!(answer["user"], Value::Null, "{by}");
    }
}

/// Asks until it is too much, and says how often that was.
async fn until_limited(client: &Client, query: &str) -> usize {
    for asked in 0..1_000 {
        let answer = client.run(query, json!({})).await;
        let error = &answer["errors"][0]["extensions"];
        if error["code"] == "RATE_LIMITED" {
            assert!(error["retryAfter"].as_u64().is_some_and(|wait| wait >= 1), "{answer}");
            return asked;
        }
        assert!(answer.get("errors").is_none(), "{answer}");
    }
    panic!("nobody is slowed down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_for_everybody_is_slowed_down() {
    let app = TestApp::with(&["--requests-per-minute=0"]).await;
    let (ada, bob, cyd) = (app.user("ada").await, app.user("bob").await, app.user("cyd").await);
    crowd(&app, 200).await;
    let pages = until_limited(&ada, "{ findUsers(query: \"p0\", first: 100) { nodes { id } } }").await;
    assert!((10..50).contains(&pages), "{pages}");
    let names = until_limited(&bob, "{ user(by: { username: \"p0001\" }) { id } }").await;
    assert!((50..250).contains(&names), "{names}");
    // What is known by its id is no search, and others are not slowed down.
    let known = "query ($id: ID!) { user(by: { id: $id }) { username } }";
    let seen = bob.ok(known, json!({ "id": ada.id })).await;
    assert_eq!(seen["user"]["username"], "ada");
    assert_eq!(found(&cyd, "p0001").await, ["p0001", "q0001"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_of_finding_has_an_index() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    crowd(&app, 4_000).await;
    let sql = app.sql().await;
    // What waits to be put into a trigram index makes it look dear.
    sql.batch_execute("VACUUM ANALYZE users").await.expect("a tidy table");
    // As with a page in the middle of names, and of user names.
    let none: Option<&str> = None;
    let range = ["p01", "p01~", "p01"];
    let statement = format!("EXPLAIN {}", find::statement()).replace("$8", "$8::text::uuid");
    let mut used = BTreeSet::new();
    for (email, name) in [(Some("p0001@example.com"), none), (none, Some("% p012%"))] {
        let [from, end, beginning] = range;
        let viewer = uuid(&ada.id);
        let rows = sql
            .query(
                &statement,
                &[&-1_i32, &"", &email, &from, &end, &beginning, &name, &viewer, &21_i64],
            )
            .await
            .expect("a plan");
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(!plan.contains("Seq Scan on users"), "{plan}");
        let indexes = ["users_email_key", "users_username_prefix_idx", "users_display_name_idx"];
        used.extend(indexes.into_iter().filter(|index| plan.contains(index)));
    }
    assert_eq!(used.len(), 3, "{used:?}");
}
