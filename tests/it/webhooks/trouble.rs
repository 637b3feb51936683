//! Webhooks that fail are tried again, told of, and given up in the end.

use serde_json::{Value, json};

use super::{deliveries, due, hook, put_off, state, verified, with_service};
use crate::harness::app::uuid;
use crate::harness::upstream::Reply;
use crate::notify::called_for;
use crate::rooms::{done, group, say};
use crate::titles::until_jobs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_tried_again_and_can_be_sent_once_more() {
    let (app, service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    let (hook, secret) = hook(&bob, &service, &["MESSAGE_CREATED"], false).await;
    service.script([
        Reply::status(500),
        Reply::status(302).header("location", "http://127.0.0.1:1/"),
        Reply::status(204),
    ]);
    say(&ada, &chat, "Again and again").await;
    service.asked(1).await;
    put_off(&app, "attempts = 1 AND error LIKE '%error%'").await;
    assert!(state(&bob, &hook).await["failingSince"].is_string());
    let sql = app.sql().await;
    let wait = "SELECT run_at BETWEEN now() AND now() + interval '6 seconds' FROM jobs";
    assert!(sql.query_one(wait, &[]).await.expect("a job").get::<_, bool>(0));
    due(&app, "").await;
    service.asked(2).await;
    put_off(&app, "attempts = 2 AND error LIKE '%elsewhere%'").await;
    due(&app, "").await;
    service.asked(3).await;
    until_jobs(&app, "count = 0").await;
    let log = deliveries(&bob, &hook).await;
    assert_eq!(
        (&log[0]["state"], &log[0]["attempts"], &log[0]["responseStatus"]),
        (&json!("DELIVERED"), &json!(3), &json!(204))
    );
    assert_eq!(state(&bob, &hook).await["failingSince"], Value::Null);

    done(&bob, "redeliverWebhook", json!({ "webhookDeliveryId": log[0]["id"] })).await;
    service.asked(4).await;
    until_jobs(&app, "count = 0").await;
    let requests = service.requests();
    assert!(
        requests.iter().all(|seen| log[0]["id"] == seen.headers["webhook-id"]),
        "its id stays the same"
    );
    assert!(
        requests
            .iter()
            .all(|seen| verified(&secret, seen)["data"]["content"] == "Again and again")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_for_long_or_is_gone_is_disabled_and_its_owner_is_told() {
    let (app, service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    let (hook, secret) = hook(&bob, &service, &["MESSAGE_CREATED"], false).await;
    let query = "subscription { events { __typename ... on WebhookChanged { webhookId webhook { enabled disabledReason version } } } }";
    let mut stream = bob.subscribe(query, json!({})).await;
    stream.until("StreamReady").await;
    service.script([Reply::status(500), Reply::status(500)]);
    say(&ada, &chat, "First").await;
    service.asked(1).await;
    put_off(&app, "attempts = 1 AND error IS NOT NULL").await;
    // A day of failures later, before the last attempt.
    let later = format!(
        "UPDATE webhook_deliveries SET attempts = 7; UPDATE webhooks SET failing_since = now() - interval '25 hours' WHERE id = '{}'",
        uuid(&hook)
    );
    due(&app, &later).await;
    let told = stream.until("WebhookChanged").await;
    assert_eq!(
        (&told["webhookId"], &told["webhook"]["enabled"]),
        (&json!(hook), &json!(false))
    );
    assert_eq!(told["webhook"]["disabledReason"], "FAILING");
    until_jobs(&app, "count = 0").await;
    let log = deliveries(&bob, &hook).await;
    assert_eq!((&log[0]["state"], &log[0]["attempts"]), (&json!("FAILED"), &json!(8)));
    say(&ada, &chat, "To nobody").await;
    called_for(&app).await;
    assert_eq!(deliveries(&bob, &hook).await.len(), 1);

    let again = json!({ "webhookId": hook, "enabled": true, "newSecret": true });
    let payload = bob
        .mutate(
            "updateWebhook",
            again,
            "webhook { enabled disabledReason failingSince } secret",
        )
        .await;
    assert_eq!(
        payload["webhook"],
        json!({ "enabled": true, "disabledReason": null, "failingSince": null })
    );
    let renewed = payload["secret"].as_str().expect("a secret").to_owned();
    assert_ne!(renewed, secret);
    assert_eq!(stream.until("WebhookChanged").await["webhook"]["enabled"], true);
    service.script([Reply::status(410)]);
    say(&ada, &chat, "Second").await;
    assert_eq!(
        stream.until("WebhookChanged").await["webhook"]["disabledReason"],
        "GONE"
    );
    until_jobs(&app, "count = 0").await;
    let last = service.requests().pop().expect("a request");
    assert_eq!(verified(&renewed, &last)["data"]["content"], "Second");
    done(&bob, "deleteWebhook", json!({ "webhookId": hook })).await;
    let gone = stream.until("WebhookChanged").await;
    assert_eq!((&gone["webhookId"], &gone["webhook"]), (&json!(hook), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_are_told_of_what_becomes_of_the_servers_own() {
    let (app, service) = with_service().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let (first, second) = (app.admin("first").await, app.admin("second").await);
    let chat = group(&ada, &[&bob]).await;
    let query = "subscription { events { __typename ... on WebhookChanged { webhookId webhook { server enabled disabledReason } } ... on ChatUpserted { chat { title } } } }";
    let mut stream = second.subscribe(query, json!({})).await;
    stream.until("StreamReady").await;
    let mut others = bob.subscribe(query, json!({})).await;
    others.until("StreamReady").await;
    let (hook, _) = hook(&first, &service, &["NOTIFICATION"], true).await;
    let made = stream.until("WebhookChanged").await;
    let seen = json!({ "server": true, "enabled": true, "disabledReason": null });
    assert_eq!((&made["webhookId"], &made["webhook"]), (&json!(hook), &seen));
    service.script([Reply::status(410)]);
    say(&ada, &chat, "Hello").await;
    let gone = stream.until("WebhookChanged").await["webhook"].take();
    assert_eq!(
        gone,
        json!({ "server": true, "enabled": false, "disabledReason": "GONE" })
    );
    done(&bob, "createChat", json!({ "title": "the end" })).await;
    loop {
        let event = others.next().await.expect("an event");
        assert_ne!(event["__typename"], "WebhookChanged", "nobody else hears of it");
        if event["chat"]["title"] == "the end" {
            break;
        }
    }
    // Each has its own part of its own log.
    let logs = "{ admin { webhooks { id deliveries(first: 1) { nodes { state } pageInfo { hasNextPage } } } } }";
    super::hook(&first, &service, &["CHAT_UPDATED"], true).await;
    let logs = first.ok(logs, json!({})).await["admin"]["webhooks"].take();
    let log = |state: Value| json!({ "nodes": state, "pageInfo": { "hasNextPage": false } });
    assert_eq!(logs[0]["deliveries"], log(json!([{ "state": "FAILED" }])));
    assert_eq!(logs[1]["deliveries"], log(json!([])));
}
