//! Connections: pure Rust all the way, TLS by rustls.

use std::sync::Arc;
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::pooled_connection::deadpool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A connection to Postgres.
pub type Connection = AsyncPgConnection;
/// The pool of connections that all requests share.
pub type Pool = deadpool::Pool<AsyncPgConnection>;
/// A connection on loan from the pool.
pub type PooledConnection = deadpool::Object<AsyncPgConnection>;

/// How long a request waits for a connection before it fails as temporarily unavailable.
const WAIT: Duration = Duration::from_secs(3);

/// How long a remote Postgres may leave what was sent unacknowledged.
const UNANSWERED: Duration = Duration::from_secs(15);

/// How long a connection is silent before it is tried whether the other end is still there; then twice as often.
const KEPT_ALIVE: Duration = Duration::from_secs(10);

/// What every session of ours runs with. A query future that is dropped is not cancelled in Postgres, so the
/// timeouts are what ends it.
const SESSION: &str = "SET statement_timeout = '15s'; SET lock_timeout = '5s'; \
    SET idle_in_transaction_session_timeout = '10s'; SET timezone = 'UTC'; SET application_name = 'parlor'";

/// A pool of at most `size` connections, made as they are needed.
///
/// # Errors
/// When the pool cannot be built; connecting comes later.
pub fn pool(url: &str, size: usize) -> Result<Pool, deadpool::BuildError> {
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(|url| {
        let url = url.to_owned();
        Box::pin(async move { connect(&url).await })
    });
    let manager = AsyncDieselConnectionManager::new_with_config(url, config);
    deadpool::Pool::builder(manager)
        .max_size(size)
        .wait_timeout(Some(WAIT))
        .create_timeout(Some(WAIT))
        .recycle_timeout(Some(WAIT))
        .runtime(::deadpool::Runtime::Tokio1)
        .build()
}

/// One connection of its own, with the session's settings made.
///
/// # Errors
/// When Postgres cannot be reached or refuses.
pub async fn connect(url: &str) -> ConnectionResult<Connection> {
    let mut config: tokio_postgres::Config = url.parse().map_err(bad_connection)?;
    config.connect_timeout(WAIT);
    // A server that is gone without a word is noticed while there is something to send.
    config.tcp_user_timeout(UNANSWERED);
    // And while there is nothing to send, by whoever only listens.
    config.keepalives_idle(KEPT_ALIVE);
    config.keepalives_interval(KEPT_ALIVE / 2);
    config.keepalives_retries(3);
    let near = config.get_hosts().iter().all(is_near);
    if config.get_ssl_mode() == SslMode::Prefer && near {
        config.ssl_mode(SslMode::Disable);
    }
    let mut connection = if config.get_ssl_mode() == SslMode::Disable {
        let (client, driver) = config.connect(tokio_postgres::NoTls).await.map_err(bad_connection)?;
        AsyncPgConnection::try_from_client_and_connection(client, driver).await?
    } else {
        let (client, driver) = config.connect(tls()?).await.map_err(bad_connection)?;
        AsyncPgConnection::try_from_client_and_connection(client, driver).await?
    };
    connection
        .batch_execute(SESSION)
        .await
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

fn tls() -> ConnectionResult<MakeRustlsConnect> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(bad_connection)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn is_near(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
    }
}

fn bad_connection(error: impl std::error::Error) -> ConnectionError {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    ConnectionError::BadConnection(format!("{error}{cause}"))
}
