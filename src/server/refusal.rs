//! The answer to a request that never became a GraphQL request: a status, a code and what to do about it.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::error::whole_seconds;

/// Why a request is turned away at the door.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal with its status, code and words.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Refusal {
            status,
            code,
            message: message.into(),
            header: None,
        }
    }

    /// A refusal of the method, with the methods that are allowed.
    pub fn method(allowed: &'static str, message: impl Into<String>) -> Self {
        let header = Some((header::ALLOW, HeaderValue::from_static(allowed)));
        Refusal {
            header,
            ..Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
        }
    }

    /// The refusal while something behind the doors is away.
    pub fn unavailable() -> Self {
        let message = "The service is temporarily unavailable. Nothing was changed; please try again.";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", message)
            .retry_after(Duration::from_secs(5))
    }

    /// Tells when the same request may be sent again.
    pub fn retry_after(self, wait: Duration) -> Self {
        Refusal {
            header: Some((header::RETRY_AFTER, whole_seconds(wait).into())),
            ..self
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "errors": [{ "message": self.message, "extensions": { "code": self.code } }] });
        let headers = [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        )];
        let mut response = (self.status, headers, body.to_string()).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}
