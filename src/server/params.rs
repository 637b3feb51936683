//! The parameters of a GraphQL request, from a body, a URL or a socket's message.

use async_graphql::{Request, Variables};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::refusal::Refusal;

/// The most requests in one batch.
pub const BATCH: usize = 10;

/// One GraphQL request as clients write it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Params {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<Variables>,
    extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What one HTTP request asks for.
pub enum Asked {
    /// One request.
    One(Box<Request>),
    /// Several, answered in order.
    Batch(Vec<Request>),
}

impl Params {
    /// The request that these parameters make.
    pub fn into_request(self) -> Request {
        let mut request = Request::new(self.query.unwrap_or_default());
        request.operation_name = self.operation_name.filter(|name| !name.is_empty());
        request.variables = self.variables.unwrap_or_default();
        for (name, value) in self.extensions.unwrap_or_default() {
            if let Ok(value) = async_graphql::Value::from_json(value) {
                request.extensions.insert(name, value);
            }
        }
        request
    }
}

/// Reads the parameters of a GET request.
///
/// # Errors
/// `BAD_REQUEST` when `variables` or `extensions` are no JSON objects.
pub fn from_url(query: &str) -> Result<Asked, Refusal> {
    let mut params = Params::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "query" => params.query = Some(value.into_owned()),
            "operationName" => params.operation_name = Some(value.into_owned()),
            "variables" if !value.is_empty() => {
                params.variables = serde_json::from_str(&value).map_err(|error| malformed("variables", &error))?;
            }
            "extensions" if !value.is_empty() => {
                params.extensions = serde_json::from_str(&value).map_err(|error| malformed("extensions", &error))?;
            }
            _ => {}
        }
    }
    Ok(Asked::One(Box::new(params.into_request())))
}

/// Reads the parameters from a JSON body.
///
/// # Errors
/// `BAD_REQUEST` when the body is no JSON or not of the right shape, `BATCH_TOO_LARGE`.
pub fn from_json(body: &[u8]) -> Result<Asked, Refusal> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
        let params: Params = serde_json::from_slice(body).map_err(|error| malformed("body", &error))?;
        return Ok(Asked::One(Box::new(params.into_request())));
    }
    let batch: Vec<&serde_json::value::RawValue> =
        serde_json::from_slice(body).map_err(|error| malformed("body", &error))?;
    if batch.is_empty() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "BAD_REQUEST",
            "The batch is empty.",
        ));
    }
    if batch.len() > BATCH {
        let message = format!(
            "The batch has {} requests; at most {BATCH} are allowed. Send them in several batches.",
            batch.len()
        );
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "BATCH_TOO_LARGE", message));
    }
    let requests = batch
        .into_iter()
        .map(|raw| serde_json::from_str::<Params>(raw.get()).map(Params::into_request));
    Ok(Asked::Batch(
        requests
            .collect::<Result<_, _>>()
            .map_err(|error| malformed("batch", &error))?,
    ))
}

fn malformed(what: &str, error: &serde_json::Error) -> Refusal {
    let message = format!("The {what} of the request cannot be read as a GraphQL request in JSON: {error}.");
    Refusal::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
}

/// Refuses bodies that are not JSON in UTF-8.
///
/// The media types that a page of another site can send without asking first (text/plain, forms, none at all)
/// are refused as forgeries unless a header shows that the browser did ask.
///
/// # Errors
/// `CSRF_PREVENTION` or `UNSUPPORTED_MEDIA_TYPE`.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    const PREFLIGHTED: [&str; 3] = ["authorization", "apollo-require-preflight", "x-apollo-operation-name"];
    let value = headers
        .get(header::CONTENT_TYPE)
        .map(|value| value.to_str().unwrap_or_default())
        .unwrap_or_default();
    let mut parts = value.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let charset = parts.find_map(|part| {
        part.split_once('=')
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
    });
    let is_utf8 = charset.is_none_or(|(_, charset)| charset.trim_matches(['"', ' ']).eq_ignore_ascii_case("utf-8"));
    if name == "application/json" && is_utf8 {
        return Ok(());
    }
    let is_simple = matches!(
        name.as_str(),
        "" | "text/plain" | "application/x-www-form-urlencoded" | "multipart/form-data"
    );
    if is_simple && !PREFLIGHTED.iter().any(|name| headers.contains_key(*name)) {
        let message = "Requests of this content type could be forged by another site. Send application/json, or add the header apollo-require-preflight.";
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "CSRF_PREVENTION",
            message,
        ));
    }
    let message = "The body must be application/json in UTF-8.";
    Err(Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "UNSUPPORTED_MEDIA_TYPE",
        message,
    ))
}
