//! Browsers are woken: with something only they can read, by a server that they know, once, and no longer than they want.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use chrono::Utc;
use serde_json::{Value, json};

use super::browser::{decode, read, register};
use super::{browsers, endpoint, with_service};
use crate::generation::{ended, soon};
use crate::harness::app::{User, uuid};
use crate::harness::upstream::{Gate, Reply};
use crate::rooms::{done, group, people, say};
use crate::titles::until_jobs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_told_what_only_it_can_read_by_a_server_that_it_knows() {
    let (app, service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    register(&bob, &endpoint(&service, "bob")).await;
    register(&ada, &endpoint(&service, "ada")).await;
    let text = format!("Hello,\n{}", "there ".repeat(600));
    let message = say(&ada, &chat, &text).await;
    service.asked(1).await;
    until_jobs(&app, "count = 0").await;
    let requests = service.requests();
    assert_eq!(requests.len(), 1, "whoever wrote it knows");
    let push = &requests[0];
    assert_eq!((push.method.as_str(), push.path.as_str()), ("POST", "/wake/bob"));
    assert_eq!(push.headers["content-encoding"], "aes128gcm");
    assert_eq!(push.headers["topic"], uuid(&chat));
    assert!(push.headers["ttl"].parse::<u32>().is_ok_and(|seconds| seconds > 0));
    assert!(push.bytes.len() <= 4096, "what every push service takes");
    let said = read(&push.bytes);
    assert_eq!(
        (&said["type"], &said["chatId"], &said["messageId"]),
        (&json!("message"), &json!(chat), &json!(message))
    );
    assert_eq!(said["title"], "ada · Painters");
    let body = said["body"].as_str().expect("a text");
    assert!(
        body.starts_with("Hello, there there") && body.ends_with('…') && body.chars().count() == 241,
        "{body}"
    );

    let known = bob.ok("{ serverInfo { pushPublicKey } }", json!({})).await["serverInfo"]["pushPublicKey"].take();
    let credentials = push.headers["authorization"].strip_prefix("vapid ").expect("VAPID");
    let (token, key) = credentials.split_once(", ").expect("two parts");
    let (token, key) = (
        token.strip_prefix("t=").expect("a token"),
        key.strip_prefix("k=").expect("a key"),
    );
    assert_eq!(known, key);
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(key))
        .verify(signed.as_bytes(), &decode(signature))
        .expect("the server's signature");
    let claims = decode(signed.split_once('.').expect("claims").1);
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(claims["aud"], format!("http://127.0.0.1:{}", service.port()));
    let left = claims["exp"].as_i64().expect("a time") - Utc::now().timestamp();
    assert!((0..=24 * 60 * 60).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_stays_the_same_and_is_nowhere_in_plain() {
    let (app, _service) = with_service().await;
    let key = async |client: crate::harness::app::Client| {
        client.ok("{ serverInfo { pushPublicKey } }", json!({})).await["serverInfo"]["pushPublicKey"].take()
    };
    let here = key(app.anonymous()).await;
    assert_eq!(key(app.sibling().await.anonymous()).await, here);
    let sealed = "SELECT octet_length(sealed) > 32 AND master_key_id <> '' FROM vapid_keys";
    let row = app.sql().await.query_one(sealed, &[]).await.expect("a key");
    assert!(row.get::<_, bool>(0));
    // One of one's own: that of RFC 8291's application server.
    let own = "--vapid-key=yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    let other = app.sibling_with(&[own]).await.expect("it starts");
    let public = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8";
    assert_eq!(key(other.anonymous()).await, public);
    assert!(app.sibling_with(&["--vapid-key=nonsense"]).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_told_when_it_is_whole() {
    let (app, service) = with_service().await;
    let ada = app.user("ada").await;
    register(&ada, &endpoint(&service, "ada")).await;
    let chat = ada.chat("scripted:echo,first=0,delay=0").await;
    let generation = ada.send(&chat, "Boil an egg").await;
    ended(&ada, &generation).await;
    service.asked(1).await;
    until_jobs(&app, "count = 0").await;
    let requests = service.requests();
    assert_eq!(requests.len(), 1, "and the question is no news");
    assert_eq!(read(&requests[0].bytes)["body"], "Boil an egg");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_servers_tell_it_once() {
    let (app, service) = with_service().await;
    let (_second, _third) = (app.sibling().await, app.sibling().await);
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    register(&bob, &endpoint(&service, "bob")).await;
    let mut expected = Vec::new();
    for turn in 0..12 {
        expected.push(say(&ada, &chat, &format!("turn {turn}")).await);
    }
    service.asked(12).await;
    until_jobs(&app, "count = 0").await;
    let requests = service.requests();
    let mut told: Vec<Value> = requests
        .iter()
        .map(|push| read(&push.bytes)["messageId"].take())
        .collect();
    told.sort_by_key(Value::to_string);
    expected.sort();
    assert_eq!(told, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_is_gone_is_forgotten_and_a_busy_service_is_asked_again() {
    let (app, service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    register(&bob, &endpoint(&service, "bob")).await;
    service.script([Reply::status(503), Reply::status(201), Reply::status(410)]);
    say(&ada, &chat, "First").await;
    service.asked(1).await;
    until_jobs(&app, "attempts = 1 AND error LIKE '%503%'").await;
    let due = "UPDATE jobs SET run_at = now()";
    app.sql().await.execute(due, &[]).await.expect("a job");
    app.app.pushes().wake();
    service.asked(2).await;
    until_jobs(&app, "count = 0").await;
    let seen = bob
        .ok("{ viewer { pushSubscriptions { lastPushedAt } } }", json!({}))
        .await;
    assert!(seen["viewer"]["pushSubscriptions"][0]["lastPushedAt"].is_string());

    say(&ada, &chat, "Second").await;
    service.asked(3).await;
    until_jobs(&app, "count = 0").await;
    assert_eq!(browsers(&bob).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_services_are_slow_keeps_nobody_else_waiting() {
    let (app, service) = with_service().await;
    let [ada, bob, eve]: [User; 3] = people(&app, ["ada", "bob", "eve"]).await;
    let slow = group(&ada, &[&eve]).await;
    let other = group(&ada, &[&bob]).await;
    for number in 0..20 {
        register(&eve, &endpoint(&service, &format!("eve{number}"))).await;
    }
    register(&bob, &endpoint(&service, "bob")).await;
    let gate = Gate::new();
    service.script((0..21).map(|_| Reply::status(201).late(&gate)));
    say(&ada, &slow, "To twenty browsers that take nothing").await;
    service.asked(4).await;
    say(&ada, &other, "To one").await;
    service.asked(5).await;
    assert!(service.requests()[4].path.ends_with("/bob"));
    // To wait for one's turn is no attempt, and makes none forgotten.
    let sql = app.sql().await;
    let tried = "UPDATE jobs SET attempts = 3, run_at = now() - interval '1 hour' WHERE leased_by IS NULL";
    assert!(sql.execute(tried, &[]).await.expect("what waits") > 0);
    app.app.pushes().wake();
    let put_off = "SELECT count(*) > 0 FROM jobs WHERE leased_by IS NULL AND attempts = 3 AND run_at > now() - interval '1 minute'";
    let waiting = async {
        while !sql.query_one(put_off, &[]).await.expect("a row").get::<_, bool>(0) {
            tokio::task::yield_now().await;
        }
    };
    soon(waiting).await;
    gate.open();
    service.asked(21).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_points_elsewhere_is_not_followed() {
    let (app, service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    register(&bob, &endpoint(&service, "bob")).await;
    let elsewhere = endpoint(&service, "elsewhere");
    service.script([Reply::status(307).header("location", &elsewhere)]);
    say(&ada, &chat, "Hello").await;
    service.asked(1).await;
    until_jobs(&app, "count = 0").await;
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_takes_its_browser_along() {
    let (app, service) = with_service().await;
    let (ada, bob, cyd) = (app.user("ada").await, app.user("bob").await, app.user("cyd").await);
    let chat = group(&ada, &[&bob, &cyd]).await;
    register(&bob, &endpoint(&service, "bob")).await;
    register(&cyd, &endpoint(&service, "cyd")).await;
    // The same browser, with somebody else signed in.
    let shared = endpoint(&service, "shared");
    register(&bob, &shared).await;
    register(&ada, &shared).await;
    let second = bob.sign_in("bob").await;
    bob.mutate("logout", json!({}), "").await;
    assert_eq!(browsers(&second).await, 0);
    say(&ada, &chat, "Hello").await;
    service.asked(1).await;
    until_jobs(&app, "count = 0").await;
    let paths: Vec<String> = service.requests().into_iter().map(|push| push.path).collect();
    assert_eq!(paths, ["/wake/cyd"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_disappears_is_kept_no_longer_and_what_does_soon_is_not_shown() {
    let (app, service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    register(&bob, &endpoint(&service, "bob")).await;
    for (turn, (seconds, body)) in [(60, "A new message"), (7200, "Swordfish")].into_iter().enumerate() {
        done(
            &ada,
            "updateChat",
            json!({ "chatId": chat, "messageLifetimeSeconds": seconds }),
        )
        .await;
        say(&ada, &chat, "Swordfish").await;
        service.asked(turn + 1).await;
        until_jobs(&app, "count = 0").await;
        let push = service.requests().pop().expect("a push");
        let kept: i32 = push.headers["ttl"].parse().expect("seconds");
        assert!(kept <= seconds, "{kept}");
        let said = read(&push.bytes);
        assert_eq!(said["body"], body);
        assert!(said["expiresAt"].is_string(), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_whose_service_refuses_everything_is_forgotten() {
    let (app, service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    register(&bob, &endpoint(&service, "bob")).await;
    let answers = [403, 400, 201, 403, 401, 400, 403, 403];
    service.script(answers.map(Reply::status));
    for (turn, _) in answers.iter().enumerate() {
        assert_eq!(browsers(&bob).await, 1, "after {turn}");
        say(&ada, &chat, "Hello").await;
        service.asked(turn + 1).await;
        until_jobs(&app, "count = 0").await;
    }
    assert_eq!(browsers(&bob).await, 0);
}
