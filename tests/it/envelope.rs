//! The envelopes that provider keys are kept in.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use parlor::vault::envelope::{Binding, MasterKeyError, MasterKeys, OpenError, fingerprint, hint, new_master_key};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

fn binding() -> Binding {
    Binding {
        table: "api_keys",
        row: Uuid::from_u128(1),
        user: Uuid::from_u128(2),
        provider: "openai".to_owned(),
    }
}

fn master() -> SecretString {
    new_master_key().expect("randomness")
}

fn masters(current: &SecretString, previous: &[SecretString]) -> MasterKeys {
    MasterKeys::new(current, previous).expect("good keys")
}

fn opened(masters: &MasterKeys, binding: &Binding, envelope: &[u8]) -> Result<String, OpenError> {
    masters
        .open(binding, envelope)
        .map(|secret| secret.expose_secret().to_owned())
}

#[test]
fn it_opens_where_it_belongs_and_nowhere_else() {
    let masters = masters(&master(), &[]);
    let envelope = masters.seal(&binding(), &"sk-secret".into()).expect("sealed");
    assert_eq!(opened(&masters, &binding(), &envelope), Ok("sk-secret".to_owned()));
    for moved in [
        Binding {
            table: "other_keys",
            ..binding()
        },
        Binding {
            row: Uuid::from_u128(9),
            ..binding()
        },
        Binding {
            user: Uuid::from_u128(9),
            ..binding()
        },
        Binding {
            row: binding().user,
            user: binding().row,
            ..binding()
        },
        Binding {
            provider: "openai_compatible".to_owned(),
            ..binding()
        },
        Binding {
            provider: String::new(),
            ..binding()
        },
    ] {
        assert_eq!(
            opened(&masters, &moved, &envelope),
            Err(OpenError::Tampered),
            "{moved:?}"
        );
        let rewrapped = masters.rewrap(&moved, &envelope);
        assert_eq!(rewrapped, Err(OpenError::Tampered), "{moved:?}");
    }
}

#[test]
fn nothing_can_be_changed() {
    let masters = masters(&master(), &[]);
    let envelope = masters.seal(&binding(), &"sk-secret".into()).expect("sealed");
    for at in 0..envelope.len() {
        let mut changed = envelope.clone();
        changed[at] ^= 1;
        masters.open(&binding(), &changed).expect_err("a changed byte");
        masters.open(&binding(), &envelope[..at]).expect_err("a torn envelope");
    }
    let longer = [envelope.as_slice(), &[0]].concat();
    masters.open(&binding(), &longer).expect_err("a longer envelope");

    // The halves of two envelopes of the same row do not fit together.
    let other = masters.seal(&binding(), &"sk-secret".into()).expect("sealed");
    assert_ne!(envelope, other, "no two are alike");
    let mixed = [&envelope[..69], &other[69..]].concat();
    assert_eq!(opened(&masters, &binding(), &mixed), Err(OpenError::Tampered));
    assert!(!String::from_utf8_lossy(&envelope).contains("secret"));
}

#[test]
fn masters_rotate_and_retire() {
    let (old, new) = (master(), master());
    let before = masters(&old, &[]);
    let during = masters(&new, std::slice::from_ref(&old));
    let after = masters(&new, &[]);
    let envelope = before.seal(&binding(), &"sk-secret".into()).expect("sealed");
    assert_eq!(opened(&during, &binding(), &envelope), Ok("sk-secret".to_owned()));
    let name = before.current_id().to_owned();
    assert_eq!(
        opened(&after, &binding(), &envelope),
        Err(OpenError::UnknownMaster(name.clone()))
    );
    assert_eq!(
        after.rewrap(&binding(), &envelope),
        Err(OpenError::UnknownMaster(name.clone()))
    );
    assert_eq!(MasterKeys::id_of(&envelope), Ok(name.clone()));
    assert!(during.knows(&name) && !after.knows(&name));

    let rewrapped = during.rewrap(&binding(), &envelope).expect("rewrapped").expect("anew");
    assert_eq!(opened(&after, &binding(), &rewrapped), Ok("sk-secret".to_owned()));
    assert_eq!(during.rewrap(&binding(), &rewrapped), Ok(None), "once is enough");
    assert_eq!(before.rewrap(&binding(), &envelope), Ok(None));
    let name = after.current_id().to_owned();
    assert_eq!(
        opened(&before, &binding(), &rewrapped),
        Err(OpenError::UnknownMaster(name))
    );
}

