//! `node(id)`: anything by its id (the Relay server specification).

use async_graphql::{Context, ID, Interface, Object};

use crate::account::api::load_user;
use crate::account::user::{Role, User};
use crate::assistant::{Assistant, assistant};
use crate::chat::api::{Answer, ChatQuery, ToolCall, find_tool_call};
use crate::chat::chat::Chat;
use crate::chat::message::Message;
use crate::chat::schedule::{ScheduledMessage, row as schedule};
use crate::chat::summary::{self, Summary};
use crate::context::RequestContext;
use crate::error::Result;
use crate::export::{DataExport, row};
use crate::id::{
    ApiKeyId, AssistantId, ChatId, DataExportId, GenerationId, MemoryId, MessageId, ScheduledMessageId, SummaryId,
    ToolCallId, ToolServerId, UserId, WebhookId,
};
use crate::memory::{Memory, memory};
use crate::notify::webhook::row::{self as webhook, Webhook};
use crate::tool::api::ToolServer;
use crate::tool::server;
use crate::vault::api::ApiKey;
use crate::vault::key;

/// Anything with an id of its own.
#[derive(Debug, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque and typed: give it to `node(id:)`."))]
pub enum Node {
    /// A person.
    User(User),
    /// An AI.
    Assistant(Assistant),
    /// A room.
    Chat(Chat),
    /// What somebody said.
    Message(Message),
    /// An AI answer.
    Generation(Answer),
    /// Something that the AI remembers.
    Memory(Memory),
    /// A summary of a chat.
    Summary(Summary),
    /// An address that is told of what happens.
    Webhook(Webhook),
    /// A message that is sent later.
    ScheduledMessage(ScheduledMessage),
    /// A provider key.
    ApiKey(ApiKey),
    /// A call of a tool.
    ToolCall(ToolCall),
    /// A server of tools.
    ToolServer(ToolServer),
    /// An archive of one's own data.
    DataExport(DataExport),
}

/// The question for anything.
#[derive(Debug, Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Whatever has this id; null when there is nothing or the viewer may not see it.
    async fn node(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Any id that this API gave.")] id: ID,
    ) -> Result<Option<Node>> {
        let who = context.signed_in()?;
        let text = id.as_str();
        Ok(match text.split('_').next().unwrap_or_default() {
            UserId::PREFIX => load_user(context, text.into()).await?.map(Node::User),
            AssistantId::PREFIX => {
                let (app, id) = (context.app(), AssistantId::from(text));
                let mut found = assistant::find_open(&mut *app.connection().await?, who.user_id, &[id]).await?;
                found.remove(&id).map(Node::Assistant)
            }
            ChatId::PREFIX => ChatQuery.chat(context, text.into()).await?.map(Node::Chat),
            MessageId::PREFIX => ChatQuery.message(context, text.into()).await?.map(Node::Message),
            GenerationId::PREFIX => ChatQuery.generation(context, text.into()).await?.map(Node::Generation),
            ApiKeyId::PREFIX => {
                let found = key::find(&mut *context.app().connection().await?, who.user_id, text.into()).await?;
                found.map(|key| Node::ApiKey(ApiKey(key)))
            }
            ToolCallId::PREFIX => find_tool_call(context, text.into()).await?.map(Node::ToolCall),
            ToolServerId::PREFIX => {
                let is_admin = who.role == Role::Admin;
                let mut connection = context.app().connection().await?;
                let found = server::find(&mut connection, who.user_id, is_admin, text.into()).await?;
                found.map(|server| Node::ToolServer(ToolServer(server)))
            }
            DataExportId::PREFIX => {
                let (app, id) = (context.app(), DataExportId::from(text));
                let mut found = row::find_many(&mut *app.connection().await?, who.user_id, &[id]).await?;
                found.remove(&id).map(Node::DataExport)
            }
            MemoryId::PREFIX => {
                let (app, id) = (context.app(), MemoryId::from(text));
                let mut found = memory::find_many(&mut *app.connection().await?, who.user_id, &[id]).await?;
                found.remove(&id).map(Node::Memory)
            }
            SummaryId::PREFIX => {
                let (app, id) = (context.app(), SummaryId::from(text));
                let mut found = summary::find_many_visible(&mut *app.connection().await?, who.user_id, &[id]).await?;
                found.remove(&id).map(Node::Summary)
            }
            WebhookId::PREFIX => {
                let mut connection = context.app().connection().await?;
                webhook::find(&mut connection, who, text.into())
                    .await?
                    .map(Node::Webhook)
            }
            ScheduledMessageId::PREFIX => {
                let (app, id) = (context.app(), ScheduledMessageId::from(text));
                let mut found = schedule::find_many(&mut *app.connection().await?, who.user_id, &[id]).await?;
                found.remove(&id).map(Node::ScheduledMessage)
            }
            _ => None,
        })
    }
}
