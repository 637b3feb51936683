//! A conversation with a tool server, by the official SDK.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ClientConfig, Implementation, PaginatedRequestParams, ProtocolVersion,
    RequestMetaObject,
};
use rmcp::service::{
    ClientInitializeError, ClientLifecycleMode, ClientServiceExt, Peer, RoleClient, RunningService, ServiceError,
};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::common::client_side_sse::FixedInterval;
use rmcp::transport::streamable_http_client::{
    StreamableHttpClientTransport, StreamableHttpClientTransportConfig, StreamableHttpError,
};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::child::Process;
use super::listing::Listing;
use super::outcome::Outcome;
use super::spec::{Spec, Way, header_value};
use super::{CONNECT, MESSAGE_BYTES};
use crate::ai::{HttpError, Reach, guard};
use crate::app::App;
use crate::id::UserId;

/// The header that tells a server who asks.
pub(super) const USER_HEADER: &str = "x-parlor-user";
/// The same in the metadata of a call.
const USER_META: &str = "parlor/user";
/// The most pages of a listing that are read.
const PAGES: usize = 16;
/// How long a conversation may take to say goodbye.
const GOODBYE: Duration = Duration::from_millis(750);

/// What is wrong with a server, in words that may be shown to whoever keeps it and to the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// The guard refused its address.
    #[error("{0}")]
    Blocked(guard::Refusal),
    /// No process could be made of the command.
    #[error("The command of the tool server cannot be started. Check that it is installed where Parlor runs.")]
    NotStarted,
    /// 401 or 403.
    #[error("The tool server refuses to let us in. Check its headers.")]
    NotLetIn,
    /// It took too long.
    #[error("The tool server does not answer in time.")]
    Slow,
    /// There is nothing, or nothing that speaks MCP.
    #[error("The tool server cannot be reached, or does not speak MCP over this transport at this address.")]
    NoServer,
    /// The conversation broke off.
    #[error("The tool server broke off the conversation.")]
    Lost,
    /// All conversations are in use.
    #[error("Too many tools are in use at the moment. Please try again later.")]
    Busy,
    /// A fault of our own.
    #[error("Something went wrong on our side.")]
    Ours,
}

/// An open conversation. Dropped, it ends, and so does the process behind it.
#[derive(Debug)]
pub(super) struct Connection {
    peer: Peer<RoleClient>,
    service: Mutex<Option<RunningService<RoleClient, ClientConfig>>>,
    process: Option<Process>,
    /// Whom each call is said to be for.
    tells: Option<UserId>,
}

impl Connection {
    /// Opens a conversation on behalf of a person.
    pub(super) async fn open(app: &App, spec: &Spec, user_id: UserId) -> Result<Self, Trouble> {
        timeout(CONNECT, Self::greet(app, spec, user_id))
            .await
            .unwrap_or(Err(Trouble::Slow))
    }

