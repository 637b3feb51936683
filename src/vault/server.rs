//! The server's own keys: of the settings, not of the database, and for people who have none.

use crate::ai::{Endpoint, Provider, Reach};
use crate::config::Settings;

/// Where the server's own key for a provider is used, if it has one.
pub fn endpoint(settings: &Settings, provider: Provider) -> Option<Endpoint> {
    let key = settings.server_key(provider.name());
    // A provider without an address of its own is there once it has one.
    let is_there = match provider.home() {
        Some(_) => key.secret.is_some(),
        None => key.base_url.is_some(),
    };
    is_there.then_some(Endpoint {
        provider,
        format: None,
        base_url: key.base_url,
        secret: key.secret,
        reach: Reach::Operator,
    })
}

/// The providers that the server has a key for, in the order in which they are tried.
pub fn endpoints(settings: &Settings) -> impl Iterator<Item = Endpoint> {
    Provider::ALL
        .into_iter()
        .filter_map(|provider| endpoint(settings, provider))
}

/// A provider's model where nobody names one.
pub fn default_model(settings: &Settings, provider: Provider) -> Option<String> {
    settings.server_key(provider.name()).model
}
