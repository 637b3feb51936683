//! Answers that use tools: the model asks, they run, and it goes on with what they gave.

use serde_json::{Value, json};

use super::{Room, asks, notices, room};
use crate::generation::{ended, state};
use crate::harness::app::TestApp;
use crate::harness::mcp::McpServer;
use crate::harness::stream::shown;
use crate::harness::upstream::{Reply, Upstream};

const CALLS: &str = "query ($id: ID!) { generation(id: $id) { status text usage { inputTokens outputTokens } finishReason \
    toolCalls { step position server name arguments status result } message { content } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_uses_a_tool_and_goes_on() {
    let Room {
        app: _app,
        ada,
        mcp,
        upstream,
        chat,
        ..
    } = room(&[]).await;
    upstream.script([
        asks("Let me look.", &[("call_1", "notes__echo", r#"{"text":"hi"}"#)]),
        Reply::says(&["It says ", "hi."]),
    ]);
    let id = ada.send(&chat, "What does it say?").await;
    let events = ada.generation_events(&id, None).await.rest().await;
    let text = "Let me look.\n\nIt says hi.";
    assert_eq!(shown(&events), text);
    let last = events.last().expect("an end");
    assert_eq!(
        (&last["generation"]["status"], &last["generation"]["text"]),
        (&json!("COMPLETED"), &json!(text))
    );
    let mut numbers: Vec<i64> = events.iter().filter_map(|event| event["sequence"].as_i64()).collect();
    numbers.dedup();
    assert!(numbers.is_sorted(), "{numbers:?}");

    let seen = ada.ok(CALLS, json!({ "id": id })).await["generation"].take();
    assert_eq!(seen["message"]["content"], text);
    assert_eq!(
        seen["usage"],
        json!({ "inputTokens": 14, "outputTokens": 3 }),
        "of both turns"
    );
    let call = json!({
        "step": 0, "position": 0, "server": "notes", "name": "echo", "arguments": r#"{"text":"hi"}"#,
        "status": "COMPLETED", "result": "hi",
    });
    assert_eq!(seen["toolCalls"], json!([call]));
    assert_eq!(mcp.workshop.called().len(), 1);

    let requests = upstream.requests();
    let tools = requests[0].body["tools"].as_array().expect("tools");
    assert!(tools.iter().any(|tool| tool["function"]["name"] == "notes__write_note"));
    let told = requests[1].body["messages"].as_array().expect("messages");
    let (asked, answered) = (&told[told.len() - 2], &told[told.len() - 1]);
    assert_eq!(
        (&asked["role"], &asked["content"]),
        (&json!("assistant"), &json!("Let me look."))
    );
    assert_eq!(asked["tool_calls"][0]["id"], "call_1");
    assert_eq!(asked["tool_calls"][0]["function"]["name"], "notes__echo");
    assert_eq!(
        (&answered["role"], &answered["tool_call_id"]),
        (&json!("tool"), &json!("call_1"))
    );
    assert_eq!(answered["content"], "hi");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_watch_hear_of_every_call() {
    let Room {
        app: _app,
        ada,
        mcp,
        upstream,
        chat,
        ..
    } = room(&[]).await;
    upstream.script([asks("", &[("call_1", "notes__slow", "{}")]), Reply::says(&["Done."])]);
    let id = ada.send(&chat, "Take your time").await;
    let mut stream = notices(&ada, &id).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&json!("RUNNING")) {
        seen.push(stream.until("GenerationToolCall").await["toolCall"]["status"].take());
    }
    mcp.workshop.asked(1).await;
    mcp.workshop.release();
    let rest = stream.rest().await;
    let later = rest.iter().filter(|event| event["__typename"] == "GenerationToolCall");
    seen.extend(later.map(|event| event["toolCall"]["status"].clone()));
    assert_eq!(seen, ["QUEUED", "RUNNING", "COMPLETED"]);
    assert_eq!(ended(&ada, &id).await["text"], "Done.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_told_to_the_model_and_fails_no_answer() {
    let Room {
        app: _app,
        ada,
        mcp,
        upstream,
        chat,
        ..
    } = room(&[]).await;
    let calls = [
        ("call_1", "notes__broken", "{}"),
        ("call_2", "notes__nothing", "{}"),
        ("call_3", "notes__echo", "{\"text\":"),
        ("call_4", "notes__echo", r#"{"text":"well"}"#),
    ];
    upstream.script([asks("", &calls), Reply::says(&["I see."])]);
    let id = ada.send(&chat, "Try all").await;
    let end = ended(&ada, &id).await;
    assert_eq!((&end["status"], &end["text"]), (&json!("COMPLETED"), &json!("I see.")));
    let seen = ada.ok(CALLS, json!({ "id": id })).await["generation"]["toolCalls"].take();
    let states: Vec<(&Value, &Value)> = seen
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| (&call["status"], &call["result"]))
        .collect();
    let failed = json!("FAILED");
    assert_eq!(states[0], (&failed, &json!("out of paper")));
    assert_eq!(states[1], (&failed, &json!("There is no tool of this name.")));
    assert_eq!(states[2].0, &failed);
    assert_eq!(states[3], (&json!("COMPLETED"), &json!("well")));
    let told = upstream.requests()[1].body["messages"]
        .as_array()
        .expect("messages")
        .clone();
    let results: Vec<&Value> = told.iter().filter(|turn| turn["role"] == "tool").collect();
    assert_eq!(results.len(), 4, "each call gets its result, in order");
    assert_eq!(results[3]["tool_call_id"], "call_4");

    // The server goes away between the question and the call.
    drop(mcp);
    upstream.script([asks("", &[("call_1", "notes__echo", "{}")]), Reply::says(&["A pity."])]);
    let id = ada.send(&chat, "Once more").await;
    assert_eq!(ended(&ada, &id).await["text"], "A pity.");
    let seen = ada.ok(CALLS, json!({ "id": id })).await["generation"]["toolCalls"].take();
    assert_eq!(seen[0]["status"], "FAILED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_in_a_circle_comes_to_an_end() {
    let Room {
        app: _app,
        ada,
        mcp,
        upstream,
        chat,
        ..
    } = room(&[]).await;
    let again = || asks("", &[("a", "notes__who", "{}"), ("b", "notes__who", "{}")]);
    upstream.script(std::iter::repeat_with(again).take(60));
    let id = ada.send(&chat, "Go").await;
    let end = ended(&ada, &id).await;
    assert_eq!(end["status"], "COMPLETED");
    assert_eq!(mcp.workshop.called().len(), 16, "no call beyond those");
    let seen = ada.ok(CALLS, json!({ "id": id })).await["generation"].take();
    assert_eq!(seen["finishReason"], "TOOL_CALLS");
    assert!(upstream.requests().len() < 25, "{}", upstream.requests().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_are_off_unless_the_chat_has_them() {
    let Room {
        app,
        ada,
        mcp,
        upstream,
        chat,
        server,
    } = room(&[]).await;
    let plain = ada
        .mutate(
            "createChat",
            json!({ "title": "Plain" }),
            "chat { id toolServers { id } }",
        )
        .await;
    assert_eq!(plain["chat"]["toolServers"], json!([]));
    let id = ada.send(plain["chat"]["id"].as_str().expect("an id"), "Hello").await;
    ended(&ada, &id).await;
    let input = json!({ "chatId": chat, "content": "Hello", "idempotencyKey": "one", "reply": { "tools": "NONE" } });
    let id = ada.mutate("sendMessage", input, "generation { id }").await["generation"]["id"].take();
    ended(&ada, id.as_str().expect("an id")).await;
    let off = json!({ "toolServerId": server, "enabled": false });
    ada.mutate("updateToolServer", off, "__typename").await;
    let id = ada.send(&chat, "Hello").await;
    ended(&ada, &id).await;
    for request in upstream.requests() {
        assert!(
            request.body["tools"].as_array().is_none_or(Vec::is_empty),
            "{}",
            request.body
        );
    }
    let bob = app.user("bob").await;
    let theirs = bob.chat("gpt-5-mini").await;
    let input = json!({ "chatId": theirs, "toolServerIds": [server] });
    let payload = bob.mutate("updateChat", input, "chat { id }").await;
    assert_eq!(payload["errors"][0]["code"], "NOT_FOUND", "another's server");
    // As no part of the server would write it: another's server in one's own chat.
    let sql = format!(
        "UPDATE chats SET tool_server_ids = ARRAY['{}'::uuid] WHERE id = '{}'",
        uuid(&server),
        uuid(&theirs)
    );
    app.sql().await.batch_execute(&sql).await.expect("rows");
    ada.mutate(
        "updateToolServer",
        json!({ "toolServerId": server, "enabled": true }),
        "__typename",
    )
    .await;
    let id = bob.send(&theirs, "Hello").await;
    ended(&bob, &id).await;
    let last = upstream.requests().pop().expect("a request");
    assert!(last.body["tools"].as_array().is_none_or(Vec::is_empty), "{}", last.body);
    assert_eq!(mcp.workshop.called().len(), 0);
}

fn uuid(id: &str) -> &str {
    crate::harness::app::uuid(id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_stopped_while_a_tool_runs() {
    let Room {
        app: _app,
        ada,
        mcp,
        upstream,
        chat,
        ..
    } = room(&[]).await;
    upstream.script([asks("One moment.", &[("call_1", "notes__slow", "{}")])]);
    let id = ada.send(&chat, "Slowly").await;
    mcp.workshop.asked(1).await;
    let stopped = ada
        .mutate(
            "stopGeneration",
            json!({ "generationId": id }),
            "generation { status text }",
        )
        .await;
    assert_eq!(
        stopped["generation"],
        json!({ "status": "STOPPED", "text": "One moment." })
    );
    let seen = ada.ok(CALLS, json!({ "id": id })).await["generation"]["toolCalls"].take();
    assert_eq!(
        (&seen[0]["status"], &seen[0]["result"]),
        (&json!("CANCELLED"), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_breaks_off_with_everything_kept_when_the_server_stops() {
    let Room {
        app,
        ada,
        mcp,
        upstream,
        chat,
        ..
    } = room(&["--shutdown-grace-seconds=0"]).await;
    upstream.script([asks(
        "One moment.",
        &[("call_0", "notes__who", "{}"), ("call_1", "notes__slow", "{}")],
    )]);
    let id = ada.send(&chat, "Slowly").await;
    mcp.workshop.asked(2).await;
    app.app.stop().await;
    let end = state(&ada, &id).await;
    assert_eq!(
        (&end["status"], &end["text"]),
        (&json!("INTERRUPTED"), &json!("One moment."))
    );
    let seen = ada.ok(CALLS, json!({ "id": id })).await["generation"]["toolCalls"].take();
    assert_eq!((&seen[0]["name"], &seen[1]["name"]), (&json!("who"), &json!("slow")));
    assert_eq!(seen[1]["status"], "CANCELLED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_searches_in_the_askers_own_chats() {
    let upstream = Upstream::start().await;
    let mcp = McpServer::start().await;
    let url = format!("--openai-base-url={}", upstream.url());
    let app = TestApp::with(&[&url, "--openai-api-key=sk-of-the-server-0123456789", &mcp.allowed()]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    for (client, text) in [
        (&ada, "The 100% blue umbrella is at Kim's"),
        (&bob, "My blue umbrella is secret"),
    ] {
        let chat = client
            .mutate("createChat", json!({ "title": "Things" }), "chat { id }")
            .await["chat"]["id"]
            .take();
        let id = client.send(chat.as_str().expect("an id"), text).await;
        ended(client, &id).await;
    }
    let input = json!({ "title": "Asking" });
    let chat = ada.mutate("createChat", input, "chat { id }").await["chat"]["id"].take();
    let chat = chat.as_str().expect("an id");
    let tools = json!({ "chatId": chat, "builtinTools": ["SEARCH_CHATS", "SEARCH_CHATS"] });
    let payload = ada.mutate("updateChat", tools, "chat { builtinTools }").await;
    assert_eq!(payload["chat"]["builtinTools"], json!(["SEARCH_CHATS"]));
    let calls = [
        ("a", "search_chats", r#"{"words":"UMBRELLA blue"}"#),
        ("b", "search_chats", r#"{"words":"100% umbrella"}"#),
        ("c", "search_chats", r#"{"words":"1__% umbrella"}"#),
        ("d", "search_chats", r#"{"words":"secret"}"#),
        ("e", "search_chats", r#"{"words":" "}"#),
    ];
    upstream.script([asks("", &calls), Reply::says(&["At Kim's."])]);
    let id = ada.send(chat, "Where is my umbrella?").await;
    ended(&ada, &id).await;
    let seen = ada.ok(CALLS, json!({ "id": id })).await["generation"]["toolCalls"].take();
    let result = |at: usize| seen[at]["result"].as_str().expect("a result").to_owned();
    assert!(
        result(0).contains("In \"Things\" on ") && result(0).contains("the person said: The 100% blue"),
        "{seen}"
    );
    assert_eq!(result(1), result(0));
    assert_eq!(
        (result(2), result(3)),
        ("Nothing was found.".to_owned(), "Nothing was found.".to_owned())
    );
    assert_eq!(
        (&seen[4]["status"], &seen[0]["server"]),
        (&json!("FAILED"), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_remembers_for_the_asker() {
    let Room {
        app,
        ada,
        upstream,
        chat,
        ..
    } = room(&[]).await;
    let tools = json!({ "chatId": chat, "builtinTools": ["SAVE_MEMORY"], "toolServerIds": [] });
    ada.mutate("updateChat", tools, "__typename").await;
    let calls = [
        ("a", "save_memory", r#"{"content":"Has a cat called Ada."}"#),
        ("b", "save_memory", r#"{"content":""}"#),
        ("c", "search_chats", r#"{"words":"cat"}"#),
    ];
    upstream.script([asks("", &calls), Reply::says(&["Noted."])]);
    let id = ada.send(&chat, "Remember my cat").await;
    assert_eq!(ended(&ada, &id).await["text"], "Noted.");
    let query = "{ viewer { memories { nodes { content } } } }";
    let expected = json!([{ "content": "Has a cat called Ada." }]);
    assert_eq!(ada.ok(query, json!({})).await["viewer"]["memories"]["nodes"], expected);
    let bob = app.user("bob").await;
    assert_eq!(bob.ok(query, json!({})).await["viewer"]["memories"]["nodes"], json!([]));
    let seen = ada.ok(CALLS, json!({ "id": id })).await["generation"]["toolCalls"].take();
    let states: Vec<&Value> = seen
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| &call["status"])
        .collect();
    assert_eq!(
        states,
        ["COMPLETED", "FAILED", "FAILED"],
        "what was not switched on is not there"
    );
}
