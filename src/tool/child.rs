//! A tool server that is a process of this machine.
//!
//! It leads a process group of its own, so that what it starts ends with it, and it sees nothing of our environment
//! but the path that programs are found on.

use std::ffi::OsStr;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long it may take to leave once it is told.
const LEAVE: Duration = Duration::from_millis(750);

/// A running process and its group. Dropped, the whole group is killed.
#[derive(Debug)]
pub(super) struct Process {
    child: Mutex<Child>,
    group: Option<Pid>,
}

impl Process {
    /// Starts it, and gives the two ends of the conversation.
    pub(super) fn start(
        program: &str,
        arguments: &[&str],
        variables: &[(String, String)],
        path: &OsStr,
    ) -> std::io::Result<(Self, ChildStdout, ChildStdin)> {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What it complains about may hold what people wrote, which is not for our log.
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let ends = child.stdout.take().zip(child.stdin.take());
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let child = Mutex::new(child);
        let process = Process { child, group };
        let (output, input) = ends.ok_or_else(|| std::io::Error::other("a process without its pipes"))?;
        Ok((process, output, input))
    }

    /// Waits until it has ended: what it started may still hold its pipes open, and nothing would be heard of it.
    pub(super) async fn ended(&self) {
        if let Err(error) = self.child.lock().await.wait().await {
            tracing::warn!(%error, "cannot wait for a tool server");
        }
    }

    /// Whether it has ended, as far as that is known without waiting.
    pub(super) fn has_ended(&self) -> bool {
        let child = self.child.try_lock();
        child.is_ok_and(|mut child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Asks it to leave, and kills what is still there after a moment.
    pub(super) async fn end(&self) {
        self.signal(Signal::TERM);
        if timeout(LEAVE, self.ended()).await.is_err() {
            tracing::debug!("a tool server did not leave in time");
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group
            && let Err(error) = kill_process_group(group, signal)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(%error, "cannot end the processes of a tool server");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
