//! A tool server that means well, made with the official SDK's other side: on a free port of this machine, or over the
//! standard input and output of a process.

use std::sync::{Arc, Mutex};

use axum::Router;
use rmcp::handler::server::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::upstream::Gate;

/// A call as it arrived.
#[derive(Clone, Debug)]
pub struct Called {
    pub tool: String,
    pub arguments: Value,
    /// What the headers of its request said, by name in lower case; null over standard input.
    pub headers: Value,
    /// Who it is said to be for.
    pub user: Value,
}

/// The tools, and what was asked of them.
#[derive(Clone)]
pub struct Workshop {
    shared: Arc<Shared>,
}

struct Shared {
    called: Mutex<Vec<Called>>,
    count: watch::Sender<usize>,
    slow: Gate,
    more: Mutex<Vec<Tool>>,
}

impl Workshop {
    /// Tools that nobody has used.
    pub fn new() -> Self {
        Workshop {
            shared: Arc::new(Shared {
                called: Mutex::default(),
                count: watch::Sender::new(0),
                slow: Gate::new(),
                more: Mutex::default(),
            }),
        }
    }

    /// Everything asked so far.
    pub fn called(&self) -> Vec<Called> {
        self.shared.called.lock().expect("no panic").clone()
    }

    /// Waits until tools have been called this often.
    pub async fn asked(&self, times: usize) {
        let mut count = self.shared.count.subscribe();
        count.wait_for(|now| *now >= times).await.expect("the sender is ours");
    }

    /// Lets the tool `slow` answer.
    pub fn release(&self) {
        self.shared.slow.open();
    }

    /// One more tool, from now on.
    pub fn learn(&self, tool: Tool) {
        self.shared.more.lock().expect("no panic").push(tool);
    }
}

/// A tool with arguments of this schema.
pub fn tool(name: &'static str, description: &'static str, properties: &Value) -> Tool {
    let schema = json!({ "type": "object", "properties": properties });
    let Value::Object(schema) = schema else {
        unreachable!("an object")
    };
    Tool::new(name, description, schema)
}

fn tools() -> Vec<Tool> {
    let read_only = || ToolAnnotations::new().read_only(true);
    let text = json!({ "text": { "type": "string" } });
    vec![
        tool("echo", "Says the same again.", &text).annotate(read_only()),
        tool("write_note", "Writes a note.", &text),
        tool("who", "Says who asks.", &json!({})).annotate(read_only()),
        tool("broken", "Fails.", &json!({})).annotate(read_only()),
        tool("huge", "Says much.", &json!({})).annotate(read_only()),
        tool("image", "Shows a picture.", &json!({})).annotate(read_only()),
        tool("slow", "Waits until it is let.", &json!({})).annotate(read_only()),
        tool("environment", "Says what it sees.", &json!({})).annotate(read_only()),
    ]
}

impl ServerHandler for Workshop {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut listed = tools();
        listed.extend(self.shared.more.lock().expect("no panic").iter().cloned());
        Ok(ListToolsResult::with_all_items(listed))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let headers = context.extensions.get::<http::request::Parts>().map(|parts| {
            let headers = parts.headers.iter();
            let pairs = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into()));
            Value::Object(pairs.collect())
        });
        let called = Called {
            tool: call.name.to_string(),
            arguments: Value::Object(call.arguments.clone().unwrap_or_default()),
            headers: headers.unwrap_or_default(),
            user: context.meta.0.get("parlor/user").cloned().unwrap_or_default(),
        };
        let user = called.user.clone();
        self.shared.called.lock().expect("no panic").push(called);
        self.shared.count.send_modify(|count| *count += 1);
        let text = call.arguments.as_ref().and_then(|arguments| arguments.get("text"));
        let text = text.and_then(Value::as_str);
        let said = match call.name.as_ref() {
            "echo" => text.unwrap_or_default().to_owned(),
            "write_note" => "written".to_owned(),
            "who" => user.as_str().unwrap_or("nobody").to_owned(),
            "huge" => "word ".repeat(200_000),
            "environment" => {
                let mut names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
                names.sort();
                names.join(" ")
            }
            "slow" => {
                self.shared.slow.pass().await;
                "at last".to_owned()
            }
            "broken" => {
                let result = CallToolResult::error(vec![ContentBlock::text("out of paper")]);
                return Ok(CallToolResponse::Complete(result));
            }
            "image" => {
                let image = ContentBlock::image("aGVsbG8gd29ybGQhISE=", "image/png");
                return Ok(CallToolResponse::Complete(CallToolResult::success(vec![image])));
            }
            other => {
                return Err(ErrorData::invalid_params(format!("no tool is called {other}"), None));
            }
        };
        Ok(CallToolResponse::Complete(CallToolResult::success(vec![
            ContentBlock::text(said),
        ])))
    }
}

/// A workshop on a free port.
pub struct McpServer {
    /// What happens in it.
    pub workshop: Workshop,
    port: u16,
    _server: JoinSet<()>,
}

impl McpServer {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let workshop = Workshop::new();
        let made = workshop.clone();
        let service = StreamableHttpService::new(
            move || Ok(made.clone()),
            Arc::new(LocalSessionManager::default()),
            StreamableHttpServerConfig::default(),
        );
        let router = Router::new().nest_service("/mcp", service);
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.expect("a server") });
        McpServer {
            workshop,
            port,
            _server: server,
        }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    /// The flag that lets people use it.
    pub fn allowed(&self) -> String {
        format!("--base-urls=http://127.0.0.1:{}", self.port)
    }
}
