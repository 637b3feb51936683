//! Envelopes: a secret under a data key of its own, the data key under a master key.
//!
//! ```text
//! version 1 | master key id 8 | nonce 12 | data key 32 + tag 16 | nonce 12 | secret n + tag 16
//!             └──────────── wrapped, replaced by a rotation ───┘  └── sealed, for good ────┘
//! ```
//!
//! Both halves are AES-256-GCM-SIV, which forgives a repeated nonce, and both are bound to the
//! row: an envelope that is moved to another row, user or provider does not open.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest, hmac, rand,
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::id::{ToolServerId, UserId, WebhookId};

const VERSION: u8 = 1;
const KEY: usize = 32;
const ID: usize = 8;
const TAG: usize = 16;
/// Where the wrapped data key begins, and where it ends.
const WRAPPED: usize = 1 + ID;
const SEALED: usize = WRAPPED + NONCE_LEN + KEY + TAG;

/// What an envelope belongs to. Each part of it is authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The table.
    pub table: &'static str,
    /// The id of the row.
    pub row: Uuid,
    /// Whose it is.
    pub user: Uuid,
    /// The provider it is for.
    pub provider: String,
}

impl Binding {
    /// What the secrets of a tool server belong to; nobody's, if it is shared.
    pub fn of_tool_server(id: ToolServerId, owner: Option<UserId>) -> Self {
        Binding {
            table: "tool_servers",
            row: id.0,
            user: owner.map_or(Uuid::nil(), |owner| owner.0),
            provider: "mcp".to_owned(),
        }
    }

    /// What the secret of a webhook belongs to; nobody's, if it is the server's.
    pub fn of_webhook(id: WebhookId, owner: Option<UserId>) -> Self {
        Binding {
            table: "webhooks",
            row: id.0,
            user: owner.map_or(Uuid::nil(), |owner| owner.0),
            provider: "webhook".to_owned(),
        }
    }

    /// What the server's key for web push belongs to.
    pub fn of_vapid_key() -> Self {
        Binding {
            table: "vapid_keys",
            row: Uuid::nil(),
            user: Uuid::nil(),
            provider: "vapid".to_owned(),
        }
    }

    /// One spelling for each binding: every part is preceded by its length.
    fn bytes(&self, purpose: &str) -> Vec<u8> {
        let parts = [
            purpose.as_bytes(),
            self.table.as_bytes(),
            self.row.as_bytes(),
            self.user.as_bytes(),
            self.provider.as_bytes(),
        ];
        let length = |part: &[u8]| (part.len() as u64).to_be_bytes();
        parts
            .iter()
            .flat_map(|part| length(part).into_iter().chain(part.iter().copied()))
            .collect()
    }
}

/// Why a master key is refused. Never repeats any of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// Not base64 at all.
    #[error(
        "a master key is 32 random bytes in base64, and this is not base64; make one with: openssl rand -base64 32"
    )]
    NotBase64,
    /// Base64 of another length.
    #[error("a master key is 32 random bytes in base64, and this is {0} bytes; make one with: openssl rand -base64 32")]
    WrongLength(usize),
    /// Zeros, a pattern, a text: an example that was never replaced.
    #[error("this master key is not random but a pattern or a text; make one with: openssl rand -base64 32")]
    Guessable,
}

/// Why a secret could not be sealed: the machine has no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret could not be sealed")]
pub struct SealError;

/// Why an envelope does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was sealed under a master key that is not here.
    #[error("sealed under the unknown master key {0}")]
    UnknownMaster(String),
    /// It was changed, torn or moved to another row.
    #[error("changed or moved since it was sealed")]
    Tampered,
    /// Its master key is here, and there is no randomness to wrap it anew.
    #[error("it could not be sealed again")]
    Reseal,
}

/// The master keys: one that seals, and former ones that still open.
#[derive(Debug)]
pub struct MasterKeys {
    current: Master,
    previous: Vec<Master>,
}

struct Master {
    id: [u8; ID],
    name: String,
    wrapping: LessSafeKey,
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Master").field(&self.name).finish()
    }
}

