//! Jobs: done certainly, tried again, taken over from the dead, given up in the end.

use serde_json::json;

use super::{answered, title, told, until_jobs, untitled, watch, with_upstream};
use crate::harness::process::Process;
use crate::harness::upstream::{Gate, Reply};

const EGG: &str = "How do I boil an egg?";

fn busy() -> Reply {
    Reply::status(503).header("retry-after-ms", "1")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_is_tried_again_later_and_given_up_in_the_end() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = untitled(&ada).await;
    let mut stream = watch(&ada, &chat).await;
    // Each attempt asks three times.
    upstream.script([Reply::says(&["Water."]), busy(), busy(), busy(), Reply::says(&["Eggs"])]);
    answered(&ada, &chat, EGG).await;
    until_jobs(&app, "attempts = 1 AND error LIKE 'unavailable%'").await;
    let sql = app.sql().await;
    let row = sql
        .query_one("SELECT run_at > now(), leased_by IS NULL FROM jobs", &[])
        .await
        .expect("a job");
    assert!(
        row.get::<_, bool>(0) && row.get::<_, bool>(1),
        "it waits, and nobody does it"
    );
    assert_eq!(title(&ada, &chat).await.1, "HEURISTIC");
    sql.execute("UPDATE jobs SET run_at = now()", &[]).await.expect("a job");
    app.app.jobs().wake();
    assert_eq!(told(&mut stream).await, "Eggs");

    let second = untitled(&ada).await;
    upstream.script([Reply::says(&["Water."]), busy(), busy(), busy()]);
    answered(&ada, &second, EGG).await;
    for attempt in 1..4 {
        until_jobs(&app, &format!("attempts = {attempt} AND error IS NOT NULL")).await;
        upstream.script([busy(), busy(), busy()]);
        let due = "UPDATE jobs SET run_at = now(), last_error = NULL";
        sql.execute(due, &[]).await.expect("a job");
        app.app.jobs().wake();
    }
    until_jobs(&app, "count = 0").await;
    assert_eq!(title(&ada, &second).await.1, "HEURISTIC");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_called_for_meanwhile_is_done_once_more() {
    let (app, upstream) = with_upstream().await;
    let ada = app.user("ada").await;
    let chat = untitled(&ada).await;
    // Held apart: an event shows the chat as it is when it is told.
    let (first, second) = (Gate::new(), Gate::new());
    upstream.script([
        Reply::says(&["Water."]),
        Reply::stream().hold(&first).word("Eggs").stop(),
        Reply::stream().hold(&second).word("Breakfast").stop(),
    ]);
    answered(&ada, &chat, EGG).await;
    upstream.asked(2).await;
    for _ in 0..3 {
        ada.mutate("regenerateTitle", json!({ "chatId": chat }), "").await;
    }
    let mut stream = watch(&ada, &chat).await;
    first.open();
    assert_eq!(told(&mut stream).await, "Eggs");
    second.open();
    assert_eq!(told(&mut stream).await, "Breakfast");
    until_jobs(&app, "count = 0").await;
    assert_eq!(upstream.requests().len(), 4 - 1, "three calls, one more time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_servers_jobs_are_done_by_another() {
    let (app, upstream) = with_upstream().await;
    let arguments = [
        format!("--database-url={}", app.database_url()),
        format!("--openai-base-url={}", upstream.url()),
    ];
    let arguments = arguments.iter().map(String::as_str);
    let more = [
        "--data-dir=/nonexistent",
        "--openai-api-key=sk-test-0123456789abcdef",
        "--titles=true",
    ];
    let arguments: Vec<&str> = arguments.chain(more).collect();
    let server = Process::start(&arguments).await;
    let ada = server.client().register("ada").await;
    let here = app.anonymous().with_token(ada.token.as_deref().expect("a token"));
    let chat = untitled(&ada).await;
    let mut stream = watch(&here, &chat).await;
    let sql = app.sql().await;
    // Somebody who holds the job: if it is this test's own app that gets it, it is put down as another's.
    upstream.script([
        Reply::says(&["Water."]),
        Reply::stream().stall(),
        Reply::says(&["Eggs"]),
    ]);
    answered(&ada, &chat, EGG).await;
    upstream.asked(2).await;
    server.kill().await;
    let held = "UPDATE jobs SET leased_by = gen_random_uuid(), leased_until = now() + interval '1 hour'";
    assert_eq!(sql.execute(held, &[]).await.expect("a job"), 1, "it is still there");
    app.app.jobs().wake();
    let expired = "UPDATE jobs SET leased_until = now() - interval '1 second'";
    assert_eq!(sql.execute(expired, &[]).await.expect("a job"), 1);
    app.app.jobs().wake();
    assert_eq!(told(&mut stream).await, "Eggs");
    until_jobs(&app, "count = 0").await;
}
