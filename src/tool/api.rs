//! Tool servers in GraphQL. The values of headers and variables go in and do not come out.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::KnownTool;
use super::change::{self, NewServer, ServerChange};
use super::grant::{self, Grant};
use super::server::{StoredServer, ToolApproval, ToolTransport};
use crate::account::user::Role;
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::{ChatId, ToolGrantId, ToolServerId};

/// A server of tools that models may use, spoken to by MCP.
#[derive(Debug, Clone)]
pub struct ToolServer(pub StoredServer);

impl ToolServer {
    /// Whether the one who asks keeps it, and so may see how it is reached.
    fn is_kept_by(&self, context: &Context<'_>) -> bool {
        context.signed_in().is_ok_and(|who| match self.0.owner_id {
            Some(owner) => owner == who.user_id,
            None => who.role == Role::Admin,
        })
    }
}

/// A tool of a server, as the server describes it.
#[derive(Debug, SimpleObject)]
pub struct Tool {
    /// What its server calls it.
    name: String,
    /// What it is called among people.
    title: Option<String>,
    /// What it does.
    description: String,
    /// A JSON schema of its arguments.
    parameters: async_graphql::Json<serde_json::Value>,
    /// Whether its server says that it changes nothing.
    read_only: bool,
}

impl From<KnownTool> for Tool {
    fn from(tool: KnownTool) -> Self {
        Tool {
            name: tool.name,
            title: tool.title,
            description: tool.description,
            parameters: async_graphql::Json(tool.parameters),
            read_only: tool.read_only,
        }
    }
}

/// A server of tools that models may use, spoken to by MCP.
#[Object]
impl ToolServer {
    /// Opaque and typed.
    pub async fn id(&self) -> ToolServerId {
        self.0.id
    }

    /// What it is called, and what the names of its tools begin with when a model uses them.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether administrators share it with everybody; else it is the viewer's own.
    async fn shared(&self) -> bool {
        self.0.owner_id.is_none()
    }

    /// How it is spoken to.
    async fn transport(&self) -> ToolTransport {
        self.0.transport
    }

    /// Where it is, if it is spoken to over HTTP; null for people who may not change it.
    async fn url(&self, context: &Context<'_>) -> Option<&str> {
        self.0.url.as_deref().filter(|_| self.is_kept_by(context))
    }

    /// What is started, if it is a process; null for people who may not change it.
    async fn command(&self, context: &Context<'_>) -> Option<&str> {
        self.0.command.as_deref().filter(|_| self.is_kept_by(context))
    }

    /// What it is started with; null for people who may not change it.
    async fn arguments(&self, context: &Context<'_>) -> Option<Vec<&str>> {
        self.is_kept_by(context).then(|| self.0.arguments())
    }

    /// The names of its headers, or of its environment variables; null for people who may not change it.
    async fn secret_names(&self, context: &Context<'_>) -> Option<Vec<&str>> {
        self.is_kept_by(context).then(|| self.0.secret_names())
    }

    /// Which calls of its tools wait until a person has approved them.
    async fn approval(&self) -> ToolApproval {
        self.0.approval
    }

    /// Whether it is told the id of the person who asks, as `parlor/user` in the metadata of each call and, over HTTP,
    /// in the header `X-Parlor-User`.
    async fn tells_user(&self) -> bool {
        self.0.tells_user
    }

    /// Whether its tools are offered.
    async fn enabled(&self) -> bool {
        self.0.enabled
    }

    /// Its tools, as it listed them last.
    async fn tools(&self) -> Vec<Tool> {
        self.0.tools().into_iter().map(Tool::from).collect()
    }

    /// When it listed them.
    async fn tools_listed_at(&self) -> Option<DateTime<Utc>> {
        self.0.tools_listed_at
    }

    /// What was wrong with it last; null since it last worked, and for people who may not change it.
    async fn last_error(&self, context: &Context<'_>) -> Option<&str> {
        self.0.last_error.as_deref().filter(|_| self.is_kept_by(context))
    }

    /// When that was.
    async fn last_error_at(&self, context: &Context<'_>) -> Option<DateTime<Utc>> {
        self.0.last_error_at.filter(|_| self.is_kept_by(context))
    }

