//! Who answers and who pays: the person's own key, else the server's, else (in development) the scripted provider.

use super::generation::KeySource;
use crate::ai::{Endpoint, Provider};
use crate::app::App;
use crate::db::Connection;
use crate::error::{Error, ErrorCode, Result};
use crate::id::UserId;
use crate::usage::tab::Tab;
use crate::usage::terms::Terms;
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
    /// Who pays: with a key of their own, or from their budget for the server's.
    pub user_id: UserId,
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
    fn new(app: &App, user_id: UserId, mut endpoint: Endpoint, model: String, key: Paid) -> Self {
        let (source, key) = match key {
            Paid::Own(key) => (KeySource::User, Some(key)),
            Paid::Servers => (KeySource::Server, None),
            Paid::Nothing => (KeySource::None, None),
        };
        if endpoint.format.is_none() {
            let known = app.models().find(endpoint.provider, &model);
            endpoint.format = known.and_then(|info| info.format());
        }
        let key_id = key.as_ref().map(|key| key.id);
        let terms = Terms::new(app.models(), endpoint.provider, &model, source, key_id);
        Payer {
            user_id,
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

/// Finds the key that pays for what is wished: of those whose provider is known to have the model (else of all), the
/// person's own first.
///
/// # Errors
/// [`ErrorCode::KeyMissing`] in words that say what to do, before anything is stored.
pub async fn resolve(connection: &Connection, app: &App, user_id: UserId, wish: Wish) -> Result<Payer> {
    choose(app, user_id, key::list(connection, user_id).await?, wish)
}

/// The same among `own`, all keys of the person that may be used.
///
/// # Errors
/// KEY_MISSING.
pub fn choose(app: &App, user_id: UserId, own: Vec<StoredKey>, wish: Wish) -> Result<Payer> {
    let settings = &app.config().settings;
    let development = app.config().is_development();
    let wants_script = wish.provider == Some(Provider::Scripted)
        || (wish.provider.is_none() && wish.model.as_deref().is_some_and(is_script));
    if development && wants_script {
        return Ok(scripted(app, user_id, wish.model));
    }
    let own = own.into_iter().map(Box::new).map(Purse::Own);
    let purses: Vec<Purse> = own
        .chain(server::endpoints(settings).map(Purse::Servers))
        .filter(|purse| wish.provider.is_none_or(|wanted| wanted == purse.provider()))
        .collect();
    let knows = |purse: &&Purse| match (&wish.provider, &wish.model) {
        (None, Some(model)) => app.models().find(purse.provider(), model).is_some(),
        _ => true,
    };
    if let Some(purse) = purses.iter().find(knows).or_else(|| purses.first()) {
        return purse.pays(app, user_id, wish.model);
    }
    if development && wish.provider.is_none() && wish.model.is_none() {
        return Ok(scripted(app, user_id, None));
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
    Own(Box<StoredKey>),
    Servers(Endpoint),
}

impl Purse {
    fn provider(&self) -> Provider {
        match self {
            Purse::Own(key) => key.provider(),
            Purse::Servers(endpoint) => endpoint.provider,
        }
    }

    fn pays(&self, app: &App, user_id: UserId, model: Option<String>) -> Result<Payer> {
        let settings = &app.config().settings;
        let usual = || server::default_model(settings, self.provider());
        let model = model.or_else(usual).ok_or_else(|| {
            let name = self.provider().title();
            let message = format!("{name} has no model of its own choice. Choose the model that is to answer.");
            Error::rejected(ErrorCode::Required, &["reply", "model"], message)
        })?;
        Ok(match self {
            Purse::Own(key) => {
                let endpoint = app.vault().endpoint(key)?;
                Payer::new(app, user_id, endpoint, model, Paid::Own(key.used()))
            }
            Purse::Servers(endpoint) => Payer::new(app, user_id, endpoint.clone(), model, Paid::Servers),
        })
    }
}

/// What is paid with.
enum Paid {
    Own(UsedKey),
    Servers,
    Nothing,
}

fn scripted(app: &App, user_id: UserId, model: Option<String>) -> Payer {
    let model = model
        .filter(|model| is_script(model))
        .unwrap_or_else(|| "scripted".into());
    Payer::new(app, user_id, Endpoint::scripted(), model, Paid::Nothing)
}
