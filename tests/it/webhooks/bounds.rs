//! What one keeper's services cost others: little, however slow they are and however much they are to be told.

use serde_json::{Value, json};

use super::{deliveries, due, hook, put_off, with_service};
use crate::harness::app::{User, uuid};
use crate::harness::database::blocked;
use crate::harness::upstream::{Gate, Reply};
use crate::notify::{called_for, register};
use crate::rooms::{done, group, people, say};
use crate::titles::until_jobs;

/// Until the end of the transaction nobody reads what happens.
const HELD: &str = "BEGIN; SELECT name FROM log_readers FOR UPDATE";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_service_keeps_nobody_else_waiting() {
    let (app, slow) = with_service().await;
    let (ada, bob, cyd) = (app.user("ada").await, app.user("bob").await, app.user("cyd").await);
    let chat = group(&ada, &[&bob, &cyd]).await;
    let gate = Gate::new();
    slow.script((0..20).map(|_| Reply::status(200).hold(&gate)));
    for _ in 0..2 {
        hook(&bob, &slow, &["MESSAGE_CREATED"], false).await;
    }
    let sql = app.sql().await;
    sql.batch_execute(HELD).await.expect("the reader's row");
    for turn in 0..10 {
        say(&ada, &chat, &format!("turn {turn}")).await;
    }
    sql.batch_execute("COMMIT").await.expect("the reader's row");
    called_for(&app).await;
    slow.asked(8).await;
    // As many of the one person's are under way as ever are; now somebody else is told something, twice over.
    let other = "UPDATE webhooks SET url = replace(url, '/hook', '/bob')";
    app.sql().await.execute(other, &[]).await.expect("rows");
    let from = slow.requests().len();
    hook(&cyd, &slow, &["NOTIFICATION"], false).await;
    register(&cyd, &format!("http://127.0.0.1:{}/wake/cyd", slow.port())).await;
    say(&ada, &chat, "To cyd").await;
    let told = async {
        loop {
            let seen: Vec<String> = slow.requests()[from..].iter().map(|seen| seen.path.clone()).collect();
            if ["/hook", "/wake/cyd"]
                .iter()
                .all(|path| seen.iter().any(|seen| seen == path))
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), told)
        .await
        .expect("somebody waits for a service that is none of their concern");
    assert_eq!(from, 8, "four to each webhook, and eight of one person's");
    gate.open();
    until_jobs(&app, "count = 0").await;
    let waiting = "SELECT count(*) FROM webhook_deliveries WHERE state <> 'DELIVERED'";
    let row = app.sql().await.query_one(waiting, &[]).await.expect("a row");
    assert_eq!(row.get::<_, i64>(0), 0, "none is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_rests_is_told_later() {
    let (app, service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    let (hook, _) = hook(&bob, &service, &["MESSAGE_CREATED"], false).await;
    let rests = "UPDATE webhooks SET failing_since = now(), silences = 3, rests_until = now() + interval '1 minute'";
    app.sql().await.execute(rests, &[]).await.expect("a row");
    for text in ["First", "Second"] {
        say(&ada, &chat, text).await;
    }
    called_for(&app).await;
    put_off(&app, "attempts = 0").await;
    assert_eq!(service.requests().len(), 0);
    // One that was silent is asked for one thing first.
    let gate = Gate::new();
    service.script([Reply::status(204).hold(&gate)]);
    due(&app, "UPDATE webhooks SET rests_until = now()").await;
    service.asked(1).await;
    assert_eq!(service.requests().len(), 1);
    gate.open();
    until_jobs(&app, "count = 0").await;
    let log = deliveries(&bob, &hook).await;
    assert_eq!(log.len(), 2);
    assert!(
        log.iter()
            .all(|one| one["state"] == "DELIVERED" && one["attempts"] == 1),
        "{log:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_account_is_closed_is_told_nothing() {
    let (app, service) = with_service().await;
    let (ada, bob, admin) = (app.user("ada").await, app.user("bob").await, app.admin("admin").await);
    let chat = group(&ada, &[&bob]).await;
    let events = ["MESSAGE_CREATED", "CHAT_UPDATED", "NOTIFICATION"];
    let (hook, _) = hook(&bob, &service, &events, false).await;
    service.script([Reply::status(500), Reply::status(500), Reply::status(500)]);
    say(&ada, &chat, "Before").await;
    service.asked(3).await;
    put_off(&app, "attempts = 1").await;
    done(&admin, "setUserActive", json!({ "userId": bob.id, "active": false })).await;
    say(&ada, &chat, "After").await;
    called_for(&app).await;
    due(&app, "").await;
    until_jobs(&app, "count = 0").await;
    assert_eq!(service.requests().len(), 3, "nothing is told any more");
    done(&admin, "setUserActive", json!({ "userId": bob.id, "active": true })).await;
    let bob = bob.sign_in("bob").await;
    let log = deliveries(&bob, &hook).await;
    let states: Vec<&Value> = log.iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["SKIPPED"; 3], "{log:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_room_is_called_for_in_parts() {
    let (app, service) = with_service().await;
    let (ada, admin) = (app.user("ada").await, app.admin("admin").await);
    let chat = group(&ada, &[]).await;
    let people = format!(
        "WITH people AS (INSERT INTO users (id, username, email, display_name, password_hash) \
           SELECT gen_random_uuid(), 'p' || n, 'p' || n || '@example.com', 'P', '' FROM generate_series(1, 2500) AS n RETURNING id) \
         INSERT INTO chat_members (chat_id, user_id) SELECT '{}', id FROM people",
        uuid(&chat)
    );
    let sql = app.sql().await;
    sql.batch_execute(&people).await.expect("people");
    // Nobody is to be told before all is said.
    let gate = Gate::new();
    service.script((0..16).map(|_| Reply::status(200).hold(&gate)));
    hook(&admin, &service, &["NOTIFICATION"], true).await;
    sql.batch_execute(HELD).await.expect("the reader's row");
    for turn in 0..10 {
        say(&ada, &chat, &format!("turn {turn}")).await;
    }
    sql.batch_execute("COMMIT").await.expect("the reader's row");
    // Each of ten messages is news to everybody but who wrote it; the server reads on by itself, too.
    let parts = "SELECT coalesce(sum(size), 0)::bigint, max(size) FROM (SELECT count(*) AS size FROM webhook_deliveries GROUP BY xmin) AS part";
    let largest: i64 = loop {
        called_for(&app).await;
        let row = sql.query_one(parts, &[]).await.expect("a row");
        if row.get::<_, i64>(0) == 25_000 {
            break row.get(1);
        }
    };
    assert!(largest <= 10_000, "{largest} were called for in one transaction");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_leaves_nothing_out_that_was_not_looked_at() {
    let (app, service) = with_service().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    hook(&bob, &service, &["MESSAGE_CREATED"], false).await;
    let (holding, sql) = (app.sql().await, app.sql().await);
    holding.batch_execute(HELD).await.expect("the reader's row");
    say(&ada, &chat, "Before").await;
    let promoted = "UPDATE event_log SET home = regexp_replace(home, '/[0-9]+/', '/0/')";
    sql.batch_execute(promoted).await.expect("another timeline");
    let mut connection = app.app.connection().await.expect("a connection");
    let freed = async {
        blocked(&sql, 1, &[]).await;
        holding.batch_execute("COMMIT").await.expect("the reader's row");
    };
    let (adopted, ()) = tokio::join!(parlor::event::adopt(&mut connection, None), freed);
    assert!(adopted.expect("a new log"));
    say(&ada, &chat, "After").await;
    service.asked(2).await;
    let told = service.requests();
    let mut texts: Vec<&str> = told
        .iter()
        .filter_map(|seen| seen.body["data"]["content"].as_str())
        .collect();
    texts.sort_unstable();
    assert_eq!(texts, ["After", "Before"]);
    let again = parlor::event::adopt(&mut connection, None).await;
    assert!(!again.expect("a look"), "it is at home now");
}
