//! The pages that the binary carries: GraphiQL and the demo chat.
//!
//! Neither needs another host, and the headers hold them to it. (A binary built without Node.js
//! carries a GraphiQL page that loads from a CDN; then the policy names that one host.)

use std::io::Read as _;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::read::GzDecoder;

include!(concat!(env!("OUT_DIR"), "/graphiql.rs"));

/// One file of the GraphiQL page, in the form in which it was embedded.
struct Asset {
    name: &'static str,
    gzipped: bool,
    bytes: &'static [u8],
}

const DEMO_PAGE: &str = include_str!("../../web/demo/index.html");
const DEMO_FILES: [(&str, &str); 17] = [
    ("asking.js", include_str!("../../web/demo/asking.js")),
    ("chat.js", include_str!("../../web/demo/chat.js")),
    ("composer.js", include_str!("../../web/demo/composer.js")),
    ("demo.css", include_str!("../../web/demo/demo.css")),
    ("demo.js", include_str!("../../web/demo/demo.js")),
    ("door.js", include_str!("../../web/demo/door.js")),
    ("here.js", include_str!("../../web/demo/here.js")),
    ("live.js", include_str!("../../web/demo/live.js")),
    ("message.js", include_str!("../../web/demo/message.js")),
    ("page.js", include_str!("../../web/demo/page.js")),
    ("people.js", include_str!("../../web/demo/people.js")),
    ("prose.js", include_str!("../../web/demo/prose.js")),
    ("reactions.js", include_str!("../../web/demo/reactions.js")),
    ("settings.js", include_str!("../../web/demo/settings.js")),
    ("thread.css", include_str!("../../web/demo/thread.css")),
    ("thread.js", include_str!("../../web/demo/thread.js")),
    ("tools.js", include_str!("../../web/demo/tools.js")),
];

/// Monaco writes its styles as elements and attributes, hence the one 'unsafe-inline'.
const PLAYGROUND_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     font-src 'self' data:; img-src 'self' data:; connect-src 'self'; worker-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PLAYGROUND_POLICY_CDN: &str = "default-src 'none'; script-src 'self' https://cdn.jsdelivr.net; \
     style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; font-src 'self' data: https://cdn.jsdelivr.net; \
     img-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const DEMO_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const REVALIDATE: &str = "no-cache";
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// The routes of `/graphiql` and `/demo`. They need nothing of the application's state.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/graphiql", get(playground))
        .route("/graphiql/assets/{name}", get(playground_asset))
        .route(
            "/demo",
            get(|| async { demo_file("text/html; charset=utf-8", DEMO_PAGE) }),
        )
        .route("/demo/{name}", get(demo_asset))
}

async fn playground() -> Response {
    let policy = if FROM_CDN {
        PLAYGROUND_POLICY_CDN
    } else {
        PLAYGROUND_POLICY
    };
    guarded("text/html; charset=utf-8", REVALIDATE, policy, PAGE)
}

async fn playground_asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // The bundler hashes its names; the few files beside the CDN page have plain ones.
    let cache = if FROM_CDN { REVALIDATE } else { FOR_GOOD };
    // Workers take their policy from their own response, not from the page.
    let mut response = if asset.gzipped && !accepts_gzip(&headers) {
        match unzipped(asset.bytes) {
            Ok(bytes) => guarded(content_type(asset.name), cache, PLAYGROUND_POLICY, bytes),
            Err(error) => {
                tracing::error!(%error, asset = asset.name, "an embedded file is damaged");
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            }
        }
    } else {
        guarded(content_type(asset.name), cache, PLAYGROUND_POLICY, asset.bytes)
    };
    if asset.gzipped {
        response
            .headers_mut()
            .insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if accepts_gzip(&headers) {
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    response
}

async fn demo_asset(Path(name): Path<String>) -> Response {
    match DEMO_FILES.iter().find(|(file, _)| *file == name) {
        Some((file, body)) => demo_file(content_type(file), body),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn demo_file(content_type: &'static str, body: &'static str) -> Response {
    guarded(content_type, REVALIDATE, DEMO_POLICY, body)
}

fn guarded(content_type: &'static str, cache: &'static str, policy: &'static str, body: impl IntoResponse) -> Response {
    let headers: [(HeaderName, &'static str); 5] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, cache),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, body).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("txt") => "text/plain; charset=utf-8",
        Some("ttf") => "font/ttf",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            parts.next() == Some("gzip") && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0"))
        })
}

fn unzipped(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain)?;
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn fetch(path: &str, encoding: &str) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = Request::get(path)
            .header(header::ACCEPT_ENCODING, encoding)
            .body(Body::empty())
            .expect("a plain request");
        let response = router::<()>().oneshot(request).await.expect("routers do not fail");
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("the body is in memory");
        (parts.status, parts.headers, bytes.to_vec())
    }

    /// The addresses on this server that a page names.
    fn named(page: &[u8]) -> Vec<String> {
        let page = String::from_utf8(page.to_vec()).expect("pages are UTF-8");
        page.split('"')
            .filter(|word| word.starts_with('/'))
            .map(str::to_owned)
            .collect()
    }

    #[tokio::test]
    async fn everything_a_page_names_is_served_zipped_or_not() {
        for path in ["/graphiql", "/demo"] {
            let (status, _, page) = fetch(path, "").await;
            assert_eq!(status, StatusCode::OK);
            let addresses = named(&page);
            assert!(addresses.len() >= 2, "{path} names {addresses:?}");
            for address in addresses {
                let (status, headers, plain) = fetch(&address, "identity, gzip;q=0").await;
                assert_eq!(status, StatusCode::OK, "{address}");
                assert!(!headers.contains_key(header::CONTENT_ENCODING));
                let (_, headers, zipped) = fetch(&address, "br, gzip").await;
                if headers.contains_key(header::CONTENT_ENCODING) {
                    assert_eq!(unzipped(&zipped).expect("gzip"), plain, "{address}");
                } else {
                    assert_eq!(zipped, plain, "{address}");
                }
            }
        }
        for (file, _) in DEMO_FILES {
            assert_eq!(fetch(&format!("/demo/{file}"), "").await.0, StatusCode::OK, "{file}");
        }
        for nothing in ["/graphiql/assets/nothing.js", "/demo/nothing.js"] {
            assert_eq!(fetch(nothing, "").await.0, StatusCode::NOT_FOUND);
        }
    }

    #[tokio::test]
    async fn pages_trust_this_server_alone() {
        for path in ["/graphiql", "/demo", "/demo/demo.js"] {
            let (_, headers, _) = fetch(path, "").await;
            let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("ASCII");
            assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
            assert!(FROM_CDN || !policy.contains("://"), "{policy}");
            assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        }
    }
}
