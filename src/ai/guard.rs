//! Where a user's key may be sent: the guard against requests into our own network.
//!
//! An address is checked twice. As it is written, before anything is stored or sent; and as it
//! resolves, inside the connector, so that a name cannot be public when it is checked and private
//! when it is used. What the operator listed by name is trusted, private or not.

use std::{
    collections::BTreeSet,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use reqwest::dns::{Name, Resolve, Resolving};
use url::{Host, Url};

/// Providers that anyone may use without asking the operator.
const WELL_KNOWN: [&str; 16] = [
    "https://api.anthropic.com",
    "https://api.cerebras.ai",
    "https://api.cohere.ai",
    "https://api.deepinfra.com",
    "https://api.deepseek.com",
    "https://api.fireworks.ai",
    "https://api.groq.com",
    "https://api.mistral.ai",
    "https://api.moonshot.ai",
    "https://api.openai.com",
    "https://api.perplexity.ai",
    "https://api.together.xyz",
    "https://api.x.ai",
    "https://generativelanguage.googleapis.com",
    "https://openrouter.ai",
    "https://router.huggingface.co",
];

/// The addresses that users may send their keys to, beside the well-known providers.
///
/// Parsed from one setting: origins (`https://llm.example.com`, `http://127.0.0.1:11434`) between
/// commas or spaces; `*` adds every public https host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    any_public: bool,
    origins: BTreeSet<String>,
}

/// How an address was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// The operator named it: it may be anywhere.
    Listed,
    /// It is allowed as long as it is a public one.
    Public,
}

/// An entry of the list that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no origin: write `https://host`, `http://host:port` or `*`")]
pub struct BadEntry(String);

/// Why an address is refused; safe to show, as it repeats nothing of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Neither http nor https, or no host.
    NotHttp,
    /// `https://user:password@host`.
    UserInfo,
    /// `https://host/#here`.
    Fragment,
    /// A public host that nobody allowed.
    NotListed,
    /// Plain http to a host that the operator did not name.
    NotHttps,
    /// Loopback, private, link-local and the like.
    NotPublic,
}

impl Refusal {
    /// What is told of it, where the address is called so and this setting allows others.
    pub fn told(self, name: &str, setting: &str) -> String {
        match self {
            Refusal::NotHttp => format!("{name} must begin with https:// and name a host."),
            Refusal::UserInfo => format!("{name} must not contain a user name or a password."),
            Refusal::Fragment => {
                format!("{name} must not contain a fragment: leave away everything from the # on.")
            }
            Refusal::NotListed => {
                format!(
                    "This server does not connect to that address. Whoever runs the server can allow it with {setting}."
                )
            }
            Refusal::NotHttps => format!("{name} must begin with https://."),
            Refusal::NotPublic => format!(
                "That address is not a public one, so nothing is sent there. Whoever runs the server can allow it with {setting}."
            ),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.told("The base URL", "PARLOR_BASE_URLS"))
    }
}

impl std::error::Error for Refusal {}

impl Allowed {
    /// Reads the setting.
    pub fn parse(setting: &str) -> Result<Self, BadEntry> {
        let mut allowed = Self::default();
        let entries = setting.split([',', ' ', '\n', '\t']);
        for entry in entries.filter(|entry| !entry.is_empty()) {
            if entry == "*" {
                allowed.any_public = true;
                continue;
            }
            let bad = || BadEntry(entry.chars().take(200).collect());
            let url = Url::parse(entry).map_err(|_| bad())?;
            let bare = matches!(url.path(), "" | "/") && url.query().is_none();
            if written_well(&url).is_err() || !bare {
                return Err(bad());
            }
            allowed.origins.insert(origin(&url));
        }
        Ok(allowed)
    }
    /// Checks an address as it is written. Resolves nothing.
    pub fn check(&self, url: &Url) -> Result<Permit, Refusal> {
        let host = written_well(url)?;
        let origin = origin(url);
        if self.origins.contains(&origin) {
            return Ok(Permit::Listed);
        }
        if WELL_KNOWN.contains(&origin.as_str()) {
            return Ok(Permit::Public);
        }
        let public = match &host {
            Host::Ipv4(ip) => is_public((*ip).into()),
            Host::Ipv6(ip) => is_public((*ip).into()),
            Host::Domain(name) => is_public_name(name),
        };
        match (public, self.any_public, url.scheme()) {
            (false, ..) => Err(Refusal::NotPublic),
            (true, false, _) => Err(Refusal::NotListed),
            (true, true, "https") => Ok(Permit::Public),
            (true, true, _) => Err(Refusal::NotHttps),
        }
    }
}

fn written_well(url: &Url) -> Result<Host<&str>, Refusal> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refusal::NotHttp);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(Refusal::Fragment);
    }
    url.host().ok_or(Refusal::NotHttp)
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Names that never leave the machine or its network, whatever they resolve to.
fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let private = ["localhost", "local", "internal", "lan", "home.arpa"];
    let within = |zone: &&str| name == **zone || name.strip_suffix(*zone).is_some_and(|rest| rest.ends_with('.'));
    name.contains('.') && !private.iter().any(within)
}

/// Whether an address is somewhere on the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let special = match ip.octets() {
        [0 | 10 | 127 | 224..=255, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        [169, 254, ..] | [192, 168, ..] | [198, 18 | 19, ..] => true,
        [172, second, ..] => (16..32).contains(&second),
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Azure's metadata and wire server, on a public address of all things.
        [168, 63, 129, 16] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let embedded = || {
        let [.., a, b] = s;
        let [a, b, c, d] = [a >> 8, a & 0xff, b >> 8, b & 0xff].map(|byte| byte as u8);
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        // The v4 internet in v6 clothes: mapped, and through NAT64.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => is_public_v4(embedded()),
        // IETF assignments (Teredo too), documentation, 6to4.
        [0x2001, 0..0x200, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..0x1000, ..] => false,
        // Of all the rest only global unicast is in use.
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// The guard's refusal, if it is what stands behind an error.
pub fn refusal_behind(error: &(dyn std::error::Error + 'static)) -> Option<Refusal> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref::<Refusal>() {
            return Some(*refusal);
        }
        cause = inner.source();
    }
    None
}

/// Resolves names and refuses those that lead to an address which is not public.
pub(super) struct PublicOnly {
    pub(super) resolver: Arc<dyn Resolve>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let resolving = self.resolver.resolve(name);
        Box::pin(async move {
            let addresses: Vec<_> = resolving.await?.collect();
            // One private address among public ones is already an attempt.
            if addresses.iter().any(|address| !is_public(address.ip())) {
                return Err(Refusal::NotPublic.into());
            }
            let addresses: reqwest::dns::Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

/// The machine's own resolver.
pub(super) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses: reqwest::dns::Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}
