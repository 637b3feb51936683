//! The handle through which everyone asks models.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::stream;
use reqwest::{dns::Resolve, redirect};
use url::{Host, Url};

use super::{
    Answer, Endpoint, Failure, FailureKind, Format, Provider, Reach, Request, Usage,
    call::{self, Call, Question},
    guard::{Permit, PublicOnly, System},
    models::{self, Offered},
    scripted, usage, wire,
};

/// How much of a list of models is read; OpenRouter's is the longest.
const MODELS: usize = 4 * 1024 * 1024;
/// How much of a bill is read.
const BILL: usize = 64 * 1024;

/// How long to wait and how much to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To open a connection.
    pub connect: Duration,
    /// From the request to the first word; a keep-alive starts it anew.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// For the whole answer, however busy it is.
    pub total: Duration,
    /// The longest line or event of an event stream, in bytes.
    pub line: usize,
    /// The longest answer, in bytes of text and reasoning; it ends there with
    /// [`FinishReason::Length`](super::FinishReason::Length).
    pub answer: usize,
    /// How many times a request is repeated.
    pub retries: u32,
    /// The longest wait before a repetition; a provider that asks for more gets no repetition.
    pub retry_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(30 * 60),
            line: 1024 * 1024,
            answer: 4 * 1024 * 1024,
            retries: 2,
            retry_wait: Duration::from_secs(20),
        }
    }
}

/// What happened so far, for whoever watches the server.
#[derive(Clone, Default)]
pub(super) struct Counters {
    unknown_events: Arc<AtomicU64>,
}

impl Counters {
    /// An answer had this many events that this version does not know.
    pub(super) fn saw_unknown(&self, events: u64) {
        if events > 0 {
            tracing::debug!(events, "a provider sent events of unknown kinds");
            self.unknown_events.fetch_add(events, Ordering::Relaxed);
        }
    }
}

/// A cheap handle, to be cloned.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

/// One pool of connections for each degree of trust: a connection that was made without the guard
/// must not be found again by a request that needs it. Each is made when it is first needed, for
/// reading the certificates of the machine is slow and many a server only ever uses one.
struct Inner {
    limits: Limits,
    resolver: Arc<dyn Resolve>,
    counters: Counters,
    /// For what the operator wrote; through the proxy of the environment, if there is one.
    operator: OnceLock<Pool>,
    /// For what the operator allowed by name, and for this machine: straight there.
    direct: OnceLock<Pool>,
    /// For everything else that a user wrote: straight there, and only to public addresses.
    guarded: OnceLock<Pool>,
}

