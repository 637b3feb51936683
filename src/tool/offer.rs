//! The tools that one answer may use, under the names that the model knows them by.

use std::collections::HashSet;

use super::Outcome;
use super::builtin::{Builtin, Caller};
use super::grant;
use super::pool::read_arguments;
use super::server::{self, StoredServer, ToolApproval};
use crate::ai::Tool;
use crate::app::App;
use crate::db::Connection;
use crate::error::Result;
use crate::id::ToolServerId;

/// The most tools of an answer: what OpenAI takes, and more than a model can choose among.
const MOST_OFFERED: usize = 128;
/// The most characters of a tool's name, as providers have it.
const NAME_CHARACTERS: usize = 64;

/// The tools that an answer may use.
#[derive(Clone, Default)]
pub struct Offer {
    tools: Vec<Offered>,
}

/// A tool that an answer may use.
#[derive(Clone)]
pub struct Offered {
    /// What the model is told about it.
    pub tool: Tool,
    /// Who does it.
    pub target: Target,
    /// Whether a person has to approve each call.
    pub asks: bool,
}

/// Who does what a tool does.
#[derive(Clone)]
pub enum Target {
    /// A server.
    Server {
        /// Which one.
        server: std::sync::Arc<StoredServer>,
        /// What it calls the tool.
        name: String,
    },
    /// Parlor.
    Builtin(&'static dyn Builtin),
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.tools.iter().map(|offered| offered.tool.name.as_str());
        formatter.debug_list().entries(names).finish()
    }
}

impl Target {
    /// Does it on behalf of `caller`.
    pub async fn run(&self, app: &App, caller: Caller, arguments: &str) -> Outcome {
        match self {
            Target::Server { server, name } => app.tools().call(app, server, caller.user_id, name, arguments).await,
            Target::Builtin(builtin) => match read_arguments(arguments) {
                Ok(arguments) => builtin.run(app, caller, arguments).await,
                Err(complaint) => Outcome::failed(complaint),
            },
        }
    }
}

impl Offer {
    /// The tools of these servers, as far as `caller` may use them, and these of our own.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn load(
        connection: &mut Connection,
        caller: Caller,
        servers: &[ToolServerId],
        builtins: &[&'static dyn Builtin],
    ) -> Result<Self> {
        let mut offer = Offer::default();
        for builtin in builtins {
            let tool = Tool {
                name: builtin.name().to_owned(),
                description: builtin.description().to_owned(),
                parameters: builtin.parameters(),
            };
            offer.add(tool, Target::Builtin(*builtin), false);
        }
        if servers.is_empty() {
            return Ok(offer);
        }
        let servers = server::usable(connection, caller.user_id, servers).await?;
        let ids: Vec<ToolServerId> = servers.iter().map(|server| server.id).collect();
        let granted = grant::of_chat(connection, caller.user_id, caller.chat_id, &ids).await?;
        let granted: HashSet<(ToolServerId, String)> = granted.into_iter().collect();
        for server in servers {
            let server = std::sync::Arc::new(server);
            for known in server.tools() {
                let asks = match server.approval {
                    ToolApproval::Always => true,
                    ToolApproval::Writes => !known.read_only,
                    ToolApproval::Never => false,
                };
                let asks = asks && !granted.contains(&(server.id, known.name.clone()));
                let tool = Tool {
                    name: offer.free_name(&server.name, &known.name),
                    description: known.description,
                    parameters: known.parameters,
                };
                let target = Target::Server {
                    server: std::sync::Arc::clone(&server),
                    name: known.name,
                };
                offer.add(tool, target, asks);
            }
        }
        Ok(offer)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty()
    }

    /// What the model is told.
    pub fn tools(&self) -> Vec<Tool> {
        self.tools.iter().map(|offered| offered.tool.clone()).collect()
    }

    /// The tool that the model calls so.
    pub fn find(&self, name: &str) -> Option<&Offered> {
        self.tools.iter().find(|offered| offered.tool.name == name)
    }

    fn add(&mut self, tool: Tool, target: Target, asks: bool) {
        if self.tools.len() < MOST_OFFERED {
            self.tools.push(Offered { tool, target, asks });
        }
    }

    /// `server__tool` in the characters that providers take, and nobody else's in this offer.
    fn free_name(&self, server: &str, tool: &str) -> String {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
                c
            } else {
                '_'
            }
        };
        let name: String = format!("{server}__{tool}")
            .chars()
            .map(plain)
            .take(NAME_CHARACTERS)
            .collect();
        let numbered = (2..).map(|number| {
            let end = format!("_{number}");
            let start: String = name.chars().take(NAME_CHARACTERS - end.len()).collect();
            start + &end
        });
        let mut names = std::iter::once(name.clone()).chain(numbered);
        names.find(|name| self.find(name).is_none()).unwrap_or(name)
    }
}
