//! The handles that every request shares, and the tasks that run beside them.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::account::live::LiveSessions;
use crate::account::password::Hasher;
use crate::account::throttle::Throttle;
use crate::account::token::Signer;
use crate::account::{admin, session};
use crate::ai;
use crate::ai::guard::Allowed;
use crate::chat::api::Sharing;
use crate::chat::receipt::Receipts;
use crate::chat::reply::{Engine, cache};
use crate::chat::{bill, lifetime, schedule, summary, title};
use crate::config::Config;
use crate::db::{self, Pool, PooledConnection};
use crate::error::Result;
use crate::event::{self, Log};
use crate::export;
use crate::job::{self, Jobs};
use crate::model::catalogue::Catalogue;
use crate::notify::places::Pushes;
use crate::notify::vapid::Vapid;
use crate::notify::{push, reader, webhook};
use crate::presence::Presences;
use crate::privacy::{clear, gather};
use crate::search::fill;
use crate::tool;
use crate::usage;
use crate::vault::Vault;

/// How many connections are kept apart for what must go on while requests use up the others.
const UPKEEP_CONNECTIONS: usize = 4;

/// How often old sessions, events and throttles are cleared away.
const TIDY_EVERY: Duration = Duration::from_secs(600);

/// The kinds of jobs that are done in the background.
const JOBS: &[job::Kind] = &[title::KIND, summary::KIND, bill::KIND, fill::KIND, clear::KIND];
/// What is to be done on time waits for nothing else.
const SCHEDULES: &[job::Kind] = &[schedule::run::KIND];
const SCHEDULES_AT_ONCE: usize = 8;
/// What may take hours keeps nothing else waiting.
const GATHERINGS: &[job::Kind] = &[gather::KIND];
const GATHERINGS_AT_ONCE: usize = 2;
/// What waits for other services, some of them for long; and browsers do not wait for webhooks.
const DELIVERIES: &[job::Kind] = &[webhook::queue::KIND];
const PUSHES: &[job::Kind] = &[push::KIND];
const DELIVERIES_AT_ONCE: usize = 16;

/// Everything that requests share. A cheap handle.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    config: Config,
    pool: Pool,
    upkeep: Pool,
    hasher: Hasher,
    signer: Signer,
    throttle: Throttle,
    live_sessions: LiveSessions,
    log: Log,
    presence: Presences,
    sharing: Sharing,
    ai: ai::Client,
    vault: Vault,
    models: Catalogue,
    engine: Engine,
    receipts: Receipts,
    tools: tool::Pool,
    jobs: Jobs,
    schedules: Jobs,
    gatherings: Jobs,
    deliveries: Jobs,
    pushes: Pushes,
    vapid: Vapid,
    reachable: Arc<Allowed>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    stopped: CancellationToken,
}

impl std::fmt::Debug for App {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("App").finish_non_exhaustive()
    }
}

