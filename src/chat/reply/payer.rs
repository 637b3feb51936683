//! Who answers and who pays: the person's own key, else the server's, else (in development) the scripted provider.

use super::generation::KeySource;
use crate::ai::{Endpoint, Provider};
use crate::app::App;
use crate::db::Connection;
use crate::error::{Error, ErrorCode, Result};
use crate::id::UserId;
use crate::vault::key::{self, StoredKey, UsedKey};
use crate::vault::server;

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

/// Finds the key that pays for what is wished: of those whose provider is known to have the model (else of all), the
/// person's own first.
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
    let own = key::list(connection, user_id).await?.into_iter().map(Purse::Own);
    let purses: Vec<Purse> = own
        .chain(server::endpoints(settings).map(Purse::Servers))
        .filter(|purse| wish.provider.is_none_or(|wanted| wanted == purse.provider()))
        .collect();
    let knows = |purse: &&Purse| match (&wish.provider, &wish.model) {
        (None, Some(model)) => app.models().find(purse.provider(), model).is_some(),
        _ => true,
    };
    if let Some(purse) = purses.iter().find(knows).or_else(|| purses.first()) {
        return purse.pays(app, wish.model);
    }
    if development && wish.provider.is_none() && wish.model.is_none() {
        return Ok(scripted(None));
    }
    if wish.provider == Some(Provider::Scripted) {
        let message = "The scripted provider answers in development only. Choose another provider.";
        return Err(Error::rejected(ErrorCode::Invalid, &["reply", "provider"], message));
    }
    let name = wish.provider.unwrap_or(Provider::OpenAi).title();
    let message = format!("No API key configured. Please add your {name} API key in profile settings.");
    Err(Error::rejected(ErrorCode::KeyMissing, &[], message))
}

/// A key that could pay.
enum Purse {
    Own(StoredKey),
    Servers(Endpoint),
}

impl Purse {
    fn provider(&self) -> Provider {
        match self {
            Purse::Own(key) => key.provider(),
            Purse::Servers(endpoint) => endpoint.provider,
        }
    }

    fn pays(&self, app: &App, model: Option<String>) -> Result<Payer> {
        let settings = &app.config().settings;
        let usual = || server::default_model(settings, self.provider());
        let model = model.or_else(usual).ok_or_else(|| {
            let name = self.provider().title();
            let message = format!("{name} has no model of its own choice. Choose the model that is to answer.");
            Error::rejected(ErrorCode::Required, &["reply", "model"], message)
        })?;
        Ok(match self {
            Purse::Own(key) => Payer {
                endpoint: app.vault().endpoint(key)?,
                model,
                source: KeySource::User,
                key: Some(key.used()),
            },
            Purse::Servers(endpoint) => Payer {
                endpoint: endpoint.clone(),
                model,
                source: KeySource::Server,
                key: None,
            },
        })
    }
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
