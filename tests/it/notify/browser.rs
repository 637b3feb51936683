//! A browser, as far as web push goes: it registers, and reads what is encrypted for it (RFC 8291), by other means than
//! the server's.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::app::Client;

/// The keys of RFC 8291, appendix A.
const PRIVATE: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
pub(super) const PUBLIC: &str =
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
pub(super) const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

pub(super) fn decode(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// Registers a browser that is woken there; gives its id.
pub(crate) async fn register(client: &Client, endpoint: &str) -> String {
    let input = json!({ "endpoint": endpoint, "p256dh": PUBLIC, "auth": AUTH });
    let fields = "pushSubscription { id service current lastPushedAt }";
    let payload = client.mutate("registerPushSubscription", input, fields).await;
    assert_eq!(payload["errors"], json!([]));
    let made = &payload["pushSubscription"];
    assert_eq!(made["current"], true);
    assert!(endpoint.starts_with(made["service"].as_str().expect("an origin")));
    made["id"].as_str().expect("an id").to_owned()
}

struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(salt: &[u8], secret: &[u8], info: &[u8], length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    let extracted = Salt::new(HKDF_SHA256, salt).extract(secret);
    let info = [info];
    let expanded = extracted.expand(&info, Bytes(length)).expect("a length");
    expanded.fill(&mut out).expect("the length");
    out
}

/// What a push says to the browser.
pub(super) fn decrypt(body: &[u8]) -> Vec<u8> {
    let (salt, rest) = body.split_at(16);
    let (_record_size, rest) = rest.split_at(4);
    let (theirs, sealed) = rest[1..].split_at(usize::from(rest[0]));
    let mine = PrivateKey::from_private_key(&ECDH_P256, &decode(PRIVATE)).expect("a key");
    let info = [b"WebPush: info\0", decode(PUBLIC).as_slice(), theirs].concat();
    let theirs = UnparsedPublicKey::new(&ECDH_P256, theirs);
    let material = agree(&mine, theirs, (), |shared| Ok(derive(&decode(AUTH), shared, &info, 32))).expect("a secret");
    let key = derive(salt, &material, b"Content-Encoding: aes128gcm\0", 16);
    let nonce = derive(salt, &material, b"Content-Encoding: nonce\0", 12);
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("a key"));
    let nonce = Nonce::try_assume_unique_for_key(&nonce).expect("a nonce");
    let mut text = sealed.to_vec();
    let plain = key
        .open_in_place(nonce, Aad::empty(), &mut text)
        .expect("it is for this browser");
    // A two marks the last record; what follows is padding.
    let end = plain.iter().rposition(|byte| *byte != 0).expect("a mark");
    assert_eq!(plain[end], 2);
    plain[..end].to_vec()
}

/// The same, where it is JSON.
pub(super) fn read(body: &[u8]) -> Value {
    serde_json::from_slice(&decrypt(body)).expect("JSON")
}

#[test]
fn this_browser_reads_what_the_standard_wrote() {
    let body = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
    assert_eq!(decrypt(&decode(body)), b"When I grow up, I want to be a watermelon");
}
