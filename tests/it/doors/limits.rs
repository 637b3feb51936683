//! What a request may cost.

use async_graphql::{Request, ServerError, Variables};
use parlor::graphql::limits;
use serde_json::json;

use super::{Door, code, json as body};

/// 755 bytes that expand to a hundred million fields.
fn bomb() -> String {
    let spreads: String = (0..26)
        .map(|n| format!("fragment f{n} on Node{{...f{0} ...f{0}}}", n + 1))
        .collect();
    format!("{{node{{...f0}}}}{spreads}fragment f26 on Node{{name}}")
}

#[tokio::test]
async fn fragments_are_counted_expanded_without_expanding_them() {
    // Expanded, this would be more fields than could ever be counted.
    let source = bomb();
    let refused = limits::check_document(&limits::parse(&source).expect("it is well formed"));
    assert!(refused.is_err());
    assert_eq!(code(&Door::open().await.ask(&source).await), "QUERY_TOO_COMPLEX");
}

/// What the limits say of a request.
fn refusal(query: &str, variables: serde_json::Value) -> Option<String> {
    let document = limits::parse(query).expect("it is well formed");
    let request = Request::new(query).variables(Variables::from_json(variables));
    limits::admit(&document, &request, true)
        .err()
        .map(|error| code_of(&error))
}

fn code_of(error: &ServerError) -> String {
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    code.expect("a code").to_string().trim_matches('"').to_owned()
}

