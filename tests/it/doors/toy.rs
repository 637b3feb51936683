//! A house of a few fields and no database, to test the doors with.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_graphql::{Context, Error, ErrorExtensions, Object, Request, Response, Result, Schema, Subscription};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use parlor::account::token::TokenError;
use parlor::account::user::Role;
use parlor::account::viewer::{Client, SignedIn, Viewer};
use parlor::id::{SessionId, UserId};
use parlor::server::documents::Opened;
use parlor::server::house::House;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// What the tests see of the house while it serves.
#[derive(Clone, Default)]
pub struct Seen {
    /// Ends all sessions.
    pub revoked: CancellationToken,
    /// How many subscriptions are running.
    pub streams: Arc<AtomicUsize>,
    /// Told when a subscription was dropped.
    pub dropped: Arc<Notify>,
    /// Told when a slow field began.
    pub began: Arc<Notify>,
    /// Lets slow fields go on.
    pub go_on: Arc<Notify>,
    /// How many slow mutations came to their end.
    pub finished: Arc<AtomicUsize>,
    /// How many crowd the field of that name now.
    pub inside: Arc<AtomicUsize>,
    /// The most that ever did.
    pub most_inside: Arc<AtomicUsize>,
}

/// The toy house.
#[derive(Clone)]
pub struct Toy {
    schema: Schema<Query, Mutation, Events>,
    seen: Seen,
}

impl Toy {
    /// A house whose insides the tests can watch.
    pub fn new(seen: Seen) -> Self {
        let schema = Schema::build(Query, Mutation, Events).data(seen.clone()).finish();
        Toy { schema, seen }
    }
}

impl House for Toy {
    /// `user-7` is user 7 for an hour, `brief` for 200 ms; `stuck` is never decided; the other words are the errors.
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<SignedIn, TokenError>> {
        let (number, lifetime) = match token {
            "expired" => return async { Err(TokenError::Expired) }.boxed(),
            "ended" => return async { Err(TokenError::Ended) }.boxed(),
            "stuck" => return std::future::pending().boxed(),
            "away" => return async { Err(TokenError::Unavailable) }.boxed(),
            "brief" => (1, Duration::from_millis(200)),
            token => match token.strip_prefix("user-").and_then(|number| number.parse().ok()) {
                Some(number) => (number, Duration::from_secs(3600)),
                None => return async { Err(TokenError::Invalid) }.boxed(),
            },
        };
        let signed_in = SignedIn {
            user_id: UserId(Uuid::from_u128(number)),
            session_id: SessionId(Uuid::from_u128(number)),
            role: Role::User,
            expires_at: chrono::Utc::now() + lifetime,
        };
        async move { Ok(signed_in) }.boxed()
    }

    fn execute(&self, request: Request, viewer: Viewer, client: Client) -> BoxFuture<'static, Response> {
        let schema = self.schema.clone();
        async move { schema.execute(request.data(viewer).data(client)).await }.boxed()
    }

    fn execute_stream(&self, opened: Opened, viewer: Viewer, client: Client) -> BoxStream<'static, Response> {
        self.schema.execute_stream(opened.request.data(viewer).data(client))
    }

    fn ended(&self, _: &SignedIn) -> BoxFuture<'static, ()> {
        self.seen.revoked.clone().cancelled_owned().boxed()
    }

    fn sdl(&self) -> String {
        self.schema.sdl()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        async { Ok(()) }.boxed()
    }
}

fn limited() -> Error {
    Error::new("Too many requests.").extend_with(|_, extensions| {
        extensions.set("code", "RATE_LIMITED");
        extensions.set("retryAfter", 7);
    })
}

pub struct Query;

#[Object]
impl Query {
    async fn hello(&self) -> &str {
        "world"
    }

    async fn echo(&self, text: String) -> String {
        text
    }

    async fn number(&self, value: i32) -> i32 {
        value
    }

    /// Who asks.
    async fn me(&self, context: &Context<'_>) -> Option<String> {
        match context.data_unchecked::<Viewer>() {
            Viewer::Anonymous => None,
            Viewer::SignedIn(signed_in) => Some(signed_in.user_id.0.as_u128().to_string()),
        }
    }

    async fn address(&self, context: &Context<'_>) -> String {
        context.data_unchecked::<Client>().address.to_string()
    }

    async fn node(&self) -> Node {
        Node
    }

