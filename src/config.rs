//! Every setting, as a flag and as an environment variable of the same meaning. This is the only file that
//! reads the environment.

pub mod notify;
pub mod providers;

mod proxies;
mod secret;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use self::proxies::Networks;
use self::secret::{JWT_SECRET, MASTER_KEY, is_blank};

/// What kind of place this server runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Environment {
    /// Missing secrets are generated, the scripted provider answers when there is no key, `/` leads to GraphiQL.
    Development,
    /// Secrets must be given and be good, logs are JSON, nothing is scripted.
    Production,
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Registration {
    /// Anybody who can reach the server.
    Open,
    /// Only administrators, with `parlor user create`.
    Closed,
}

/// The settings as they are typed; [`Settings::resolve`] makes them a [`Config`].
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Address and port to listen on.
    #[arg(
        long,
        env = "PARLOR_LISTEN",
        default_value = "127.0.0.1:8080",
        global = true,
        help_heading = "Server"
    )]
    pub listen: SocketAddr,

    /// Where Parlor keeps what it makes: the embedded Postgres and, in development, the generated secrets.
    #[arg(
        long,
        env = "PARLOR_DATA_DIR",
        default_value = ".parlor",
        global = true,
        help_heading = "Server"
    )]
    pub data_dir: PathBuf,

    /// What kind of place this is. Production refuses to start without secrets of its own.
    #[arg(
        long = "env",
        env = "PARLOR_ENV",
        value_enum,
        default_value = "development",
        global = true,
        help_heading = "Server"
    )]
    pub environment: Environment,

    /// Web origins that may call the API from a browser, separated by commas, such as `https://chat.example.com`; `*` allows all.
    /// In development, pages served from localhost are always allowed.
    #[arg(
        long,
        env = "PARLOR_CORS_ORIGINS",
        value_delimiter = ',',
        global = true,
        help_heading = "Server"
    )]
    pub cors_origins: Vec<String>,

    /// Addresses or networks of reverse proxies whose X-Forwarded-For is believed, separated by commas.
    #[arg(
        long,
        env = "PARLOR_TRUSTED_PROXIES",
        value_parser = proxies::parse,
        default_value = "",
        hide_default_value = true,
        global = true,
        help_heading = "Server"
    )]
    pub trusted_proxies: Networks,

    /// Seconds that running answers get to finish after SIGTERM before they are marked interrupted.
    #[arg(
        long,
        env = "PARLOR_SHUTDOWN_GRACE_SECONDS",
        default_value_t = 25,
        global = true,
        help_heading = "Server"
    )]
    pub shutdown_grace_seconds: u64,

    /// Whether clients may ask for the schema.
    #[arg(long, env = "PARLOR_INTROSPECTION", default_value_t = true, action = clap::ArgAction::Set, global = true, help_heading = "Server")]
    pub introspection: bool,

    /// Postgres to use, as postgresql://user:password@host/database. Without it, Parlor runs a Postgres of its own under the data dir.
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        global = true,
        help_heading = "Postgres"
    )]
    pub database_url: Option<SecretString>,

    /// The most connections to Postgres.
    #[arg(long, env = "PARLOR_DATABASE_CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(2..=1000), global = true, help_heading = "Postgres")]
    pub database_connections: u16,

    /// The folder that holds `postgres` and `initdb`, when the embedded Postgres should not look for them itself.
    #[arg(long, env = "PG_BINDIR", global = true, help_heading = "Postgres")]
    pub pg_bindir: Option<PathBuf>,

    /// Signs access tokens: at least 32 bytes. Make one with: openssl rand -base64 48
    #[arg(
        long,
        env = "PARLOR_JWT_SECRET",
        hide_env_values = true,
        global = true,
        help_heading = "Secrets"
    )]
    pub jwt_secret: Option<SecretString>,

    /// The former PARLOR_JWT_SECRET, still accepted on tokens that were signed before it was replaced.
    #[arg(
        long,
        env = "PARLOR_JWT_SECRET_PREVIOUS",
        hide_env_values = true,
        global = true,
        help_heading = "Secrets"
    )]
    pub jwt_secret_previous: Option<SecretString>,

    /// Encrypts provider keys: 32 bytes in base64. Make one with: openssl rand -base64 32
    #[arg(
        long,
        env = "PARLOR_MASTER_KEY",
        hide_env_values = true,
        global = true,
        help_heading = "Secrets"
    )]
    pub master_key: Option<SecretString>,

    /// Former master keys, separated by commas, until `parlor keys rotate` has moved every provider key to the new one.
    #[arg(
        long,
        env = "PARLOR_MASTER_KEY_PREVIOUS",
        hide_env_values = true,
        value_delimiter = ',',
        global = true,
        help_heading = "Secrets"
    )]
    pub master_key_previous: Vec<SecretString>,

    /// E-mail address of the first administrator, made at start when there is no administrator yet.
    #[arg(long, env = "PARLOR_ADMIN_EMAIL", global = true, help_heading = "Accounts")]
    pub admin_email: Option<String>,

    /// Password of the first administrator.
    #[arg(
        long,
        env = "PARLOR_ADMIN_PASSWORD",
        hide_env_values = true,
        global = true,
        help_heading = "Accounts"
    )]
    pub admin_password: Option<SecretString>,

    /// Who may make an account.
    #[arg(
        long,
        env = "PARLOR_REGISTRATION",
        value_enum,
        default_value = "open",
        global = true,
        help_heading = "Accounts"
    )]
    pub registration: Registration,

    /// Minutes that an access token lives, at most 15.
    #[arg(long, env = "PARLOR_ACCESS_TOKEN_MINUTES", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=15), global = true, help_heading = "Accounts")]
    pub access_token_minutes: u64,

    /// Days after which an unused session ends.
    #[arg(long, env = "PARLOR_SESSION_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=365), global = true, help_heading = "Accounts")]
    pub session_days: u64,

    /// Fields of queries and mutations that one person, or one address without a sign-in, may ask for in a minute; 0 for no limit.
    #[arg(
        long,
        env = "PARLOR_REQUESTS_PER_MINUTE",
        default_value_t = 1200,
        global = true,
        help_heading = "Server"
    )]
    pub requests_per_minute: u32,

    /// Messages that one person may send in a minute; 0 for no limit.
    #[arg(
        long,
        env = "PARLOR_MESSAGES_PER_MINUTE",
        default_value_t = 120,
        global = true,
        help_heading = "Chats"
    )]
    pub messages_per_minute: u32,

    /// The most characters in one message.
    #[arg(long, env = "PARLOR_MESSAGE_CHARACTERS", default_value_t = 4000, value_parser = clap::value_parser!(u32).range(1..=100_000), global = true, help_heading = "Chats")]
    pub message_characters: u32,

    /// Minutes for which its author can edit a message among people, at most ten years; 0 never. What it said is kept.
    #[arg(long, env = "PARLOR_EDIT_MINUTES", default_value_t = 1_440, value_parser = clap::value_parser!(u32).range(0..=5_256_000), global = true, help_heading = "Chats")]
    pub edit_minutes: u32,

    /// Days that the event log is kept for clients that were away.
    #[arg(long, env = "PARLOR_EVENT_DAYS", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=365), global = true, help_heading = "Chats")]
    pub event_days: u16,

    /// Days after which messages are deleted, in all chats; 0 keeps them for good. Chats may have their messages disappear sooner.
    #[arg(long, env = "PARLOR_RETENTION_DAYS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=36_500), global = true, help_heading = "Chats")]
    pub retention_days: u16,

    /// The server's own OpenAI key, used for people who have none.
    #[arg(
        long,
        env = "OPENAI_API_KEY",
        hide_env_values = true,
        global = true,
        help_heading = "AI"
    )]
    pub openai_api_key: Option<SecretString>,

    /// Where the server's own key is used: any endpoint that speaks OpenAI Chat Completions.
    #[arg(
        long,
        env = "OPENAI_BASE_URL",
        default_value = "https://api.openai.com/v1",
        global = true,
        help_heading = "AI"
    )]
    pub openai_base_url: url::Url,

    /// The model that answers where a chat names none.
    #[arg(
        long,
        env = "OPENAI_MODEL",
        default_value = "gpt-5-mini",
        global = true,
        help_heading = "AI"
    )]
    pub openai_model: String,

    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "a doc comment here would stand before all of them in the help"
    )]
    pub server_keys: providers::ServerKeys,

    /// Base URLs that people may give with their own keys besides the well-known providers: origins separated by commas,
    /// such as `http://127.0.0.1:11434` for Ollama; `*` allows every public https address.
    #[arg(
        long,
        env = "PARLOR_BASE_URLS",
        default_value = "",
        global = true,
        help_heading = "AI"
    )]
    pub base_urls: String,

    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "a doc comment here would stand before all of them in the help"
    )]
    pub notify: notify::Notify,

    /// Tokens of a conversation that are sent along with a question.
    #[arg(
        long,
        env = "PARLOR_CONTEXT_TOKENS",
        default_value_t = 16_000,
        global = true,
        help_heading = "AI"
    )]
    pub context_tokens: u32,

    /// Whether chats are given titles by the model that answers, after the first answer.
    #[arg(long, env = "PARLOR_TITLES", default_value_t = true, action = clap::ArgAction::Set, global = true, help_heading = "AI")]
    pub titles: bool,

    /// Seconds for which a person who asks the same again, of the same model and with the same conversation before it, is given
    /// the same answer again without the model being asked; at most 30 days, 0 never.
    #[arg(long, env = "PARLOR_ANSWER_CACHE_SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=2_592_000), global = true, help_heading = "AI")]
    pub answer_cache_seconds: u32,

    /// Seconds to wait for a provider's first byte.
    #[arg(
        long,
        env = "PARLOR_FIRST_BYTE_SECONDS",
        default_value_t = 60,
        global = true,
        help_heading = "AI"
    )]
    pub first_byte_seconds: u64,

    /// Seconds that a provider may be silent in the middle of an answer.
    #[arg(
        long,
        env = "PARLOR_IDLE_SECONDS",
        default_value_t = 30,
        global = true,
        help_heading = "AI"
    )]
    pub idle_seconds: u64,

    /// Seconds that a tool may take for one call.
    #[arg(long, env = "PARLOR_TOOL_SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600), global = true, help_heading = "AI")]
    pub tool_seconds: u64,

    /// Seconds after which an unused conversation with a tool server ends, and with it the process that the server is.
    #[arg(long, env = "PARLOR_TOOL_IDLE_SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400), global = true, help_heading = "AI")]
    pub tool_idle_seconds: u64,

    /// What to log, in tracing's words, such as info or parlor=debug.
    #[arg(
        long,
        env = "RUST_LOG",
        default_value = "info",
        global = true,
        help_heading = "Server"
    )]
    pub log: String,

    /// Where executables are looked for.
    #[arg(long, env = "PATH", default_value = "", hide = true, global = true)]
    pub path: std::ffi::OsString,

    /// The user's own folder, for npm's settings.
    #[arg(long, env = "HOME", hide = true, global = true)]
    pub home: Option<PathBuf>,

    /// The npm registry, for the PostgreSQL build that is fetched where none is installed.
    #[arg(long, env = "npm_config_registry", hide = true, global = true)]
    pub npm_registry: Option<String>,
}

