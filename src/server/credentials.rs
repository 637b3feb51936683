//! Access tokens, wherever clients put them, and who they make of the client.

use http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::doors::Doors;
use super::refusal::Refusal;
use crate::account::token::TokenError;
use crate::account::viewer::Viewer;

/// The token of an `Authorization` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// Who sends an HTTP request. A token that opens nothing makes an anonymous viewer: an expired one must not
/// keep `refreshSession` from running, and fields that need more say UNAUTHENTICATED themselves.
///
/// # Errors
/// When it cannot be found out just now.
pub async fn viewer(doors: &Doors, headers: &HeaderMap) -> Result<Viewer, Refusal> {
    let Some(token) = bearer(headers) else {
        return Ok(Viewer::Anonymous);
    };
    let limit = doors.settings().authentication_timeout;
    match tokio::time::timeout(limit, doors.house().authenticate(token)).await {
        Ok(Ok(signed_in)) => Ok(Viewer::SignedIn(signed_in)),
        Ok(Err(TokenError::Expired | TokenError::Invalid | TokenError::Ended)) => Ok(Viewer::Anonymous),
        Ok(Err(TokenError::Unavailable)) | Err(_) => Err(Refusal::unavailable()),
    }
}

/// The token in the payload of a socket's `connection_init`, in any of the spellings in use.
pub fn from_init(payload: &Map<String, Value>) -> Option<&str> {
    const SPELLINGS: [&str; 4] = ["Authorization", "authorization", "token", "accessToken"];
    let in_headers = payload.get("headers").and_then(Value::as_object);
    let places = std::iter::once(payload).chain(in_headers);
    let value = places
        .flat_map(|place| SPELLINGS.iter().filter_map(|name| place.get(*name)?.as_str()))
        .find(|value| !value.trim().is_empty())?;
    let value = value.trim();
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => value,
    };
    Some(token).filter(|token| !token.is_empty() && !token.eq_ignore_ascii_case("bearer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_are_read() {
        for payload in [
            r#"{"Authorization":"Bearer t"}"#,
            r#"{"authorization":"bearer  t"}"#,
            r#"{"token":"t"}"#,
            r#"{"accessToken":"Bearer t"}"#,
            r#"{"headers":{"Authorization":"Bearer t"}}"#,
            r#"{"token":"","headers":{"authorization":"t"}}"#,
        ] {
            assert_eq!(
                from_init(&serde_json::from_str(payload).expect("an object")),
                Some("t"),
                "{payload}"
            );
        }
    }

    #[test]
    fn an_empty_token_is_none() {
        for payload in [
            "{}",
            r#"{"token":""}"#,
            r#"{"Authorization":"Bearer "}"#,
            r#"{"token":7}"#,
        ] {
            assert_eq!(
                from_init(&serde_json::from_str(payload).expect("an object")),
                None,
                "{payload}"
            );
        }
    }
}
