//! The doors: GraphQL over HTTP, sockets and streams, health, and the pages.
//!
//! A token becomes a [`Viewer`](crate::account::viewer::Viewer) here and nowhere else. What is behind the doors
//! is one trait, [`House`](house::House).

pub mod accept;
pub mod answer;
pub mod client_address;
pub mod connections;
pub mod credentials;
pub mod documents;
pub mod doors;
pub mod execution;
pub mod exports;
pub mod health;
pub mod house;
pub mod http;
pub mod listen;
pub mod multipart;
pub mod origin;
pub mod pages;
pub mod params;
pub mod refusal;
pub mod session;
pub mod sse;
pub mod stream;
pub mod write_deadline;
pub mod ws;

use std::any::Any;
use std::net::SocketAddr;

use ::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::app::App;
use crate::graphql::Schema;
use doors::{DoorSettings, Doors};
use house::Parlor;
use refusal::Refusal;

/// Who is at the other end of a connection; every request carries it.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Serves until the app stops and the connections are let go.
pub async fn serve(app: App, schema: Schema, listener: TcpListener) {
    let settings = DoorSettings::from(app.config());
    let shutdown = app.shutdown().clone();
    let doors = Doors::new(Parlor { app, schema }, settings, shutdown);
    listen::serve(&doors, router(doors.clone()), listener).await;
}

/// All routes.
pub fn router(doors: Doors) -> Router {
    let headers = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let router = Router::new()
        .route("/graphql", any(http::graphql))
        .route("/exports/{token}", get(exports::download))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/", get(home))
        .merge(pages::router())
        .fallback(async || {
            Refusal::new(
                StatusCode::NOT_FOUND,
                "NOT_FOUND",
                "There is nothing here. The API is at /graphql.",
            )
        })
        .method_not_allowed_fallback(async || Refusal::method("GET", "This is read with GET."))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(origin::cors(&doors))
        .with_state(doors);
    // A page that needs more than the default sets its own header.
    headers.into_iter().fold(router, |router, (name, value)| {
        router.layer(SetResponseHeaderLayer::if_not_present(
            name,
            HeaderValue::from_static(value),
        ))
    })
}

async fn home(State(doors): State<Doors>) -> Response {
    if doors.settings().development {
        Redirect::temporary("/graphiql").into_response()
    } else {
        "This is a Parlor server. Its API is GraphQL at /graphql.\n".into_response()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is tower-http's")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    answer::respond(execution::panicked(&*panic), accept::Form::GraphqlResponse)
}
