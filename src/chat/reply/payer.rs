//! Who answers and who pays: the person's own key, else the server's, else (in development) the scripted provider.

use secrecy::ExposeSecret;

use super::generation::KeySource;
use crate::ai::{Endpoint, Provider, Reach};
use crate::app::App;
use crate::db::Connection;
use crate::error::{Error, ErrorCode, Result};
use crate::id::UserId;
use crate::usage::tab::Tab;
use crate::usage::terms::Terms;
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
    /// What it costs is put on this.
    pub tab: Tab,
}

impl Payer {
    /// This model at this endpoint, on the terms of now.
    fn new(app: &App, endpoint: Endpoint, model: String, source: KeySource, key: Option<UsedKey>) -> Self {
        let key_id = key.as_ref().map(|key| key.id);
        let terms = Terms::new(app.models(), endpoint.provider, &model, source, key_id);
        Payer {
            endpoint,
            model,
            source,
            key,
            tab: Tab::new(terms),
        }
    }
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
        return Ok(scripted(app, wish.model));
    }
    let wanted = wish.provider;
    for key in key::list(connection, user_id).await? {
        let provider = key.provider();
        if wanted.is_none_or(|wanted| wanted == provider) {
            let model = wish.model.unwrap_or_else(|| settings.openai_model.clone());
            let endpoint = app.vault().endpoint(&key)?;
            return Ok(Payer::new(app, endpoint, model, KeySource::User, Some(key.used())));
        }
    }
    let server_key = settings
        .openai_api_key
        .as_ref()
        .filter(|key| !key.expose_secret().trim().is_empty());
    if let Some(secret) = server_key.filter(|_| wanted.is_none_or(|wanted| wanted == Provider::OpenAi)) {
        let endpoint = Endpoint {
            provider: Provider::OpenAi,
            format: None,
            base_url: Some(settings.openai_base_url.clone()),
            secret: Some(secret.clone()),
            reach: Reach::Operator,
        };
        let model = wish.model.unwrap_or_else(|| settings.openai_model.clone());
        return Ok(Payer::new(app, endpoint, model, KeySource::Server, None));
    }
    if development && wanted.is_none() && wish.model.is_none() {
        return Ok(scripted(app, None));
    }
    if wanted == Some(Provider::Scripted) {
        let message = "The scripted provider answers in development only. Choose another provider.";
        return Err(Error::rejected(ErrorCode::Invalid, &["reply", "provider"], message));
    }
    let name = wanted.unwrap_or(Provider::OpenAi).title();
    let message = format!("No API key configured. Please add your {name} API key in profile settings.");
    Err(Error::rejected(ErrorCode::KeyMissing, &[], message))
}

fn scripted(app: &App, model: Option<String>) -> Payer {
    let model = model
        .filter(|model| is_script(model))
        .unwrap_or_else(|| "scripted".into());
    Payer::new(app, Endpoint::scripted(), model, KeySource::None, None)
}
