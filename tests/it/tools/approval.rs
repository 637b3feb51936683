//! Calls that wait for a person: for as long as it takes, whatever becomes of the server meanwhile.

use futures_util::future::join;
use serde_json::{Value, json};

use super::{Room, asks, notices, room};
use crate::generation::{ended, state};
use crate::harness::app::{Client, TestApp};
use crate::harness::mcp::McpServer;
use crate::harness::process::Process;
use crate::harness::stream::shown;
use crate::harness::upstream::{Gate, Reply, Upstream};

pub(super) const WRITE: (&str, &str, &str) = ("call_1", "notes__write_note", r#"{"text":"milk"}"#);

/// The calls of an answer that wait, once it waits.
pub(super) async fn waiting(client: &Client, id: &str) -> Vec<String> {
    let query = "query ($id: ID!) { generation(id: $id) { status toolCalls { id status result } } }";
    loop {
        let seen = client.ok(query, json!({ "id": id })).await["generation"].take();
        match seen["status"].as_str() {
            Some("WAITING_FOR_APPROVAL") => {
                let calls = seen["toolCalls"].as_array().expect("calls").clone();
                let calls = calls.iter().filter(|call| call["status"] == "PENDING_APPROVAL");
                return calls
                    .map(|call| call["id"].as_str().expect("an id").to_owned())
                    .collect();
            }
            Some("QUEUED" | "STREAMING") => tokio::task::yield_now().await,
            other => panic!("{other:?}: {seen}"),
        }
    }
}

pub(super) async fn say(client: &Client, mutation: &str, call: &str, remember: Option<&str>) -> Value {
    let mut input = json!({ "toolCallId": call });
    if let Some(scope) = remember {
        input["remember"] = json!(scope);
    }
    client
        .mutate(mutation, input, "toolCall { status result } generation { status }")
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_waits_until_it_is_approved() {
    let Room {
        app,
        ada,
        mcp,
        upstream,
        chat,
        ..
    } = room(&[]).await;
    let gate = Gate::new();
    let then = Reply::stream().hold(&gate).word("Written").word(".").stop();
    upstream.script([asks("I will write it down.", &[WRITE]), then]);
    let events = "subscription ($id: ID!) { chatEvents(chatId: $id, ephemeral: false) { __typename \
        ... on MessageUpdated { changed message { content generation { status toolCalls { status } } } } } }";
    let mut chat_events = ada.subscribe(events, json!({ "id": chat })).await;
    chat_events.until("StreamReady").await;
    let id = ada.send(&chat, "Note: milk").await;
    let mut stream = notices(&ada, &id).await;
    let told = stream.until("GenerationToolCall").await;
    assert_eq!(told["toolCall"]["status"], "PENDING_APPROVAL");
    let updated = chat_events.until("MessageUpdated").await;
    let message = &updated["message"];
    assert_eq!(updated["changed"], json!(["CONTENT", "GENERATION"]));
    assert_eq!(message["content"], "I will write it down.", "what was said is stored");
    assert_eq!(message["generation"]["status"], "WAITING_FOR_APPROVAL");
    let calls = waiting(&ada, &id).await;
    assert_eq!((calls.len(), mcp.workshop.called().len()), (1, 0));
    let row = format!(
        "SELECT lease_expires_at IS NULL FROM generations WHERE id = '{}'",
        crate::harness::app::uuid(&id)
    );
    assert!(
        app.sql()
            .await
            .query_one(&row, &[])
            .await
            .expect("a row")
            .get::<_, bool>(0),
        "it has no lease"
    );
    let gone_on = "query ($id: ID!) { chat(id: $id) { activeGenerations { id } } }";
    let active = ada.ok(gone_on, json!({ "id": chat })).await;
    assert_eq!(active["chat"]["activeGenerations"], json!([{ "id": id }]));

    let payload = say(&ada, "approveToolCall", &calls[0], None).await;
    assert_eq!(payload["errors"], json!([]), "{payload}");
    assert_eq!(payload["toolCall"]["status"], "QUEUED");
    upstream.asked(2).await;
    gate.open();
    let rest = stream.rest().await;
    let text = "I will write it down.\n\nWritten.";
    assert_eq!(rest.last().expect("an end")["generation"]["text"], text);
    assert_eq!(rest.last().expect("an end")["generation"]["status"], "COMPLETED");
    assert_eq!(mcp.workshop.called().len(), 1);
    let told = upstream.requests()[1].body["messages"]
        .as_array()
        .expect("messages")
        .clone();
    assert_eq!(told[told.len() - 2]["tool_calls"][0]["id"], "call_1");
    assert_eq!(
        (&told[told.len() - 1]["content"], told.len()),
        (
            &json!("written"),
            upstream.requests()[0].body["messages"]
                .as_array()
                .expect("messages")
                .len()
                + 2
        )
    );
    let fresh = ada.generation_events(&id, None).await.rest().await;
    assert_eq!(shown(&fresh), text);
    let again = say(&ada, "approveToolCall", &calls[0], None).await;
    assert_eq!(again["errors"], json!([]), "a repeat is told the same");
    let other = say(&ada, "denyToolCall", &calls[0], None).await;
    assert_eq!(other["errors"][0]["code"], "INVALID_STATE");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_call_is_told_to_the_model() {
    let Room {
        app: _app,
        ada,
        mcp,
        upstream,
        chat,
        ..
    } = room(&[]).await;
    upstream.script([asks("", &[WRITE]), Reply::says(&["As you wish."])]);
    let id = ada.send(&chat, "Note: milk").await;
    let calls = waiting(&ada, &id).await;
    let payload = say(&ada, "denyToolCall", &calls[0], None).await;
    assert_eq!(payload["toolCall"]["status"], "DENIED");
    assert_eq!(ended(&ada, &id).await["text"], "As you wish.");
    let told = upstream.requests()[1].body["messages"]
        .as_array()
        .expect("messages")
        .clone();
    let words = told.last().expect("a result")["content"].as_str().expect("words");
    assert!(words.contains("declined"), "{words}");
    assert_eq!(mcp.workshop.called().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_goes_on_once_nothing_waits_any_more() {
    let Room {
        app: _app,
        ada,
        mcp,
        upstream,
        chat,
        ..
    } = room(&[]).await;
    let calls = [
        ("a", "notes__write_note", r#"{"text":"one"}"#),
        ("b", "notes__echo", r#"{"text":"two"}"#),
        ("c", "notes__write_note", r#"{"text":"three"}"#),
    ];
    upstream.script([asks("", &calls), Reply::says(&["Both."])]);
    let id = ada.send(&chat, "Both, please").await;
    let pending = waiting(&ada, &id).await;
    assert_eq!(pending.len(), 2, "what only reads waits for nobody, but for the others");
    let (one, other) = join(
        say(&ada, "approveToolCall", &pending[0], None),
        say(&ada, "approveToolCall", &pending[1], None),
    )
    .await;
    assert_eq!((&one["errors"], &other["errors"]), (&json!([]), &json!([])));
    assert_eq!(ended(&ada, &id).await["text"], "Both.");
    assert_eq!(
        (mcp.workshop.called().len(), upstream.requests().len()),
        (3, 2),
        "once each"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_is_remembered_as_far_as_was_said() {
    let Room {
        app: _app,
        ada,
        mcp: _mcp,
        upstream,
        chat,
        server,
        ..
    } = room(&[]).await;
    let other = ada
        .mutate("createChat", json!({ "title": "Other" }), "chat { id }")
        .await["chat"]["id"]
        .take();
    let other = other.as_str().expect("an id");
    ada.mutate(
        "updateChat",
        json!({ "chatId": other, "toolServerIds": [server] }),
        "__typename",
    )
    .await;
    let script = || [asks("", &[WRITE]), Reply::says(&["Written."])];
    let asked = async |chat: &str, scope: Option<&str>| {
        upstream.script(script());
        let id = ada.send(chat, "Note: milk").await;
        let calls = waiting(&ada, &id).await;
        say(&ada, "approveToolCall", &calls[0], scope).await;
        assert_eq!(ended(&ada, &id).await["status"], "COMPLETED");
    };
    let unasked = async |chat: &str| {
        upstream.script(script());
        let id = ada.send(chat, "Note: milk").await;
        assert_eq!(ended(&ada, &id).await["status"], "COMPLETED");
    };
    asked(&chat, None).await;
    asked(&chat, Some("THIS_CHAT")).await;
    unasked(&chat).await;
    asked(other, Some("ALWAYS")).await;
    unasked(other).await;
    unasked(&chat).await;
    let grants = "{ viewer { toolGrants { id server tool chatId } } }";
    let grants = ada.ok(grants, json!({})).await["viewer"]["toolGrants"].take();
    assert_eq!(
        (&grants[0]["chatId"], &grants[1]["chatId"]),
        (&Value::Null, &json!(chat))
    );
    assert_eq!(
        (&grants[0]["server"], &grants[0]["tool"]),
        (&json!("notes"), &json!("write_note"))
    );
    for grant in grants.as_array().expect("grants") {
        let input = json!({ "toolGrantId": grant["id"] });
        ada.mutate("revokeToolGrant", input, "revokedToolGrantId").await;
    }
    asked(&chat, Some("ALWAYS")).await;
    // What is behind the name may be something else now.
    let moved = json!({ "toolServerId": server, "headers": [{ "name": "X-New", "value": "1" }] });
    ada.mutate("updateToolServer", moved, "__typename").await;
    asked(&chat, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_answer_can_be_stopped_and_its_calls_are_nobody_elses() {
    let Room {
        app,
        ada,
        mcp,
        upstream,
        chat,
        ..
    } = room(&[]).await;
    upstream.script([asks("Hm.", &[WRITE]), asks("Hm.", &[WRITE]), asks("Hm.", &[WRITE])]);
    let id = ada.send(&chat, "Note: milk").await;
    let calls = waiting(&ada, &id).await;
    let (bob, admin) = (app.user("bob").await, app.admin("admin").await);
    for stranger in [&bob, &admin] {
        for mutation in ["approveToolCall", "denyToolCall"] {
            let payload = say(stranger, mutation, &calls[0], None).await;
            assert_eq!(payload["errors"][0]["code"], "NOT_FOUND", "{mutation}");
        }
        let node = stranger
            .ok("query ($id: ID!) { node(id: $id) { id } }", json!({ "id": calls[0] }))
            .await;
        assert_eq!(node["node"], Value::Null);
    }
    let stopped = ada
        .mutate(
            "stopGeneration",
            json!({ "generationId": id }),
            "generation { status text }",
        )
        .await;
    assert_eq!(stopped["generation"], json!({ "status": "STOPPED", "text": "Hm." }));
    assert_eq!(
        say(&ada, "approveToolCall", &calls[0], None).await["errors"][0]["code"],
        "INVALID_STATE"
    );

    let id = ada.send(&chat, "Note: milk").await;
    let mut stream = notices(&ada, &id).await;
    waiting(&ada, &id).await;
    ada.mutate("clearHistory", json!({ "chatId": chat }), "__typename")
        .await;
    while stream.result().await.is_some() {}
    let id = ada.send(&chat, "Note: milk").await;
    let calls = waiting(&ada, &id).await;
    ada.mutate("deleteChat", json!({ "chatId": chat }), "__typename").await;
    assert_eq!(
        say(&ada, "approveToolCall", &calls[0], None).await["errors"][0]["code"],
        "NOT_FOUND"
    );
    assert_eq!(mcp.workshop.called().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_by_the_time_of_the_approval_fails_alone() {
    let Room {
        app: _app,
        ada,
        upstream,
        chat,
        server,
        ..
    } = room(&[]).await;
    upstream.script([asks("", &[WRITE]), Reply::says(&["A pity."])]);
    let id = ada.send(&chat, "Note: milk").await;
    let calls = waiting(&ada, &id).await;
    ada.mutate("removeToolServer", json!({ "toolServerId": server }), "__typename")
        .await;
    say(&ada, "approveToolCall", &calls[0], Some("ALWAYS")).await;
    assert_eq!(ended(&ada, &id).await["text"], "A pity.");
    let query = "query ($id: ID!) { generation(id: $id) { toolCalls { server status result } } }";
    let seen = ada.ok(query, json!({ "id": id })).await["generation"]["toolCalls"][0].take();
    assert_eq!(
        seen,
        json!({ "server": "notes", "status": "FAILED", "result": "This tool is not available any more." })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_answer_outlives_the_server() {
    let (app, upstream, mcp) = (
        TestApp::start().await,
        Upstream::start().await,
        McpServer::start().await,
    );
    let database = format!("--database-url={}", app.database_url());
    let url = format!("--openai-base-url={}", upstream.url());
    let allowed = mcp.allowed();
    let arguments = [
        database.as_str(),
        "--data-dir=/nonexistent",
        url.as_str(),
        "--openai-api-key=sk-of-the-server-0123456789",
        allowed.as_str(),
    ];
    let first = Process::start(&arguments).await;
    let ada = first.client().register("ada").await;
    let server = super::add(&ada, json!({ "name": "notes", "url": mcp.url() })).await;
    let chat = super::chat_with(&ada, &server).await;
    upstream.script([
        asks("First.", &[("call_0", "notes__echo", r#"{"text":"read"}"#)]),
        asks("I will write it down.", &[WRITE]),
    ]);
    let id = ada.send(&chat, "Note: milk").await;
    let calls = waiting(&ada, &id).await;
    first.kill().await;

    let second = Process::start(&arguments).await;
    let again = second.client().with_token(ada.token.as_deref().expect("a token"));
    let watching = again.generation_events(&id, None).await;
    // Recovery looks for the answers of dead processes once a second, from the start.
    let abandoned = again.chat("scripted:words=3,first=1500,delay=0").await;
    let later = again.send(&abandoned, "Wait a little").await;
    ended(&again, &later).await;
    assert_eq!(
        state(&again, &id).await["status"],
        "WAITING_FOR_APPROVAL",
        "nobody takes it for dead"
    );
    upstream.script([Reply::says(&["Written."])]);
    say(&again, "approveToolCall", &calls[0], None).await;
    let mut watching = watching;
    let events = watching.rest().await;
    let end = events.last().expect("an end");
    let text = "First.\n\nI will write it down.\n\nWritten.";
    assert_eq!(
        (&end["generation"]["status"], &end["generation"]["text"]),
        (&json!("COMPLETED"), &json!(text))
    );
    assert_eq!(shown(&events), text);
    let last = upstream.requests().pop().expect("a request");
    let told = last.body["messages"].as_array().expect("messages");
    let roles: Vec<&str> = told.iter().filter_map(|turn| turn["role"].as_str()).collect();
    assert!(
        roles.ends_with(&["user", "assistant", "tool", "assistant", "tool"]),
        "{roles:?}"
    );
    let tools: Vec<String> = mcp.workshop.called().into_iter().map(|call| call.tool).collect();
    assert_eq!(tools, ["echo", "write_note"], "nothing ran twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_approved_is_done_though_the_process_died() {
    let Room {
        app,
        ada,
        mcp,
        upstream,
        chat,
        ..
    } = room(&[]).await;
    upstream.script([asks("I will.", &[WRITE]), Reply::says(&["Written."])]);
    let id = ada.send(&chat, "Note: milk").await;
    waiting(&ada, &id).await;
    // As a process leaves it that dies right behind the approval.
    let approved = format!(
        "UPDATE tool_calls SET status = 'QUEUED', decided_at = now(); \
         UPDATE generations SET status = 'STREAMING', leased_by = gen_random_uuid(), lease_expires_at = now() - interval '1 second' \
           WHERE id = '{}'",
        crate::harness::app::uuid(&id)
    );
    app.sql().await.batch_execute(&approved).await.expect("rows");
    assert_eq!(ended(&ada, &id).await["text"], "I will.\n\nWritten.");
    assert_eq!(mcp.workshop.called().len(), 1);
}