    /// When it was added.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

/// A name and a value that is kept encrypted and not shown again.
#[derive(InputObject)]
pub struct SecretInput {
    /// The name, such as `Authorization`.
    name: String,
    /// The value.
    value: String,
}

fn secrets(given: Vec<SecretInput>) -> Vec<(String, secrecy::SecretString)> {
    given.into_iter().map(|one| (one.name, one.value.into())).collect()
}

/// A tool server to add.
#[derive(InputObject)]
pub struct AddToolServerInput {
    /// What to call it: 1 to 24 small letters, digits and dashes.
    name: String,
    /// Whether everybody may use it; for administrators.
    #[graphql(default = false)]
    shared: bool,
    /// How it is spoken to; STDIO for administrators only.
    #[graphql(default_with = "ToolTransport::StreamableHttp")]
    transport: ToolTransport,
    /// Where it is, over HTTP: an address that the server may call, as with provider keys.
    url: Option<String>,
    /// What to start, as a process.
    command: Option<String>,
    /// What to start it with.
    #[graphql(default)]
    arguments: Vec<String>,
    /// Headers to send with each request, such as `Authorization`.
    #[graphql(default)]
    headers: Vec<SecretInput>,
    /// Environment variables to start it with. It gets these and PATH, and nothing else of the server's environment.
    #[graphql(default)]
    environment: Vec<SecretInput>,
    /// Which calls of its tools wait until a person has approved them.
    #[graphql(default_with = "ToolApproval::Writes")]
    approval: ToolApproval,
    /// Whether to tell it the id of the person who asks.
    #[graphql(default = false)]
    tells_user: bool,
}

/// The result of `addToolServer`.
#[derive(Debug, SimpleObject)]
pub struct AddToolServerPayload {
    /// The server, with its tools.
    tool_server: Option<ToolServer>,
    /// What was refused; nothing is stored then.
    errors: Vec<UserError>,
}

/// What to change about a tool server; what is left away stays as it is.
#[derive(InputObject)]
pub struct UpdateToolServerInput {
    /// Which server.
    tool_server_id: ToolServerId,
    /// What to call it.
    name: Option<String>,
    /// Where it is. Headers have to be given again with it.
    url: Option<String>,
    /// What to start. The environment has to be given again with it.
    command: Option<String>,
    /// What to start it with. The environment has to be given again with it.
    arguments: Option<Vec<String>>,
    /// The headers to send, in place of all those before.
    headers: Option<Vec<SecretInput>>,
    /// The environment variables to start it with, in place of all those before.
    environment: Option<Vec<SecretInput>>,
    /// Which calls of its tools wait until a person has approved them.
    approval: Option<ToolApproval>,
    /// Whether to tell it the id of the person who asks.
    tells_user: Option<bool>,
    /// Whether its tools are offered.
    enabled: Option<bool>,
}

/// The result of `updateToolServer`.
#[derive(Debug, SimpleObject)]
pub struct UpdateToolServerPayload {
    /// The server as it is now.
    tool_server: Option<ToolServer>,
    /// What was refused; nothing is changed then.
    errors: Vec<UserError>,
}

/// Which tool server to ask anew.
#[derive(Debug, InputObject)]
pub struct RefreshToolServerInput {
    /// Which server.
    tool_server_id: ToolServerId,
}

/// The result of `refreshToolServer`.
#[derive(Debug, SimpleObject)]
pub struct RefreshToolServerPayload {
    /// The server with the tools that it has now.
    tool_server: Option<ToolServer>,
    /// Why it could not be asked; the tools that it listed before are kept.
    errors: Vec<UserError>,
}

/// Which tool server to remove.
#[derive(Debug, InputObject)]
pub struct RemoveToolServerInput {
    /// Which server.
    tool_server_id: ToolServerId,
}

/// The result of `removeToolServer`.
#[derive(Debug, SimpleObject)]
pub struct RemoveToolServerPayload {
    /// The server that is gone.
    removed_tool_server_id: Option<ToolServerId>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// A tool that models may use without the viewer being asked.
#[derive(Debug, Clone, SimpleObject)]
pub struct ToolGrant {
    /// Opaque and typed.
    id: ToolGrantId,
    /// The name of the server.
    server: String,
    /// The tool, as its server calls it.
    tool: String,
    /// The only chat that it is for; null for all.
    chat_id: Option<ChatId>,
    /// Since when.
    created_at: DateTime<Utc>,
}

impl From<(Grant, String)> for ToolGrant {
    fn from((grant, server): (Grant, String)) -> Self {
        ToolGrant {
            id: grant.id,
            server,
            tool: grant.tool,
            chat_id: grant.chat_id,
            created_at: grant.created_at,
        }
    }
}

/// What to be asked about again.
#[derive(Debug, InputObject)]
pub struct RevokeToolGrantInput {
    /// One of `viewer.toolGrants`.
    tool_grant_id: ToolGrantId,
}

/// The result of `revokeToolGrant`.
#[derive(Debug, SimpleObject)]
pub struct RevokeToolGrantPayload {
    /// What is gone.
    revoked_tool_grant_id: Option<ToolGrantId>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Keeping tool servers.
#[derive(Debug, Default)]
pub struct ToolMutation;

#[Object]
impl ToolMutation {
    /// Adds a tool server, once it has answered and listed its tools.
    async fn add_tool_server(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The server.")] input: AddToolServerInput,
    ) -> Result<AddToolServerPayload> {
        let who = context.signed_in()?;
        let new = NewServer {
            name: input.name,
            shared: input.shared,
            transport: input.transport,
            url: input.url,
            command: input.command,
            arguments: input.arguments,
            headers: secrets(input.headers),
            environment: secrets(input.environment),
            approval: input.approval,
            tells_user: input.tells_user,
        };
        let (stored, errors) = payload(change::add(context.app(), who, context.client(), new).await)?;
        Ok(AddToolServerPayload {
            tool_server: stored.map(ToolServer),
            errors,
        })
    }