    async fn greet(app: &App, spec: &Spec, user_id: UserId) -> Result<Self, Trouble> {
        let tells = spec.tells_user.then_some(user_id);
        let (service, process) = match &spec.way {
            Way::Http { url, reach } => {
                if let Reach::User(allowed) = reach {
                    allowed.check(url).map_err(Trouble::Blocked)?;
                }
                let http = app.ai().connections(url, reach).map_err(|failure| {
                    tracing::error!(%failure, "no connections for tool servers");
                    Trouble::Ours
                })?;
                let mut config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                    .custom_headers(headers(spec, tells).ok_or(Trouble::Ours)?)
                    .max_sse_event_size(MESSAGE_BYTES);
                // A stream that is cut is opened again a few times; a call that waits has its own time.
                let mut retries = FixedInterval::default();
                retries.max_times = Some(3);
                config.retry_config = std::sync::Arc::new(retries);
                let transport = StreamableHttpClientTransport::with_client(http, config);
                let served = introduction().serve_with_lifecycle(transport, lifecycle()).await;
                (served.map_err(|error| trouble(&error))?, None)
            }
            Way::Process { command, arguments } => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let path = &app.config().settings.path;
                let started = Process::start(command, &arguments, &variables(spec), path);
                let (process, output, input) = started.map_err(|error| {
                    tracing::info!(%error, "a tool server cannot be started");
                    Trouble::NotStarted
                })?;
                let transport = AsyncRwTransport::new_client(output, input).with_max_line_length(MESSAGE_BYTES);
                let served = introduction().serve_with_lifecycle(transport, lifecycle()).await;
                (served.map_err(|error| trouble(&error))?, Some(process))
            }
        };
        Ok(Connection {
            peer: service.peer().clone(),
            service: Mutex::new(Some(service)),
            process,
            tells,
        })
    }

    /// Whether it can still be used.
    pub(super) fn is_open(&self) -> bool {
        !self.peer.is_transport_closed() && !self.process.as_ref().is_some_and(Process::has_ended)
    }

    /// What the server can do.
    pub(super) async fn list(&self) -> Result<Listing, Trouble> {
        timeout(CONNECT, self.read_pages()).await.unwrap_or(Err(Trouble::Slow))
    }

    async fn read_pages(&self) -> Result<Listing, Trouble> {
        let mut listing = Listing::default();
        let mut cursor = None;
        for _ in 0..PAGES {
            let mut page = PaginatedRequestParams::default();
            page.cursor = cursor;
            let read = self.peer.list_tools(Some(page)).await;
            let read = read.map_err(|_| Trouble::NoServer)?;
            for tool in read.tools {
                listing.add(tool);
            }
            cursor = read.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(listing)
    }

    /// Calls a tool. What the tool itself has to complain about is an outcome.
    pub(super) async fn call(
        &self,
        name: &str,
        arguments: serde_json::Map<String, serde_json::Value>,
        patience: Duration,
    ) -> Result<Outcome, Trouble> {
        let mut call = CallToolRequestParams::new(name.to_owned()).with_arguments(arguments);
        if let Some(user_id) = self.tells {
            let mut meta = RequestMetaObject::new();
            meta.0.insert(USER_META.to_owned(), user_id.to_string().into());
            call.meta = Some(meta);
        }
        // Dropped, the call is cancelled at the server too.
        let answer = tokio::select! {
            answer = timeout(patience, self.peer.call_tool_once(call)) => answer,
            () = self.ended() => return Err(Trouble::Lost),
        };
        Ok(match answer {
            Err(_) => {
                let seconds = patience.as_secs();
                Outcome::failed(&format!(
                    "The tool did not answer within {seconds} seconds and was given up."
                ))
            }
            Ok(Ok(CallToolResponse::Complete(result))) => Outcome::of(result),
            Ok(Ok(_)) => Outcome::failed("The tool asks for more than this server can give it."),
            Ok(Err(ServiceError::McpError(error))) => {
                Outcome::failed(&format!("The tool server refuses the call: {}", error.message))
            }
            Ok(Err(ServiceError::TransportClosed | ServiceError::TransportSend(_))) => return Err(Trouble::Lost),
            Ok(Err(_)) => Outcome::failed("The tool server answered something that is no result."),
        })
    }

    /// Says goodbye and waits for the end of the process behind it.
    pub(super) async fn close(&self) {
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut service) = service
            && let Err(error) = service.close_with_timeout(GOODBYE).await
        {
            tracing::warn!(%error, "a conversation with a tool server ended badly");
        }
        if let Some(process) = &self.process {
            process.end().await;
        }
    }

    /// Waits for the end of the process behind it; without one, for ever.
    async fn ended(&self) {
        match &self.process {
            Some(process) => process.ended().await,
            None => std::future::pending().await,
        }
    }
}

/// How we introduce ourselves. We offer servers nothing: no sampling, no questions to people, no files.
fn introduction() -> ClientConfig {
    let mut config = ClientConfig::default();
    config.client_info = Implementation::new("parlor", env!("CARGO_PKG_VERSION"));
    config
}

/// The newest manners first, those of older servers if need be.
fn lifecycle() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::LATEST],
        legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
    }
}

fn headers(spec: &Spec, tells: Option<UserId>) -> Option<HashMap<HeaderName, HeaderValue>> {
    let mut headers = HashMap::new();
    for (name, value) in &spec.secrets {
        headers.insert(name.parse().ok()?, header_value(value)?);
    }
    if let Some(user_id) = tells {
        let value = HeaderValue::from_str(&user_id.to_string()).ok()?;
        headers.insert(HeaderName::from_static(USER_HEADER), value);
    }
    Some(headers)
}

fn variables(spec: &Spec) -> Vec<(String, String)> {
    let variables = spec.secrets.iter();
    variables
        .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
        .collect()
}

/// What kept a conversation from beginning. The error's own words may hold the address or what the server said.
fn trouble(error: &ClientInitializeError) -> Trouble {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = match error {
        ClientInitializeError::LegacyFallbackFailed { fallback, .. } => return trouble(fallback),
        ClientInitializeError::TransportError { error, .. } => Some(error.error.as_ref()),
        _ => None,
    };
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<StreamableHttpError<HttpError>>() {
            return http_trouble(error);
        }
        cause = inner.source();
    }
    Trouble::NoServer
}

fn http_trouble(error: &StreamableHttpError<HttpError>) -> Trouble {
    match error {
        StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_) => Trouble::NotLetIn,
        StreamableHttpError::UnexpectedServerResponse(words)
            if words.contains("HTTP 401") || words.contains("HTTP 403") =>
        {
            Trouble::NotLetIn
        }
        StreamableHttpError::Client(error) => match error.status().map(|status| status.as_u16()) {
            Some(401 | 403) => Trouble::NotLetIn,
            _ => guard::refusal_behind(error).map_or(Trouble::NoServer, Trouble::Blocked),
        },
        _ => Trouble::NoServer,
    }
}
