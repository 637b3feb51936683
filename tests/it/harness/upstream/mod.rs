//! An imitation of OpenAI on a real socket, which does exactly what a test tells it to.
//!
//! ```text
//! let upstream = Upstream::start().await;
//! let gate = Gate::new();
//! upstream.script([Reply::status(503), Reply::stream().word("Hel").hold(&gate).word("lo").stop()]);
//! … upstream.asked(2).await; gate.open(); … upstream.requests()[0].body["model"]
//! ```
//!
//! Replies are given in order, one for each request; after the last one every request gets
//! `Reply::says(&["Hello", ", ", "world"])`. It speaks HTTP/1.1 by hand, because a library would
//! neither cut a connection in the middle nor keep each piece of a body a piece of its own.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};
use url::Url;

mod reply;

use reply::Step;
pub use reply::{Gate, Reply};

/// A running server; stops when dropped.
pub struct Upstream {
    port: u16,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Seen>>,
    asked: watch::Sender<usize>,
    connected: watch::Sender<usize>,
    hung_up: watch::Sender<usize>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    /// Null when the body is no JSON.
    pub body: Value,
    /// The body as it is.
    pub bytes: Vec<u8>,
}

impl Upstream {
    /// Starts on a free port of this machine.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let mut server = JoinSet::new();
        server.spawn(accept(listener, shared.clone()));
        Self {
            port,
            shared,
            _server: server,
        }
    }

    /// The root of its API.
    pub fn url(&self) -> Url {
        let url = format!("http://127.0.0.1:{}/v1", self.port);
        url.parse().expect("a URL")
    }

    /// Its port, for addresses of another spelling.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Adds replies to those still to be given.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.replies.lock().expect("no panic").extend(replies);
    }

    /// Everything asked so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.requests.lock().expect("no panic").clone()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        *self.shared.connected.borrow()
    }

    /// Waits until this many requests have arrived.
    pub async fn asked(&self, times: usize) {
        reached(&self.shared.asked, times).await;
    }

    /// Waits until this many clients have closed their connection before the reply was over.
    pub async fn hung_up(&self, times: usize) {
        reached(&self.shared.hung_up, times).await;
    }
}

async fn reached(count: &watch::Sender<usize>, times: usize) {
    let mut count = count.subscribe();
    count.wait_for(|now| *now >= times).await.expect("the sender is ours");
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        shared.connected.send_modify(|count| *count += 1);
        connections.spawn(serve(socket, shared.clone()));
    }
}

/// Serves one connection, request after request.
async fn serve(socket: TcpStream, shared: Arc<Shared>) {
    socket.set_nodelay(true).expect("a socket option");
    let (mut from, mut to) = socket.into_split();
    while let Some(request) = read_request(&mut from).await {
        shared.requests.lock().expect("no panic").push(request);
        let reply = shared.replies.lock().expect("no panic").pop_front();
        let reply = reply.unwrap_or_else(|| Reply::says(&["Hello", ", ", "world"]));
        shared.asked.send_modify(|count| *count += 1);
        match give(reply, &mut from, &mut to).await {
            Given::Whole => {}
            Given::Cut => return,
            Given::HungUp => {
                shared.hung_up.send_modify(|count| *count += 1);
                return;
            }
        }
    }
}

enum Given {
    Whole,
    Cut,
    HungUp,
}

async fn give(reply: Reply, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) -> Given {
    if let Some(gate) = &reply.late {
        tokio::select! {
            () = gate.pass() => {}
            () = gone(from) => return Given::HungUp,
        }
    }
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("transfer-encoding: chunked\r\n\r\n");
    if to.write_all(head.as_bytes()).await.is_err() {
        return Given::HungUp;
    }
    for step in reply.steps {
        let sent = match step {
            Step::Bytes(bytes) => send(to, &bytes).await,
            Step::Cut => return Given::Cut,
            Step::Hold(gate) => tokio::select! {
                () = gate.pass() => true,
                () = gone(from) => false,
            },
            Step::Forever(bytes) => {
                while send(to, &bytes).await {}
                false
            }
        };
        if !sent {
            return Given::HungUp;
        }
    }
    match to.write_all(b"0\r\n\r\n").await {
        Ok(()) => Given::Whole,
        Err(_) => Given::HungUp,
    }
}

/// Sends a piece as one HTTP chunk, so that it arrives as one.
async fn send(to: &mut OwnedWriteHalf, bytes: &[u8]) -> bool {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    to.write_all(&chunk).await.is_ok()
}

/// Waits until the client has closed its side.
async fn gone(from: &mut OwnedReadHalf) {
    let mut byte = [0];
    while let Ok(1..) = from.read(&mut byte).await {}
}

async fn read_request(from: &mut OwnedReadHalf) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("an ASCII head");
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers: HashMap<String, String> = headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    from.read_exact(&mut body).await.ok()?;
    Some(Seen {
        method,
        path,
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
        bytes: body,
    })
}
