//! Tool servers that are processes of this machine. The one that is tried is this test's own program, started again.

use std::time::Duration;

use rmcp::ServiceExt;
use serde_json::json;
use tokio::time::timeout;

use super::{add, call};
use crate::harness::app::{Client, TestApp};
use crate::harness::mcp::Workshop;

/// In a process that a tool server was started as, this test is the tool server; otherwise it is nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn is_a_tool_server_if_asked_to() {
    let Ok(note) = std::env::var("SERVE_TOOLS") else { return };
    // A process of its own beside it, which has to end with it.
    let mut beside = tokio::process::Command::new("/bin/sleep");
    let beside = beside.arg("1000").spawn().expect("a process");
    let pids = format!("{} {}", std::process::id(), beside.id().expect("it runs"));
    std::fs::write(note, pids).expect("a note of who it is");
    let served = Workshop::new().serve((tokio::io::stdin(), tokio::io::stdout())).await;
    served.expect("a client").waiting().await.expect("an end");
    // Such a server does not leave because its client does.
    std::future::pending::<()>().await;
}

/// Adds this program as a server that writes its process ids into `note`.
async fn add_self(admin: &Client, note: &std::path::Path) -> String {
    let program = std::env::current_exe().expect("this program");
    let this = "tools::process::is_a_tool_server_if_asked_to";
    let input = json!({
        "name": "here", "shared": true, "transport": "STDIO", "command": program, "tellsUser": true,
        "arguments": [this, "--exact", "--nocapture", "--quiet"],
        "environment": [{ "name": "SERVE_TOOLS", "value": note }],
    });
    add(admin, input).await
}

/// The processes of a server, as it noted them.
fn noted(note: &std::path::Path) -> Vec<u32> {
    let pids = std::fs::read_to_string(note).expect("a note");
    pids.split(' ').map(|pid| pid.parse().expect("a number")).collect()
}

/// Waits until these processes are gone; one that nobody has buried yet counts as gone.
async fn gone(pids: &[u32]) {
    let lives = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
    };
    let all_gone = async {
        while pids.iter().any(lives) {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), all_gone).await.expect("they end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_sees_nothing_of_ours_and_ends_with_its_group_when_it_is_idle() {
    let app = TestApp::with(&["--tool-idle-seconds=1"]).await;
    let (ada, admin) = (app.user("ada").await, app.admin("admin").await);
    let folder = tempfile::tempdir().expect("a folder");
    let note = folder.path().join("note");
    let id = add_self(&admin, &note).await;
    gone(&noted(&note)).await;

    let seen = call(&app, &ada, &id, "environment", json!({})).await;
    let names: Vec<&str> = seen.text.split(' ').filter(|name| !name.is_empty()).collect();
    let own = |name: &&str| !["PATH", "SERVE_TOOLS"].contains(name) && !name.starts_with("RUST_");
    assert!(names.contains(&"SERVE_TOOLS"), "{names:?}");
    assert_eq!(names.iter().filter(|name| own(name)).count(), 0, "{names:?}");
    assert_eq!(call(&app, &ada, &id, "who", json!({})).await.text, ada.id);
    assert_eq!(app.app.tools().open(), 1);
    gone(&noted(&note)).await;
    assert_eq!(
        call(&app, &admin, &id, "who", json!({})).await.text,
        admin.id,
        "and it is started again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_when_the_server_stops() {
    let app = TestApp::start().await;
    let (ada, admin) = (app.user("ada").await, app.admin("admin").await);
    let folder = tempfile::tempdir().expect("a folder");
    let note = folder.path().join("note");
    let id = add_self(&admin, &note).await;
    call(&app, &ada, &id, "who", json!({})).await;
    let pids = noted(&note);
    app.app.stop().await;
    gone(&pids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_dies_is_started_again() {
    let app = TestApp::start().await;
    let (ada, admin) = (app.user("ada").await, app.admin("admin").await);
    let folder = tempfile::tempdir().expect("a folder");
    let note = folder.path().join("note");
    let id = add_self(&admin, &note).await;
    call(&app, &ada, &id, "who", json!({})).await;
    let first = noted(&note);
    let leader = rustix::process::Pid::from_raw(i32::try_from(first[0]).expect("a pid")).expect("a pid");
    rustix::process::kill_process(leader, rustix::process::Signal::KILL).expect("a kill");
    gone(&first[..1]).await;
    // It may be found dead only once it is spoken to: that call fails, and the next one has a new conversation.
    let next = call(&app, &ada, &id, "who", json!({})).await;
    assert!(next.text == ada.id || next.text.contains("broke off"), "{next:?}");
    assert_eq!(call(&app, &ada, &id, "who", json!({})).await.text, ada.id);
    assert_ne!(noted(&note), first);
    assert_eq!(app.app.tools().open(), 1);
    gone(&first).await;
}
