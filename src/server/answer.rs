//! GraphQL answers as bytes, and the HTTP status that goes with them.

use std::collections::BTreeMap;
use std::time::Duration;

use async_graphql::{Response, ServerError, Value};
use axum::response::IntoResponse;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde::ser::{Error, Serializer};
use serde_json::value::RawValue;

use super::accept::Form;
use crate::graphql::limits::coded;

/// An answer as it is written: without `data` when the request failed before it ran.
#[derive(Debug)]
pub struct Answer<'a>(pub &'a Response);

/// The data of an answer. A field that was written once for all who are told the same comes as the bytes of its JSON.
struct Data<'a>(&'a Value);

/// A field's value.
struct Part<'a>(&'a Value);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => serializer.collect_map(fields.iter().map(|(name, value)| (name, Part(value)))),
            value => value.serialize(serializer),
        }
    }
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Binary(json) => serde_json::from_slice::<&RawValue>(json)
                .map_err(S::Error::custom)?
                .serialize(serializer),
            value => value.serialize(serializer),
        }
    }
}

#[derive(Serialize)]
struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: &'a BTreeMap<String, Value>,
}

impl Serialize for Answer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Answer(response) = self;
        let data = (!never_ran(response)).then_some(Data(&response.data));
        Fields {
            data,
            errors: &response.errors,
            extensions: &response.extensions,
        }
        .serialize(serializer)
    }
}

impl Answer<'_> {
    /// The answer in JSON.
    pub fn to_json(&self) -> String {
        let mut json = String::new();
        self.write(&mut json);
        json
    }

    /// Writes the answer in JSON.
    pub fn write(&self, json: &mut String) {
        if let Some((name, written)) = self.written() {
            // With room for what stands around an answer.
            json.reserve_exact(name.len() + written.len() + 16);
            // Names of fields are letters, digits and underscores.
            for part in ["{\"data\":{\"", name, "\":", written, "}}"] {
                json.push_str(part);
            }
            return;
        }
        json.push_str(&serde_json::to_string(self).unwrap_or_else(|error| {
            tracing::error!(%error, "an answer cannot be written");
            r#"{"errors":[{"message":"Something went wrong on our side.","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#.to_owned()
        }));
    }

    /// The only field of an answer, and the JSON of it, if it was written for all who are told the same.
    fn written(&self) -> Option<(&str, &str)> {
        let Answer(response) = self;
        let Value::Object(fields) = &response.data else {
            return None;
        };
        let is_plain = fields.len() == 1 && response.errors.is_empty() && response.extensions.is_empty();
        match fields.first().filter(|_| is_plain)? {
            (name, Value::Binary(json)) => Some((name, std::str::from_utf8(json).ok()?)),
            _ => None,
        }
    }
}

/// Whether an answer's request failed before any of its fields ran; errors of fields have a path.
pub fn never_ran(response: &Response) -> bool {
    response.data == Value::Null
        && !response.errors.is_empty()
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// An answer that is one error.
pub fn error(code: &'static str, message: impl Into<String>) -> Response {
    Response::from_errors(vec![coded(ServerError::new(message, None), code)])
}

/// The answer to one request over HTTP.
pub fn respond(mut response: Response, form: Form) -> axum::response::Response {
    let wait = retry_after(&response);
    let headers = std::mem::take(&mut response.http_headers);
    let status = status(&mut response, form);
    let mut answer = (
        status,
        [(header::CONTENT_TYPE, content_type(form))],
        Answer(&response).to_json(),
    )
        .into_response();
    answer.headers_mut().extend(headers);
    add_retry_after(&mut answer, wait);
    answer
}

/// The answers to a batch.
pub fn respond_batch(responses: &[Response], form: Form) -> axum::response::Response {
    let bodies: Vec<_> = responses.iter().map(|response| Answer(response).to_json()).collect();
    let body = format!("[{}]", bodies.join(","));
    let mut answer = (StatusCode::OK, [(header::CONTENT_TYPE, content_type(form))], body).into_response();
    add_retry_after(&mut answer, responses.iter().filter_map(retry_after).max());
    answer
}

fn content_type(form: Form) -> HeaderValue {
    HeaderValue::from_static(match form {
        Form::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        _ => "application/json; charset=utf-8",
    })
}

/// In `application/json`, whatever a GraphQL server answers is 200; in the specified form, an answer without
/// data tells in its status why.
fn status(response: &mut Response, form: Form) -> StatusCode {
    if form != Form::GraphqlResponse || response.data != Value::Null || response.errors.is_empty() {
        return StatusCode::OK;
    }
    if response.errors.iter().all(|error| code(error) == Some("RATE_LIMITED")) {
        // The wait is the only outcome, so this is as good as never run: without paths, `data` is left out.
        response.errors.iter_mut().for_each(|error| error.path.clear());
        return StatusCode::TOO_MANY_REQUESTS;
    }
    if !never_ran(response) {
        return StatusCode::OK;
    }
    match response.errors.first().and_then(code) {
        Some("INTERNAL_SERVER_ERROR") => StatusCode::INTERNAL_SERVER_ERROR,
        Some("SERVICE_UNAVAILABLE") => StatusCode::SERVICE_UNAVAILABLE,
        Some("OPERATION_TIMEOUT") => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn code(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let waits = response
        .errors
        .iter()
        .filter_map(|error| match error.extensions.as_ref()?.get("retryAfter")? {
            Value::Number(seconds) => seconds.as_u64(),
            _ => None,
        });
    waits.max().map(Duration::from_secs)
}

fn add_retry_after(answer: &mut axum::response::Response, wait: Option<Duration>) {
    if let Some(wait) = wait {
        answer.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().into());
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::value;
    use axum::body::Bytes;

    use super::*;

    #[test]
    fn what_was_written_before_is_written_as_anything_else() {
        let plain = value!({ "mine": { "text": "\"all\" of you\u{2028}", "null": null } });
        let Value::Object(fields) = &plain else {
            panic!("an object")
        };
        let json = serde_json::to_vec(&fields["mine"]).expect("JSON");
        let mut written = fields.clone();
        written.insert(async_graphql::Name::new("mine"), Value::Binary(Bytes::from(json)));
        let (plain, mut written) = (Response::new(plain.clone()), Response::new(Value::Object(written)));
        assert!(Answer(&written).written().is_some() && Answer(&plain).written().is_none());
        assert_eq!(Answer(&written).to_json(), Answer(&plain).to_json());
        written.errors.push(ServerError::new("no", None));
        assert!(Answer(&written).written().is_none());
        assert!(Answer(&written).to_json().starts_with(r#"{"data":{"mine":{"text":"#));
    }
}
