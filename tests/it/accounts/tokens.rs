//! Access tokens: only those of this server's, unchanged and of a living session, open anything.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{TimeDelta, Utc};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use parlor::account::token::Signer;
use parlor::id::{SessionId, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{refresh, refusals};
use crate::harness::app::{JWT_SECRET, TestApp, User};

fn claims(user: &User) -> Value {
    let token = user.token.as_deref().expect("signed in");
    let payload = token.split('.').nth(1).expect("a payload");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn signed(header: &Header, claims: &Value, secret: &str) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
}

fn typed(algorithm: Algorithm, typ: &str) -> Header {
    let mut header = Header::new(algorithm);
    header.typ = Some(typ.to_owned());
    header
}

fn good() -> Header {
    typed(Algorithm::HS256, "at+jwt")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_one_is_nobodys() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let session = SessionId::from(ada.session_id().await.as_str());
    let before = Utc::now() - TimeDelta::hours(1);
    let signer = app.app.signer();
    let (token, _) = signer
        .sign(UserId::from(ada.id.as_str()), session, before)
        .expect("a token");
    let late = ada.with_token(&token);
    assert_eq!(late.whoami().await, Value::Null);
    let answer = late.run("{ chat(id: \"chat_1\") { id } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let payload = refresh(&late, &ada.refresh_token).await;
    assert_eq!(refusals(&payload), []);
    let fresh = late.with_token(payload["tokens"]["accessToken"].as_str().expect("a token"));
    assert_eq!(fresh.whoami().await, "ada");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgeries_open_nothing() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let claims = claims(&ada);
    let mut names: Vec<&str> = claims.as_object().expect("claims").keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "sid", "sub"]);
    let lifetime = claims["exp"]
        .as_i64()
        .zip(claims["iat"].as_i64())
        .map(|(exp, iat)| exp - iat);
    assert_eq!(lifetime, Some(15 * 60));
    assert_eq!(
        ada.with_token(&signed(&good(), &claims, JWT_SECRET)).whoami().await,
        "ada"
    );

    let mut forged = vec![
        signed(&good(), &claims, "another secret of more than thirty-two bytes"),
        signed(&good(), &claims, ""),
        signed(&typed(Algorithm::HS256, "JWT"), &claims, JWT_SECRET),
        signed(&typed(Algorithm::HS256, "rt+jwt"), &claims, JWT_SECRET),
        signed(&typed(Algorithm::HS384, "at+jwt"), &claims, JWT_SECRET),
        signed(&typed(Algorithm::HS512, "at+jwt"), &claims, JWT_SECRET),
    ];
    let mut untyped = good();
    untyped.typ = None;
    forged.push(signed(&untyped, &claims, JWT_SECRET));
    for name in names {
        let mut without = claims.clone();
        without.as_object_mut().expect("claims").remove(name);
        forged.push(signed(&good(), &without, JWT_SECRET));
    }
    let (other_user, other_session) = (self::claims(&bob)["sub"].clone(), self::claims(&bob)["sid"].clone());
    for (name, value) in [
        ("iss", json!("elsewhere")),
        ("aud", json!("elsewhere")),
        ("exp", json!(0)),
        ("exp", json!("9999999999")),
        ("sub", other_user),
        ("sid", other_session),
        ("sid", json!(Uuid::now_v7())),
        ("sid", json!(Uuid::nil())),
        ("sub", json!("' OR true --")),
    ] {
        let mut changed = claims.clone();
        changed[name] = value;
        forged.push(signed(&good(), &changed, JWT_SECRET));
    }
    // The signature of one and the claims of another; none at all; none, and saying so.
    let token = ada.token.clone().expect("signed in");
    let parts: Vec<&str> = token.split('.').collect();
    let mut theirs = claims.clone();
    theirs["sub"] = self::claims(&bob)["sub"].clone();
    let theirs = BASE64_URL_SAFE_NO_PAD.encode(theirs.to_string());
    forged.push(format!("{}.{theirs}.{}", parts[0], parts[2]));
    forged.push(format!("{}.{}.", parts[0], parts[1]));
    forged.push(format!("{}.{}", parts[0], parts[1]));
    for algorithm in ["none", "None", "NONE"] {
        let header = json!({ "typ": "at+jwt", "alg": algorithm }).to_string();
        let header = BASE64_URL_SAFE_NO_PAD.encode(header);
        forged.push(format!("{header}.{}.", parts[1]));
        forged.push(format!("{header}.{}.{}", parts[1], parts[2]));
    }
    forged.extend([
        "x".to_owned(),
        "..".to_owned(),
        "x".repeat(4_000),
        ada.refresh_token.clone(),
    ]);
    for token in forged {
        assert_eq!(ada.with_token(&token).whoami().await, Value::Null, "{token}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_secret_can_be_replaced_while_people_are_signed_in() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let replaced = "--jwt-secret=0nW7tYkqEJ5hZsVbD2xU8mRfG4aLcP9i";
    let previous = format!("--jwt-secret-previous={JWT_SECRET}");
    let during = app.sibling_with(&[replaced, &previous]).await.expect("a start");
    assert_eq!(during.client_of(&ada).whoami().await, "ada");
    let payload = refresh(&during.anonymous(), &ada.refresh_token).await;
    let fresh = payload["tokens"]["accessToken"].as_str().expect("a token");

    let after = app.sibling_with(&[replaced]).await.expect("a start");
    assert_eq!(
        after.client_of(&ada).whoami().await,
        Value::Null,
        "the former secret is forgotten"
    );
    assert_eq!(after.anonymous().with_token(fresh).whoami().await, "ada");
    assert_eq!(
        ada.with_token(fresh).whoami().await,
        Value::Null,
        "the former server knows only its own"
    );
}

#[test]
fn a_signer_says_nothing_of_its_secrets() {
    let signer = Signer::new(&[JWT_SECRET.into()], Duration::from_secs(60)).expect("a signer");
    assert!(!format!("{signer:?}").contains(&JWT_SECRET[..8]));
    Signer::new(&[], Duration::from_secs(60)).expect_err("no secret");
}
