//! How fast Parlor is, with authentication, storage and limits on: `cargo bench`.
//!
//! A scripted upstream that speaks Chat Completions runs in this process, `parlor serve` as a process of its own on an
//! embedded Postgres with durable settings, so that its processor time can be told apart. Absolute figures depend on
//! the machine; compare ratios and medians.

mod client;
mod filling;
#[path = "../server/mod.rs"]
mod server;
mod upstream;

use std::time::{Duration, Instant};

use client::{Client, Socket};
use server::Server;
use upstream::Upstream;

/// How many answers the time to the first token is taken from.
const FIRST_TOKENS: usize = 200;
/// How many streams run at once.
const STREAMS: usize = 500;
/// How many of them belong to one person, all on one socket.
const STREAMS_PER_PERSON: usize = 10;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let upstream = Upstream::start().await;
        let server = Server::start(&[
            ("OPENAI_BASE_URL", &upstream.base_url()),
            ("OPENAI_API_KEY", "sk-bench-0123456789"),
        ])
        .await;
        first_token(&upstream, &server).await;
        one_stream(&server).await;
        many_streams(&server).await;
        history(&server).await;
        long_chats(&server).await;
        unread(&server).await;
        server.stop().await;
    });
}

/// Time from asking to the first token: directly, and through Parlor from the HTTP request to the socket's delta.
async fn first_token(upstream: &Upstream, server: &Server) {
    let person = server.register("first").await;
    let chat = person.chat("tokens=1,rate=0").await;
    let mut socket = Socket::open(&person).await;
    let (mut direct, mut through) = (Vec::new(), Vec::new());
    for warm in [true, false] {
        let before = server.cpu();
        for _ in 0..FIRST_TOKENS {
            let start = Instant::now();
            upstream.ask_directly("tokens=1,rate=0").await;
            direct.push(start.elapsed());
            let start = Instant::now();
            let generation = person.send(&chat).await;
            socket.watch(&generation).await;
            socket.first_text().await;
            through.push(start.elapsed());
            socket.end().await;
        }
        if warm {
            direct.clear();
            through.clear();
            continue;
        }
        let spent = server.cpu() - before;
        let (direct, through) = (median(&mut direct), median(&mut through));
        let each = |time: Duration| time.as_secs_f64() * 1000.0 / FIRST_TOKENS as f64;
        println!("first token, {FIRST_TOKENS} answers");
        println!(
            "  directly from the upstream     median {:7.2} ms",
            milliseconds(direct)
        );
        println!(
            "  through Parlor                 median {:7.2} ms",
            milliseconds(through)
        );
        println!(
            "  added                          median {:7.2} ms",
            milliseconds(through.saturating_sub(direct))
        );
        println!(
            "  Parlor's processor time for a whole send, answer and end {:5.2} ms",
            each(spent)
        );
    }
}

/// One answer as fast as the upstream gives it.
async fn one_stream(server: &Server) {
    const TOKENS: usize = 50_000;
    let person = server.register("one").await;
    let chat = person.chat(&format!("tokens={TOKENS},rate=0")).await;
    let mut socket = Socket::open(&person).await;
    let start = Instant::now();
    let generation = person.send(&chat).await;
    socket.watch(&generation).await;
    let bytes = socket.end().await;
    let took = start.elapsed();
    assert_eq!(bytes, TOKENS * upstream::TOKEN.len(), "every byte arrives");
    println!(
        "one stream: {TOKENS} tokens in {:.2} s, {:.0} tokens/s",
        took.as_secs_f64(),
        TOKENS as f64 / took.as_secs_f64()
    );
}