    /// Changes a tool server; shared ones are changed by administrators. When the way to it changes it must answer first.
    async fn update_tool_server(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateToolServerInput,
    ) -> Result<UpdateToolServerPayload> {
        let who = context.signed_in()?;
        let id = input.tool_server_id;
        let change = ServerChange {
            name: input.name,
            url: input.url,
            command: input.command,
            arguments: input.arguments,
            headers: input.headers.map(secrets),
            environment: input.environment.map(secrets),
            approval: input.approval,
            tells_user: input.tells_user,
            enabled: input.enabled,
        };
        let (stored, errors) = payload(change::update(context.app(), who, context.client(), id, change).await)?;
        Ok(UpdateToolServerPayload {
            tool_server: stored.map(ToolServer),
            errors,
        })
    }

    /// Asks a tool server anew which tools it has.
    async fn refresh_tool_server(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which server.")] input: RefreshToolServerInput,
    ) -> Result<RefreshToolServerPayload> {
        let who = context.signed_in()?;
        let (stored, errors) = payload(change::refresh(context.app(), who, input.tool_server_id).await)?;
        Ok(RefreshToolServerPayload {
            tool_server: stored.map(ToolServer),
            errors,
        })
    }

    /// Takes back the leave for a tool to be used without being asked.
    async fn revoke_tool_grant(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which leave.")] input: RevokeToolGrantInput,
    ) -> Result<RevokeToolGrantPayload> {
        let who = context.signed_in()?;
        let mut connection = context.app().connection().await?;
        let revoked = grant::forget(&mut connection, who.user_id, input.tool_grant_id).await;
        let (revoked_tool_grant_id, errors) = payload(revoked)?;
        Ok(RevokeToolGrantPayload {
            revoked_tool_grant_id,
            errors,
        })
    }

    /// Removes a tool server for good; shared ones are removed by administrators.
    async fn remove_tool_server(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which server.")] input: RemoveToolServerInput,
    ) -> Result<RemoveToolServerPayload> {
        let who = context.signed_in()?;
        let removed = change::remove(context.app(), who, context.client(), input.tool_server_id).await;
        let (removed_tool_server_id, errors) = payload(removed)?;
        Ok(RemoveToolServerPayload {
            removed_tool_server_id,
            errors,
        })
    }
}
