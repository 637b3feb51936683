//! Is the process alive, and can it serve? The two differ: a database that is away is no reason to restart.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use super::doors::Doors;

/// Answers as long as the process runs.
pub async fn live() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// Answers 200 when requests can be served, and 503 with the reason when not, or when the server is stopping.
pub async fn ready(State(doors): State<Doors>) -> Response {
    if doors.shutdown().is_cancelled() {
        return unready("the server is stopping");
    }
    match doors.house().ready().await {
        Ok(()) => Json(json!({ "status": "ready" })).into_response(),
        Err(reason) => unready(&reason),
    }
}

fn unready(reason: &str) -> Response {
    (
        StatusCode::SERVICE_UNAVAILABLE,
        Json(json!({ "status": "unavailable", "reason": reason })),
    )
        .into_response()
}