#[tokio::test]
async fn fragments_that_come_to_nothing_cost_too() {
    let levels = 'a'..='n';
    let fragments: String = levels
        .clone()
        .zip(levels.skip(1).chain(['z']))
        .map(|(name, next)| format!("fragment {name} on Query{{{}}}", format!("...{next} ").repeat(200)))
        .collect();
    let source = format!("{{...a}}{fragments}");
    let refused = limits::check_document(&limits::parse(&source).expect("it is well formed"));
    let error = refused.expect_err("nobody knows the last fragment");
    assert_eq!(code_of(&error), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(error.message, "Unknown fragment \"z\".");
    assert_eq!(
        code(&Door::open().await.ask(&source).await),
        "GRAPHQL_VALIDATION_FAILED"
    );

    let spread = |times: usize| format!("{{{}}} fragment F on Query {{hello}}", "...F ".repeat(times));
    let inline = |times: usize| format!("{{{}}}", "...{hello} ".repeat(times));
    for query in [spread(501), inline(501)] {
        assert_eq!(refusal(&query, json!({})).as_deref(), Some("QUERY_TOO_COMPLEX"));
    }
    for query in [spread(500), inline(500)] {
        assert_eq!(refusal(&query, json!({})), None);
    }
}

#[test]
fn a_long_chain_of_fragments_needs_little_stack() {
    let chain: String = (0..570)
        .map(|n| format!("fragment f{n} on A{{...f{}}}", n + 1))
        .collect();
    for source in [
        format!("{{...f0}}{chain}fragment f570 on A{{b}}"),
        format!("{{b}}{chain}fragment f570 on A{{b}}"),
        format!("{{...f0}}{chain}fragment f570 on A{{...f0}}"),
    ] {
        let check = move || {
            let document = limits::parse(&source).expect("it is well formed");
            let error = limits::check_document(&document).expect_err("it is too deep");
            (code_of(&error), limits::root_fields(&document, None))
        };
        let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(check);
        let (code, fields) = thread.expect("a thread").join().expect("no panic");
        assert_eq!(code, "QUERY_TOO_DEEP");
        assert!(fields <= 1);
    }
}

#[test]
fn root_fields_are_counted_without_expanding_fragments() {
    let count = |source: &str| limits::root_fields(&limits::parse(source).expect("it is well formed"), None);
    assert_eq!(
        count("{a b ...{c ...F ...F}} fragment F on Query {d ...G} fragment G on Query {e}"),
        7
    );
    assert_eq!(
        count("{a ...F} fragment F on Query {b ...G} fragment G on Query {c ...F}"),
        3
    );
    // Expanded, this would be 40 to the power of 20 fields.
    let wide: String = (0..20)
        .map(|n| format!("fragment f{n} on Query{{{}}}", format!("...f{} ", n + 1).repeat(40)))
        .collect();
    assert_eq!(count(&format!("{{...f0}}{wide}fragment f20 on Query{{a}}")), u32::MAX);
}

#[test]
fn pages_that_say_no_size_count_as_full_ones() {
    let paged = |page: &str| {
        format!(
            "query($n: Int){{viewer{{chats{page}{{nodes{{messages{page}{{edges{{node{{chat{{messages{page}{{...P}}}}}}}}}}}}}}}}}} \
             fragment P on MessageConnection{{...{{nodes{{chat{{messages{page}{{nodes{{content}}}}}}}}}}}}"
        )
    };
    let long = "{viewer{chats{nodes{messages{nodes{chat{messages{nodes{chat{messages{nodes{chat{messages{nodes\
        {content}}}}}}}}}}}}}}}";
    let generations = "{chat(id:1){activeGenerations{message{chat{activeGenerations{message{chat{activeGenerations{message\
        {chat{activeGenerations{message{id}}}}}}}}}}}}}";
    let sessions = "{viewer{a:sessions{b:sessions{c:sessions{id}}}}}";
    for query in [
        long,
        generations,
        sessions,
        &paged(""),
        &paged("(first: $n)"),
        &paged("(last: $n)"),
    ] {
        for variables in [json!({}), json!({ "n": null })] {
            assert_eq!(
                refusal(query, variables).as_deref(),
                Some("QUERY_TOO_COMPLEX"),
                "{query}"
            );
        }
    }
    assert_eq!(refusal(&paged("(first: $n)"), json!({ "n": 5 })), None);
    assert_eq!(refusal(&paged("(last: 5)"), json!({})), None);
}

#[test]
fn what_our_own_pages_and_the_readme_ask_passes() {
    let demo = [
        "{viewer{syncCursor user{id displayName} apiKeys{id} chats(first: 50){nodes{...K}} assistantChat{...K}} \
         serverInfo{providers{serverKey} limits{messageCharacters}}} fragment K on Chat{id kind title version provider model \
         builtinTools toolServers{id} memberCount assistants{id displayName} lastMessage{id sequence} \
         members(first: 2){nodes{user{id displayName presence{status}}}} viewerState{unreadCount lastReadSequence}}",
        "query Page($id: ID!, $before: String){viewer{id} chat(id: $id){messages(last: 50, before: $before){nodes{...M} pageInfo\
         {hasPreviousPage startCursor}}}} fragment M on Message{id role content sequence version active idempotencyKey chat{id} \
         author{id displayName} reactions{emoji count viewerReacted} siblings{id sequence} generation{...G}} \
         fragment G on Generation{id status provider model text reasoning sequence finishReason error{code message action} \
         usage{inputTokens outputTokens totalTokens costUsd costState} tokensPerSecond toolCalls{...C}} \
         fragment C on ToolCall{id server name arguments status result}",
        "{viewer{chats{nodes{id messages{nodes{id content generation{status}}} activeGenerations{id}}} sessions{id}}}",
    ];
    for query in demo {
        assert_eq!(refusal(query, json!({ "id": "x" })), None, "{query}");
    }
    let readme = include_str!("../../../README.md");
    let asked: Vec<_> = readme
        .split("\"query\": \"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(asked.len() > 5, "{asked:?}");
    for query in asked {
        let variables = json!({ "input": {}, "id": "x", "text": "x" });
        assert_eq!(refusal(query, variables), None, "{query}");
    }
}

#[tokio::test]
async fn each_limit_has_its_code() {
    let door = Door::open().await;
    let nested =
        |field: &str, levels: usize| format!("{{{}name{}}}", format!("{field}{{").repeat(levels), "}".repeat(levels));
    let aliases = (0..31).map(|n| format!("a{n}:hello ")).collect::<String>();
    let mutations = (0..11).map(|n| format!("a{n}:rename(name:\"x\") ")).collect::<String>();
    let fields = (0..8)
        .map(|n| format!("...{{{}}}", "hello ".repeat(120 + n)))
        .collect::<String>();
    let cases = [
        (format!("{{hello}} #{}", " ".repeat(16 * 1024)), "QUERY_TOO_LARGE"),
        (format!("{{node{}}}", nested("child", 15)), "QUERY_TOO_DEEP"),
        (format!("{{{aliases}}}"), "QUERY_TOO_COMPLEX"),
        (format!("mutation {{{mutations}}}"), "QUERY_TOO_COMPLEX"),
        (
            format!("{{{fields} hello hello hello hello hello hello hello hello hello hello hello hello hello hello}}"),
            "QUERY_TOO_COMPLEX",
        ),
        (
            format!("{{hello {}}}", "@include(if: true)".repeat(51)),
            "QUERY_TOO_COMPLEX",
        ),
        (
            "{node{items(first:100){items(first:100){items(first:100){name}}}}}".to_owned(),
            "QUERY_TOO_COMPLEX",
        ),
        ("{...nobody}".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
        (
            "{...A} fragment A on Query {...B} fragment B on Query {...A hello}".to_owned(),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            "{hello} fragment A on Query {...A ...A}".to_owned(),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            format!("{{echo(text: {}1{})}}", "[".repeat(5_000), "]".repeat(5_000)),
            "QUERY_TOO_DEEP",
        ),
        (
            "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}".to_owned(),
            "QUERY_TOO_DEEP",
        ),
        (
            "subscription { one count(to: 1) }".to_owned(),
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ];
    for (query, expected) in cases {
        let answer = door.ask(&query).await;
        assert_eq!(code(&answer), expected, "{query}: {answer}");
    }
    assert_eq!(
        door.ask(&format!("{{node{}}}", nested("child", 13)))
            .await
            .get("errors"),
        None
    );
}

#[tokio::test]
async fn page_sizes_in_variables_count_too() {
    let door = Door::open().await;
    let query =
        "query($n: Int! = 100) { node { items(first: $n) { items(first: $n) { items(first: $n) { name } } } } }";
    let ask = async |variables: serde_json::Value| {
        let request = json!({ "query": query, "variables": variables });
        body(door.post(&request).send().await.expect("an answer")).await
    };
    assert_eq!(code(&ask(json!({})).await), "QUERY_TOO_COMPLEX");
    assert_eq!(code(&ask(json!({ "n": 100 })).await), "QUERY_TOO_COMPLEX");
    assert_eq!(ask(json!({ "n": 2 })).await.get("errors"), None);
}

#[tokio::test]
async fn many_variables_are_refused() {
    let door = Door::open().await;
    let request = json!({ "query": "{ hello }", "variables": { "list": vec![0; 6_000] } });
    assert_eq!(
        code(&body(door.post(&request).send().await.expect("an answer")).await),
        "BAD_USER_INPUT"
    );
}

#[tokio::test]
async fn tools_can_read_the_schema_unless_it_is_switched_off() {
    let query = include_str!("introspection.graphql");
    assert_eq!(Door::open().await.ask(query).await.get("errors"), None);
    let settings = parlor::server::doors::DoorSettings {
        introspection: false,
        ..Default::default()
    };
    let closed = Door::with(settings).await;
    assert_eq!(code(&closed.ask(query).await), "INTROSPECTION_DISABLED");
    assert_eq!(closed.ask("{ __typename }").await["data"]["__typename"], "Query");
}
