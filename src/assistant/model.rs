//! The name of a model, as people type it.

use crate::ai::scripted::{Script, ScriptError};
use crate::app::App;
use crate::error::{ErrorCode, UserError};
use crate::input;

/// Checks a model's name; a script for the scripted provider has to make sense where it is played. An empty name is
/// none.
///
/// # Errors
/// A [`UserError`] on `field`.
pub fn checked(app: &App, field: &[&str], model: Option<String>) -> Result<Option<String>, UserError> {
    let Some(model) = model.filter(|model| !model.trim().is_empty()) else {
        return Ok(None);
    };
    let model = input::line(field, "The model", &model, 200)?;
    match model.parse::<Script>() {
        Err(error) if app.config().is_development() && error != ScriptError::NotScripted => {
            Err(UserError::new(ErrorCode::Invalid, field, error.to_string()))
        }
        _ => Ok(Some(model)),
    }
}
