//! What can go wrong with the embedded server, each with what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::locate::OLDEST;

/// Why there is no embedded server. The text is for the person at the terminal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// Neither a PostgreSQL on the machine nor one from the registry.
    #[error(
        "no PostgreSQL {OLDEST} or newer on this machine, and {reason}. \
         Do one of these: set DATABASE_URL to a PostgreSQL you have; \
         `apt install postgresql` (Debian, Ubuntu); `brew install postgresql@17` (macOS)"
    )]
    NotFound {
        /// Why it could not be fetched either.
        reason: String,
    },
    /// `PG_BINDIR` names a folder that will not do.
    #[error(
        "PG_BINDIR is {}, but {reason}. Point it at the folder with PostgreSQL's \
         `postgres` and `initdb`, unset it, or set DATABASE_URL", dir.display()
    )]
    BinDir {
        /// The folder.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The cluster was made by a major version that is not here.
    #[error(
        "the data in {} was made by PostgreSQL {major}, which is not on this machine ({found}). \
         Install PostgreSQL {major} (`apt install postgresql-{major}`, \
         `brew install postgresql@{major}`), or set DATABASE_URL", data.display()
    )]
    VersionMissing {
        /// The data directory.
        data: PathBuf,
        /// The version it needs.
        major: u32,
        /// What was found instead, in words.
        found: String,
    },
    /// We are root, and nobody else may run it.
    #[error(
        "PostgreSQL refuses to run as root, and no other user can reach {}. \
         Run parlor as an ordinary user, move its data directory to a place that others may \
         enter (such as /var/lib/parlor), or set DATABASE_URL", dir.display()
    )]
    Root {
        /// The folder out of reach.
        dir: PathBuf,
    },
    /// There is something in place of a data directory.
    #[error("{} is not a PostgreSQL data directory: move it away", data.display())]
    NotACluster {
        /// The folder.
        data: PathBuf,
    },
    /// `initdb` or the first start failed.
    #[error("PostgreSQL could not make its data directory: {output}")]
    InitDb {
        /// What it printed.
        output: String,
    },
    /// The server ended before it was ready.
    #[error("PostgreSQL did not start; the last lines of {}:\n{tail}", log.display())]
    Start {
        /// The log of the server.
        log: PathBuf,
        /// Its end.
        tail: String,
    },
    /// Another process has the lock and no server.
    #[error(
        "another parlor has held {} for a minute without getting its PostgreSQL ready: \
         end that process and try again", lock.display()
    )]
    Busy {
        /// The lock.
        lock: PathBuf,
    },
    /// Processes of an earlier server do not end.
    #[error("an earlier PostgreSQL still runs in {} and does not end: process {pids}", data.display())]
    Leftover {
        /// The data directory.
        data: PathBuf,
        /// Its processes.
        pids: String,
    },
    /// No safe folder for the socket.
    #[error(
        "no safe folder for PostgreSQL's socket: {} belongs to someone else. \
         Remove it, or use a data directory with a shorter path", dir.display()
    )]
    Socket {
        /// The folder in the temp dir.
        dir: PathBuf,
    },
    /// What came from the registry is not what was published.
    #[error(
        "{url} is not the file we know: its sha512 is {found}. \
         Nothing was unpacked. Check the registry, or set DATABASE_URL"
    )]
    Checksum {
        /// Where it came from.
        url: String,
        /// What it is.
        found: String,
    },
    /// The operating system said no.
    #[error("{doing}: {source}")]
    Io {
        /// What we were doing, and with which file.
        doing: String,
        /// Its answer.
        source: io::Error,
    },
    /// The runtime went away in the middle.
    #[error("the start of PostgreSQL was interrupted")]
    Interrupted,
}

/// Says what failed with which file.
pub(super) trait Doing<T> {
    fn doing(self, what: &str, path: &Path) -> Result<T, EmbeddedError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, what: &str, path: &Path) -> Result<T, EmbeddedError> {
        self.map_err(|source| EmbeddedError::Io {
            doing: format!("{what} {}", path.display()),
            source,
        })
    }
}