/// The settings, checked and complete. Secrets print as `[REDACTED]`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The settings that need no work.
    pub settings: Settings,
    /// Signs and verifies access tokens; the first one signs.
    pub jwt_secrets: Vec<SecretString>,
    /// Master keys in base64, the current one first.
    pub master_keys: Vec<SecretString>,
    /// What the person who started the server should read, such as where secrets were generated.
    pub notices: Vec<String>,
}

/// Why the settings cannot be used; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A secret is missing in production.
    #[error(
        "{variable} is not set, and production does not make its own. Make one with `{recipe}` and set {variable} to it."
    )]
    Missing {
        /// The environment variable to set.
        variable: &'static str,
        /// The command that makes a good value.
        recipe: &'static str,
    },
    /// A secret is too short or well known.
    #[error("{variable} {why}. Make a good one with `{recipe}`.")]
    Weak {
        /// The environment variable to change.
        variable: &'static str,
        /// What is wrong with it.
        why: &'static str,
        /// The command that makes a good value.
        recipe: &'static str,
    },
    /// The data dir cannot be written.
    #[error("Cannot keep secrets in {}: {source}. Set PARLOR_DATA_DIR to a folder that this user can write.", path.display())]
    DataDir {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Settings {
    /// Completes the settings: development makes and keeps secrets that are missing, production does not start without.
    ///
    /// # Errors
    /// A [`ConfigError`] that says which variable to set and how.
    pub fn resolve(mut self) -> Result<Config, ConfigError> {
        self.data_dir = std::path::absolute(&self.data_dir).map_err(|source| ConfigError::DataDir {
            path: self.data_dir.clone(),
            source,
        })?;
        let mut notices = Vec::new();
        let jwt_secret = JWT_SECRET.find(&self, self.jwt_secret.as_ref(), &mut notices)?;
        let master_key = MASTER_KEY.find(&self, self.master_key.as_ref(), &mut notices)?;
        let former_secret = self.jwt_secret_previous.iter().filter(|secret| !is_blank(secret));
        let jwt_secrets: Vec<_> = std::iter::once(jwt_secret).chain(former_secret.cloned()).collect();
        for secret in &jwt_secrets {
            JWT_SECRET.check(secret)?;
        }
        let former_keys = self.master_key_previous.iter().filter(|key| !is_blank(key));
        let master_keys: Vec<_> = std::iter::once(master_key).chain(former_keys.cloned()).collect();
        for secret in &master_keys {
            MASTER_KEY.check(secret)?;
        }
        Ok(Config {
            settings: self,
            jwt_secrets,
            master_keys,
            notices,
        })
    }
}

impl Config {
    /// Whether this is a development server.
    pub fn is_development(&self) -> bool {
        self.settings.environment == Environment::Development
    }

    /// How long an access token lives.
    pub fn access_token_lifetime(&self) -> Duration {
        Duration::from_secs(self.settings.access_token_minutes * 60)
    }
}
