//! The door for archives of one's data: whoever has a link downloads, and everything else gets one answer.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use super::doors::Doors;
use super::refusal::Refusal;

/// Sends the archive that a link's last part leads to.
pub async fn download(State(doors): State<Doors>, Path(token): Path<String>) -> Response {
    let download = match doors.house().download(token).await {
        Ok(Some(download)) => download,
        Ok(None) => {
            let message = "This link is not good, or not any more. Ask for a new one: viewer.dataExports.downloadUrl.";
            return Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", message).into_response();
        }
        Err(error) => {
            tracing::warn!(%error, "cannot begin a download");
            return Refusal::unavailable().into_response();
        }
    };
    let disposition = format!("attachment; filename=\"{}\"", download.name);
    let mut response = Body::from_stream(download.pieces).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/gzip"));
    headers.insert(header::CONTENT_LENGTH, download.length.into());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(disposition) = disposition.parse() {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}
