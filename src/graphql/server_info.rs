//! What a client should know of the server before anybody signs in.

use async_graphql::{Context, Enum, Object, SimpleObject};

use crate::ai::Provider;
use crate::config::Registration;
use crate::context::RequestContext;
use crate::error::Result;
use crate::model::api::{self as models, ModelConnection};
use crate::page::PageArguments;
use crate::vault::api::ProviderName;
use crate::vault::server;

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Registration", name = "Registration")]
pub enum RegistrationMode {
    /// Anybody.
    Open,
    /// Nobody but through whoever runs the server.
    Closed,
}

/// What one request or message may be at most.
#[derive(Debug, SimpleObject)]
pub struct ServerLimits {
    /// Characters in a message.
    message_characters: i32,
    /// Minutes for which a message among people can be edited; 0 when it cannot.
    edit_minutes: i32,
    /// Rows in a page.
    page_size: i32,
}

/// A provider that this server can ask.
#[derive(Debug)]
pub struct ProviderInfo {
    provider: Provider,
    server_key: bool,
    default_model: Option<String>,
}

/// A provider that this server can ask.
#[Object]
impl ProviderInfo {
    /// Which one.
    async fn provider(&self) -> ProviderName {
        self.provider.into()
    }

    /// What it is called among people.
    async fn title(&self) -> &str {
        self.provider.title()
    }

    /// Whether the server has a key of its own for people who have none.
    async fn server_key(&self) -> bool {
        self.server_key
    }

    /// The model that answers where nobody names one; null when there is no key of the server's.
    async fn default_model(&self) -> Option<&str> {
        self.default_model.as_deref()
    }

    /// The models that something is known of, in the order of their names. Others can be asked too.
    async fn models(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only models after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only models before this cursor.")] before: Option<String>,
    ) -> Result<ModelConnection> {
        models::page(
            context,
            self.provider,
            PageArguments {
                first,
                after,
                last,
                before,
            },
        )
    }
}

/// What a client should know of the server.
#[derive(Debug, SimpleObject)]
pub struct ServerInfo {
    /// Parlor's version.
    version: String,
    /// Who may make an account.
    registration: RegistrationMode,
    /// What may be asked of which provider.
    providers: Vec<ProviderInfo>,
    /// By what push services know this server: the `applicationServerKey` for `pushManager.subscribe`, in base64url.
    push_public_key: String,
    /// What is too much.
    limits: ServerLimits,
}

/// The question about the server.
#[derive(Debug, Default)]
pub struct ServerInfoQuery;

#[Object]
impl ServerInfoQuery {
    /// What a client should know before anybody signs in.
    async fn server_info(&self, context: &Context<'_>) -> ServerInfo {
        let config = context.app().config();
        let settings = &config.settings;
        let offered = Provider::ALL
            .into_iter()
            .filter(|provider| *provider != Provider::Scripted || config.is_development());
        let providers = offered.map(|provider| {
            let server_key = server::endpoint(settings, provider).is_some();
            let default_model = match provider {
                Provider::Scripted => Some("scripted".to_owned()),
                _ => server::default_model(settings, provider).filter(|_| server_key),
            };
            ProviderInfo {
                provider,
                server_key,
                default_model,
            }
        });
        let providers = providers.collect();
        ServerInfo {
            version: env!("CARGO_PKG_VERSION").into(),
            registration: settings.registration.into(),
            providers,
            push_public_key: context.app().vapid().public_key().to_owned(),
            limits: ServerLimits {
                message_characters: i32::try_from(settings.message_characters).unwrap_or(i32::MAX),
                edit_minutes: i32::try_from(settings.edit_minutes).unwrap_or(i32::MAX),
                page_size: 100,
            },
        }
    }
}
