//! The wire formats, by name: which address, which head, which body, which reader.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    Endpoint, Failure, FailureKind, Format, Provider, Request, anthropic, frames::Framing, gemini, ollama, openai,
    responses, telling::Grammar,
};

/// What a person says where a conversation would begin with the model, which some formats refuse.
pub(super) const OPENING: &str = "(What was said before is left out.)";

/// A question as it is sent.
pub(super) struct Written {
    pub(super) url: Url,
    pub(super) body: Vec<u8>,
}

/// Writes a question.
pub(super) fn write(endpoint: &Endpoint, format: Format, base: &Url, request: &Request) -> Result<Written, Failure> {
    let written = match format {
        Format::ChatCompletions => openai::write(endpoint.provider, base, request),
        Format::Responses => responses::write(base, request),
        Format::AnthropicMessages => anthropic::write(base, request),
        Format::GeminiGenerate => gemini::write(base, request),
        Format::OllamaChat => ollama::write(base, request),
    };
    written.map_err(|error| {
        let detail = format!("the request cannot be written as JSON: {error}");
        Failure::new(FailureKind::Internal, detail)
    })
}

/// The reader of an answer.
pub(super) fn grammar(format: Format) -> Box<dyn Grammar> {
    match format {
        Format::ChatCompletions => Box::<openai::Reading>::default(),
        Format::Responses => Box::<responses::Reading>::default(),
        Format::AnthropicMessages => Box::<anthropic::Reading>::default(),
        Format::GeminiGenerate => Box::<gemini::Reading>::default(),
        Format::OllamaChat => Box::<ollama::Reading>::default(),
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

/// The root of the API in this format, from an address as people write it: with the version, or as the provider's
/// own libraries take it, without.
pub(super) fn root(provider: Provider, format: Format, base: &Url) -> Url {
    let last = base
        .path_segments()
        .and_then(|parts| parts.rev().find(|part| !part.is_empty()));
    let last = last.unwrap_or_default().to_owned();
    let mut url = base.clone();
    let version = match format {
        Format::AnthropicMessages => Some("v1"),
        Format::GeminiGenerate => Some("v1beta"),
        Format::ChatCompletions | Format::Responses if provider == Provider::Ollama => Some("v1"),
        Format::ChatCompletions | Format::Responses | Format::OllamaChat => None,
    };
    match version {
        Some(version) if !(last.starts_with("v1") || last.starts_with("v2")) => url = below(base, &[version]),
        None if format == Format::OllamaChat && matches!(last.as_str(), "v1" | "api") => {
            if let Ok(mut segments) = url.path_segments_mut() {
                segments.pop_if_empty().pop();
            }
        }
        _ => {}
    }
    url
}

/// Where the models are listed that a key may use.
pub(super) fn models_url(format: Format, root: &Url) -> Url {
    let (path, page): (&[&str], _) = match format {
        Format::ChatCompletions | Format::Responses => (&["models"], None),
        Format::AnthropicMessages => (&["models"], Some(("limit", "1000"))),
        Format::GeminiGenerate => (&["models"], Some(("pageSize", "1000"))),
        Format::OllamaChat => (&["api", "tags"], None),
    };
    let mut url = below(root, path);
    if let Some((name, value)) = page {
        url.query_pairs_mut().append_pair(name, value);
    }
    url
}

/// What only a valid key may read.
pub(super) fn proof_url(provider: Provider, format: Format, root: &Url) -> Url {
    match provider {
        // Its list of models is for everybody.
        Provider::OpenRouter => below(root, &["key"]),
        _ => models_url(format, root),
    }
}

/// Where OpenRouter tells what a call has cost.
pub(super) fn bill_url(root: &Url, request_id: &str) -> Url {
    let mut url = below(root, &["generation"]);
    url.query_pairs_mut().append_pair("id", request_id);
    url
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
