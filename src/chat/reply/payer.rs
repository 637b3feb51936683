//! Who answers and who pays: the person's own key, else the server's, else (in development) the scripted provider.

use secrecy::ExposeSecret;

use super::generation::KeySource;
use crate::ai::{Endpoint, Provider, Reach};
use crate::app::App;
use crate::db::Connection;
use crate::error::{Error, ErrorCode, Result};
use crate::id::UserId;
use crate::vault::key::{self, UsedKey};

/// What the chat or the message asks for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Whose model.
    pub provider: Option<Provider>,
    /// Which model.
    pub model: Option<String>,
}

/// Whom to ask and with whose key.
#[derive(Debug)]
pub struct Payer {
    /// Where to ask.
    pub endpoint: Endpoint,
    /// Which model.
    pub model: String,
    /// Whose key.
    pub source: KeySource,
    /// The person's key, when it is theirs.
    pub key: Option<UsedKey>,
}

/// Whether a model's name is a script for the scripted provider.
pub fn is_script(model: &str) -> bool {
    model == "scripted" || model.starts_with("scripted:")
}

/// Finds the key that pays for what is wished.
///
/// # Errors
/// [`ErrorCode::KeyMissing`] in words that say what to do, before anything is stored.
pub async fn resolve(connection: &mut Connection, app: &App, user_id: UserId, wish: Wish) -> Result<Payer> {
    let settings = &app.config().settings;
    let development = app.config().is_development();
    let wants_script = wish.provider == Some(Provider::Scripted)
        || (wish.provider.is_none() && wish.model.as_deref().is_some_and(is_script));
    if development && wants_script {
        return Ok(scripted(wish.model));
    }
    let wanted = wish.provider;
    for key in key::list(connection, user_id).await? {
        let provider = key.provider();
        if wanted.is_none_or(|wanted| wanted == provider) {
            return Ok(Payer {
                endpoint: app.vault().endpoint(&key)?,
                model: wish.model.unwrap_or_else(|| settings.openai_model.clone()),
                source: KeySource::User,
                key: Some(key.used()),
            });
        }
    }
    let server_key = settings
        .openai_api_key
        .as_ref()
        .filter(|key| !key.expose_secret().trim().is_empty());
    if let Some(secret) = server_key.filter(|_| wanted.is_none_or(|wanted| wanted == Provider::OpenAi)) {
        return Ok(Payer {
            endpoint: Endpoint {
                provider: Provider::OpenAi,
                format: None,
                base_url: Some(settings.openai_base_url.clone()),
                secret: Some(secret.clone()),
                reach: Reach::Operator,
            },
            model: wish.model.unwrap_or_else(|| settings.openai_model.clone()),
            source: KeySource::Server,
            key: None,
        });
    }
    if development && wanted.is_none() && wish.model.is_none() {
        return Ok(scripted(None));
    }
    if wanted == Some(Provider::Scripted) {
        let message = "The scripted provider answers in development only. Choose another provider.";
        return Err(Error::rejected(ErrorCode::Invalid, &["reply", "provider"], message));
    }
    let name = wanted.unwrap_or(Provider::OpenAi).title();
    let message = format!("No API key configured. Please add your {name} API key in profile settings.");
    Err(Error::rejected(ErrorCode::KeyMissing, &[], message))
}

fn scripted(model: Option<String>) -> Payer {
    let model = model
        .filter(|model| is_script(model))
        .unwrap_or_else(|| "scripted".into());
    Payer {
        endpoint: Endpoint::scripted(),
        model,
        source: KeySource::None,
        key: None,
    }
}
