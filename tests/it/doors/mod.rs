//! The doors, from outside: a real listener, real sockets, and a house of a few fields behind them.

mod around;
mod http;
mod limits;
mod shutdown;
mod stream;
mod toy;
mod ws;
mod ws_limits;

use std::net::SocketAddr;
use std::time::Duration;

use parlor::server::doors::{DoorSettings, Doors};
use parlor::server::{listen, router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toy::{Seen, Toy};

/// How long anything may take before a test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(10);

/// A serving door.
struct Door {
    address: SocketAddr,
    seen: Seen,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Door {
    async fn open() -> Self {
        Self::with(DoorSettings::default()).await
    }

    async fn with(settings: DoorSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (seen, shutdown) = (Seen::default(), CancellationToken::new());
        let doors = Doors::new(Toy::new(seen.clone()), settings, shutdown.clone());
        let serving = tokio::spawn(async move { listen::serve(&doors, router(doors.clone()), listener).await });
        Door {
            address,
            seen,
            shutdown,
            serving,
        }
    }

    fn url(&self) -> String {
        format!("http://{}/graphql", self.address)
    }

    /// A POST of JSON, to be completed.
    fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        let client = reqwest::Client::new();
        client
            .post(self.url())
            .header("content-type", "application/json")
            .body(body.to_string())
    }

    /// The answer to a query.
    async fn ask(&self, query: &str) -> Value {
        json(
            self.post(&serde_json::json!({ "query": query }))
                .send()
                .await
                .expect("an answer"),
        )
        .await
    }
}

async fn json(response: reqwest::Response) -> Value {
    response.json().await.expect("JSON")
}

/// The code of an answer's first error.
fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

/// Fails instead of waiting for ever.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("something that should have come did not")
}
