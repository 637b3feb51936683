//! `parlor schema`

use super::Outcome;

/// Prints the GraphQL schema.
///
/// # Errors
/// None; the signature is that of all commands.
pub fn run() -> Outcome {
    print!("{}", crate::graphql::sdl());
    Ok(())
}
