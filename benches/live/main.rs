//! What live streams cost: `cargo bench --bench live`. One room that a thousand people follow, ten thousand sockets that
//! wait, and presence in a room of a thousand against a room of ten.
//!
//! `parlor serve` runs as a process of its own, on an embedded Postgres with durable settings; the clients are in this
//! process and take their part of the machine. Absolute figures depend on it; compare ratios and medians. Sockets come from
//! as many addresses of the loopback as it takes, for an address may have only so many. With a word, such as `idle`, only
//! what is called so runs: `room`, `idle`, `presence`.

mod client;
mod people;
#[path = "../server/mod.rs"]
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use client::{Person, Socket};
use server::Server;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// How many follow the room.
const FOLLOWERS: usize = 1_000;
/// How many messages are sent to it, slowly and then as fast as they are answered.
const MESSAGES: usize = 60;
/// How many messages come at once in the end.
const BURST: usize = 1_200;
/// How many sockets wait.
const IDLE: usize = 10_000;
/// How often somebody comes and goes in each room.
const CHANGES: usize = 30;

const MESSAGE: &str = "subscription { events(ephemeral: false) { __typename cursor ... on MessageCreated { message { id content author { displayName } } } } }";
const EVERYTHING: &str = "subscription Everything($after: String) { events(after: $after) { __typename cursor occurredAt \
    ... on ChatUpserted { chat { id title version viewerState { unreadCount } } } ... on ChatRemoved { chatId } \
    ... on MessageCreated { message { id sequence role content version author { id displayName } } } \
    ... on MessageUpdated { changed message { id sequence role content version } } \
    ... on TypingChanged { chatId userId isTyping } ... on PresenceChanged { presence { userId status lastSeenAt } } } }";
const PRESENCE: &str = "subscription { events { __typename ... on PresenceChanged { presence { userId status } } } }";

fn main() {
    let wanted = |name: &str| {
        let mut named = std::env::args()
            .skip(1)
            .filter(|argument| !argument.starts_with('-'))
            .peekable();
        named.peek().is_none() || named.any(|argument| argument == name)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        if wanted("room") {
            room().await;
        }
        if wanted("idle") {
            idle().await;
        }
        if wanted("presence") {
            presence().await;
        }
    });
}

/// Opens a socket for each of these people and subscribes; some at a time.
async fn open(people: &[Person], query: &'static str) -> Vec<Socket> {
    let mut opening = JoinSet::new();
    let mut sockets = Vec::with_capacity(people.len());
    for person in people {
        if opening.len() >= 32 {
            sockets.push(opening.join_next().await.expect("one").expect("a socket"));
        }
        let person = person.clone();
        opening.spawn(async move {
            let mut socket = Socket::open(&person).await;
            socket.subscribe(query).await;
            socket
        });
    }
    while let Some(socket) = opening.join_next().await {
        sockets.push(socket.expect("a socket"));
    }
    sockets
}

