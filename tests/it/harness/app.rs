//! A Parlor of a test's own: a database, an app, and a client that speaks to its doors in memory or over a socket.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use clap::Parser;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use parlor::app::{App, StartError};
use parlor::config::Settings;
use parlor::server::Peer;
use parlor::server::doors::{DoorSettings, Doors};
use parlor::server::house::Parlor;
use parlor::{db, graphql, server};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::cluster;
use super::database::{TestDatabase, version_of};

/// A password that nobody guesses.
pub const PASSWORD: &str = "seven tall giraffes whisper";
/// What access tokens are signed with.
pub const JWT_SECRET: &str = "Zk3uQ8mXv1LrT6yWc9NbHs4JdPe7RgAo2KfVi5TxEzM";
/// What provider keys are sealed with.
pub const MASTER_KEY: &str = "qIQjxIA2in58jJtCDC0t8UgQaf31esp1gavOZ+iF3uA=";

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
}

/// A running Parlor. Keep it alive as long as the test talks to it.
pub struct TestApp {
    /// The app itself.
    pub app: App,
    router: Router,
    flags: Vec<String>,
    // Released last: the connections of the app end before the database is given to another test.
    database: TestDatabase,
}

impl TestApp {
    /// Starts one as a newcomer would, with development's defaults.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts one with these command line flags, such as `--message-characters=10`.
    pub async fn with(flags: &[&str]) -> Self {
        let (database, flags) = (Self::database().await, owned(flags));
        let app = App::start(config(&flags), &database.url).await;
        Self::of(app.expect("the app starts"), database, flags)
    }

    /// Starts one beside whose requests nothing runs: what is stored changes by what is asked for, and by nothing else.
    pub async fn unattended(flags: &[&str]) -> Self {
        let (database, flags) = (Self::database().await, owned(flags));
        let app = App::open(config(&flags), &database.url).await;
        Self::of(app.expect("the app opens"), database, flags)
    }

    async fn database() -> TestDatabase {
        let migrations = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"));
        let version = version_of(migrations);
        let migrate = async |url: &str| {
            db::migrate(db::connect(url).await.expect("connect"))
                .await
                .expect("migrate");
        };
        TestDatabase::acquire(&version, migrate).await
    }

    fn of(app: App, database: TestDatabase, flags: Vec<String>) -> Self {
        TestApp {
            router: router(&app),
            app,
            flags,
            database,
        }
    }

    /// Where this test's database is.
    pub fn database_url(&self) -> &str {
        &self.database.url
    }

    /// Another server on the same database, as a second node would be.
    pub async fn sibling(&self) -> Sibling {
        self.sibling_with(&[]).await.expect("the app starts")
    }

    /// Another server on the same database with more flags, which take the place of those of the same name.
    ///
    /// # Errors
    /// Why it does not start.
    pub async fn sibling_with(&self, flags: &[&str]) -> Result<Sibling, StartError> {
        let name = |flag: &str| flag.split('=').next().unwrap_or_default().to_owned();
        let kept = self
            .flags
            .iter()
            .filter(|old| flags.iter().all(|new| name(new) != name(old)));
        let flags: Vec<String> = kept.cloned().chain(owned(flags)).collect();
        let app = App::start(config(&flags), &self.database.url).await?;
        Ok(Sibling {
            router: router(&app),
            app,
        })
    }

    /// A client that nobody is signed in on.
    pub fn anonymous(&self) -> Client {
        Client::new(self.router.clone())
    }

    /// A new account and a client that is signed in to it.
    pub async fn user(&self, username: &str) -> User {
        self.anonymous().register(username).await
    }

    /// A session of its own with the test's database, for what the API does not show.
    pub async fn sql(&self) -> tokio_postgres::Client {
        cluster::open(&self.database.url).await.expect("a connection")
    }

    /// Serves on a free port of the loopback until the test ends; for clients that need a socket.
    pub async fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(server::serve(
            self.app.clone(),
            graphql::build(self.app.clone()),
            listener,
        ));
        address
    }
}

/// A second server on a test's database.
pub struct Sibling {
    /// The app itself.
    pub app: App,
    router: Router,
}

impl Sibling {
    /// A client of this server with somebody's token.
    pub fn client_of(&self, user: &User) -> Client {
        Client {
            router: self.router.clone(),
            ..user.client.clone()
        }
    }

    /// A client of this server that nobody is signed in on.
    pub fn anonymous(&self) -> Client {
        Client::new(self.router.clone())
    }
}

fn owned(flags: &[&str]) -> Vec<String> {
    flags.iter().map(ToString::to_string).collect()
}

fn config(flags: &[String]) -> parlor::config::Config {
    // A folder of its own in the temp dir would be one more thing to clean: the secrets are given instead.
    let jwt_secret = format!("--jwt-secret={JWT_SECRET}");
    let master_key = format!("--master-key={MASTER_KEY}");
    let secrets = [
        "parlor",
        &jwt_secret,
        &master_key,
        "--data-dir=/nonexistent",
        "--database-connections=5",
        // One more question to the provider, whenever it comes: tests of titles ask for it.
        "--titles=false",
    ];
    let name = |flag: &str| flag.split('=').next().unwrap_or_default().to_owned();
    let given = |secret: &&&str| flags.iter().any(|flag| name(flag) == name(secret));
    let secrets = secrets.iter().filter(|secret| !given(secret)).map(ToString::to_string);
    let arguments = secrets.chain(flags.iter().cloned());
    Cli::parse_from(arguments).settings.resolve().expect("good settings")
}

