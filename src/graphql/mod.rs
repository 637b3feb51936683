//! The schema: a list of what each feature brings, and what every request carries.

pub mod codes;
pub mod limits;
pub mod nulls;
pub mod subscription;

mod node;
mod server_info;

use async_graphql::dataloader::DataLoader;
use async_graphql::{MergedObject, MergedSubscription, Request, Response, SDLExportOptions};

use self::node::NodeQuery;
use self::server_info::ServerInfoQuery;
use crate::account::api::{AccountMutation, UserLoader};
use crate::account::viewer::{Client, Viewer};
use crate::admin::{AdminMutation, AdminQuery};
use crate::app::App;
use crate::assistant::api::AssistantMutation;
use crate::chat::api::{
    BranchMutation, ChatLoader, ChatMutation, ChatQuery, ChatSubscription, DeedMutation, DraftMutation, LiveMutation,
    PlanQuery, RoomMutation, ScheduleMutation, SearchQuery, SummaryMutation, ToolCallMutation,
};
use crate::contact::api::{ContactMutation, ContactQuery};
use crate::error::{Error, Result};
use crate::event::{self, SyncCursor};
use crate::export::api::ExportMutation;
use crate::memory::api::MemoryMutation;
use crate::model::api::ModelMutation;
use crate::notify::api::PushMutation;
use crate::notify::webhook::api::WebhookMutation;
use crate::presence::api::{PresenceMutation, PresenceSubscription};
use crate::privacy::api::PrivacyMutation;
use crate::tool::api::ToolMutation;
use crate::usage::api::UsageMutation;
use crate::vault::api::VaultMutation;
use crate::viewer::{SignInMutation, ViewerQuery};

/// What can be asked.
#[derive(Debug, Default, MergedObject)]
pub struct Query(
    NodeQuery,
    ServerInfoQuery,
    ViewerQuery,
    ContactQuery,
    ChatQuery,
    PlanQuery,
    AdminQuery,
    SearchQuery,
);

/// What can be done. Every mutation takes one `input` and returns a payload of its own, in which `errors` names what was
/// refused.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    SignInMutation,
    AccountMutation,
    ContactMutation,
    PresenceMutation,
    ChatMutation,
    RoomMutation,
    LiveMutation,
    ScheduleMutation,
    SummaryMutation,
    BranchMutation,
    DeedMutation,
    DraftMutation,
    AssistantMutation,
    MemoryMutation,
    PrivacyMutation,
    ExportMutation,
    PushMutation,
    WebhookMutation,
    VaultMutation,
    ToolMutation,
    ToolCallMutation,
    ModelMutation,
    UsageMutation,
    AdminMutation,
);

/// What can be followed. Every stream can be resumed: a repetition may happen, a gap never.
#[derive(Debug, Default, MergedSubscription)]
pub struct Subscription(ChatSubscription, PresenceSubscription);

/// Parlor's schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// The schema over the handles of `app`.
pub fn build(app: App) -> Schema {
    builder().data(app).finish()
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    async_graphql::Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .register_output_type::<node::Node>()
        .register_output_type::<crate::chat::api::Actor>()
}

/// The schema in GraphQL's own language, in a stable order.
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by();
    let sdl = builder().finish().sdl_with_options(options);
    let mut lines: Vec<&str> = sdl.lines().map(str::trim_end).collect();
    lines.dedup_by(|line, previous| line.is_empty() && previous.is_empty());
    format!("{}\n", lines.join("\n").trim())
}

/// A request with all that it carries, and the sync cursor, read before anything else, if it is asked for.
///
/// # Errors
/// The answer: too many requests, or Postgres fails.
pub async fn prepare(
    app: &App,
    mut request: Request,
    viewer: Viewer,
    client: Client,
) -> Result<Request, Box<Response>> {
    let name = request.operation_name.clone();
    let fields = request
        .parsed_query()
        .map_or(1, |document| limits::root_fields(document, name.as_deref()));
    app.throttle()
        .request(&viewer, client.address, fields)
        .map_err(refusal)?;
    if request.query.contains("syncCursor") {
        let cursor = sync_cursor(app).await.map_err(refusal)?;
        request = request.data(cursor);
    }
    let loader = viewer
        .signed_in()
        .ok()
        .map(|who| ChatLoader::new(app.clone(), who.user_id));
    Ok(laden(app, request, loader, viewer, client))
}

/// A request with who asks, from where, and loaders of its own, so that nothing cached crosses people.
fn laden(app: &App, request: Request, chats: Option<ChatLoader>, viewer: Viewer, client: Client) -> Request {
    let people = UserLoader {
        app: app.clone(),
        viewer: viewer.signed_in().ok().map(|who| who.user_id),
    };
    let mut request = request.data(DataLoader::new(people, tokio::spawn));
    if let Some(chats) = chats {
        request = request.data(DataLoader::new(chats, tokio::spawn));
    }
    request.data(viewer).data(client)
}

/// The answer where a whole request is refused.
fn refusal(error: Error) -> Box<Response> {
    let error = async_graphql::Error::from(error).into_server_error(async_graphql::Pos::default());
    Box::new(Response::from_errors(vec![error]))
}

async fn sync_cursor(app: &App) -> Result<SyncCursor> {
    Ok(SyncCursor(event::current(&mut *app.connection().await?).await?))
}