/// Many answers at 50 tokens a second each.
async fn many_streams(server: &Server) {
    const TOKENS: usize = 200;
    const RATE: usize = 50;
    let mut people = Vec::new();
    for number in 0..STREAMS / STREAMS_PER_PERSON {
        let person = server.register(&format!("many{number}")).await;
        let chat = person.chat(&format!("tokens={TOKENS},rate={RATE}")).await;
        people.push((Socket::open(&person).await, person, chat));
    }
    let before = server.cpu();
    let start = Instant::now();
    let runs = people.into_iter().map(|(mut socket, person, chat)| {
        tokio::spawn(async move {
            for _ in 0..STREAMS_PER_PERSON {
                let generation = person.send(&chat).await;
                socket.watch(&generation).await;
            }
            let mut bytes = 0;
            for _ in 0..STREAMS_PER_PERSON {
                bytes += socket.end().await;
            }
            (bytes, Instant::now())
        })
    });
    let mut bytes = 0;
    let mut late = Duration::ZERO;
    let ideal = Duration::from_secs_f64(TOKENS as f64 / RATE as f64);
    for run in runs.collect::<Vec<_>>() {
        let (got, end) = run.await.expect("a run");
        bytes += got;
        late = late.max((end - start).saturating_sub(ideal));
    }
    let took = start.elapsed();
    let tokens = STREAMS * TOKENS;
    assert_eq!(
        bytes,
        tokens * upstream::TOKEN.len(),
        "every byte of every stream arrives"
    );
    let spent = server.cpu() - before;
    println!(
        "{STREAMS} streams at {RATE} tokens/s: {:.0} tokens/s in all, the last one {:.2} s late",
        tokens as f64 / took.as_secs_f64(),
        late.as_secs_f64()
    );
    println!(
        "  Parlor's processor time for a token {:.1} µs",
        spent.as_secs_f64() * 1e6 / tokens as f64
    );
}

/// A page of 50 from anywhere in a short and a very long history.
async fn history(server: &Server) {
    for messages in [10_000, 1_000_000] {
        let person = server.register(&format!("history{messages}")).await;
        let chat = person.chat("tokens=1,rate=0").await;
        server.fill(&chat, messages).await;
        let mut times = Vec::new();
        for round in 0..400_u64 {
            // Anywhere, but the same anywhere in each run.
            let sequence = (round * 7_919 * 104_729) % (messages - 100) + 100;
            let start = Instant::now();
            person.page(&chat, sequence).await;
            if round >= 100 {
                times.push(start.elapsed());
            }
        }
        println!(
            "history page of 50 in a chat of {messages:>9} messages: median {:5.2} ms",
            milliseconds(median(&mut times))
        );
    }
}

/// Opening, planning and sending in a short and a long chat: what they cost must not grow with the chat.
async fn long_chats(server: &Server) {
    const ROUNDS: usize = 100;
    for messages in [50, 5_000] {
        let person = server.register(&format!("long{messages}")).await;
        let chat = person.chat("tokens=1,rate=0").await;
        server.fill(&chat, messages).await;
        let mut socket = Socket::open(&person).await;
        let (mut opened, mut planned, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS + 20 {
            let start = Instant::now();
            person.open(&chat).await;
            let open = start.elapsed();
            let start = Instant::now();
            person.plan(&chat).await;
            let plan = start.elapsed();
            let start = Instant::now();
            let generation = person.send(&chat).await;
            socket.watch(&generation).await;
            socket.first_text().await;
            let send = start.elapsed();
            socket.end().await;
            if round >= 20 {
                opened.push(open);
                planned.push(plan);
                sent.push(send);
            }
        }
        println!(
            "chat of {messages:>5} messages: opens in {:5.2} ms, plans in {:5.2} ms, first token after {:5.2} ms (medians)",
            milliseconds(median(&mut opened)),
            milliseconds(median(&mut planned)),
            milliseconds(median(&mut sent))
        );
    }
}

/// The chat list with its unread counts, for somebody in a thousand rooms: the newest hundred, and all of them.
async fn unread(server: &Server) {
    const ROOMS: u64 = 1_000;
    for behind in [20, 1_000] {
        let person = server.register(&format!("unread{behind}")).await;
        server.fill_rooms(&format!("unread{behind}"), ROOMS, behind).await;
        let (mut pages, mut whole) = (Vec::new(), Vec::new());
        for round in 0..25 {
            let start = Instant::now();
            let mut counted = 0;
            let mut after = None;
            loop {
                let page_start = Instant::now();
                let (unread, next) = person.list(after.as_deref()).await;
                if round >= 5 && after.is_none() {
                    pages.push(page_start.elapsed());
                }
                counted += unread;
                match next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            assert_eq!(counted, ROOMS * behind, "every unread message is counted");
            if round >= 5 {
                whole.push(start.elapsed());
            }
        }
        println!(
            "unread counts of {ROOMS} rooms with {behind:>5} each: the newest hundred {:6.2} ms, all {:7.2} ms (medians)",
            milliseconds(median(&mut pages)),
            milliseconds(median(&mut whole))
        );
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl Server {
    async fn register(&self, name: &str) -> Client {
        Client::register(self.address(), name).await
    }
}
