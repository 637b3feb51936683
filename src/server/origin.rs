//! Which web pages may call: CORS for requests, and the same rule for sockets, which browsers open to anywhere.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::doors::Doors;

/// The CORS headers, by the doors' settings. No credentials: tokens are headers, and there are no cookies.
pub fn cors(doors: &Doors) -> CorsLayer {
    let doors = doors.clone();
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| is_listed(&doors, origin)))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER])
        .max_age(Duration::from_secs(3600))
}

/// Whether a socket may be opened from where it is asked for. A request without an origin is no browser's.
pub fn may_open_socket(doors: &Doors, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    is_same(origin, headers) || is_listed(doors, origin)
}

/// Whether a page and the server share host and port. The scheme is not compared: a proxy may end TLS.
fn is_same(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let page = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    matches!((page, host), (Some((_, page)), Some(host)) if page.eq_ignore_ascii_case(host))
}

fn is_listed(doors: &Doors, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let settings = doors.settings();
    let listed =
        |entry: &String| entry.trim() == "*" || entry.trim().trim_end_matches('/').eq_ignore_ascii_case(origin);
    settings.origins.iter().any(listed) || (settings.development && is_local(origin))
}

fn is_local(origin: &str) -> bool {
    let Ok(url) = url::Url::parse(origin) else {
        return false;
    };
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_pages_are_told_from_lookalikes() {
        for origin in [
            "http://localhost:3000",
            "https://app.localhost",
            "http://127.0.0.1:5173",
            "http://[::1]:8080",
        ] {
            assert!(is_local(origin), "{origin}");
        }
        for origin in [
            "http://localhost.example.com",
            "http://notlocalhost",
            "null",
            "http://192.168.0.1",
        ] {
            assert!(!is_local(origin), "{origin}");
        }
    }
}