impl MasterKeys {
    /// Reads master keys from base64.
    pub fn new(current: &SecretString, previous: &[SecretString]) -> Result<Self, MasterKeyError> {
        let previous = previous.iter().map(Master::parse);
        Ok(Self {
            current: Master::parse(current)?,
            previous: previous.collect::<Result<_, _>>()?,
        })
    }

    /// The name of the key that seals; tells nothing about the key.
    pub fn current_id(&self) -> &str {
        &self.current.name
    }

    /// Whether the key of this name is among them.
    pub fn knows(&self, id: &str) -> bool {
        self.all().any(|master| master.name == id)
    }

    /// Puts a secret into an envelope that opens only for this binding.
    pub fn seal(&self, binding: &Binding, secret: &SecretString) -> Result<Vec<u8>, SealError> {
        let mut data_key = Zeroizing::new([0; KEY]);
        rand::fill(data_key.as_mut_slice()).map_err(|_| SealError)?;
        let mut envelope = self.current.wrap(binding, &data_key)?;
        let secret = secret.expose_secret().as_bytes();
        encrypt(&key(&data_key)?, binding.bytes("secret"), secret, &mut envelope)?;
        Ok(envelope)
    }

    /// Takes the secret out of an envelope.
    pub fn open(&self, binding: &Binding, envelope: &[u8]) -> Result<SecretString, OpenError> {
        let data_key = self.unwrap(binding, envelope)?.1;
        let data_key = key(&data_key).map_err(|_| OpenError::Tampered)?;
        let secret = decrypt(&data_key, binding.bytes("secret"), &envelope[SEALED..])?;
        let secret = str::from_utf8(&secret).map_err(|_| OpenError::Tampered)?;
        Ok(secret.into())
    }

    /// The same envelope under the current master key; `None` when it is already. The secret
    /// itself is neither opened nor sealed again.
    pub fn rewrap(&self, binding: &Binding, envelope: &[u8]) -> Result<Option<Vec<u8>>, OpenError> {
        let (master, data_key) = self.unwrap(binding, envelope)?;
        if master.id == self.current.id {
            return Ok(None);
        }
        let wrapped = self.current.wrap(binding, &data_key);
        let mut rewrapped = wrapped.map_err(|_| OpenError::Reseal)?;
        rewrapped.extend_from_slice(&envelope[SEALED..]);
        Ok(Some(rewrapped))
    }

    /// The name of the master key that an envelope was sealed under.
    pub fn id_of(envelope: &[u8]) -> Result<String, OpenError> {
        match envelope {
            [VERSION, rest @ ..] if envelope.len() >= SEALED + NONCE_LEN + TAG => Ok(hex(&rest[..ID])),
            _ => Err(OpenError::Tampered),
        }
    }

    fn unwrap(&self, binding: &Binding, envelope: &[u8]) -> Result<(&Master, Zeroizing<[u8; KEY]>), OpenError> {
        let id = Self::id_of(envelope)?;
        let master = self.all().find(|master| master.name == id);
        let master = master.ok_or(OpenError::UnknownMaster(id))?;
        let context = binding.bytes("data key");
        let wrapped = decrypt(&master.wrapping, context, &envelope[WRAPPED..SEALED])?;
        let mut data_key = Zeroizing::new([0; KEY]);
        data_key.copy_from_slice(&wrapped);
        Ok((master, data_key))
    }

    fn all(&self) -> impl Iterator<Item = &Master> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}

impl Master {
    fn parse(written: &SecretString) -> Result<Self, MasterKeyError> {
        let written = written.expose_secret().trim();
        let bytes = Zeroizing::new(decode(written).ok_or(MasterKeyError::NotBase64)?);
        if bytes.len() != KEY {
            return Err(MasterKeyError::WrongLength(bytes.len()));
        }
        if is_guessable(&bytes) {
            return Err(MasterKeyError::Guessable);
        }
        // The key itself encrypts nothing: what wraps and what names it are derived from it.
        let derive = |purpose: &[u8]| {
            let master = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
            hmac::sign(&master, purpose)
        };
        let mut id = [0; ID];
        id.copy_from_slice(&derive(b"parlor vault 1: the name of the master key").as_ref()[..ID]);
        let wrapping = derive(b"parlor vault 1: wrapping data keys");
        Ok(Self {
            id,
            name: hex(&id),
            wrapping: LessSafeKey::new(
                UnboundKey::new(&AES_256_GCM_SIV, wrapping.as_ref())
                    .expect("SHA-256 gives the 32 bytes that AES-256 takes"),
            ),
        })
    }

