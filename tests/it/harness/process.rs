//! The real binary, to be killed.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::Request;
use http_body_util::BodyExt;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::app::Client;

/// A running `parlor serve`; killed when dropped.
pub struct Process {
    child: Child,
    /// Where it listens, such as `127.0.0.1:4711`.
    pub address: String,
}

impl Process {
    /// Starts it on a free port and waits until it serves.
    pub async fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
        command
            .arg("serve")
            .args(["--listen=127.0.0.1:0", "--log=warn"])
            .args(["--jwt-secret=Zk3uQ8mXv1LrT6yWc9NbHs4JdPe7RgAo2KfVi5TxEzM"])
            .args(["--master-key=qIQjxIA2in58jJtCDC0t8UgQaf31esp1gavOZ+iF3uA="])
            .args(arguments)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its words")).lines();
        let greeting = async {
            loop {
                let line = lines.next_line().await.expect("words").expect("it serves");
                if let Some((_, rest)) = line.split_once("serves GraphQL at http://") {
                    return rest.trim_end_matches("/graphql").to_owned();
                }
            }
        };
        let address = timeout(Duration::from_secs(60), greeting)
            .await
            .expect("it serves in time");
        // Its later words are read and dropped, so that it never waits for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Process { child, address }
    }

    /// Ends it as a power cut would.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a kill");
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let pid = self
            .child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(Pid::from_raw);
        kill_process(pid.expect("it runs"), Signal::TERM).expect("a signal");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = timeout(Duration::from_secs(40), self.child.wait()).await;
        ended.expect("it ends in time").expect("a status")
    }

    /// A client that nobody is signed in on, over the network.
    pub fn client(&self) -> Client {
        let (http, address) = (reqwest::Client::new(), self.address.clone());
        let forward = move |request: Request<Body>| forward(http.clone(), address.clone(), request);
        Client::new(Router::new().fallback(forward))
    }
}

/// Sends a request on to the process. A connection that is cut ends the body with an error, as it would for a client.
async fn forward(http: reqwest::Client, address: String, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a whole request").to_bytes();
    let sent = http
        .request(head.method, format!("http://{address}{}", head.uri))
        .headers(head.headers)
        .body(body)
        .send();
    match sent.await {
        Ok(answer) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = answer.status();
            *response.headers_mut() = answer.headers().clone();
            *response.body_mut() = Body::from_stream(answer.bytes_stream());
            response
        }
        Err(error) => panic!("the server at {address} does not answer: {error}"),
    }
}
