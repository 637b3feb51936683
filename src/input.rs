//! Input -> checked text. What passes here can be stored and shown; what does not gets an error that says why.

use chrono::{DateTime, Datelike, Utc};
use unicode_segmentation::UnicodeSegmentation;
use url::Url;

use crate::error::{ErrorCode, UserError};

/// One line of text such as a name: trimmed, of `1..=most` characters as a person counts them, without control
/// characters and without the invisible ones that reverse or hide text.
///
/// # Errors
/// A [`UserError`] for `field`, in which `what` names the value.
pub fn line(field: &[&str], what: &str, value: &str, most: usize) -> Result<String, UserError> {
    let value = value.trim();
    if value.is_empty() {
        return Err(UserError::new(
            ErrorCode::Required,
            field,
            format!("{what} must not be empty."),
        ));
    }
    check_length(field, what, value, most)?;
    if value
        .chars()
        .any(|character| character.is_control() || is_invisible(character))
    {
        let message = format!("{what} must be one line without control or invisible formatting characters.");
        return Err(UserError::new(ErrorCode::Invalid, field, message));
    }
    Ok(value.to_owned())
}

/// Text of several lines, kept as it is: at most `most` characters and no NUL, which Postgres cannot store.
///
/// # Errors
/// A [`UserError`] for `field`, in which `what` names the value.
pub fn text(field: &[&str], what: &str, value: &str, most: usize) -> Result<String, UserError> {
    check_length(field, what, value, most)?;
    if value.contains('\0') {
        return Err(UserError::new(
            ErrorCode::Invalid,
            field,
            format!("{what} must not contain NUL characters."),
        ));
    }
    Ok(value.to_owned())
}

/// An idempotency key: 1 to 128 visible characters, usually a UUID.
///
/// # Errors
/// A [`UserError`] for the field `idempotencyKey`.
pub fn idempotency_key(value: &str) -> Result<String, UserError> {
    let fits = (1..=128).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        return Ok(value.to_owned());
    }
    let message = "The idempotency key must be 1 to 128 visible ASCII characters. Use a new UUID for each action and the same one for its retries.";
    Err(UserError::new(ErrorCode::Invalid, &["idempotencyKey"], message))
}

/// A moment of the years 1 to 9999: others cannot be written as the standard wants it, and some cannot be stored.
///
/// # Errors
/// A [`UserError`] for `field`, in which `what` names the moment.
pub fn moment(field: &[&str], what: &str, value: DateTime<Utc>) -> Result<DateTime<Utc>, UserError> {
    if (1..=9999).contains(&value.year()) {
        return Ok(value);
    }
    let message = format!("{what} must be in the years 1 to 9999.");
    Err(UserError::new(ErrorCode::Invalid, field, message))
}

/// Where a picture is: an https address, or a path on this server. A browser loads it, the server never does.
///
/// # Errors
/// A [`UserError`] for `field`, in which `what` names the picture.
pub fn picture(field: &[&str], what: &str, url: &str) -> Result<String, UserError> {
    let url = line(field, &format!("{what}'s address"), url, 2_000)?;
    let path = url.starts_with('/') && !url.starts_with("//") && !url.contains('\\');
    let https = Url::parse(&url).is_ok_and(|parsed| {
        parsed.scheme() == "https" && parsed.has_host() && parsed.username().is_empty() && parsed.password().is_none()
    });
    if path || https {
        return Ok(url);
    }
    let message = format!("{what} must be an https address, or a path on this server that begins with a slash.");
    Err(UserError::new(ErrorCode::Invalid, field, message))
}

fn check_length(field: &[&str], what: &str, value: &str, most: usize) -> Result<(), UserError> {
    // Bytes first: counting what a person sees is linear in a text that may be far too long.
    let too_long = value.len() > most.saturating_mul(64)
        || (value.len() > most && value.graphemes(true).nth(most).is_some())
        || value.chars().nth(most.saturating_mul(4)).is_some();
    if too_long {
        let message = format!("{what} must be at most {most} characters long.");
        return Err(UserError::new(ErrorCode::TooLong, field, message));
    }
    Ok(())
}

/// Characters that are not seen but change how their neighbours are: bidirectional controls and the like.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}
