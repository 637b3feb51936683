//! Input -> a server that can be tried: how to get there, and with which secrets.

use std::collections::HashSet;

use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::server::{StoredServer, ToolTransport};
use crate::ai::Reach;
use crate::app::App;
use crate::error::{Error, ErrorCode, Result};
use crate::id::UserId;
use crate::vault::envelope::Binding;

/// The most headers or variables of a server.
const MOST_SECRETS: usize = 16;
/// The most characters of one's value.
const SECRET_CHARACTERS: usize = 4096;
/// Headers that belong to the protocol, to HTTP or to Parlor.
const RESERVED: [&str; 13] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "host",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "te",
    "transfer-encoding",
    super::connection::USER_HEADER,
];

/// Headers or environment variables, with their values.
pub(super) type Secrets = Vec<(String, SecretString)>;

/// The way to a server.
#[derive(Clone)]
pub(super) enum Way {
    /// Over HTTP.
    Http {
        /// Where to.
        url: Url,
        /// How far it may go.
        reach: Reach,
    },
    /// A process of this machine.
    Process {
        /// What to start.
        command: String,
        /// With what.
        arguments: Vec<String>,
    },
}

/// A server that can be spoken to.
#[derive(Clone)]
pub(super) struct Spec {
    pub(super) way: Way,
    pub(super) secrets: Secrets,
    pub(super) tells_user: bool,
}

impl Spec {
    /// The way to a stored server.
    ///
    /// # Errors
    /// When the row was tampered with.
    pub(super) fn of(app: &App, server: &StoredServer) -> Result<Self> {
        let secrets = match &server.sealed {
            Some(sealed) => unsealed(
                &app.vault()
                    .open_sealed(&Binding::of_tool_server(server.id, server.owner_id), sealed)?,
            )?,
            None => Vec::new(),
        };
        let way = match server.transport {
            ToolTransport::StreamableHttp => Way::Http {
                url: server
                    .url
                    .as_deref()
                    .and_then(|url| url.parse().ok())
                    .ok_or_else(|| Error::internal(format!("{} has no URL", server.id)))?,
                reach: reach(app, server.owner_id),
            },
            ToolTransport::Stdio => Way::Process {
                command: server.command.clone().unwrap_or_default(),
                arguments: server.arguments().into_iter().map(str::to_owned).collect(),
            },
        };
        Ok(Spec {
            way,
            secrets,
            tells_user: server.tells_user,
        })
    }
}

/// What an administrator wrote may lead anywhere, what others wrote only where the operator allows.
pub(super) fn reach(app: &App, owner: Option<UserId>) -> Reach {
    match owner {
        Some(_) => Reach::User(app.vault().allowed()),
        None => Reach::Operator,
    }
}

/// A name that the names of tools can begin with.
pub(super) fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    let fits = (1..=24).contains(&name.len())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !name.starts_with('-')
        && !name.ends_with('-');
    if fits && name != super::BUILTIN {
        return Ok(name.to_owned());
    }
    let message = "The name must be 1 to 24 small letters, digits and dashes, such as github or my-notes.";
    Err(Error::rejected(ErrorCode::Invalid, &["name"], message))
}

/// Where a server is.
pub(super) fn checked_url(app: &App, owner: Option<UserId>, url: &str) -> Result<Url> {
    let refused = |message: &str| Error::rejected(ErrorCode::BaseUrlNotAllowed, &["url"], message);
    if url.len() > 500 {
        return Err(refused("The URL is too long."));
    }
    let parsed: Url = url
        .trim()
        .parse()
        .map_err(|_| refused("This is not a URL. It looks like https://tools.example.com/mcp."))?;
    match reach(app, owner) {
        Reach::User(allowed) => {
            allowed
                .check(&parsed)
                .map_err(|refusal| refused(&refusal.to_string()))?;
        }
        Reach::Operator => {
            let plain = matches!(parsed.scheme(), "http" | "https") && parsed.has_host();
            if !plain || !parsed.username().is_empty() || parsed.password().is_some() || parsed.fragment().is_some() {
                return Err(refused(
                    "The URL must begin with https:// or http:// and hold no user name, password or fragment.",
                ));
            }
        }
    }
    Ok(parsed)
}

