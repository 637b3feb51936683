//! The wire formats, by name: which address, which head, which body, which reader.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{Endpoint, Failure, FailureKind, Format, Request, frames::Framing, openai, telling::Grammar};

/// A question as it is sent.
pub(super) struct Written {
    pub(super) url: Url,
    pub(super) body: Vec<u8>,
}

/// Writes a question.
pub(super) fn write(endpoint: &Endpoint, format: Format, base: &Url, request: &Request) -> Result<Written, Failure> {
    let written = match format {
        Format::ChatCompletions => openai::write(endpoint.provider, base, request),
        other => {
            return Err(Failure::new(
                FailureKind::InvalidRequest,
                format!("{other} is not spoken"),
            ));
        }
    };
    written.map_err(|error| {
        let detail = format!("the request cannot be written as JSON: {error}");
        Failure::new(FailureKind::Internal, detail)
    })
}

/// The reader of an answer.
pub(super) fn grammar(format: Format) -> Box<dyn Grammar> {
    match format {
        _ => Box::<openai::Reading>::default(),
    }
}

/// How its events stand on the wire.
pub(super) fn framing(format: Format) -> Framing {
    match format {
        Format::OllamaChat => Framing::Lines,
        _ => Framing::Sse,
    }
}

/// What to say is accepted as an answer.
pub(super) fn accepts(format: Format) -> &'static str {
    match framing(format) {
        Framing::Sse => "text/event-stream",
        Framing::Lines => "application/x-ndjson",
    }
}

/// The head of a request: the key, and what else the format wants to see there.
pub(super) fn headers(format: Format, secret: Option<&SecretString>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    if format == Format::AnthropicMessages {
        let version = HeaderValue::from_static("2023-06-01");
        headers.insert(HeaderName::from_static("anthropic-version"), version);
    }
    let Some(secret) = secret else {
        return Ok(headers);
    };
    let key = secret.expose_secret().trim();
    let (name, value) = match format {
        Format::AnthropicMessages => (HeaderName::from_static("x-api-key"), key.to_owned()),
        Format::GeminiGenerate => (HeaderName::from_static("x-goog-api-key"), key.to_owned()),
        _ => (header::AUTHORIZATION, format!("Bearer {key}")),
    };
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| Failure::new(FailureKind::KeyInvalid, "the key has characters that no key has"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(headers)
}

/// What any valid key may list.
pub(super) fn models_url(_format: Format, base: &Url) -> Url {
    below(base, &["models"])
}

/// A path below the base; its own path and query stay.
pub(super) fn below(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    // An http URL always has a path; another scheme was refused before.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}
