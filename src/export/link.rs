//! Links to archives: whoever has one can download, for an hour, and nobody can make one.
//!
//! ```text
//! base64url( id, 16 bytes │ until when, 8 bytes │ HMAC-SHA-256 of both, 32 bytes )
//! ```
//! Signed with what signs access tokens, over words of their own that no token begins with; a link that was signed before the
//! secret was replaced is good until it ends.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::row::{DataExport, DataExportState};
use crate::id::DataExportId;

/// What is signed begins with this.
const PURPOSE: &[u8] = b"parlor data export download 1\0";
/// How long a link is good, at most.
const GOOD_FOR: TimeDelta = TimeDelta::hours(1);

/// Where an archive can be downloaded; none while there is nothing to download.
pub fn path(secrets: &[SecretString], export: &DataExport, now: DateTime<Utc>) -> Option<String> {
    let expires_at = export.expires_at.filter(|until| *until > now)?;
    let secret = secrets.first().filter(|_| export.state == DataExportState::Ready)?;
    let until = expires_at.min(now + GOOD_FOR).timestamp();
    let mut token = claim(export.id, until);
    let signature = hmac::sign(&key(secret), &[PURPOSE, &token].concat());
    token.extend_from_slice(signature.as_ref());
    Some(format!("/exports/{}", BASE64_URL_SAFE_NO_PAD.encode(token)))
}

/// Which archive a link's last part leads to; none when it is no good, or no good any more.
pub fn read(secrets: &[SecretString], token: &str, now: DateTime<Utc>) -> Option<DataExportId> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let (claimed, signature) = bytes.split_at_checked(24)?;
    let signed = [PURPOSE, claimed].concat();
    let is_ours = |secret: &SecretString| hmac::verify(&key(secret), &signed, signature).is_ok();
    if !secrets.iter().any(is_ours) {
        return None;
    }
    let (id, until) = claimed.split_at_checked(16)?;
    let until = i64::from_be_bytes(until.try_into().ok()?);
    let id = Uuid::from_slice(id).ok()?;
    (now.timestamp() < until).then_some(DataExportId(id))
}

fn claim(id: DataExportId, until: i64) -> Vec<u8> {
    [&id.0.as_bytes()[..], &until.to_be_bytes()].concat()
}

fn key(secret: &SecretString) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes())
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use secrecy::SecretString;

    use super::{path, read};
    use crate::export::row::{DataExport, DataExportState};
    use crate::id::{DataExportId, UserId};

    fn export(state: DataExportState) -> DataExport {
        DataExport {
            id: DataExportId::new(),
            user_id: UserId::new(),
            state,
            run: 1,
            progress: 100,
            bytes: Some(1),
            version: 2,
            created_at: Utc::now(),
            finished_at: Some(Utc::now()),
            expires_at: Some(Utc::now() + TimeDelta::hours(24)),
        }
    }

    #[test]
    fn a_link_is_good_for_an_hour_and_for_one_archive() {
        let now = Utc::now();
        let [old, new] = ["the old secret", "the new secret"].map(|text| SecretString::from(text.to_owned()));
        let ready = export(DataExportState::Ready);
        let link = path(std::slice::from_ref(&old), &ready, now).expect("a link");
        let token = link.strip_prefix("/exports/").expect("a path");
        assert_eq!(read(&[new.clone(), old.clone()], token, now), Some(ready.id));
        assert_eq!(read(&[new], token, now), None, "another server's");
        assert_eq!(read(std::slice::from_ref(&old), token, now + TimeDelta::hours(1)), None);
        for index in 0..token.len() {
            let mut bent = token.to_owned();
            let other = if &token[index..=index] == "A" { "B" } else { "A" };
            bent.replace_range(index..=index, other);
            assert_eq!(read(std::slice::from_ref(&old), &bent, now), None, "{index}");
        }
        for nonsense in ["", "AAAA", &token[..40], "not base64!"] {
            assert_eq!(read(std::slice::from_ref(&old), nonsense, now), None, "{nonsense}");
        }
        for state in [DataExportState::Running, DataExportState::Expired] {
            assert_eq!(path(std::slice::from_ref(&old), &export(state), now), None);
        }
        assert_eq!(path(&[old], &ready, now + TimeDelta::hours(25)), None);
    }
}