    async fn limited(&self) -> Result<Option<i32>> {
        Err(limited())
    }

    async fn limited_non_null(&self) -> Result<i32> {
        Err(limited())
    }

    async fn surprise(&self) -> Result<Option<i32>> {
        Err("relation \"users\" does not exist".into())
    }

    async fn fragile(&self) -> Fragile {
        Fragile
    }

    async fn panic(&self) -> i32 {
        explode()
    }

    async fn slow(&self, context: &Context<'_>) -> i32 {
        wait(context).await
    }

    /// Counts who is inside while it gives way to the others once.
    async fn crowd(&self, context: &Context<'_>, number: i32) -> i32 {
        let seen = context.data_unchecked::<Seen>();
        let inside = seen.inside.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most_inside.fetch_max(inside, Ordering::SeqCst);
        tokio::task::yield_now().await;
        seen.inside.fetch_sub(1, Ordering::SeqCst);
        number
    }

    async fn never(&self) -> i32 {
        std::future::pending().await
    }
}

pub struct Node;

#[Object]
impl Node {
    async fn name(&self) -> &str {
        "node"
    }

    async fn child(&self) -> Node {
        Node
    }

    async fn items(&self, first: i32) -> Vec<Node> {
        (0..first).map(|_| Node).collect()
    }
}

pub struct Fragile;

#[Object]
impl Fragile {
    async fn name(&self) -> &str {
        "fragile"
    }

    async fn maybe(&self) -> Option<Fragile> {
        Some(Fragile)
    }

    async fn many(&self) -> Vec<Option<Fragile>> {
        vec![Some(Fragile), None]
    }

    async fn all(&self) -> Vec<Fragile> {
        vec![Fragile]
    }

    async fn broken(&self) -> Result<i32> {
        Err(limited())
    }

    async fn weak(&self) -> Result<Option<i32>> {
        Err(limited())
    }
}

pub struct Mutation;

#[Object]
impl Mutation {
    async fn rename(&self, name: String) -> String {
        name
    }

    async fn slow(&self, context: &Context<'_>) -> i32 {
        wait(context).await
    }
}

/// Typed as if it returned, for the macro's sake.
fn explode() -> i32 {
    panic!("a secret of the inside")
}

async fn wait(context: &Context<'_>) -> i32 {
    let seen = context.data_unchecked::<Seen>();
    seen.began.notify_one();
    seen.go_on.notified().await;
    seen.finished.fetch_add(1, Ordering::SeqCst);
    1
}

/// Counts a running subscription.
struct Running(Seen);

impl Running {
    fn new(context: &Context<'_>) -> Self {
        let seen = context.data_unchecked::<Seen>().clone();
        seen.streams.fetch_add(1, Ordering::SeqCst);
        Running(seen)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::SeqCst);
        self.0.dropped.notify_one();
    }
}

pub struct Events;

#[Subscription]
impl Events {
    /// Counts to a number and ends.
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        stream::iter(1..=to)
    }

    /// Says one thing and stays open.
    async fn one(&self, context: &Context<'_>) -> impl Stream<Item = i32> {
        let running = Running::new(context);
        stream::iter([1]).chain(stream::pending()).inspect(move |_| {
            let _keep = &running;
        })
    }

    /// Is always ready with a text of some length.
    async fn busy(&self, context: &Context<'_>, bytes: usize) -> impl Stream<Item = String> {
        let running = Running::new(context);
        stream::repeat_with(move || {
            let _keep = &running;
            "x".repeat(bytes)
        })
    }

    /// Is always ready, and tells when it is asked for one of its items.
    async fn eager(&self, context: &Context<'_>, tell_at: i32) -> impl Stream<Item = i32> {
        let running = Running::new(context);
        stream::iter(1..).inspect(move |number| {
            if *number == tell_at {
                running.0.began.notify_one();
            }
        })
    }

    /// Fails before the first event.
    async fn refused(&self) -> Result<stream::Empty<i32>> {
        Err(Error::new("You are not signed in.").extend_with(|_, extensions| extensions.set("code", "UNAUTHENTICATED")))
    }

    /// Panics on the second event.
    async fn panics(&self) -> impl Stream<Item = i32> {
        stream::iter(1..=2).map(|number| {
            if number == 2 {
                panic!("a secret of the inside")
            } else {
                number
            }
        })
    }
}