/// What to start.
pub(super) fn checked_command(command: &str, arguments: &[String]) -> Result<()> {
    let refused = |field: &str, message: &str| Err(Error::rejected(ErrorCode::Invalid, &[field], message));
    if command.trim().is_empty() || command.len() > 1000 || command.contains('\0') {
        return refused(
            "command",
            "Give the command to start, such as npx or /usr/bin/my-server.",
        );
    }
    let long = arguments.len() > 64 || arguments.iter().any(|argument| argument.len() > 4096);
    if long || arguments.iter().any(|argument| argument.contains('\0')) {
        return refused("arguments", "Give at most 64 arguments of at most 4096 bytes each.");
    }
    Ok(())
}

/// Headers, checked.
pub(super) fn checked_headers(headers: Secrets) -> Result<Secrets> {
    let refused = |message: &str| Error::rejected(ErrorCode::Invalid, &["headers"], message);
    let mut seen = HashSet::new();
    let mut checked = Vec::new();
    for (name, value) in checked_count("headers", headers)? {
        let name: HeaderName = name
            .trim()
            .parse()
            .map_err(|_| refused("A header's name holds only letters, digits and dashes."))?;
        if RESERVED.contains(&name.as_str()) {
            return Err(refused("This header is set by Parlor itself. Leave it away."));
        }
        if header_value(&value).is_none() {
            return Err(refused(
                "A header's value must be visible ASCII characters of at most 4096 bytes.",
            ));
        }
        if !seen.insert(name.clone()) {
            return Err(refused("Give each header once."));
        }
        checked.push((name.as_str().to_owned(), value));
    }
    Ok(checked)
}

/// Environment variables, checked.
pub(super) fn checked_variables(variables: Secrets) -> Result<Secrets> {
    let refused = |message: &str| Error::rejected(ErrorCode::Invalid, &["environment"], message);
    let mut seen = HashSet::new();
    for (name, value) in &checked_count("environment", variables.clone())? {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || name.len() > 128 || !name.bytes().all(plain) || name.as_bytes()[0].is_ascii_digit() {
            return Err(refused("A variable's name holds only letters, digits and underscores."));
        }
        let value = value.expose_secret();
        if value.len() > SECRET_CHARACTERS || value.contains('\0') {
            return Err(refused("A variable's value must have at most 4096 bytes."));
        }
        if !seen.insert(name.clone()) {
            return Err(refused("Give each variable once."));
        }
    }
    Ok(variables)
}

fn checked_count(field: &str, secrets: Secrets) -> Result<Secrets> {
    if secrets.len() > MOST_SECRETS {
        let message = format!("Give at most {MOST_SECRETS} of them.");
        return Err(Error::rejected(ErrorCode::TooLong, &[field], message));
    }
    Ok(secrets)
}

/// A header's value that no log shows.
pub(super) fn header_value(value: &SecretString) -> Option<HeaderValue> {
    let value = value.expose_secret().trim();
    let fits = value.len() <= SECRET_CHARACTERS && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let mut value = fits.then(|| HeaderValue::from_str(value).ok()).flatten()?;
    value.set_sensitive(true);
    Some(value)
}

/// The secrets as one, to be sealed; none when there are none.
pub(super) fn sealable(secrets: &Secrets) -> Option<SecretString> {
    let pairs: Vec<(&str, &str)> = secrets
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose_secret()))
        .collect();
    (!pairs.is_empty()).then(|| serde_json::json!(pairs).to_string().into())
}

fn unsealed(text: &SecretString) -> Result<Secrets> {
    let pairs: Vec<(String, String)> = serde_json::from_str(text.expose_secret())
        // The error's words could hold a piece of a secret.
        .map_err(|_| Error::internal("sealed headers that are no JSON"))?;
    Ok(pairs.into_iter().map(|(name, value)| (name, value.into())).collect())
}
