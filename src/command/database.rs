//! The database that a command works on: the one of DATABASE_URL, or else the embedded one.

use secrecy::ExposeSecret;

use crate::config::Config;
use crate::db::embedded::{Embedded, EmbeddedError, Options};

/// A database to connect to, and the server behind it if it is ours.
pub(super) struct Database {
    /// Where to connect.
    pub(super) url: String,
    embedded: Option<Embedded>,
}

impl Database {
    /// Finds or starts the database.
    pub(super) async fn open(config: &Config) -> Result<Self, EmbeddedError> {
        if let Some(url) = config
            .settings
            .database_url
            .as_ref()
            .filter(|url| !url.expose_secret().trim().is_empty())
        {
            return Ok(Database {
                url: url.expose_secret().trim().to_owned(),
                embedded: None,
            });
        }
        let embedded = Embedded::start(&options(config)).await?;
        Ok(Database {
            url: embedded.url(),
            embedded: Some(embedded),
        })
    }

    /// Waits until the embedded server ends by itself; for ever when there is none of ours.
    pub(super) async fn lost(&self) {
        match &self.embedded {
            Some(embedded) if !embedded.adopted() => embedded.exited().await,
            _ => std::future::pending().await,
        }
    }

    /// Lets go of it.
    pub(super) async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}

fn options(config: &Config) -> Options {
    let settings = &config.settings;
    let mut options = Options::new(settings.data_dir.clone());
    options.bin_dir = settings.pg_bindir.clone();
    options.path = Some(settings.path.clone());
    options.home = settings.home.clone();
    options.registry = settings.npm_registry.clone();
    options
}
