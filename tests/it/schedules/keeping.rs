//! Scheduled messages are listed, changed, called off, and the same on every device.

use chrono::Duration;
use serde_json::{Value, json};

use super::{ECHO, SCHEDULED, moment, schedule, time};
use crate::harness::app::{TestApp, new_key};
use crate::harness::dice::Dice;
use crate::harness::law::Device;
use crate::rooms::{done, group};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_listed_and_found() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let (one, other) = (ada.chat(ECHO).await, ada.chat(ECHO).await);
    let mut made = Vec::new();
    for chat in [&one, &other, &one] {
        made.push(schedule(&ada, chat, json!({ "sendAt": moment(Duration::hours(1)) })).await);
    }
    done(
        &ada,
        "cancelScheduledMessage",
        json!({ "scheduledMessageId": made[2]["id"] }),
    )
    .await;
    let query = "query ($chat: ID, $states: [ScheduleState!], $first: Int, $after: String) { viewer { \
        scheduledMessages(chatId: $chat, states: $states, first: $first, after: $after) { pageInfo { hasNextPage endCursor } nodes { id } } } }";
    let list = async |variables: Value| {
        let answer = ada.ok(query, variables).await["viewer"]["scheduledMessages"].take();
        let nodes = answer["nodes"].as_array().expect("nodes").iter();
        let ids: Vec<Value> = nodes.map(|node| node["id"].clone()).collect();
        (ids, answer["pageInfo"].clone())
    };
    let ids: Vec<Value> = made.iter().rev().map(|made| made["id"].clone()).collect();
    assert_eq!(list(json!({})).await.0, ids);
    assert_eq!(list(json!({ "chat": one })).await.0, [ids[0].clone(), ids[2].clone()]);
    assert_eq!(list(json!({ "states": ["ACTIVE"] })).await.0, ids[1..]);
    let (first, page) = list(json!({ "first": 2 })).await;
    assert_eq!((first.as_slice(), &page["hasNextPage"]), (&ids[..2], &json!(true)));
    assert_eq!(list(json!({ "after": page["endCursor"] })).await.0, ids[2..]);

    let node = format!("query ($id: ID!) {{ node(id: $id) {{ ... on ScheduledMessage {{ {SCHEDULED} }} }} }}");
    assert_eq!(ada.ok(&node, json!({ "id": made[0]["id"] })).await["node"], made[0]);
    assert_eq!(bob.ok(&node, json!({ "id": made[0]["id"] })).await["node"], Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_changed_and_called_off() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let fields = format!("scheduledMessage {{ {SCHEDULED} }}");
    let scheduled = schedule(&ada, &chat, json!({ "sendAt": moment(Duration::hours(1)) })).await;
    let update = async |change: Value| {
        let mut input = change;
        input["scheduledMessageId"] = scheduled["id"].clone();
        let mut payload = ada.mutate("updateScheduledMessage", input, &fields).await;
        assert_eq!(payload["errors"], json!([]));
        payload["scheduledMessage"].take()
    };
    let reworded = update(json!({ "content": "Good evening" })).await;
    assert_eq!(
        (&reworded["content"], &reworded["nextAt"]),
        (&json!("Good evening"), &scheduled["nextAt"])
    );
    assert_eq!(reworded["version"], 2);
    let recurring = update(json!({ "rule": "0 9 * * *", "timeZone": "Asia/Tokyo", "missed": "SKIP" })).await;
    assert_eq!(time(&recurring["nextAt"]).format("%H:%M").to_string(), "00:00");
    assert_eq!(
        (&recurring["timeZone"], &recurring["missed"]),
        (&json!("Asia/Tokyo"), &json!("SKIP"))
    );
    let next = update(json!({ "rule": null })).await;
    assert_eq!((&next["rule"], &next["nextAt"]), (&Value::Null, &recurring["nextAt"]));
    assert_eq!(next["sendAt"], recurring["nextAt"]);
    update(json!({ "rule": "0 9 * * *" })).await;
    let later = moment(Duration::hours(3));
    let once = update(json!({ "rule": null, "sendAt": later })).await;
    assert_eq!((&once["rule"], &once["nextAt"]), (&Value::Null, &once["sendAt"]));

    let cancel = json!({ "scheduledMessageId": scheduled["id"] });
    let cancelled = ada.mutate("cancelScheduledMessage", cancel.clone(), &fields).await;
    assert_eq!(cancelled["scheduledMessage"]["state"], "CANCELLED");
    assert_eq!(cancelled["scheduledMessage"]["nextAt"], Value::Null);
    assert_eq!(
        ada.mutate("cancelScheduledMessage", cancel, &fields).await,
        cancelled,
        "again is the same"
    );
    let change = json!({ "scheduledMessageId": scheduled["id"], "content": "No" });
    let refused = ada.mutate("updateScheduledMessage", change, "").await;
    assert_eq!(refused["errors"][0]["code"], "INVALID_STATE");
    crate::titles::until_jobs(&app, "count = 0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_schedules_nothing_twice() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let input =
        json!({ "chatId": chat, "content": "Once", "sendAt": moment(Duration::hours(1)), "idempotencyKey": new_key() });
    let twenty = (0..20).map(|_| ada.mutate("scheduleMessage", input.clone(), "scheduledMessage { id }"));
    let answers = futures_util::future::join_all(twenty).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0]["errors"], json!([]));
    let mut other = input;
    other["content"] = json!("Another");
    let refused = ada.mutate("scheduleMessage", other, "").await;
    assert_eq!(refused["errors"][0]["code"], "CONFLICT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_device_holds_what_is_true() {
    let app = TestApp::with(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    // Where nobody answers: an answer would end when it does.
    let chat = group(&ada, &[&bob]).await;
    let mut device = Device::open(ada.client.clone(), 5).await;
    let acting = async {
        let mut dice = Dice::new(5);
        let mut made: Vec<Value> = Vec::new();
        for turn in 0..40 {
            let soon = moment(Duration::milliseconds(50));
            match (dice.below(4), dice.pick(&made).cloned()) {
                (0, Some(id)) => {
                    let input = json!({ "scheduledMessageId": id, "content": format!("turn {turn}") });
                    ada.mutate("updateScheduledMessage", input, "").await;
                }
                (1, Some(id)) => {
                    ada.mutate("cancelScheduledMessage", json!({ "scheduledMessageId": id }), "")
                        .await;
                }
                (2, _) => made.push(schedule(&ada, &chat, json!({ "sendAt": soon })).await["id"].take()),
                _ => {
                    let hourly = json!({ "rule": "FREQ=HOURLY", "sendAt": moment(Duration::hours(1)) });
                    made.push(schedule(&ada, &chat, hourly).await["id"].take());
                }
            }
        }
        // What is due is sent by then.
        crate::titles::until_jobs(&app, "coalesce(due > now(), true)").await;
        ada.mutate("createChat", json!({ "title": "the end" }), "").await;
    };
    let the_end = |event: &Value| event["chat"]["title"] == "the end";
    tokio::join!(acting, device.follow(the_end));
    device.obeys().await;
}