/// Why the server does not start; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Postgres cannot be reached.
    #[error(
        "Cannot connect to Postgres: {0}. Check DATABASE_URL, or leave it away to let Parlor run a Postgres of its own."
    )]
    Connect(#[from] diesel::ConnectionError),
    /// The pool cannot be built.
    #[error("Cannot set up the connections to Postgres: {0}")]
    Pool(#[from] diesel_async::pooled_connection::deadpool::BuildError),
    /// The migrations failed.
    #[error(transparent)]
    Migrate(#[from] db::MigrateError),
    /// The master key does not fit the database.
    #[error(transparent)]
    Vault(#[from] crate::vault::VaultError),
    /// PARLOR_NOTIFY_URLS cannot be read.
    #[error("PARLOR_NOTIFY_URLS: {0}")]
    NotifyUrls(String),
    /// Something else.
    #[error("{0}")]
    Other(#[from] crate::error::Error),
}

impl App {
    /// Starts a server: all that [`App::open`] does, the first administrator of the settings, and what runs in the
    /// background.
    ///
    /// # Errors
    /// A [`StartError`] that says what to do.
    pub async fn start(config: Config, database_url: &str) -> Result<Self, StartError> {
        let app = App::open(config, database_url).await?;
        app.first_admin().await?;
        app.spawn_tasks();
        Ok(app)
    }

    /// Connects, migrates and checks the keys: enough for a command beside a running server.
    ///
    /// # Errors
    /// A [`StartError`] that says what to do.
    pub async fn open(config: Config, database_url: &str) -> Result<Self, StartError> {
        let migrated = db::migrate(db::connect(database_url).await?).await?;
        if !migrated.is_empty() {
            tracing::info!(migrations = migrated.len(), "the database is up to date");
        }
        let pool = db::pool(database_url, config.settings.database_connections.into())?;
        let upkeep = db::pool(database_url, UPKEEP_CONNECTIONS)?;
        let mut connection = db::connect(database_url).await?;
        if event::adopt(&mut connection, None).await? {
            tracing::warn!("the database was moved here from another Postgres: clients will read everything anew");
        }
        let vault = Vault::open(&mut connection, &config).await?;
        let settings = &config.settings;
        let vapid = Vapid::open(
            &mut connection,
            &vault,
            settings.notify.vapid_key.as_ref(),
            settings.notify.contact.clone(),
        )
        .await?;
        let reachable =
            Allowed::parse(&settings.notify.notify_urls).map_err(|error| StartError::NotifyUrls(error.to_string()))?;
        let log = Log::open(&mut connection).await?;
        let models = Catalogue::open(&mut connection).await?;
        drop(connection);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let limits = ai::Limits {
            first_byte: Duration::from_secs(config.settings.first_byte_seconds),
            idle: Duration::from_secs(config.settings.idle_seconds),
            ..ai::Limits::default()
        };
        let app = App(Arc::new(Inner {
            hasher: Hasher::new(cores)?,
            signer: Signer::new(&config.jwt_secrets, config.access_token_lifetime())?,
            throttle: Throttle::new(config.settings.requests_per_minute, config.settings.messages_per_minute),
            live_sessions: LiveSessions::default(),
            log,
            presence: Presences::default(),
            sharing: Sharing::default(),
            ai: ai::Client::new(limits),
            vault,
            models,
            engine: Engine::default(),
            receipts: Receipts::default(),
            tools: tool::Pool::closing_after(Duration::from_secs(config.settings.tool_idle_seconds)),
            jobs: Jobs::default(),
            schedules: Jobs::at_once(SCHEDULES_AT_ONCE),
            gatherings: Jobs::at_once(GATHERINGS_AT_ONCE),
            deliveries: Jobs::at_once(DELIVERIES_AT_ONCE),
            pushes: Pushes::at_once(DELIVERIES_AT_ONCE),
            vapid,
            reachable: Arc::new(reachable),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            stopped: CancellationToken::new(),
            pool,
            upkeep,
            config,
        }));
        Ok(app)
    }

    async fn first_admin(&self) -> Result<()> {
        let settings = &self.config().settings;
        let (Some(email), Some(password)) = (&settings.admin_email, &settings.admin_password) else {
            return Ok(());
        };
        if let Some(user) = admin::ensure_first_admin(self, email, password.clone()).await? {
            tracing::info!(username = user.username, "made the first administrator");
        }
        Ok(())
    }

    fn spawn_tasks(&self) {
        self.steadily("event log", |app| app.log().clone().run(app));
        self.steadily("presence", |app| app.presence().clone().run(app));
        self.steadily("sessions", |app| app.live_sessions().clone().watch(app));
        self.steadily("answers", |app| app.engine().clone().run(app));
        self.steadily("receipts", |app| app.receipts().clone().run(app));
        self.steadily("tools", |app| app.tools().clone().run(app));
        self.steadily("jobs", |app| app.jobs().clone().run(app, JOBS));
        self.steadily("schedules", |app| app.schedules().clone().run(app, SCHEDULES));
        self.steadily("gatherings", |app| app.gatherings().clone().run(app, GATHERINGS));
        self.steadily("deliveries", |app| app.deliveries().clone().run(app, DELIVERIES));
        self.steadily("pushes", |app| app.pushes().jobs().clone().run(app, PUSHES));
        self.steadily("notifications", reader::run);
        self.steadily("models", |app| app.models().clone().run(app));
        self.steadily("lifetimes", lifetime::sweep::run);
        self.steadily("tidying", App::tidy);
        self.tasks().close();
    }

    /// Runs a task beside the requests.
    fn steadily<F: Future<Output = ()> + Send>(
        &self,
        name: &'static str,
        run: impl Fn(App) -> F + Send + Sync + 'static,
    ) {
        let app = self.clone();
        let task = async move { job::steady::run(name, app.stopped(), || run(app.clone())).await };
        self.tasks().spawn(task);
    }

    async fn tidy(self) {
        let mut tick = tokio::time::interval(TIDY_EVERY);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.stopped().cancelled() => return,
            }
            self.throttle().sweep();
            if let Err(error) = self.clear_away().await {
                tracing::warn!(%error, "cannot clear away what is old");
            }
        }
    }

    async fn clear_away(&self) -> Result<()> {
        let mut connection = self.connection().await?;
        session::sweep(&mut connection).await?;
        event::trim(&mut connection, self.config().settings.event_days).await?;
        webhook::log::sweep(&mut connection).await?;
        usage::recover::sweep(&mut connection, self.models()).await?;
        cache::sweep(&mut connection, self.config().settings.answer_cache_seconds).await?;
        drop(connection);
        export::row::sweep(self).await?;
        lifetime::sweep::retain(self).await?;
        Ok(())
    }

    /// Begins to stop: not ready any more, no new work. Running answers get their grace, then the background ends.
    pub async fn stop(&self) {
        self.shutdown().cancel();
        self.engine()
            .drain(Duration::from_secs(self.config().settings.shutdown_grace_seconds))
            .await;
        self.stopped().cancel();
        // What waits for a Postgres that does not answer is left behind.
        drop(tokio::time::timeout(Duration::from_secs(2), self.tasks().wait()).await);
    }

    /// Whether requests can be served; if not, why.
    ///
    /// # Errors
    /// A sentence for whoever looks at `/readyz`.
    pub async fn ready(&self) -> Result<(), String> {
        if self.shutdown().is_cancelled() {
            return Err("shutting down".into());
        }
        let answer = tokio::time::timeout(Duration::from_secs(3), async {
            let mut connection = self.connection().await?;
            Ok::<_, crate::error::Error>(db::ping(&mut connection).await?)
        });
        match answer.await {
            Ok(Ok(())) => Ok(()),
            _ => Err("Postgres does not answer".into()),
        }
    }

    /// A connection from the pool; give it back before waiting for anything else.
    ///
    /// # Errors
    /// [`crate::error::Error::Unavailable`] after three seconds without one.
    pub async fn connection(&self) -> Result<PooledConnection> {
        Ok(self.0.pool.get().await?)
    }

    /// A connection for what must go on while requests use up the others: checkpoints, leases, the log, revocation.
    ///
    /// # Errors
    /// As [`App::connection`].
    pub async fn upkeep_connection(&self) -> Result<PooledConnection> {
        Ok(self.0.upkeep.get().await?)
    }

    /// Does what a stream needs of Postgres again and again while Postgres is away: a stream that ended with an error
    /// would not be opened again by its client, and nobody would know what it missed.
    ///
    /// # Errors
    /// Whatever is not [`crate::error::Error::Unavailable`], and that too once the server stops.
    pub async fn patiently<T, F: Future<Output = Result<T>>>(&self, work: impl Fn() -> F) -> Result<T> {
        let mut pause = Duration::from_millis(250);
        loop {
            match work().await {
                Err(crate::error::Error::Unavailable(reason)) if !self.shutdown().is_cancelled() => {
                    tracing::warn!(%reason, "a stream waits for Postgres");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                done => return done,
            }
        }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Hashes passwords.
    pub fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    /// Signs access tokens.
    pub fn signer(&self) -> &Signer {
        &self.0.signer
    }

    /// Slows down guessing.
    pub fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// The sessions that have live streams here.
    pub fn live_sessions(&self) -> &LiveSessions {
        &self.0.live_sessions
    }

    /// The event log's live end.
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// Knows who is here.
    pub fn presence(&self) -> &Presences {
        &self.0.presence
    }

    /// Shares the work of telling many the same.
    pub fn sharing(&self) -> &Sharing {
        &self.0.sharing
    }

    /// Talks to models.
    pub fn ai(&self) -> &ai::Client {
        &self.0.ai
    }

    /// Keeps provider keys.
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// Knows models and their prices.
    pub fn models(&self) -> &Catalogue {
        &self.0.models
    }

    /// Runs answers.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Gathers who was handed what.
    pub fn receipts(&self) -> &Receipts {
        &self.0.receipts
    }

    /// Speaks to tool servers.
    pub fn tools(&self) -> &tool::Pool {
        &self.0.tools
    }

    /// Does what was called for in the background.
    pub fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// Sends what is due.
    pub fn schedules(&self) -> &Jobs {
        &self.0.schedules
    }

    /// Gathers archives.
    pub fn gatherings(&self) -> &Jobs {
        &self.0.gatherings
    }

    /// Tells webhooks.
    pub fn deliveries(&self) -> &Jobs {
        &self.0.deliveries
    }

    /// Wakes browsers.
    pub fn pushes(&self) -> &Pushes {
        &self.0.pushes
    }

    /// By what push services know this server.
    pub fn vapid(&self) -> &Vapid {
        &self.0.vapid
    }

    /// Which addresses that people give may be told of things.
    pub fn reachable(&self) -> Arc<Allowed> {
        Arc::clone(&self.0.reachable)
    }

    /// What runs in the background.
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Cancelled when the server begins to stop.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// Cancelled when the last answer is done and the background may end.
    pub fn stopped(&self) -> &CancellationToken {
        &self.0.stopped
    }
}
