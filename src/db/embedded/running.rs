//! What runs in a data directory, by its pid file and by who really lives there.
//! A pid alone proves nothing: after a crash it may be another program's.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::error::Doing;
use super::{EmbeddedError, POLL};

/// A fast shutdown with its checkpoint should be done by now.
const PATIENCE: Duration = Duration::from_secs(30);
/// After this the processes are killed, and after the last they are reported.
const SECOND_PATIENCE: Duration = Duration::from_secs(40);
const LAST_PATIENCE: Duration = Duration::from_secs(45);

/// What `postmaster.pid` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: Pid,
    socket_dir: PathBuf,
    /// Line 8: `starting`, `ready` or `stopping`.
    status: String,
}

impl PidFile {
    pub(super) fn read(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        Some(Self {
            // A server in single-user mode writes its pid as a negative number.
            pid: Pid::from_raw(lines.next()?.trim().parse::<i32>().ok()?.checked_abs()?)?,
            socket_dir: PathBuf::from(lines.nth(3).unwrap_or_default()),
            status: lines.nth(2).unwrap_or_default().trim().to_owned(),
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        self.status == "ready"
    }
}

/// The socket folder of the server its owner offers to others, if there is one.
/// The pid file alone says `ready` for a moment after the owner has ended it.
pub(super) fn offered(lock: &Path, data: &Path) -> Option<PathBuf> {
    let file = PidFile::read(data)?;
    let offer = fs::read_to_string(lock).ok()?;
    let same = offer.trim() == file.pid.as_raw_pid().to_string();
    (same && file.is_ready() && lives_in(file.pid, data)).then_some(file.socket_dir)
}

/// Offers a server to other processes, or takes the offer back.
pub(super) fn offer(lock: &Path, pid: Option<Pid>) {
    let text = pid.map_or_else(String::new, |pid| pid.as_raw_pid().to_string());
    if let Err(error) = fs::write(lock, text) {
        tracing::warn!(%error, lock = %lock.display(), "other processes are not told of PostgreSQL");
    }
}

/// Waits while a server is on its way up, for at most as long as one is adopted.
pub(super) fn settle(data: &Path) -> Option<PathBuf> {
    let started = Instant::now();
    loop {
        let file = PidFile::read(data)?;
        if !lives_in(file.pid, data) {
            return None;
        }
        if file.is_ready() {
            return Some(file.socket_dir);
        }
        if file.status == "stopping" || started.elapsed() > super::ADOPTION_LIMIT {
            return None;
        }
        thread::sleep(POLL);
    }
}

/// Ends what an earlier owner left running, and clears the pid file once nothing does.
pub(super) fn end_leftovers(data: &Path) -> Result<(), EmbeddedError> {
    let started = Instant::now();
    let mut strongest = None;
    loop {
        let living = inhabitants(data);
        if living.is_empty() {
            break;
        }
        let waited = started.elapsed();
        let (signal, pids) = if waited > LAST_PATIENCE {
            return Err(EmbeddedError::Leftover {
                data: data.to_path_buf(),
                pids: list(&living),
            });
        } else if waited > SECOND_PATIENCE {
            (Signal::KILL, living)
        } else if waited > PATIENCE {
            (Signal::QUIT, living)
        } else {
            // The postmaster ends the others; orphans of a killed one end by themselves.
            let postmaster = PidFile::read(data).map(|file| file.pid);
            let among = living.into_iter().filter(|pid| Some(*pid) == postmaster);
            (Signal::INT, among.collect())
        };
        if strongest != Some(signal) {
            strongest = Some(signal);
            pids.into_iter().for_each(|pid| send(pid, signal));
        }
        thread::sleep(POLL);
    }
    let stale = data.join("postmaster.pid");
    match fs::remove_file(&stale) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).doing("removing", &stale),
        _ => Ok(()),
    }
}

/// Sends a signal to a process that may have ended in the meantime.
pub(super) fn send(pid: Pid, signal: Signal) {
    if let Err(error) = kill_process(pid, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, pid = pid.as_raw_pid(), "PostgreSQL cannot be signalled");
    }
}

fn list(pids: &[Pid]) -> String {
    let numbers: Vec<String> = pids.iter().map(|pid| pid.as_raw_pid().to_string()).collect();
    numbers.join(", ")
}

/// All of PostgreSQL's processes work in the data directory.
#[cfg(target_os = "linux")]
fn inhabitants(data: &Path) -> Vec<Pid> {
    let Ok(processes) = Path::new("/proc").read_dir() else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|pid| lives_in(*pid, data))
        .collect()
}

#[cfg(target_os = "linux")]
fn lives_in(pid: Pid, data: &Path) -> bool {
    fs::read_link(format!("/proc/{}/cwd", pid.as_raw_pid())).is_ok_and(|cwd| cwd == data)
}

/// Without /proc, the postmaster named by the pid file stands for all of them.
#[cfg(not(target_os = "linux"))]
fn inhabitants(data: &Path) -> Vec<Pid> {
    PidFile::read(data)
        .map(|file| file.pid)
        .filter(|pid| lives_in(*pid, data))
        .into_iter()
        .collect()
}

#[cfg(not(target_os = "linux"))]
fn lives_in(pid: Pid, data: &Path) -> bool {
    std::process::Command::new("/bin/ps")
        .args(["-ww", "-o", "command=", "-p"])
        .arg(pid.as_raw_pid().to_string())
        .output()
        .is_ok_and(|output| {
            let command = String::from_utf8_lossy(&output.stdout);
            command.contains("postgres") && command.contains(&*data.to_string_lossy())
        })
}
