//! Tasks beside the requests that go on after a panic.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

/// How long a task that has panicked stands still.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Runs a task until it ends. One that panics begins again: the server is worth little without it.
pub async fn run<F: Future<Output = ()>>(name: &str, stopped: &CancellationToken, task: impl Fn() -> F) {
    while AssertUnwindSafe(task()).catch_unwind().await.is_err() {
        tracing::error!(task = name, "a task of the server has panicked and begins again");
        tokio::select! {
            () = tokio::time::sleep(AFTER_PANIC) => {}
            () = stopped.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio_util::sync::CancellationToken;

    use super::run;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_begins_again() {
        let runs = AtomicUsize::new(0);
        let fails_twice = async || assert!(runs.fetch_add(1, Ordering::SeqCst) >= 2, "twice it goes wrong");
        run("a task", &CancellationToken::new(), fails_twice).await;
        assert_eq!(runs.into_inner(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn unless_the_server_stops() {
        let stopped = CancellationToken::new();
        stopped.cancel();
        run("a task", &stopped, async || panic!("it goes wrong")).await;
    }
}