#[test]
fn a_master_key_is_checked() {
    let refusal = |written: &str| MasterKeys::new(&written.into(), &[]).expect_err("refused");
    let encoded = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    assert_eq!(refusal("not base64!"), MasterKeyError::NotBase64);
    assert_eq!(refusal(""), MasterKeyError::WrongLength(0));
    assert_eq!(refusal(&encoded(&[7; 16])), MasterKeyError::WrongLength(16));
    assert_eq!(refusal(&encoded(&[7; 33])), MasterKeyError::WrongLength(33));
    let counted: Vec<u8> = (0..32).collect();
    for obvious in [
        &[0; 32][..],
        &[0xff; 32],
        &counted,
        b"0123456789abcdef0123456789abcdef",
        b"change-me-change-me-change-me-ok",
        b"this is my very secret master k\n",
    ] {
        assert_eq!(refusal(&encoded(obvious)), MasterKeyError::Guessable);
    }
    let good = master();
    let previous = MasterKeys::new(&good, &["AAAA".into()]);
    assert_eq!(
        previous.expect_err("a bad previous key"),
        MasterKeyError::WrongLength(3)
    );

    // However a good one is written, it is the same key.
    let written = good.expose_secret();
    let id = masters(&good, &[]).current_id().to_owned();
    let url_safe = written.replace('+', "-").replace('/', "_");
    for spelling in [
        format!(" {written}\n"),
        written.trim_end_matches('=').to_owned(),
        url_safe,
    ] {
        assert_eq!(masters(&spelling.into(), &[]).current_id(), id);
    }
    let shown = format!("{:?}", masters(&good, std::slice::from_ref(&good)));
    assert!(shown.contains(&id) && !shown.contains(&written[..10]), "{shown}");
}

#[test]
fn hints_and_fingerprints_give_nothing_away() {
    for (secret, shown) in [
        ("", "…"),
        ("short-key", "…"),
        ("elevenchars", "…"),
        ("twelve_chars", "…hars"),
        ("sk-abcdefghijklmnopqra1b2", "sk-…a1b2"),
        ("sk-proj-Abcdefghijklmnopqra1b2", "sk-proj-…a1b2"),
        ("sk-ant-api03-Abcdefghijklmnopqra1b2", "sk-ant-…a1b2"),
        ("gsk_Abcdefghijklmnopqra1b2", "gsk_…a1b2"),
        ("AIzaSyAbcdefghijklmnopqra1b2", "…a1b2"),
        ("sk-abcdefa1b2", "…a1b2"),
        ("sk-abcdefghijklmnopqrs€tuvwxyz", "…"),
    ] {
        assert_eq!(hint(&secret.into()), shown, "{secret}");
    }
    assert_eq!(fingerprint(&"sk-abc".into()), fingerprint(&"sk-abc".into()));
    assert_ne!(fingerprint(&"sk-abc".into()), fingerprint(&"sk-abd".into()));
    assert_eq!(fingerprint(&"abc".into()), "ba7816bf", "SHA-256, for good");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_goes_in_comes_out(secret in ".{0,300}", provider in ".{0,20}", row: u128, user: u128) {
        let masters = masters(&master(), &[]);
        let binding = Binding { row: Uuid::from_u128(row), user: Uuid::from_u128(user), provider, ..binding() };
        let envelope = masters.seal(&binding, &secret.as_str().into()).expect("sealed");
        prop_assert_eq!(opened(&masters, &binding, &envelope), Ok(secret));
    }

    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let masters = masters(&master(), &[]);
        prop_assert!(masters.open(&binding(), &bytes).is_err());
        prop_assert!(masters.rewrap(&binding(), &bytes).is_err());
    }
}