/// One room that a thousand follow: how soon a message is with them, and how many deliveries there are in a second.
async fn room() {
    let server = Server::for_people().await;
    let people = server.people(FOLLOWERS).await;
    let chat = server.room(FOLLOWERS).await;
    let sockets = open(&people, MESSAGE).await;
    let sent: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let (told, mut tell) = mpsc::channel::<(usize, Instant)>(FOLLOWERS * 4);
    // Ends with this, before the server does.
    let mut listening = JoinSet::new();
    for mut socket in sockets {
        let told = told.clone();
        listening.spawn(async move {
            loop {
                let number = socket.message().await;
                if told.send((number, Instant::now())).await.is_err() {
                    return;
                }
            }
        });
    }
    for (how, pause) in [
        ("one every 100 ms", Duration::from_millis(100)),
        ("as fast as they are answered", Duration::ZERO),
    ] {
        sent.lock().await.clear();
        let before = server.cpu();
        let start = Instant::now();
        let (sender, chat, times) = (people[0].clone(), chat.clone(), sent.clone());
        let sending = tokio::spawn(async move {
            for number in 0..MESSAGES {
                times.lock().await.push(Instant::now());
                sender.send(&chat, number).await;
                tokio::time::sleep(pause).await;
            }
        });
        let mut late = Vec::with_capacity(MESSAGES * FOLLOWERS);
        let mut last = start;
        while late.len() < MESSAGES * FOLLOWERS {
            let (number, at) = tell.recv().await.expect("a delivery");
            let from = sent.lock().await[number];
            late.push(at - from);
            last = last.max(at);
        }
        sending.await.expect("all sent");
        late.sort();
        let (deliveries, took) = (late.len(), last - start);
        println!("a room with {FOLLOWERS} followers, {MESSAGES} messages, {how}");
        println!(
            "  {:.0} deliveries/s; from the request of the send to a follower: median {:.1} ms, p99 {:.1} ms",
            deliveries as f64 / took.as_secs_f64(),
            milliseconds(late[deliveries / 2]),
            milliseconds(late[deliveries * 99 / 100]),
        );
        let spent = server.cpu() - before;
        println!(
            "  Parlor's processor time for a delivery {:.1} µs",
            spent.as_secs_f64() * 1e6 / deliveries as f64
        );
    }
    // More at once than is handed out: every follower is cut off, and reads the log by itself.
    let start = Instant::now();
    server.burst(BURST).await;
    let mut last = vec![None; BURST];
    for _ in 0..BURST * FOLLOWERS {
        let (number, at) = tell.recv().await.expect("a delivery");
        let (count, _) = last[number].unwrap_or((0, at));
        last[number] = Some((count + 1, at));
    }
    let all = last
        .iter()
        .all(|told| told.is_some_and(|(count, _)| count == FOLLOWERS));
    assert!(all, "everybody is told everything, and once");
    println!(
        "a burst of {BURST} messages at once, which each of {FOLLOWERS} followers reads from the log: {:.1} s",
        start.elapsed().as_secs_f64()
    );
    listening.shutdown().await;
    server.stop().await;
}

/// Sockets that wait, each with a subscription of an app's size: what one takes of memory.
async fn idle() {
    let server = Server::for_people().await;
    let people = server.people(IDLE).await;
    // What the first ones make Parlor load and keep belongs to none of them.
    let first = open(&people[..100], EVERYTHING).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = server.memory();
    let start = Instant::now();
    let rest = open(&people[100..], EVERYTHING).await;
    let took = start.elapsed();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let each = (server.memory() - before) as f64 / rest.len() as f64 / 1024.0;
    println!(
        "{IDLE} idle sockets, opened {:.0} a second",
        rest.len() as f64 / took.as_secs_f64()
    );
    println!("  memory of Parlor for a socket: {each:.1} KiB");
    let before = server.cpu();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let spent = server.cpu() - before;
    println!(
        "  processor time while nothing happens: {:.1} ms a second",
        milliseconds(spent) / 10.0
    );
    drop((first, rest));
    server.stop().await;
}

/// Somebody is away and back, in a room of ten and in one of a thousand.
async fn presence() {
    for members in [10, FOLLOWERS] {
        let server = Server::for_people().await;
        let people = server.people(members).await;
        server.room(members).await;
        let sockets = open(&people, PRESENCE).await;
        let heard = Arc::new(AtomicUsize::new(0));
        let who = people[0].id.clone();
        // Ends with this round, before the server does.
        let mut listening = JoinSet::new();
        for mut socket in sockets {
            let (heard, who) = (heard.clone(), who.clone());
            listening.spawn(async move {
                loop {
                    let presence = socket.presence().await;
                    if presence.contains(&who) && (presence.contains("AWAY") || presence.contains("ONLINE")) {
                        heard.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_secs(4)).await;
        let (cpu, work) = (server.cpu(), server.transactions().await);
        let mut times = Vec::new();
        let begun = Instant::now();
        for change in 0..CHANGES {
            heard.store(0, Ordering::SeqCst);
            let start = Instant::now();
            people[0].set_away(change % 2 == 0).await;
            while heard.load(Ordering::SeqCst) < members {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            times.push(start.elapsed());
        }
        let (spent, done) = (server.cpu() - cpu, server.transactions().await - work);
        times.sort();
        println!(
            "presence in a room of {members}, {CHANGES} changes in {:.1} s",
            begun.elapsed().as_secs_f64()
        );
        println!(
            "  until everybody is told: median {:.1} ms; for a change {:.1} transactions of Postgres, {:.2} ms of Parlor's processor time",
            milliseconds(times[times.len() / 2]),
            done as f64 / CHANGES as f64,
            milliseconds(spent) / CHANGES as f64
        );
        listening.shutdown().await;
        server.stop().await;
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