type Pool = Result<reqwest::Client, Failure>;

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("limits", &self.inner.limits)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client with these limits and the machine's resolver.
    pub fn new(limits: Limits) -> Self {
        Self::with_resolver(limits, Arc::new(System))
    }

    /// The same, with a resolver of names of the caller's choice. The guard stands behind it.
    pub fn with_resolver(limits: Limits, resolver: Arc<dyn Resolve>) -> Self {
        Self {
            inner: Arc::new(Inner {
                limits,
                resolver,
                counters: Counters::default(),
                operator: OnceLock::new(),
                direct: OnceLock::new(),
                guarded: OnceLock::new(),
            }),
        }
    }

    /// Asks, and returns at once: everything that goes wrong is an item of the answer. Dropping
    /// the answer stops the model.
    #[expect(clippy::needless_pass_by_value, reason = "who has asked is done with the key in it")]
    pub fn stream(&self, endpoint: Endpoint, request: Request) -> Answer {
        let limits = self.inner.limits;
        match endpoint.provider {
            Provider::Scripted => match request.model.parse() {
                Ok(script) => scripted::stream(script, request, limits),
                Err(error) => failed(scripted::refused(&error)),
            },
            _ => match self.question(&endpoint, &request) {
                Ok((call, question)) => call::stream(call, question),
                Err(failure) => failed(failure),
            },
        }
    }

    /// How many events of unknown kinds were read so far; each was skipped.
    pub fn unknown_events(&self) -> u64 {
        self.inner.counters.unknown_events.load(Ordering::Relaxed)
    }

    /// Asks the provider whether it takes the key, at the price of nothing.
    pub async fn verify(&self, endpoint: &Endpoint) -> Result<(), Failure> {
        if endpoint.provider == Provider::Scripted {
            return Ok(());
        }
        let (mut call, format, root) = self.call(endpoint)?;
        call.url = wire::proof_url(endpoint.provider, format, &root);
        call::get(&call, MODELS).await.map(drop)
    }

    /// The connections to an address that belongs to no provider, for those who speak another protocol over HTTP:
    /// guarded like those to providers, and following no redirect.
    ///
    /// # Errors
    /// What the guard refuses, or no HTTP client.
    pub fn connections(&self, url: &Url, reach: &Reach) -> Result<reqwest::Client, Failure> {
        match reach {
            Reach::Operator if is_this_machine(url) => self.inner.direct(),
            Reach::Operator => self.inner.operator(),
            Reach::User(allowed) => match allowed.check(url) {
                Ok(Permit::Listed) => self.inner.direct(),
                Ok(Permit::Public) => self.inner.guarded(),
                Err(refusal) => Err(Failure::new(FailureKind::InvalidRequest, refusal.to_string())),
            },
        }
    }

    /// The models that the key may use, as the provider lists them.
    ///
    /// # Errors
    /// Why the provider does not tell.
    pub async fn models(&self, endpoint: &Endpoint) -> Result<Vec<Offered>, Failure> {
        if endpoint.provider == Provider::Scripted {
            return Ok(Vec::new());
        }
        let (call, format, _) = self.call(endpoint)?;
        models::read(format, &call::get(&call, MODELS).await?)
    }

    /// What the provider has charged for a call, asked for afterwards; none while it does not know, or when it never heard
    /// of it. OpenRouter alone tells that.
    ///
    /// # Errors
    /// Why the provider does not tell.
    pub async fn billed(&self, endpoint: &Endpoint, request_id: &str) -> Result<Option<Usage>, Failure> {
        if endpoint.provider != Provider::OpenRouter {
            return Err(Failure::new(FailureKind::InvalidRequest, "the provider sends no bills"));
        }
        let (mut call, _, root) = self.call(endpoint)?;
        call.url = wire::bill_url(&root, request_id);
        match call::get(&call, BILL).await {
            Ok(said) => Ok(usage::billed(&said)),
            Err(failure) if failure.http_status == Some(404) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn question(&self, endpoint: &Endpoint, request: &Request) -> Result<(Call, Question), Failure> {
        let (mut call, format, root) = self.call(endpoint)?;
        let written = wire::write(endpoint, format, &root, request)?;
        call.url = written.url;
        let question = Question {
            format,
            model: request.model.clone(),
            body: written.body.into(),
        };
        Ok((call, question))
    }

    /// A call of the endpoint's list of models, with its format and the root of its API.
    fn call(&self, endpoint: &Endpoint) -> Result<(Call, Format, Url), Failure> {
        let (http, base) = self.route(endpoint)?;
        let format = endpoint
            .format()
            .ok_or_else(|| Failure::new(FailureKind::Internal, "a provider without a wire"))?;
        let root = wire::root(endpoint.provider, format, &base);
        let call = Call {
            http,
            url: wire::models_url(format, &root),
            headers: wire::headers(format, endpoint.secret.as_ref())?,
            secret: endpoint.secret.clone(),
            limits: self.inner.limits,
            counters: self.inner.counters.clone(),
        };
        Ok((call, format, root))
    }

    /// The connections to use and the root of the API, when going there is allowed at all.
    fn route(&self, endpoint: &Endpoint) -> Result<(reqwest::Client, Url), Failure> {
        if endpoint.provider.needs_key() && endpoint.secret.is_none() {
            let detail = "the provider needs a key and has none";
            return Err(Failure::new(FailureKind::KeyMissing, detail));
        }
        let refused = |why: &str| Failure::new(FailureKind::InvalidRequest, why);
        let home = || endpoint.provider.home().map(Url::parse);
        let (url, reach) = match (&endpoint.base_url, home()) {
            (Some(url), _) => (url.clone(), &endpoint.reach),
            // No user wrote this one, whoever's key it is.
            (None, Some(Ok(home))) => (home, &Reach::Operator),
            (None, _) => return Err(refused("the provider needs an address and has none")),
        };
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("the address is not an http URL"));
        }
        let http = self.connections(&url, reach)?;
        Ok((http, url))
    }
}

impl Inner {
    fn operator(&self) -> Pool {
        let make = || http(&self.limits, &self.resolver, Proxy::OfTheEnvironment);
        self.operator.get_or_init(make).clone()
    }

    fn direct(&self) -> Pool {
        let make = || http(&self.limits, &self.resolver, Proxy::None);
        self.direct.get_or_init(make).clone()
    }

    fn guarded(&self) -> Pool {
        let make = || {
            let resolver = self.resolver.clone();
            let guard: Arc<dyn Resolve> = Arc::new(PublicOnly { resolver });
            http(&self.limits, &guard, Proxy::None)
        };
        self.guarded.get_or_init(make).clone()
    }
}

#[derive(Clone, Copy)]
enum Proxy {
    OfTheEnvironment,
    None,
}

fn http(limits: &Limits, resolver: &Arc<dyn Resolve>, proxy: Proxy) -> Pool {
    let builder = || {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("parlor/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            .dns_resolver(resolver.clone())
            // The key goes nowhere else than where it was sent.
            .redirect(redirect::Policy::none())
            .referer(false)
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30));
        match proxy {
            Proxy::OfTheEnvironment => builder,
            Proxy::None => builder.no_proxy(),
        }
    };
    // A bare container has no certificates of its own, and must not fail to start for it.
    let built = builder()
        .build()
        .or_else(|_| builder().tls_backend_preconfigured(built_in_roots()).build());
    built.map_err(|error| {
        let detail = format!("no HTTP client: {}", error.without_url());
        Failure::new(FailureKind::Internal, detail)
    })
}

fn built_in_roots() -> rustls::ClientConfig {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs speaks the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A proxy has nothing to do with a model on this machine.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        None => false,
    }
}

fn failed(failure: Failure) -> Answer {
    Box::pin(stream::once(async { Err(failure) }))
}
