//! What all doors share: the house behind them, the limits in front of them, and who is inside.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request, ServerError};
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connections::Connections;
use super::documents::{Documents, Opened};
use super::house::House;
use crate::config::Config;
use crate::graphql::nulls::FieldTypes;

/// How the doors behave.
#[derive(Debug, Clone)]
pub struct DoorSettings {
    /// Whether pages served from localhost may call, and `/` leads to GraphiQL.
    pub development: bool,
    /// Whether clients may ask for the schema.
    pub introspection: bool,
    /// Web origins that may call from a browser; `*` allows all.
    pub origins: Vec<String>,
    /// Proxies whose word about the client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long connections get to finish when the server stops.
    pub grace: Duration,
    /// How long a client may take to send a request's head.
    pub head_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long finding out who sends a request may take.
    pub authentication_timeout: Duration,
    /// How long a query or mutation may run.
    pub execution_timeout: Duration,
    /// How long a socket may stay open without `connection_init`.
    pub init_timeout: Duration,
    /// How often a socket is pinged; one that was silent since the last ping is dropped. Twice this, and the grace of
    /// the room of presence, is how long somebody may seem to be here whose cable was pulled: less than 30 seconds.
    pub ping_every: Duration,
    /// How long one write to a client may take before it is given up as too slow.
    pub write_timeout: Duration,
    /// How often a quiet stream over HTTP shows that it is alive.
    pub heartbeat_every: Duration,
    /// The most sockets and streams of one account.
    pub streams_per_user: usize,
    /// The most sockets and streams of one address.
    pub streams_per_address: usize,
    /// The most running operations of one socket.
    pub operations_per_socket: usize,
    /// The most HTTP connections of one address; trusted proxies may have as many as there is room for.
    pub connections_per_address: usize,
    /// The most HTTP connections in all; more wait outside. Open sockets are not among them any more.
    pub connections: usize,
}

impl Default for DoorSettings {
    fn default() -> Self {
        DoorSettings {
            development: false,
            introspection: true,
            origins: Vec::new(),
            trusted_proxies: Vec::new(),
            grace: Duration::from_secs(25),
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            authentication_timeout: Duration::from_secs(5),
            execution_timeout: Duration::from_secs(30),
            init_timeout: Duration::from_secs(10),
            ping_every: Duration::from_secs(13),
            write_timeout: Duration::from_secs(10),
            heartbeat_every: Duration::from_secs(12),
            streams_per_user: 20,
            streams_per_address: 100,
            operations_per_socket: 64,
            connections_per_address: 1_000,
            connections: 10_000,
        }
    }
}

impl From<&Config> for DoorSettings {
    fn from(config: &Config) -> Self {
        DoorSettings {
            development: config.is_development(),
            introspection: config.settings.introspection,
            origins: config.settings.cors_origins.clone(),
            trusted_proxies: config.settings.trusted_proxies.clone(),
            grace: Duration::from_secs(config.settings.shutdown_grace_seconds),
            ..DoorSettings::default()
        }
    }
}

/// The doors' shared state. A cheap handle.
#[derive(Clone)]
pub struct Doors(Arc<Inner>);

struct Inner {
    house: Box<dyn House>,
    settings: DoorSettings,
    documents: Documents,
    types: FieldTypes,
    connections: Connections,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Doors {
    /// Doors to a house, which close when `shutdown` is cancelled.
    pub fn new(house: impl House, settings: DoorSettings, shutdown: CancellationToken) -> Self {
        let connections = Connections::new(&settings);
        let types = FieldTypes::from_sdl(&house.sdl()).unwrap_or_else(|error| {
            tracing::error!(%error, "the schema cannot be read back; failed fields will be missing instead of null");
            FieldTypes::default()
        });
        let house = Box::new(house);
        Doors(Arc::new(Inner {
            house,
            settings,
            documents: Documents::default(),
            types,
            connections,
            shutdown,
            tasks: TaskTracker::new(),
        }))
    }

    /// What is behind the doors.
    pub fn house(&self) -> &dyn House {
        &*self.0.house
    }

    /// How the doors behave.
    pub fn settings(&self) -> &DoorSettings {
        &self.0.settings
    }

    /// Makes of a request one that may run.
    ///
    /// # Errors
    /// A refusal with its code.
    pub fn open(&self, request: Request) -> Result<Opened, ServerError> {
        self.0.documents.open(request, self.0.settings.introspection)
    }

    /// The types of the schema's fields.
    pub fn types(&self) -> &FieldTypes {
        &self.0.types
    }

    /// Who has sockets and streams open.
    pub fn connections(&self) -> &Connections {
        &self.0.connections
    }

    /// Cancelled when the server begins to stop.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// Everything that must end before the server does.
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }
}
