//! Those who do not look are told: browsers by web push.

mod browser;
mod looking;
mod push;
mod refuse;
mod rules;

use serde_json::json;

use crate::harness::app::{Client, TestApp};
use crate::harness::upstream::Upstream;

pub(crate) use browser::register;

/// An app that may push to a service of this machine, and that service.
async fn with_service() -> (TestApp, Upstream) {
    let service = Upstream::start().await;
    let allowed = format!("--notify-urls=http://127.0.0.1:{}", service.port());
    (TestApp::with(&[&allowed]).await, service)
}

/// Until all that has happened so far is called for.
pub(crate) async fn called_for(app: &TestApp) {
    let sql = app.sql().await;
    // Whoever reads now may have begun before it happened; whoever reads after that has not.
    for _ in 0..2 {
        while parlor::notify::reader::advance(&app.app).await.expect("it reads") {}
        let other = "SELECT name FROM log_readers FOR UPDATE";
        sql.query(other, &[]).await.expect("the reader's row");
    }
}

/// Where a browser of this name is woken.
fn endpoint(service: &Upstream, name: &str) -> String {
    format!("http://127.0.0.1:{}/wake/{name}", service.port())
}

/// How many browsers somebody has.
async fn browsers(client: &Client) -> usize {
    let seen = client.ok("{ viewer { pushSubscriptions { id } } }", json!({})).await;
    seen["viewer"]["pushSubscriptions"].as_array().expect("a list").len()
}

/// Has what was put off for a while be looked at again, as if that while were over.
async fn look_again(app: &TestApp) {
    let over = "UPDATE jobs SET run_at = now(), payload = jsonb_set(payload, '{since}', '\"2001-01-01T00:00:00Z\"') WHERE kind = 'notify.push'";
    app.sql().await.execute(over, &[]).await.expect("jobs");
    app.app.pushes().wake();
}
