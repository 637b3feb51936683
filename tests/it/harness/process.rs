//! The real binary, to be killed.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{Request, header};
use http_body_util::BodyExt;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
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

/// A server that is killed now and then and started again, as its clients see it: while it is away they try again.
pub struct Outages {
    arguments: Vec<String>,
    process: Option<Process>,
    address: watch::Sender<Option<String>>,
}

impl Outages {
    /// Starts it with these arguments, each time.
    pub async fn start(arguments: &[&str]) -> Self {
        let process = Process::start(arguments).await;
        Outages {
            arguments: arguments.iter().map(ToString::to_string).collect(),
            address: watch::Sender::new(Some(process.address.clone())),
            process: Some(process),
        }
    }

    /// Kills it as a power cut would, and starts it again.
    pub async fn strike(&mut self) {
        self.address.send_replace(None);
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let process = Process::start(&arguments).await;
        self.address.send_replace(Some(process.address.clone()));
        self.process = Some(process);
    }

    /// Ends it as an operator would, and starts it again.
    pub async fn restart(&mut self) {
        self.address.send_replace(None);
        if let Some(mut process) = self.process.take() {
            process.terminate();
            process.ended().await;
        }
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let process = Process::start(&arguments).await;
        self.address.send_replace(Some(process.address.clone()));
        self.process = Some(process);
    }

    /// A client that nobody is signed in on. A request that was cut off is made again, as a browser's would be; a stream
    /// that was cut off ends.
    pub fn client(&self) -> Client {
        let (http, address) = (reqwest::Client::new(), self.address.subscribe());
        let answer = move |request: Request<Body>| surely(http.clone(), address.clone(), request);
        Client::new(Router::new().fallback(answer))
    }
}

async fn surely(
    http: reqwest::Client,
    mut address: watch::Receiver<Option<String>>,
    request: Request<Body>,
) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("a whole request").to_bytes();
    let streams = head
        .headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept == "text/event-stream");
    loop {
        let there = {
            let known = address.wait_for(Option::is_some).await;
            known.expect("the server comes back").clone().expect("an address")
        };
        let sent = http
            .request(head.method.clone(), format!("http://{there}{}", head.uri))
            .headers(head.headers.clone())
            .body(body.clone())
            .send();
        let Ok(answer) = sent.await else {
            // It may take a moment until the death is known here.
            tokio::task::yield_now().await;
            continue;
        };
        let mut response = Response::new(Body::empty());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        if streams {
            *response.body_mut() = Body::from_stream(answer.bytes_stream());
            return response;
        }
        if let Ok(whole) = answer.bytes().await {
            *response.body_mut() = Body::from(whole);
            return response;
        }
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
