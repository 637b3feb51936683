//! Passwords: what is accepted, and argon2id on threads of their own.
//!
//! 19 MiB, two passes, one lane: OWASP's Password Storage Cheat Sheet. At most as many at once as there are
//! cores, so that a flood of sign-ins costs memory and processor time that is known beforehand.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use zxcvbn::{Score, zxcvbn};

use crate::error::{Error, ErrorCode, Result, UserError};

/// How many characters a password may have, at least and at most.
pub const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

/// How long a sign-in waits for its turn before it is asked to come back.
const WAIT: Duration = Duration::from_secs(10);

/// Hashes and verifies passwords.
#[derive(Debug, Clone)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    /// Verified when there is no account, so that the answer takes as long as for a wrong password.
    dummy: Arc<str>,
}

impl Hasher {
    /// Makes the hasher; `parallel` hashes may run at once.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new(parallel: usize) -> Result<Self> {
        let dummy = hash_now("a password that nobody has")?;
        Ok(Hasher {
            turns: Arc::new(Semaphore::new(parallel.max(1))),
            dummy: dummy.into(),
        })
    }

    /// The hash of `password` in PHC format.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when too many are being hashed.
    pub async fn hash(&self, password: SecretString) -> Result<String> {
        self.run(move || hash_now(password.expose_secret())).await
    }

    /// Whether `password` has this hash; false, after as long, when there is no hash.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when too many are being verified.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool> {
        let dummy = Arc::clone(&self.dummy);
        self.run(move || {
            let parsed = PasswordHash::new(hash.as_deref().unwrap_or(&dummy))
                .map_err(|error| Error::internal(format!("a stored password hash: {error}")))?;
            let matches = argon2()
                .verify_password(password.expose_secret().as_bytes(), &parsed)
                .is_ok();
            Ok(matches && hash.is_some())
        })
        .await
    }

    /// Runs work that costs processor time on a thread of its own, when it is its turn.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when too much of it waits, and what the work says.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let turn = tokio::time::timeout(WAIT, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| Error::RateLimited { retry_after: WAIT })?
            .map_err(Error::surprise)?;
        let result = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        result.await.map_err(Error::surprise)?
    }
}

/// Checks a new password: its length, and whether it is among those that guessers try first.
///
/// # Errors
/// A [`UserError`] for `field` that says what would be better.
pub fn check_strength(field: &[&str], password: &SecretString, own_words: &[&str]) -> Result<(), UserError> {
    let text = password.expose_secret();
    let length = text.chars().count();
    if length < *LENGTH.start() {
        return Err(UserError::new(
            ErrorCode::TooShort,
            field,
            format!("The password must have at least {} characters.", LENGTH.start()),
        ));
    }
    if length > *LENGTH.end() {
        return Err(UserError::new(
            ErrorCode::TooLong,
            field,
            format!("The password must have at most {} characters.", LENGTH.end()),
        ));
    }
    if zxcvbn(text, own_words).score() < Score::Two {
        let message =
            "This password is easy to guess. Use several unrelated words, or let a password manager make one.";
        return Err(UserError::new(ErrorCode::WeakPassword, field, message));
    }
    Ok(())
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

fn hash_now(password: &str) -> Result<String> {
    let hash = argon2()
        .hash_password(password.as_bytes())
        .map_err(|error| Error::internal(format!("argon2: {error}")))?;
    Ok(hash.to_string())
}
