//! The secrets that production needs and development generates.

use std::path::Path;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::{ConfigError, Environment, Settings};

/// A secret that production needs and development generates.
pub(super) struct Secret {
    variable: &'static str,
    recipe: &'static str,
    file: &'static str,
    bytes: usize,
}

/// Signs access tokens.
pub(super) const JWT_SECRET: Secret = Secret {
    variable: "PARLOR_JWT_SECRET",
    recipe: "openssl rand -base64 48",
    file: "jwt-secret",
    bytes: 48,
};
/// Encrypts provider keys.
pub(super) const MASTER_KEY: Secret = Secret {
    variable: "PARLOR_MASTER_KEY",
    recipe: "openssl rand -base64 32",
    file: "master-key",
    bytes: 32,
};

impl Secret {
    /// The secret: as given, or generated in development.
    pub(super) fn find(
        &self,
        settings: &Settings,
        given: Option<&SecretString>,
        notices: &mut Vec<String>,
    ) -> Result<SecretString, ConfigError> {
        match given.filter(|given| !is_blank(given)) {
            Some(given) => Ok(given.expose_secret().trim().into()),
            None if settings.environment == Environment::Production => Err(ConfigError::Missing {
                variable: self.variable,
                recipe: self.recipe,
            }),
            None => {
                let path = settings.data_dir.join(self.file);
                let (value, made) = read_or_generate(&path, self.bytes).map_err(|source| ConfigError::DataDir {
                    path: path.clone(),
                    source,
                })?;
                if made {
                    notices.push(format!(
                        "Generated {} for development and kept it in {}",
                        self.variable,
                        path.display()
                    ));
                }
                Ok(value)
            }
        }
    }

    /// Refuses values that are short or well known.
    pub(super) fn check(&self, value: &SecretString) -> Result<(), ConfigError> {
        const KNOWN: [&str; 6] = ["changeme", "change-me", "secret", "example", "password", "your-"];
        let text = value.expose_secret();
        let lower = text.to_lowercase();
        let distinct = text.chars().collect::<std::collections::HashSet<_>>().len();
        let why = if text.len() < 32 {
            "is shorter than 32 characters"
        } else if KNOWN.iter().any(|word| lower.contains(word)) || distinct < 10 {
            "looks like an example"
        } else {
            return Ok(());
        };
        Err(ConfigError::Weak {
            variable: self.variable,
            why,
            recipe: self.recipe,
        })
    }
}

/// Whether a variable was given without a value, as files of variables do.
pub(super) fn is_blank(value: &SecretString) -> bool {
    value.expose_secret().trim().is_empty()
}

/// The secret kept in `path`, and whether it was made just now. Two servers that start at once end with the
/// same one: the file appears whole, under its name, only for whoever links it first.
fn read_or_generate(path: &Path, bytes: usize) -> std::io::Result<(SecretString, bool)> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(kept) = read_secret(path)? {
        return Ok((kept, false));
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut random = vec![0; bytes];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| std::io::Error::other("the system gave no randomness"))?;
    let side = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&side)?;
    std::io::Write::write_all(&mut file, BASE64_STANDARD.encode(&random).as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&side, path);
    std::fs::remove_file(&side)?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let kept = read_secret(path)?.ok_or_else(|| std::io::Error::other("the secret is gone"))?;
    Ok((kept, true))
}

fn read_secret(path: &Path) -> std::io::Result<Option<SecretString>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn blank_former_secrets_are_none() {
        let [current, former] = [
            "Zk3J9xQ7vT2mZ8pL4rW6yB1nC5dF0gHsA=",
            "7xWq2ZtY8uI4oP6aS1dF3gH5jK9lQ0eRn=",
        ];
        let given = |previous: &str| {
            let arguments = ["parlor", "--jwt-secret", current, "--master-key", current];
            let previous = ["--jwt-secret-previous", previous, "--master-key-previous", previous];
            let line = Line::try_parse_from(arguments.into_iter().chain(previous)).expect("they are good");
            let config = line.settings.resolve().expect("they are good");
            (config.jwt_secrets.len(), config.master_keys.len())
        };
        assert_eq!(given(" "), (1, 1));
        assert_eq!(given(""), (1, 1));
        assert_eq!(given(former), (2, 2));
    }
}
