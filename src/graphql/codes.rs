//! A code on every error, and nothing internal in any message.
//!
//! async-graphql's own errors carry no code; where they come from tells which they get. An error of a resolver
//! without a code is a surprise: it is logged under an error id, and only the id leaves the server.

use async_graphql::{Response, ServerError};

use super::limits::coded;

/// The most validation errors that one answer lists.
const LISTED: usize = 20;

/// Gives every error of an answer its code.
pub fn settle(response: &mut Response) {
    response.errors.truncate(LISTED);
    for error in response.errors.iter_mut().filter(|error| !has_code(error)) {
        let bare = std::mem::replace(error, ServerError::new(String::new(), None));
        *error = if is_about_a_value(&bare) {
            coded(bare, "BAD_USER_INPUT")
        } else if bare.path.is_empty() {
            // Only fields have paths, and parsing was done before: what is left is validation.
            coded(bare, "GRAPHQL_VALIDATION_FAILED")
        } else {
            internal(bare)
        };
    }
}

fn has_code(error: &ServerError) -> bool {
    error
        .extensions
        .as_ref()
        .is_some_and(|extensions| extensions.get("code").is_some())
}

/// async-graphql's words for an argument that does not fit its type, found in validation or by the resolver.
fn is_about_a_value(error: &ServerError) -> bool {
    [
        "Invalid value for argument",
        "Failed to parse \"",
        "Expected input type \"",
    ]
    .iter()
    .any(|words| error.message.starts_with(words))
}

/// Logs a surprise under an error id and leaves nothing else of it.
pub fn internal(error: ServerError) -> ServerError {
    let error_id = uuid::Uuid::now_v7().simple().to_string();
    tracing::error!(error_id, error = %error.message, path = ?error.path, "a field failed");
    let mut shown = coded(
        ServerError::new("Something went wrong on our side.", None),
        "INTERNAL_SERVER_ERROR",
    );
    shown
        .extensions
        .get_or_insert_default()
        .set("errorId", error_id.as_str());
    shown.locations = error.locations;
    shown.path = error.path;
    shown
}
