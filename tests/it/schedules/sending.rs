//! What is due is sent, by whichever server is up, and once.

use chrono::{Duration, Utc};
use serde_json::{Value, json};

use super::{ECHO, changed, moment, overdue, schedule, texts, time, watch};
use crate::crash::on_database;
use crate::harness::app::{PASSWORD, TestApp, uuid};
use crate::rooms::{done, group};
use crate::titles::until_jobs;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_sent_when_it_is_due_and_answered() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let mut stream = watch(&ada).await;
    let scheduled = schedule(&ada, &chat, json!({ "sendAt": moment(Duration::milliseconds(200)) })).await;
    assert_eq!(
        (&scheduled["state"], &scheduled["lastMessage"]),
        (&json!("ACTIVE"), &Value::Null)
    );
    assert_eq!(scheduled["nextAt"], scheduled["sendAt"]);
    assert_eq!(changed(&mut stream).await, scheduled);
    let sent = changed(&mut stream).await;
    assert_eq!(sent["state"], "DONE");
    assert_eq!(sent["lastMessage"]["content"], "Good morning");
    assert_eq!(sent["lastMessage"]["author"]["username"], "ada");
    assert_eq!((&sent["sentCount"], &sent["missedCount"]), (&json!(1), &json!(0)));
    assert_eq!(
        (&sent["nextAt"], &sent["missedAt"], &sent["lastError"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert!(time(&sent["lastSentAt"]) >= time(&sent["sendAt"]), "not before");
    let query =
        "query ($id: ID!) { chat(id: $id) { activeGenerations { id } messages { nodes { generation { id } } } } }";
    let seen = ada.ok(query, json!({ "id": chat })).await;
    let answer = seen["chat"]["messages"]["nodes"][1]["generation"]["id"]
        .as_str()
        .expect("an answer");
    assert_eq!(crate::generation::ended(&ada, answer).await["text"], "Good morning");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_has_passed_is_sent_late_and_says_so() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    let mut stream = watch(&ada).await;
    for late in [Duration::hours(1), Duration::days(3000)] {
        let scheduled = schedule(&ada, &chat, json!({ "sendAt": moment(-late) })).await;
        changed(&mut stream).await;
        let sent = changed(&mut stream).await;
        assert_eq!((&sent["state"], &sent["sentCount"]), (&json!("DONE"), &json!(1)));
        assert_eq!(
            (&sent["missedAt"], &sent["missedCount"]),
            (&scheduled["sendAt"], &json!(0))
        );
    }
    assert!(texts(&bob, &chat).await.contains(&"Good morning".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_missed_times_one_is_made_up_for() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let rule = json!({ "sendAt": moment(-Duration::days(2)), "rule": "FREQ=HOURLY;BYMINUTE=0;BYSECOND=0" });
    let scheduled = schedule(&ada, &chat, rule.clone()).await;
    assert!(
        time(&scheduled["nextAt"]) > Utc::now(),
        "what passed before it was scheduled was not missed"
    );
    let mut stream = watch(&ada).await;
    overdue(&app, &scheduled, 5).await;
    let sent = changed(&mut stream).await;
    assert_eq!(
        (&sent["state"], &sent["sentCount"], &sent["missedCount"]),
        (&json!("ACTIVE"), &json!(1), &json!(4))
    );
    assert_eq!(sent["nextAt"], scheduled["nextAt"], "it goes on as before");
    assert!(time(&sent["missedAt"]) < time(&sent["lastSentAt"]));
    assert_eq!(texts(&ada, &chat).await[0], "Good morning");

    let mut skipping = rule;
    skipping["missed"] = json!("SKIP");
    let other = ada.chat(ECHO).await;
    let scheduled = schedule(&ada, &other, skipping).await;
    changed(&mut stream).await;
    overdue(&app, &scheduled, 5).await;
    let skipped = changed(&mut stream).await;
    // Within a minute after the full hour the newest time is no missed one.
    let late = skipped["sentCount"] == 0;
    assert_eq!(skipped["missedCount"], if late { 5 } else { 4 });
    assert_eq!(
        (&skipped["state"], &skipped["lastError"]),
        (&json!("ACTIVE"), &Value::Null)
    );
    assert_eq!(texts(&ada, &other).await.is_empty(), late);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_and_not_late_is_never() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let once = json!({ "sendAt": moment(Duration::hours(1)), "missed": "SKIP" });
    let scheduled = schedule(&ada, &chat, once).await;
    let mut stream = watch(&ada).await;
    overdue(&app, &scheduled, 2).await;
    let missed = changed(&mut stream).await;
    assert_eq!(
        (&missed["state"], &missed["lastError"]["code"]),
        (&json!("FAILED"), &json!("MISSED"))
    );
    assert_eq!((&missed["missedCount"], &missed["sentCount"]), (&json!(1), &json!(0)));
    assert_eq!(texts(&ada, &chat).await, [""; 0]);
    until_jobs(&app, "count = 0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_before_it_notes_the_sending_sends_nothing_twice() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(ECHO).await;
    let mut stream = watch(&ada).await;
    let rule = json!({ "sendAt": moment(-Duration::days(2)), "rule": "FREQ=HOURLY" });
    let scheduled = schedule(&ada, &chat, rule).await;
    changed(&mut stream).await;
    overdue(&app, &scheduled, 3).await;
    let sent = changed(&mut stream).await;
    until_jobs(&app, "count = 1 AND attempts = 0").await;
    // As it was between the two: the message is there, the row says nothing of it, the job is another's.
    let id = uuid(scheduled["id"].as_str().expect("an id"));
    let before = format!(
        "BEGIN; UPDATE scheduled_messages SET next_at = '{}'::timestamptz - interval '3 hours', sent_count = 0, missed_count = 0, missed_at = NULL, \
           last_message_id = NULL WHERE id = '{id}'; \
         UPDATE jobs SET run_at = now() - interval '1 second', leased_by = gen_random_uuid(), leased_until = now() - interval '1 second'; COMMIT",
        scheduled["nextAt"].as_str().expect("a time"),
    );
    // Its text is another by now, too: that is for the next one.
    let said = texts(&ada, &chat).await.len();
    app.sql().await.batch_execute(&before).await.expect("rows");
    app.app.schedules().wake();
    let noted = changed(&mut stream).await;
    for field in ["lastMessage", "sentCount", "missedCount", "missedAt", "nextAt", "state"] {
        assert_eq!(noted[field], sent[field], "{field}");
    }
    assert_eq!(texts(&ada, &chat).await.len(), said, "nothing more was said");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_do_not_send_it_twice_and_a_killed_one_is_no_loss() {
    let app = TestApp::start().await;
    let _second = app.sibling().await;
    let third = on_database(&app, &[]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    let before = texts(&bob, &chat).await.len();
    let mut stream = watch(&ada).await;
    for _ in 0..12 {
        schedule(&ada, &chat, json!({ "sendAt": moment(Duration::milliseconds(300)) })).await;
    }
    third.kill().await;
    let mut sent = 0;
    while sent < 12 {
        let state = changed(&mut stream).await;
        sent += usize::from(state["state"] == "DONE");
    }
    assert_eq!(texts(&bob, &chat).await.len(), before + 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_left_or_may_not_post_any_more_is_told() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let hourly = json!({ "sendAt": moment(-Duration::days(1)), "rule": "FREQ=HOURLY" });
    let (left, silenced) = (group(&ada, &[&bob]).await, group(&ada, &[&bob]).await);
    let gone = schedule(&bob, &left, hourly.clone()).await;
    let forbidden = schedule(&bob, &silenced, hourly.clone()).await;
    done(&bob, "leaveChat", json!({ "chatId": left })).await;
    let permissions = json!({ "chatId": silenced, "permissions": { "post": "MODERATOR" } });
    done(&ada, "updateChat", permissions).await;
    let mut stream = watch(&bob).await;
    for (scheduled, code) in [(&gone, "CHAT_GONE"), (&forbidden, "FORBIDDEN")] {
        overdue(&app, scheduled, 2).await;
        let failed = changed(&mut stream).await;
        assert_eq!(
            (&failed["state"], &failed["lastError"]["code"]),
            (&json!("FAILED"), &json!(code))
        );
        assert_eq!((&failed["nextAt"], &failed["sentCount"]), (&Value::Null, &json!(0)));
        assert!(
            failed["lastError"]["message"]
                .as_str()
                .is_some_and(|words| words.len() > 10)
        );
        assert_eq!(failed["chat"].is_null(), code == "CHAT_GONE");
    }
    until_jobs(&app, "count = 0").await;
    // What is mended goes on.
    let again = json!({ "chatId": silenced, "permissions": { "post": "MEMBER" } });
    done(&ada, "updateChat", again).await;
    done(
        &bob,
        "updateScheduledMessage",
        json!({ "scheduledMessageId": forbidden["id"] }),
    )
    .await;
    let revived = changed(&mut stream).await;
    assert_eq!(
        (&revived["state"], &revived["lastError"]),
        (&json!("ACTIVE"), &Value::Null)
    );
    overdue(&app, &revived, 1).await;
    assert_eq!(changed(&mut stream).await["sentCount"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deactivated_person_sends_nothing() {
    let app = TestApp::start().await;
    let (ada, admin) = (app.user("ada").await, app.admin("admin").await);
    let chat = ada.chat(ECHO).await;
    let scheduled = schedule(&ada, &chat, json!({ "sendAt": moment(Duration::hours(1)) })).await;
    done(&admin, "setUserActive", json!({ "userId": ada.id, "active": false })).await;
    overdue(&app, &scheduled, 2).await;
    until_jobs(&app, "count = 0").await;
    done(&admin, "setUserActive", json!({ "userId": ada.id, "active": true })).await;
    let ada = ada.sign_in("ada").await;
    let query = "{ viewer { scheduledMessages { nodes { state lastError { code } } } } }";
    let seen = ada.ok(query, json!({})).await;
    let expected = json!([{ "state": "FAILED", "lastError": { "code": "ACCOUNT_DEACTIVATED" } }]);
    assert_eq!(seen["viewer"]["scheduledMessages"]["nodes"], expected);
    assert_eq!(texts(&ada, &chat).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_it_is_refused_as_by_hand_and_given_up_in_the_end() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let input = json!({ "provider": "OPENAI", "model": "gpt-5" });
    let chat = ada.mutate("createChat", input, "chat { id }").await["chat"]["id"].take();
    let chat = chat.as_str().expect("an id");
    let hourly = json!({ "sendAt": moment(-Duration::days(1)), "rule": "FREQ=HOURLY" });
    let scheduled = schedule(&ada, chat, hourly).await;
    let mut stream = watch(&ada).await;
    for state in ["ACTIVE", "ACTIVE", "FAILED"] {
        overdue(&app, &scheduled, 1).await;
        let refused = changed(&mut stream).await;
        assert_eq!(
            (&refused["state"], &refused["lastError"]["code"]),
            (&json!(state), &json!("KEY_MISSING"))
        );
        let by_hand = "No API key configured. Please add your OpenAI API key in profile settings.";
        assert_eq!(refused["lastError"]["message"], by_hand);
    }
    until_jobs(&app, "count = 0").await;
    assert_eq!(texts(&ada, chat).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_waits_for_no_other_work() {
    let app = TestApp::with(&["--database-connections=20"]).await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let chat = group(&ada, &[&bob]).await;
    let mut others = Vec::new();
    for number in 0..5 {
        others.push(app.user(&format!("other{number}")).await);
    }
    let mut stream = watch(&ada).await;
    // Archives that do not get on.
    let sql = app.sql().await;
    sql.batch_execute("BEGIN; LOCK TABLE memories").await.expect("a lock");
    for other in &others {
        done(other, "exportMyData", json!({ "password": PASSWORD })).await;
    }
    until_jobs(&app, "count = 5 AND attempts > 0").await;
    let skip = json!({ "sendAt": moment(Duration::seconds(1)), "missed": "SKIP" });
    schedule(&ada, &chat, skip).await;
    changed(&mut stream).await;
    let sent = tokio::time::timeout(std::time::Duration::from_secs(10), changed(&mut stream)).await;
    let sent = sent.expect("it waits for what may take hours");
    assert_eq!((&sent["state"], &sent["lastError"]), (&json!("DONE"), &Value::Null));
    sql.batch_execute("COMMIT").await.expect("an end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_too_many_answers_are_written_it_waits() {
    let app = TestApp::with(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    let ada = app.user("ada").await;
    let mut running = Vec::new();
    for _ in 0..16 {
        let chat = ada.chat("scripted:words=100000,first=0,delay=50").await;
        running.push(ada.send(&chat, "Go on for ever.").await);
    }
    let chat = ada.chat(ECHO).await;
    let mut stream = watch(&ada).await;
    schedule(&ada, &chat, json!({ "sendAt": moment(-Duration::seconds(1)) })).await;
    assert_eq!(changed(&mut stream).await["state"], "ACTIVE");
    let waits = "count(*) FILTER (WHERE kind = 'chat.schedule' AND attempts = 1 AND run_at > now()) = 1";
    let sql = app.sql().await;
    let waiting = async {
        let query = format!("SELECT {waits} FROM jobs");
        while !sql.query_one(&query, &[]).await.expect("a row").get::<_, bool>(0) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waiting)
        .await
        .expect("it is put off");
    done(&ada, "stopGeneration", json!({ "generationId": running[0] })).await;
    crate::generation::ended(&ada, &running[0]).await;
    sql.execute("UPDATE jobs SET run_at = now() WHERE kind = 'chat.schedule'", &[])
        .await
        .expect("a job");
    app.app.schedules().wake();
    let sent = changed(&mut stream).await;
    assert_eq!((&sent["state"], &sent["lastError"]), (&json!("DONE"), &Value::Null));
}