    /// The head of an envelope.
    fn wrap(&self, binding: &Binding, data_key: &[u8; KEY]) -> Result<Vec<u8>, SealError> {
        let mut head = vec![VERSION];
        head.extend_from_slice(&self.id);
        encrypt(&self.wrapping, binding.bytes("data key"), data_key, &mut head)?;
        Ok(head)
    }
}

/// A new master key, in base64.
pub fn new_master_key() -> Result<SecretString, SealError> {
    let mut bytes = Zeroizing::new([0; KEY]);
    rand::fill(bytes.as_mut_slice()).map_err(|_| SealError)?;
    Ok(BASE64_STANDARD.encode(bytes.as_slice()).into())
}

/// What tells two keys apart without telling either. It depends on the secret alone, so that it
/// stays the same when master keys change; provider keys are long and random, and a short hash of
/// one gives nothing to guess with.
pub fn fingerprint(secret: &SecretString) -> String {
    let hash = digest::digest(&digest::SHA256, secret.expose_secret().as_bytes());
    hex(&hash.as_ref()[..4])
}

/// The ends of a key, for its owner to recognise: `sk-…a1b2`. A short secret has no ends to spare.
pub fn hint(secret: &SecretString) -> String {
    let secret = secret.expose_secret();
    if secret.len() < 12 || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return "…".to_owned();
    }
    let end = &secret[secret.len() - 4..];
    let beginning = match public_prefix(secret) {
        // At least twelve characters stay unseen.
        prefix if prefix.len() + 4 + 12 <= secret.len() => prefix,
        _ => "",
    };
    format!("{beginning}…{end}")
}

/// The part of a key that every key of its provider begins with: `sk-`, `sk-proj-`, `gsk_`.
fn public_prefix(secret: &str) -> &str {
    let mut prefix = 0;
    while let Some(length) = secret[prefix..].find(['-', '_']) {
        let word = &secret[prefix..prefix + length];
        let end = prefix + length + 1;
        let plain = (2..=4).contains(&length) && word.bytes().all(|b| b.is_ascii_lowercase());
        if !plain || end > 8 {
            break;
        }
        prefix = end;
    }
    &secret[..prefix]
}

fn encrypt(key: &LessSafeKey, context: Vec<u8>, plain: &[u8], onto: &mut Vec<u8>) -> Result<(), SealError> {
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut nonce).map_err(|_| SealError)?;
    onto.extend_from_slice(&nonce);
    let start = onto.len();
    // Room for the tag too: growing would leave a copy of the plain text behind.
    onto.reserve_exact(plain.len() + TAG);
    onto.extend_from_slice(plain);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(context), &mut onto[start..]);
    onto.extend_from_slice(tag.map_err(|_| SealError)?.as_ref());
    Ok(())
}

fn decrypt(key: &LessSafeKey, context: Vec<u8>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(OpenError::Tampered)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Tampered)?;
    let mut text = Zeroizing::new(text.to_vec());
    let plain = key
        .open_in_place(nonce, Aad::from(context), &mut text)
        .map_err(|_| OpenError::Tampered)?
        .len();
    text.truncate(plain);
    Ok(text)
}

fn key(bytes: &[u8; KEY]) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&AES_256_GCM_SIV, bytes).map_err(|_| SealError)?;
    Ok(LessSafeKey::new(key))
}

/// Base64 in either alphabet, padded or not: both are what key generators print.
fn decode(written: &str) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard = GeneralPurpose::new(&alphabet::STANDARD, lenient);
    let for_urls = GeneralPurpose::new(&alphabet::URL_SAFE, lenient);
    standard.decode(written).or_else(|_| for_urls.decode(written)).ok()
}

/// Whether somebody thought these bytes up. Of 32 random ones fewer than 16 are never different,
/// and never are all of them letters or evenly spaced.
fn is_guessable(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    let different = seen.iter().filter(|seen| **seen).count();
    let mut steps = bytes.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    let first_step = steps.next();
    let even = steps.all(|step| Some(step) == first_step);
    let text = bytes
        .iter()
        .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    different < 16 || even || text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
