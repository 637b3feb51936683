//! History: pages of messages, both ways, each read from an index.

use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Text;
use parlor::chat::message;
use parlor::page::{PageArguments, Window};
use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, uuid};

/// The numbers on a page, and its page info.
async fn page(client: &Client, chat: &str, arguments: &str) -> (Vec<i64>, Value) {
    let query = format!(
        "query ($id: ID!) {{ chat(id: $id) {{ messages({arguments}) {{ nodes {{ sequence }} edges {{ cursor node {{ sequence }} }} \
         pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
    )
    .replace("messages()", "messages");
    let mut answer = client.ok(&query, json!({ "id": chat })).await;
    let page = answer["chat"]["messages"].take();
    let edges = page["edges"].as_array().expect("edges");
    let (first, last) = (edges.first(), edges.last());
    let cursor = |edge: Option<&Value>| edge.map_or(Value::Null, |edge| edge["cursor"].clone());
    assert_eq!(page["pageInfo"]["startCursor"], cursor(first));
    assert_eq!(page["pageInfo"]["endCursor"], cursor(last));
    let nodes = page["nodes"].as_array().expect("nodes");
    let sequences = nodes.iter().map(|node| node["sequence"].as_i64().expect("a number"));
    (sequences.collect(), page["pageInfo"].clone())
}

async fn with_messages(count: i64) -> (TestApp, Client, String) {
    let app = TestApp::start().await;
    let ada = app.user("ada").await.client;
    let chat = ada.chat("scripted").await;
    let insert = "INSERT INTO messages (id, chat_id, sequence, role, content) \
        SELECT gen_random_uuid(), $1::text::uuid, n, 'USER', 'message ' || n FROM generate_series(1, $2::bigint) AS n";
    let sql = app.sql().await;
    sql.execute(insert, &[&uuid(&chat), &count]).await.expect("messages");
    let update = "UPDATE chats SET last_sequence = $2 WHERE id = $1::text::uuid";
    sql.execute(update, &[&uuid(&chat), &count]).await.expect("the chat");
    (app, ada, chat)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_lead_through_the_whole_history() {
    let (_app, ada, chat) = with_messages(250).await;
    let all: Vec<i64> = (1..=250).collect();
    assert_eq!(
        page(&ada, &chat, "").await.0,
        all[200..],
        "the newest fifty, oldest first"
    );
    assert_eq!(page(&ada, &chat, "first: 2").await.0, [1, 2]);
    assert_eq!(page(&ada, &chat, "last: 100").await.0, all[150..]);
    assert_eq!(page(&ada, &chat, "first: 0").await.0, [0; 0]);

    let (mut seen, mut info) = page(&ada, &chat, "first: 100").await;
    assert_eq!(info["hasPreviousPage"], false);
    let mut pages = 1;
    while info["hasNextPage"] == true {
        let (more, next) = page(&ada, &chat, &format!("first: 100, after: {}", info["endCursor"])).await;
        seen.extend(more);
        (info, pages) = (next, pages + 1);
    }
    assert_eq!((seen, pages, &info["hasPreviousPage"]), (all.clone(), 3, &json!(true)));

    let (mut seen, mut info) = page(&ada, &chat, "last: 100").await;
    assert_eq!(info["hasNextPage"], false);
    while info["hasPreviousPage"] == true {
        let (more, next) = page(&ada, &chat, &format!("last: 100, before: {}", info["startCursor"])).await;
        seen.splice(0..0, more);
        info = next;
    }
    assert_eq!((seen, &info["hasNextPage"]), (all.clone(), &json!(true)));

    let (_, info) = page(&ada, &chat, "first: 10").await;
    let (_, later) = page(&ada, &chat, "first: 20").await;
    let between = format!("after: {}, before: {}", info["endCursor"], later["endCursor"]);
    assert_eq!(
        page(&ada, &chat, &between).await.0,
        all[10..19],
        "a window between two cursors"
    );
    assert_eq!(page(&ada, &chat, &format!("first: 3, {between}")).await.0, all[10..13]);
    assert_eq!(page(&ada, &chat, &format!("last: 3, {between}")).await.0, all[16..19]);
    let after_all = page(&ada, &chat, "last: 1").await.1["endCursor"].clone();
    assert_eq!(
        page(&ada, &chat, &format!("first: 3, after: {after_all}")).await.0,
        [0; 0]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_cannot_be_are_refused() {
    let (_app, ada, chat) = with_messages(3).await;
    let list = "{ viewer { chats { edges { cursor } } } }";
    let of_chats = ada.ok(list, json!({})).await["viewer"]["chats"]["edges"][0]["cursor"].clone();
    let foreign = format!("first: 1, after: {of_chats}");
    let both = "Give either `first` or `last`, not both.";
    let size = |name| format!("`{name}` must be between 0 and 100; ask for more with a cursor.");
    let cursor = |name| format!("`{name}` is not a cursor of this list.");
    for (arguments, message) in [
        ("first: 1, last: 1", both.to_owned()),
        ("first: 101", size("first")),
        ("last: 2147483647", size("last")),
        ("first: -1", size("first")),
        ("last: -2147483648", size("last")),
        (r#"after: """#, cursor("after")),
        (r#"first: 1, after: "garbage""#, cursor("after")),
        (r#"last: 1, before: "bnVsbA""#, cursor("before")),
        (&foreign, cursor("after")),
    ] {
        let query = format!("query ($id: ID!) {{ chat(id: $id) {{ messages({arguments}) {{ nodes {{ id }} }} }} }}");
        let answer = ada.run(&query, json!({ "id": chat })).await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{arguments}"
        );
        assert_eq!(answer["errors"][0]["message"], message, "{arguments}");
    }
}

/// Explains a query instead of running it.
#[derive(QueryId)]
struct Explain<Q>(Q);

impl<Q> Query for Explain<Q> {
    type SqlType = Text;
}

impl<Q: QueryFragment<Pg>> QueryFragment<Pg> for Explain<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("EXPLAIN ");
        self.0.walk_ast(out.reborrow())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_read_from_the_index() {
    let (app, _ada, chat) = with_messages(2000).await;
    let others = "INSERT INTO chats (id, kind, created_by) SELECT gen_random_uuid(), 'ASSISTANT', created_by FROM chats, generate_series(1, 50); \
        INSERT INTO messages (id, chat_id, sequence, role, content) \
        SELECT gen_random_uuid(), chats.id, n, 'USER', 'x' FROM chats, generate_series(3000, 3040) AS n; ANALYZE messages";
    app.sql().await.batch_execute(others).await.expect("other chats");
    for (first, after, last, before) in [
        (Some(50), Some(1000), None, None),
        (None, None, Some(50), Some(1000)),
        (None, None, Some(50), None),
        (Some(50), None, None, None),
        (None, None, None, None),
    ] {
        let sizes = PageArguments {
            first,
            last,
            ..PageArguments::default()
        };
        let mut window: Window<i64> = Window::from_end(sizes, 50).expect("a window");
        (window.after, window.before) = (after, before);
        let query = Explain(message::page_query(chat.as_str().into(), &window));
        let mut connection = app.app.connection().await.expect("a connection");
        let plan: Vec<String> = diesel_async::RunQueryDsl::load(query, &mut connection)
            .await
            .expect("a plan");
        let plan = plan.join("\n");
        assert!(plan.contains("messages_branch_key"), "{plan}");
        assert!(!plan.contains("Seq Scan") && !plan.contains("Sort"), "{plan}");
    }
}
