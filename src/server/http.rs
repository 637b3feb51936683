//! GraphQL over HTTP: POST with JSON, GET for queries, batches, and by `Accept` the streams of
//! [`sse`] and [`multipart`].

use async_graphql::parser::types::OperationType;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::accept::{Accepted, Form};
use super::doors::Doors;
use super::params::{self, Asked};
use super::refusal::Refusal;
use super::{answer, client_address, credentials, execution, multipart, sse, ws};
use crate::account::viewer::{Client, Viewer};

/// The most bytes in a request's body.
pub const BODY_BYTES: usize = 256 * 1024;
/// How many requests of a batch run at once; each may hold a connection to Postgres.
const BATCH_AT_ONCE: usize = 4;

/// Answers everything that is sent to `/graphql`.
pub async fn graphql(State(doors): State<Doors>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answered = match parts.method {
        Method::GET if ws::is_upgrade(&parts.headers) => ws::upgrade(doors, parts).await,
        Method::GET => get(&doors, &parts).await,
        Method::POST => post(&doors, &parts, body).await,
        _ => Err(Refusal::method(
            "GET, POST, OPTIONS",
            "GraphQL is spoken with GET and POST.",
        )),
    };
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(http::HeaderValue::from_static("no-store"));
    response
}

async fn get(doors: &Doors, parts: &Parts) -> Result<Response, Refusal> {
    let asked = params::from_url(parts.uri.query().unwrap_or_default())?;
    answer(doors, parts, asked).await
}

async fn post(doors: &Doors, parts: &Parts, body: Body) -> Result<Response, Refusal> {
    params::check_content_type(&parts.headers)?;
    let body = read(doors, body).await?;
    answer(doors, parts, params::from_json(&body)?).await
}

async fn read(doors: &Doors, body: Body) -> Result<Bytes, Refusal> {
    let whole = Limited::new(body, BODY_BYTES).collect();
    match tokio::time::timeout(doors.settings().body_timeout, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("The body is longer than {BODY_BYTES} bytes.");
            Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "PAYLOAD_TOO_LARGE",
                message,
            ))
        }
        Ok(Err(_)) => Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "BAD_REQUEST",
            "The body ended early.",
        )),
        Err(_) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "REQUEST_TIMEOUT",
            "The body did not arrive in time.",
        )),
    }
}

async fn answer(doors: &Doors, parts: &Parts, asked: Asked) -> Result<Response, Refusal> {
    let accepted = Accepted::of(&parts.headers);
    let client = client(doors, parts);
    match asked {
        Asked::One(request) => one(doors, parts, accepted, *request, client).await,
        Asked::Batch(requests) => {
            let form = accepted.plain().ok_or_else(not_acceptable)?;
            let viewer = credentials::viewer(doors, &parts.headers).await?;
            let runs = requests
                .into_iter()
                .map(|request| one_of_batch(doors, request, viewer.clone(), client.clone()));
            let answers: Vec<_> = stream::iter(runs).buffered(BATCH_AT_ONCE).collect().await;
            Ok(answer::respond_batch(&answers, form))
        }
    }
}

async fn one(
    doors: &Doors,
    parts: &Parts,
    accepted: Accepted,
    request: async_graphql::Request,
    client: Client,
) -> Result<Response, Refusal> {
    let is_missing = request.query.is_empty() && !request.extensions.contains_key("persistedQuery");
    if is_missing {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "BAD_REQUEST",
            "The request has no query.",
        ));
    }
    let opened = match doors.open(request) {
        Ok(opened) => opened,
        Err(error) => {
            let refused = async_graphql::Response::from_errors(vec![error]);
            return match accepted.form(OperationType::Query).ok_or_else(not_acceptable)? {
                Form::EventStream => Ok(sse::respond_once(&refused)),
                Form::Multipart => Ok(multipart::respond_once(&refused)),
                plain => Ok(answer::respond(refused, plain)),
            };
        }
    };
    let operation = opened.operation;
    if parts.method == Method::GET && operation == OperationType::Mutation {
        return Err(Refusal::method("POST", "Mutations are sent with POST."));
    }
    let form = accepted.form(operation).ok_or_else(|| match operation {
        OperationType::Subscription => {
            let message = "A subscription is a stream. Accept text/event-stream or multipart/mixed, or open a socket that speaks graphql-transport-ws.";
            Refusal::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
        }
        _ => not_acceptable(),
    })?;
    let viewer = credentials::viewer(doors, &parts.headers).await?;
    match form {
        Form::EventStream => sse::respond(doors, opened, viewer, client),
        Form::Multipart => multipart::respond(doors, opened, viewer, client),
        plain => Ok(answer::respond(
            execution::run(doors, opened, viewer, client).await,
            plain,
        )),
    }
}

async fn one_of_batch(
    doors: &Doors,
    request: async_graphql::Request,
    viewer: Viewer,
    client: Client,
) -> async_graphql::Response {
    match doors.open(request) {
        Ok(opened) if opened.operation == OperationType::Subscription => {
            answer::error("BAD_REQUEST", "A subscription cannot be part of a batch.")
        }
        Ok(opened) => execution::run(doors, opened, viewer, client).await,
        Err(error) => async_graphql::Response::from_errors(vec![error]),
    }
}

fn not_acceptable() -> Refusal {
    let message =
        "Answers are application/graphql-response+json, application/json, text/event-stream or multipart/mixed.";
    Refusal::new(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
}

/// Where a request comes from.
pub fn client(doors: &Doors, parts: &Parts) -> Client {
    let peer = parts
        .extensions
        .get::<super::Peer>()
        .map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
    let user_agent = parts
        .headers
        .get(header::USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).chars().take(200).collect());
    Client {
        address: client_address::of(peer, &parts.headers, &doors.settings().trusted_proxies),
        user_agent,
    }
}
