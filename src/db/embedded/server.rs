//! Starting the server as a child that dies with us, and ending it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use tokio::sync::watch;
use tokio::time::timeout;

use super::error::Doing;
use super::locate::Binaries;
use super::privilege::RunAs;
use super::running::{self, PidFile, send};
use super::{EmbeddedError, Lifetime, Options, POLL};

/// How long each way of asking may take: fast, immediate, killed.
const STOPPING: [(Signal, Duration); 3] = [
    (Signal::INT, Duration::from_secs(30)),
    (Signal::QUIT, Duration::from_secs(10)),
    (Signal::KILL, Duration::from_secs(5)),
];
/// A log longer than this begins anew.
const LONGEST_LOG: u64 = 10 * 1024 * 1024;

/// What it takes to start one.
pub(super) struct Launch<'a> {
    pub(super) options: &'a Options,
    pub(super) binaries: &'a Binaries,
    pub(super) run_as: &'a RunAs,
    pub(super) data: &'a Path,
    pub(super) socket_dir: &'a Path,
    pub(super) log: &'a Path,
    /// Where it is, and that we hold it.
    pub(super) lock: (PathBuf, File),
}

/// A server of ours.
#[derive(Debug)]
pub(super) struct Server {
    pid: Pid,
    lock: PathBuf,
    state: Arc<Mutex<State>>,
    ended: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// Asked to end, so its end is no news.
    stopping: bool,
    /// Its pid may be another's from now on.
    reaped: bool,
}

impl Server {
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    pub(super) async fn exited(&self) {
        let mut ended = self.ended.clone();
        // An error means that the watching thread is gone, and the server with it.
        if ended.wait_for(|ended| *ended).await.is_err() {
            tracing::warn!("nobody watches PostgreSQL any more");
        }
    }

    pub(super) async fn stop(&self) {
        for (signal, patience) in STOPPING {
            self.signal(signal);
            if timeout(patience, self.exited()).await.is_ok() {
                return;
            }
            tracing::warn!(?signal, "PostgreSQL does not stop");
        }
    }

    fn signal(&self, signal: Signal) {
        let mut state = held(&self.state);
        // Once it is reaped, the lock and the pid may be another's.
        if !state.reaped {
            running::offer(&self.lock, None);
            send(self.pid, signal);
        }
        state.stopping = true;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal(Signal::INT);
    }
}

/// Starts it and waits until it takes connections. Nothing if it belongs to nobody.
pub(super) fn launch(launch: Launch<'_>) -> Result<Option<Server>, EmbeddedError> {
    let detached = launch.options.lifetime == Lifetime::Detached;
    let command = command(&launch)?;
    let (data, log, postgres) = (launch.data, launch.log, launch.binaries.program("postgres"));
    // An owner holds the lock until its server is gone; a server of nobody's is
    // found by its pid file, so the lock only covers the start.
    let (path, held) = launch.lock;
    let (kept, during_start) = if detached {
        (None, Some(held))
    } else {
        (Some(held), None)
    };
    let server = spawn(command, path, kept).doing("running", &postgres)?;
    loop {
        if *server.ended.borrow() {
            return Err(EmbeddedError::Start {
                log: log.to_path_buf(),
                tail: tail(log),
            });
        }
        if PidFile::read(data).is_some_and(|file| file.pid == server.pid && file.is_ready()) {
            break;
        }
        thread::sleep(POLL);
    }
    drop(during_start);
    if detached {
        // Only its Drop would stop it.
        std::mem::forget(server);
        return Ok(None);
    }
    running::offer(&server.lock, Some(server.pid));
    Ok(Some(server))
}

