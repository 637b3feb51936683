//! Tools: servers of them are kept, reached, guarded against and used.

mod answers;
mod approval;
mod custody;
mod hostile;
mod keeping;
mod process;

use parlor::id::{ToolServerId, UserId};
use parlor::tool::{Outcome, server};
use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, User};
use crate::harness::mcp::McpServer;
use crate::harness::stream::Subscription;
use crate::harness::upstream::{Reply, Upstream};

const SHOWN: &str = "toolServer { id name shared transport url command arguments secretNames approval tellsUser enabled \
    lastError toolsListedAt tools { name title description readOnly parameters } }";

/// A server whose people may use the tools of another, and that other.
async fn with_workshop(flags: &[&str]) -> (TestApp, McpServer) {
    let mcp = McpServer::start().await;
    let allowed = mcp.allowed();
    let flags: Vec<&str> = flags.iter().copied().chain([allowed.as_str()]).collect();
    (TestApp::with(&flags).await, mcp)
}

/// Adds a tool server; gives its id.
async fn add(client: &Client, input: Value) -> String {
    let payload = client.mutate("addToolServer", input, "toolServer { id }").await;
    payload["toolServer"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{payload}"))
        .to_owned()
}

/// Calls a tool as the engine does.
async fn call(app: &TestApp, user: &User, id: &str, tool: &str, arguments: Value) -> Outcome {
    let user_id = UserId::from(user.id.as_str());
    let mut connection = app.app.connection().await.expect("a connection");
    let found = server::usable(&mut connection, user_id, &[ToolServerId::from(id)]).await;
    drop(connection);
    let server = found.expect("rows").pop().expect("a server that they may use");
    let pool = app.app.tools();
    pool.call(&app.app, &server, user_id, tool, &arguments.to_string())
        .await
}

/// The codes of a payload's errors, with the last part of their field.
fn refusals(payload: &Value) -> Vec<(String, String)> {
    let errors = payload["errors"].as_array().unwrap_or_else(|| panic!("{payload}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let field = |error: &Value| error["field"].as_array().and_then(|path| path.last().map(text));
    let pair = |error: &Value| (text(&error["code"]), field(error).unwrap_or_default());
    errors.iter().map(pair).collect()
}

async fn listed(client: &Client) -> Value {
    let query = "{ viewer { toolServers { id name shared url secretNames lastError enabled tools { name } } } }";
    client.ok(query, json!({})).await["viewer"]["toolServers"].take()
}

/// Everything that an answer with tools needs.
struct Room {
    app: TestApp,
    ada: User,
    mcp: McpServer,
    upstream: Upstream,
    /// A chat that may use the tools of `mcp`, under the name `notes`.
    chat: String,
    server: String,
}

/// A server with a key for a fake provider, and somebody with a chat that may use tools.
async fn room(flags: &[&str]) -> Room {
    let upstream = Upstream::start().await;
    let url = format!("--openai-base-url={}", upstream.url());
    let key = "--openai-api-key=sk-of-the-server-0123456789";
    let flags: Vec<&str> = flags.iter().copied().chain([url.as_str(), key]).collect();
    let (app, mcp) = with_workshop(&flags).await;
    let ada = app.user("ada").await;
    let server = add(&ada, json!({ "name": "notes", "url": mcp.url() })).await;
    let chat = chat_with(&ada, &server).await;
    Room {
        app,
        ada,
        mcp,
        upstream,
        chat,
        server,
    }
}

/// A chat that may use the tools of a server. It has a title, so that no model is asked for one.
async fn chat_with(client: &Client, server: &str) -> String {
    let payload = client
        .mutate("createChat", json!({ "title": "Tools" }), "chat { id }")
        .await;
    let chat = payload["chat"]["id"].as_str().expect("an id").to_owned();
    let tools = json!({ "chatId": chat, "toolServerIds": [server] });
    let payload = client.mutate("updateChat", tools, "chat { toolServers { id } }").await;
    assert_eq!(payload["chat"]["toolServers"], json!([{ "id": server }]), "{payload}");
    chat
}

/// A model that says something and wants tools: each with an id, a name and arguments.
fn asks(text: &str, calls: &[(&str, &str, &str)]) -> Reply {
    let reply = if text.is_empty() {
        Reply::stream()
    } else {
        Reply::stream().word(text)
    };
    let calls: Vec<Value> = calls
        .iter()
        .enumerate()
        .map(|(index, (id, name, arguments))| {
            json!({ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
        })
        .collect();
    let chunk =
        json!({ "id": "chatcmpl-1", "model": "m-1", "choices": [{ "index": 0, "delta": { "tool_calls": calls } }] });
    reply.data(&chunk.to_string()).finish("tool_calls").usage(7, 1).done()
}

/// The events of one answer with its calls.
async fn notices(client: &Client, id: &str) -> Subscription {
    let query = "subscription ($id: ID!) { generationEvents(generationId: $id) { __typename sequence \
        ... on GenerationSnapshot { text } ... on GenerationDelta { text } \
        ... on GenerationToolCall { toolCall { id status name result } } \
        ... on GenerationFinished { generation { status text } } } }";
    client.subscribe(query, json!({ "id": id })).await
}
