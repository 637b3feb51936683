//! Tools: servers of them are kept, reached, guarded against and used.

mod custody;
mod hostile;
mod keeping;
mod process;

use parlor::id::{ToolServerId, UserId};
use parlor::tool::{Outcome, server};
use serde_json::{Value, json};

use crate::harness::app::{Client, TestApp, User};
use crate::harness::mcp::McpServer;

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