fn command(launch: &Launch<'_>) -> Result<Command, EmbeddedError> {
    let options = launch.options;
    let fresh = fs::metadata(launch.log).is_ok_and(|log| log.len() > LONGEST_LOG);
    let log = File::options()
        .create(true)
        .write(true)
        .append(!fresh)
        .truncate(fresh)
        // Failing statements are quoted in it.
        .mode(0o600)
        .open(launch.log)
        .doing("opening", launch.log)?;
    let mut command = launch.run_as.command(&launch.binaries.program("postgres"));
    command
        .arg("-D")
        .arg(launch.data)
        .args(["-c", "listen_addresses=", "-c", "port=5432", "-c"])
        .arg(joined("unix_socket_directories=", launch.socket_dir))
        .args(["-c", "unix_socket_permissions=0700", "-c", "jit=off", "-c"])
        .arg(format!("max_connections={}", options.max_connections));
    if !options.durable {
        for setting in [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "autovacuum=off",
            "wal_level=minimal",
            "max_wal_senders=0",
        ] {
            command.args(["-c", setting]);
        }
    }
    command
        .stdout(log.try_clone().doing("opening", launch.log)?)
        .stderr(log)
        // Ctrl-C in the terminal is for us to answer; we end the server in order.
        .process_group(0);
    if options.lifetime == Lifetime::Owner {
        die_with_us(&mut command);
    }
    Ok(command)
}

fn joined(setting: &str, value: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(setting);
    text.push(value);
    text
}

/// Runs the child from a thread of its own, which lives exactly as long as the child:
/// the death signal is sent when the *thread* that spawned it ends.
fn spawn(mut command: Command, lock: PathBuf, kept: Option<File>) -> io::Result<Server> {
    let dies_with_us = kept.is_some();
    let state = Arc::new(Mutex::new(State::default()));
    let (end, ended) = watch::channel(false);
    let (report, started) = mpsc::sync_channel(1);
    let watched = Arc::clone(&state);
    thread::Builder::new().name("postgres".to_owned()).spawn(move || {
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                if report.send(Err(error)).is_err() {
                    tracing::warn!("nobody waits for PostgreSQL any more");
                }
                return;
            }
        };
        let pid = Pid::from_child(&child);
        let guard = dies_with_us.then(|| watchdog(pid)).flatten();
        if report.send(Ok(pid)).is_err() {
            send(pid, Signal::INT);
        }
        outlive(&mut child, pid, &watched);
        if let Some(guard) = guard {
            dismiss(guard);
        }
        drop(kept);
        end.send_replace(true);
    })?;
    let pid = started.recv().map_err(io::Error::other)??;
    Ok(Server {
        pid,
        lock,
        state,
        ended,
    })
}

/// Waits for the child to end, and reaps it when nobody can be signalling it.
fn outlive(child: &mut Child, pid: Pid, state: &Mutex<State>) {
    let exited = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), exited) {}
    let mut state = held(state);
    state.reaped = true;
    match child.wait() {
        Ok(status) if !state.stopping => tracing::error!(%status, "PostgreSQL ended by itself"),
        Ok(status) => tracing::debug!(%status, "PostgreSQL stopped"),
        Err(error) => tracing::error!(%error, "PostgreSQL cannot be waited for"),
    }
}

/// Asks the kernel to end the child when we end, however that happens.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "the death signal can only be asked for in the child; between fork and exec it makes two system calls and allocates nothing"
)]
pub(super) fn die_with_us(command: &mut Command) {
    let us = rustix::process::getpid();
    let ask = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::INT))?;
        // We may have died before the child asked.
        if rustix::process::getppid() == Some(us) {
            Ok(())
        } else {
            Err(io::ErrorKind::Interrupted.into())
        }
    };
    // SAFETY: the closure only makes system calls, which are safe after a fork.
    unsafe {
        command.pre_exec(ask);
    }
}

/// Elsewhere the watchdog does it.
#[cfg(not(target_os = "linux"))]
pub(super) fn die_with_us(_: &mut Command) {}

/// Where the kernel has no death signal: a shell that reads from us until we are gone.
fn watchdog(pid: Pid) -> Option<Child> {
    if cfg!(target_os = "linux") {
        return None;
    }
    Command::new("/bin/sh")
        .args(["-c", "read -r _; kill -INT \"$0\""])
        .arg(pid.as_raw_pid().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .inspect_err(|error| tracing::warn!(%error, "PostgreSQL may outlive a crash of ours"))
        .ok()
}

/// Ended before its pipe closes, or it would signal a pid that is no longer the server's.
fn dismiss(mut guard: Child) {
    if let Err(error) = guard.kill().and_then(|()| guard.wait()) {
        tracing::warn!(%error, "the watchdog of PostgreSQL does not end");
    }
}

/// The last lines of the log.
fn tail(log: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(2000)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| error.to_string());
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

fn held(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
