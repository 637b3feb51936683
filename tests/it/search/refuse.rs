//! What is no search: refused with a reason.

use serde_json::json;

use crate::harness::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_search_is_refused() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let query = "query ($query: String!, $filter: SearchFilter, $first: Int! = 20, $after: String) { \
        search(query: $query, filter: $filter, first: $first, after: $after) { complete } }";
    let chats = vec!["chat_1"; 101];
    for (variables, reason) in [
        (
            json!({ "query": " " }),
            "`query` is empty. Give at least one word to look for.",
        ),
        (
            json!({ "query": "x".repeat(201) }),
            "`query` must be at most 200 characters long.",
        ),
        (
            json!({ "query": "a ".repeat(13) }),
            "`query` must hold at most 12 words and phrases.",
        ),
        (
            json!({ "query": "-tea" }),
            "`query` only says what must not be there. Give at least one word to look for.",
        ),
        (
            json!({ "query": "tea", "first": 101 }),
            "`first` must be between 0 and 100; ask for more with a cursor.",
        ),
        (
            json!({ "query": "tea", "first": -1 }),
            "`first` must be between 0 and 100; ask for more with a cursor.",
        ),
        (
            json!({ "query": "tea", "after": "tea" }),
            "`after` is not a cursor of this list.",
        ),
        (
            json!({ "query": "tea", "filter": { "chatIds": chats } }),
            "`chatIds` must name at most 100 chats.",
        ),
        (
            json!({ "query": "tea", "filter": { "from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z" } }),
            "`from` must be before `to`.",
        ),
    ] {
        let answer = ada.run(query, variables.clone()).await;
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_USER_INPUT", "{variables}: {answer}");
        assert_eq!(error["message"], reason, "{variables}");
    }
    let answer = app.anonymous().run(query, json!({ "query": "" })).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}
