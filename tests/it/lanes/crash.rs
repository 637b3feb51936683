//! A process that dies in the middle of a race.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use super::{QUICK, STALLED, asked, has_lost, told};
use crate::crash::on_database;
use crate::generation::{ended, soon};
use crate::harness::app::{TestApp, uuid};
use crate::tree::shown;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_of_a_dead_process_is_settled() {
    let app = TestApp::start().await;
    let server = on_database(&app, &[]).await;
    let ada = server.client().register("ada").await;
    let here = app.anonymous().with_token(ada.token.as_deref().expect("a token"));
    let chat = ada.chat(QUICK).await;
    let models = [
        "scripted:words=2000,first=0,delay=5",
        STALLED,
        "scripted:fail=unavailable,first=0",
    ];
    let started = asked(&ada, &chat, "RACE", &models).await;
    ended(&ada, &started.generations[2]).await;
    let mut stream = ada.generation_events(&started.generations[0], None).await;
    for _ in 0..20 {
        stream.until("GenerationDelta").await;
    }
    server.kill().await;
    for generation in &started.generations[..2] {
        let end = timeout(Duration::from_secs(15), ended(&here, generation)).await;
        assert_eq!(end.expect("within 15 s")["status"], "INTERRUPTED");
    }
    assert_eq!(
        shown(&here, &chat).await,
        [&started.question, &started.answers[0]].map(Clone::clone)
    );
    let first = told(&here, &started.answers[0]).await;
    assert_ne!(first["content"], "", "its text is kept");
    assert_eq!(first["siblings"], json!([]));
    has_lost(&here, &started.answers[1]).await;
    has_lost(&here, &started.answers[2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_that_had_lost_when_its_process_died_stays_lost() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let chat = ada.chat(QUICK).await;
    let started = asked(&ada, &chat, "RACE", &[STALLED, QUICK]).await;
    soon(ended(&ada, &started.generations[0])).await;
    // As the process would have left it that died between the winner's end and the loser's.
    let sql = app.sql().await;
    let again = "UPDATE generations SET status = 'STREAMING', finished_at = NULL, leased_by = gen_random_uuid(), \
        lease_expires_at = now() - interval '1 second' WHERE id = $1::text::uuid";
    sql.execute(again, &[&uuid(&started.generations[0])])
        .await
        .expect("a row");
    let end = timeout(Duration::from_secs(15), ended(&ada, &started.generations[0])).await;
    assert_eq!(end.expect("within 15 s")["status"], "INTERRUPTED");
    has_lost(&ada, &started.answers[0]).await;
    assert_eq!(
        shown(&ada, &chat).await,
        [&started.question, &started.answers[1]].map(Clone::clone)
    );
}
