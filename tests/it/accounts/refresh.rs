//! Staying signed in: each refresh token is used once, and one that is used twice ends the session.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ended, follow, refresh, refusal, refused};
use crate::harness::app::{TestApp, User};

fn token(payload: &Value, name: &str) -> String {
    let token = payload["tokens"][name].as_str();
    token.unwrap_or_else(|| panic!("{payload}")).to_owned()
}

/// The next refresh token.
async fn next(user: &User, refresh_token: &str) -> String {
    token(&refresh(&user.client, refresh_token).await, "refreshToken")
}

async fn is_over(app: &TestApp, refresh_token: &str) {
    let payload = refresh(&app.anonymous(), refresh_token).await;
    assert_eq!(refusal(&payload), refused("SESSION_ENDED", "input.refreshToken"));
    assert_eq!(payload["tokens"], Value::Null);
}

/// Makes all that has happened to sessions so far happen eleven seconds earlier.
async fn grace_passes(app: &TestApp) {
    let earlier = "UPDATE refresh_tokens SET used_at = used_at - interval '11 s';
        UPDATE sessions SET last_used_at = last_used_at - interval '11 s'";
    app.sql().await.batch_execute(earlier).await.expect("rows");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_token_ends_the_family_and_its_streams() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let elsewhere = app.anonymous().sign_in("ada").await;
    let first = refresh(&app.anonymous(), &ada.refresh_token).await;
    let fresh = ada.with_token(&token(&first, "accessToken"));
    assert_eq!(fresh.whoami().await, "ada");
    assert_eq!(
        ada.whoami().await,
        "ada",
        "the older access token lives on until it expires"
    );
    let newest = next(&ada, &token(&first, "refreshToken")).await;
    let mut stream = follow(&fresh).await;

    is_over(&app, &ada.refresh_token).await;
    ended(&mut stream).await;
    assert_eq!((ada.whoami().await, fresh.whoami().await), (Value::Null, Value::Null));
    is_over(&app, &newest).await;
    assert_eq!(elsewhere.whoami().await, "ada", "other sessions go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_parent_may_be_repeated_for_ten_seconds() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    next(&ada, &ada.refresh_token).await;
    let again = next(&ada, &ada.refresh_token).await;
    assert_eq!(ada.whoami().await, "ada");
    grace_passes(&app).await;
    is_over(&app, &ada.refresh_token).await;
    is_over(&app, &again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_family_does_not_fork() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    // Within the grace somebody else gets a child of the same parent.
    let (mine, stolen) = (
        next(&ada, &ada.refresh_token).await,
        next(&ada, &ada.refresh_token).await,
    );
    let mine = next(&ada, &mine).await;
    grace_passes(&app).await;
    is_over(&app, &stolen).await;
    is_over(&app, &mine).await;
    assert_eq!(ada.whoami().await, Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_at_once_leave_one_living_session() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let payloads = join_all((0..20).map(|_| refresh(&ada.client, &ada.refresh_token))).await;
    let tokens: Vec<String> = payloads.iter().map(|payload| token(payload, "refreshToken")).collect();
    let mut distinct = tokens.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 20);
    let answer = ada.ok("{ viewer { sessions { current } } }", json!({})).await;
    assert_eq!(answer["viewer"]["sessions"], json!([{ "current": true }]));
    next(&ada, &tokens[7]).await;
    grace_passes(&app).await;
    is_over(&app, &tokens[3]).await;
    assert_eq!(ada.whoami().await, Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_token_is_refused_alike() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for text in [
        "",
        "AAAA",
        &"a".repeat(10_000),
        ada.token.as_deref().expect("signed in"),
    ] {
        is_over(&app, text).await;
    }
    assert_eq!(ada.whoami().await, "ada");
    let expire = "UPDATE sessions SET expires_at = now()";
    app.sql().await.batch_execute(expire).await.expect("rows");
    is_over(&app, &ada.refresh_token).await;

    let stored = "SELECT count(*) FROM refresh_tokens WHERE position(convert_to($1, 'UTF8') IN token_hash) > 0";
    let row = app
        .sql()
        .await
        .query_one(stored, &[&ada.refresh_token])
        .await
        .expect("a count");
    assert_eq!(row.get::<_, i64>(0), 0, "only hashes are stored");
}