fn router(app: &App) -> Router {
    let settings = DoorSettings::from(app.config());
    let house = Parlor {
        app: app.clone(),
        schema: graphql::build(app.clone()),
    };
    server::router(Doors::new(house, settings, app.shutdown().clone()))
}

/// Somebody with an account and a client.
pub struct User {
    /// The account's id.
    pub id: String,
    /// The session's first refresh token.
    pub refresh_token: String,
    /// Signed in as them.
    pub client: Client,
}

impl std::ops::Deref for User {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Speaks GraphQL over HTTP to the doors, without a socket.
#[derive(Clone)]
pub struct Client {
    pub(super) router: Router,
    /// The access token, if anybody is signed in.
    pub token: Option<String>,
    pub(super) address: IpAddr,
}

impl Client {
    pub(super) fn new(router: Router) -> Client {
        Client {
            router,
            token: None,
            address: Ipv4Addr::LOCALHOST.into(),
        }
    }

    /// The same client with another token.
    pub fn with_token(&self, token: &str) -> Client {
        Client {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The same client at another address.
    pub fn at(&self, address: &str) -> Client {
        Client {
            address: address.parse().expect("an IP address"),
            ..self.clone()
        }
    }

    /// The doors themselves, for what is no GraphQL.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// A new account, signed in to through the same doors.
    pub async fn register(&self, username: &str) -> User {
        let input = json!({ "username": username, "email": format!("{username}@example.com"), "password": PASSWORD });
        let query = "mutation ($input: RegisterInput!) { register(input: $input) { tokens { accessToken refreshToken } viewer { id } errors { message } } }";
        let answer = self.ok(query, json!({ "input": input })).await;
        let register = &answer["register"];
        assert_eq!(register["errors"], json!([]), "{username} can register");
        let token = register["tokens"]["accessToken"].as_str().expect("a token");
        User {
            id: register["viewer"]["id"].as_str().expect("an id").to_owned(),
            refresh_token: register["tokens"]["refreshToken"].as_str().expect("a token").to_owned(),
            client: self.with_token(token),
        }
    }

    /// Another session of an account that [`Client::register`] made, as on a second device.
    pub async fn second_device(&self, username: &str) -> Client {
        let input = json!({ "identifier": username, "password": PASSWORD });
        let payload = self.mutate("login", input, "tokens { accessToken }").await;
        self.with_token(payload["tokens"]["accessToken"].as_str().expect("a token"))
    }

    /// What the doors answer to this body.
    pub async fn post(&self, body: Value) -> (StatusCode, Value) {
        self.post_text(body.to_string()).await
    }

    /// What the doors answer to this body, which need not be JSON.
    pub async fn post_text(&self, body: String) -> (StatusCode, Value) {
        let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut request = request.body(Body::from(body)).expect("a request");
        request.extensions_mut().insert(Peer((self.address, 40_000).into()));
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let status = response.status();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&bytes).expect("JSON"))
    }

    /// The whole answer to an operation, errors and all.
    pub async fn run(&self, query: &str, variables: Value) -> Value {
        self.post(json!({ "query": query, "variables": variables })).await.1
    }

    /// The data of an operation that has no errors.
    pub async fn ok(&self, query: &str, variables: Value) -> Value {
        let mut answer = self.run(query, variables).await;
        assert!(answer.get("errors").is_none(), "{query}\n{answer:#}");
        answer["data"].take()
    }

    /// A mutation's payload: `fields` of `name(input:)`, in which `errors` is always selected too.
    pub async fn mutate(&self, name: &str, input: Value, fields: &str) -> Value {
        let capital = name[..1].to_uppercase() + &name[1..];
        let query = format!(
            "mutation ($input: {capital}Input!) {{ {name}(input: $input) {{ {fields} errors {{ code message field retryAfterSeconds }} }} }}"
        );
        self.ok(&query, json!({ "input": input })).await[name].take()
    }

    /// A chat with a model, such as a script.
    pub async fn chat(&self, model: &str) -> String {
        let payload = self
            .mutate("createChat", json!({ "model": model }), "chat { id }")
            .await;
        payload["chat"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{payload}"))
            .to_owned()
    }

    /// Sends a message under a new key; gives the generation's id.
    pub async fn send(&self, chat_id: &str, content: &str) -> String {
        let input = json!({ "chatId": chat_id, "content": content, "idempotencyKey": new_key() });
        let payload = self.mutate("sendMessage", input, "generation { id }").await;
        payload["generation"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{payload}"))
            .to_owned()
    }
}

/// An idempotency key that was not used before.
pub fn new_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("key-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The UUID in an id of the API, as the database has it.
pub fn uuid(id: &str) -> &str {
    id.split_once('_').expect("a typed id").1
}
