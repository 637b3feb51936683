//! Where a user's key may go.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parlor::ai::{
    Client, Endpoint, FailureKind, Limits, Provider, Reach,
    guard::{Allowed, Permit, Refusal, is_public},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use crate::harness::upstream::Upstream;

use super::{KEY, hear, question};

fn allowed(setting: &str) -> Allowed {
    Allowed::parse(setting).expect("a list of origins")
}

fn check(setting: &str, url: &str) -> Result<Permit, Refusal> {
    allowed(setting).check(&Url::parse(url).expect("a URL"))
}

#[test]
fn the_list_decides() {
    use Permit::{Listed, Public};
    let list = "https://llm.example.com, http://127.0.0.1:11434 http://[::1]:8000/";
    for (setting, url, outcome) in [
        ("", "https://api.openai.com/v1", Ok(Public)),
        ("", "https://openrouter.ai/api/v1", Ok(Public)),
        ("", "https://api.openai.com:8443/v1", Err(Refusal::NotListed)),
        ("", "http://api.openai.com/v1", Err(Refusal::NotListed)),
        ("", "https://api.openai.com.evil.example/v1", Err(Refusal::NotListed)),
        ("", "https://llm.example.com/v1", Err(Refusal::NotListed)),
        (list, "https://llm.example.com/v1", Ok(Listed)),
        (list, "https://llm.example.com:443/v1", Ok(Listed)),
        (list, "https://LLM.example.com/v1", Ok(Listed)),
        (list, "http://127.0.0.1:11434/v1", Ok(Listed)),
        (list, "http://[::1]:8000/v1", Ok(Listed)),
        (list, "http://127.0.0.1:11435/v1", Err(Refusal::NotPublic)),
        (list, "https://other.example.com/v1", Err(Refusal::NotListed)),
        ("*", "https://other.example.com/v1", Ok(Public)),
        ("*", "http://other.example.com/v1", Err(Refusal::NotHttps)),
        ("*", "https://93.184.216.34/v1", Ok(Public)),
        ("*", "https://user@other.example.com/v1", Err(Refusal::UserInfo)),
        ("*", "https://:pw@other.example.com/v1", Err(Refusal::UserInfo)),
        ("*", "https://other.example.com/v1#x", Err(Refusal::Fragment)),
        ("*", "ftp://other.example.com/", Err(Refusal::NotHttp)),
        ("*", "file:///etc/passwd", Err(Refusal::NotHttp)),
        ("*", "data:text/plain,x", Err(Refusal::NotHttp)),
    ] {
        assert_eq!(check(setting, url), outcome, "{setting:?} {url}");
    }
    for bad in [
        "llm.example.com",
        "ftp://x.example",
        "https://x.example/path",
        "https://u@x.example",
        "https://x.example/?q",
    ] {
        Allowed::parse(bad).expect_err(bad);
    }
}

#[test]
fn no_spelling_of_a_private_address_passes() {
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "2130706433",
        "0x7f000001",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "１２７.0.0.1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::ffff:10.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::1]",
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[2002:7f00:1::]",
        "[2001::1]",
        "[2001:db8::1]",
        "[fec0::1]",
        "[100::1]",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "x.localhost",
        "db.internal",
        "printer.local",
        "metadata.google.internal",
        "router.lan",
        "intranet",
    ] {
        let url = format!("https://{host}/v1");
        assert_eq!(check("*", &url), Err(Refusal::NotPublic), "{url}");
    }
}

#[test]
fn public_addresses_are_public() {
    for ip in [
        "1.1.1.1",
        "93.184.216.34",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.0.1",
        "100.128.0.1",
        "192.0.1.1",
        "198.20.0.1",
        "223.255.255.255",
        "2606:4700::1111",
        "2a00:1450::1",
        "2001:4860::1",
        "::ffff:1.1.1.1",
        "64:ff9b::101:101",
    ] {
        assert!(is_public(ip.parse().expect("an address")), "{ip}");
    }
}

/// Resolves every name to one address after another.
struct Rebinding {
    addresses: Vec<Vec<SocketAddr>>,
    asked: AtomicUsize,
}

impl Rebinding {
    fn to(addresses: &[&[&str]]) -> Arc<Self> {
        let parse = |ip: &&str| SocketAddr::new(ip.parse().expect("an address"), 0);
        Arc::new(Self {
            addresses: addresses.iter().map(|ips| ips.iter().map(parse).collect()).collect(),
            asked: AtomicUsize::new(0),
        })
    }
}

impl Resolve for Rebinding {
    fn resolve(&self, _: Name) -> Resolving {
        let turn = self.asked.fetch_add(1, Ordering::Relaxed);
        let addresses = self.addresses[turn % self.addresses.len()].clone();
        Box::pin(async move {
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

fn users(url: &str, setting: &str) -> Endpoint {
    Endpoint {
        provider: Provider::OpenAiCompatible,
        format: None,
        base_url: Some(url.parse().expect("a URL")),
        secret: Some(KEY.into()),
        reach: Reach::User(Arc::new(allowed(setting))),
    }
}

#[tokio::test]
async fn a_public_name_must_not_lead_inside() {
    let upstream = Upstream::start().await;
    for addresses in [
        &["127.0.0.1"][..],
        &["1.1.1.1", "127.0.0.1"],
        &["::ffff:127.0.0.1"],
        &["169.254.169.254"],
    ] {
        let resolver = Rebinding::to(&[addresses]);
        let client = Client::with_resolver(Limits::default(), resolver.clone());
        let url = format!("https://rebind.example.com:{}/v1", upstream.port());
        let heard = hear(client.stream(users(&url, "*"), question("?"))).await;
        let failure = heard.failure();
        assert_eq!(
            (failure.kind, heard.retries),
            (FailureKind::InvalidRequest, 0),
            "{failure}"
        );
        assert_eq!(failure.detail, Refusal::NotPublic.to_string());
        assert_eq!(resolver.asked.load(Ordering::Relaxed), 1);
        client.verify(&users(&url, "*")).await.expect_err("not verified either");
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn what_the_operator_named_is_trusted() {
    let upstream = Upstream::start().await;
    let port = upstream.port();
    let client = Client::with_resolver(Limits::default(), Rebinding::to(&[&["127.0.0.1"]]));
    let origin = format!("http://llm.example.com:{port}");
    let heard = hear(client.stream(users(&format!("{origin}/v1"), &origin), question("?"))).await;
    assert_eq!(heard.text, "Hello, world");

    let literal = format!("http://127.0.0.1:{port}");
    let heard = hear(client.stream(users(&format!("{literal}/v1"), &literal), question("?"))).await;
    assert_eq!(heard.text, "Hello, world");

    // A connection made with trust is not found again by a user without it.
    for setting in ["", "*"] {
        let heard = hear(client.stream(users(&format!("{origin}/v1"), setting), question("?"))).await;
        assert_eq!(heard.failure().kind, FailureKind::InvalidRequest);
    }
    assert_eq!(upstream.requests().len(), 2);
}
