//! What is given again, and what it says of itself.

use serde_json::{Value, json};

use super::{Room, asked, chat, hello, told};
use crate::harness::app::{new_key, uuid};
use crate::harness::stream::shown;
use crate::harness::upstream::Reply;

const REPORT: &str = "{ viewer { usage(groupBy: MODEL) { total { attempts cachedAnswers costUsd unpricedAttempts totalTokens } \
    groups { model sums { attempts cachedAnswers } } } } }";

async fn report(room: &Room) -> Value {
    room.ada.ok(REPORT, json!({})).await["viewer"]["usage"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_the_same_again_is_given_the_same_for_nothing() {
    let room = Room::open().await;
    let admin = room.app.admin("admin").await;
    let prices =
        json!({ "provider": "OPENAI", "model": "house-model", "prices": { "input": "1000000", "output": "1000000" } });
    let payload = admin.mutate("setModel", prices, "model { name }").await;
    assert_eq!(payload["errors"], json!([]));
    let budget = json!({ "userId": room.ada.id, "limitUsd": "100000", "period": "TOTAL" });
    admin.mutate("setUserBudget", budget, "budget { limitUsd }").await;
    let reply = Reply::stream().thought("Hm.").word("Hello ").word("wörld\n").word("👩‍🚀");
    room.upstream.script([reply.finish("stop").usage(7, 3).done()]);
    let first = hello(&room.ada).await;
    assert_eq!(first["cached"], false);
    assert_eq!(first["usage"]["costUsd"], "10");
    let before = report(&room).await;
    assert_eq!(
        (&before["total"]["attempts"], &before["total"]["cachedAnswers"]),
        (&json!(1), &json!(0))
    );

    let other = chat(&room.ada, json!({})).await;
    let id = room.ada.send(&other, "Hello?").await;
    let events = room.ada.generation_events(&id, Some(0)).await.rest().await;
    let again = told(&room.ada, &id).await;
    assert_eq!(room.requests(), 1, "nobody was asked");
    let text = "Hello wörld\n👩‍🚀";
    let free = json!({ "inputTokens": 0, "outputTokens": 0, "reasoningTokens": 0, "totalTokens": 0, "costUsd": "0", "costState": "REPORTED" });
    assert_eq!(
        again,
        json!({ "id": id, "status": "COMPLETED", "text": text, "reasoning": "Hm.", "cached": true, "finishReason": "STOP",
            "tokensPerSecond": null, "message": { "id": again["message"]["id"], "content": text }, "usage": free, "error": null })
    );
    // Who comes too late for the words is told them at the end.
    let last = events.last().expect("an end");
    assert_eq!(last["generation"]["text"], text);
    let seen = shown(&events);
    assert!(seen == text || seen.is_empty(), "{events:?}");

    let mut after = report(&room).await;
    assert_eq!(
        after["groups"],
        json!([{ "model": "house-model", "sums": { "attempts": 1, "cachedAnswers": 1 } }])
    );
    assert_eq!(after["total"]["cachedAnswers"].take(), 1);
    after["total"]["cachedAnswers"] = json!(0);
    assert_eq!(after["total"], before["total"], "nothing else was used");
    let sql = room.app.sql().await;
    let query = "SELECT format('%s %s/%s %s %s', outcome, input_tokens, output_tokens, cost_micro_usd, state) FROM attempts WHERE generation_id = $1::text::uuid";
    let rows = sql.query(query, &[&uuid(&id)]).await.expect("rows");
    let rows: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(rows, ["CACHED 0/0 0 REPORTED"], "the ledger says so");
    let budgets = "{ viewer { budgets { spentUsd reservedUsd } } }";
    let budgets = room.ada.ok(budgets, json!({})).await["viewer"]["budgets"].take();
    assert_eq!(
        budgets,
        json!([{ "spentUsd": "10", "reservedUsd": "0" }]),
        "what was held is given back"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_watch_are_told_the_words() {
    let room = Room::after_hello().await;
    let other = chat(&room.ada, json!({})).await;
    let query = "subscription { events(ephemeral: false) { __typename ... on MessageUpdated { message { content generation { cached text } } } } }";
    let mut events = room.ada.subscribe(query, json!({})).await;
    let id = room.ada.send(&other, "Hello?").await;
    let told = told(&room.ada, &id).await;
    let message = loop {
        let mut event = events.until("MessageUpdated").await;
        if event["message"]["content"] != "" {
            break event["message"].take();
        }
    };
    assert_eq!(
        message,
        json!({ "content": "first", "generation": { "cached": true, "text": "first" } })
    );
    assert_eq!(told["text"], "first");
    let from_the_start = room.ada.generation_events(&id, Some(0)).await.rest().await;
    assert_eq!(from_the_start.last().expect("an end")["generation"]["text"], "first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_conversation_is_found_again_step_by_step() {
    let room = Room::open().await;
    room.upstream.script([Reply::says(&["one"]), Reply::says(&["two"])]);
    for cached in [false, true] {
        let chat = chat(&room.ada, json!({})).await;
        for (question, text) in [("First?", "one"), ("Second?", "two")] {
            let answer = asked(&room.ada, &chat, question, Value::Null).await;
            assert_eq!(
                (&answer["text"], &answer["cached"]),
                (&json!(text), &json!(cached)),
                "{question}"
            );
        }
    }
    assert_eq!(room.requests(), 2);
    assert_eq!(room.kept().await, 2, "what was given again is not kept a second time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_signed_is_given_again_too() {
    let room = Room::open().await;
    let input =
        json!({ "provider": "ANTHROPIC", "secret": super::KEY, "baseUrl": room.upstream.url(), "verify": false });
    room.ada.mutate("setApiKey", input, "apiKey { id }").await;
    // As it was recorded, but for the call of a tool at its end.
    let thinking = include_str!("../fixtures/anthropic/thinking.txt");
    let events = thinking.split("\n\n").filter(|event| !event.contains("\"index\":3"));
    let thinking = events.collect::<Vec<_>>().join("\n\n");
    let thinking = thinking.replace("\"stop_reason\":\"tool_use\"", "\"stop_reason\":\"end_turn\"");
    let hello = include_bytes!("../fixtures/anthropic/hello.txt").as_slice();
    room.upstream
        .script([Reply::recorded(thinking), Reply::recorded(hello)]);
    let room_of = json!({ "provider": "ANTHROPIC", "model": "claude-x" });
    let first = chat(&room.ada, room_of.clone()).await;
    assert_eq!(asked(&room.ada, &first, "Who?", Value::Null).await["cached"], false);
    let second = chat(&room.ada, room_of).await;
    let again = asked(&room.ada, &second, "Who?", Value::Null).await;
    assert_eq!(
        (&again["cached"], &again["text"], &again["reasoning"]),
        (&json!(true), &json!("I look."), &json!("Let me see."))
    );
    assert_eq!(asked(&room.ada, &second, "And?", Value::Null).await["cached"], false);
    let body = room.upstream.requests().last().expect("a request").body.clone();
    let sent = body.pointer("/messages/1/content/0").expect("the answer");
    assert_eq!(
        sent,
        &json!({ "type": "thinking", "thinking": "Let me see.", "signature": "EqQBCkYIARgCIkDK8Wb+/x2==" })
    );
    // With what was signed in the second question, so that it is found under the same key.
    assert_eq!(asked(&room.ada, &first, "And?", Value::Null).await["cached"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_nobody_was_asked_with_fares_as_before() {
    let room = Room::open().await;
    let input = json!({ "provider": "OPENAI", "secret": super::KEY, "baseUrl": room.upstream.url(), "verify": false });
    room.ada.mutate("setApiKey", input, "apiKey { id }").await;
    assert_eq!(hello(&room.ada).await["cached"], false);
    room.sql("UPDATE api_keys SET last_error_code = 'KEY_INVALID', last_error_at = now()")
        .await;
    let chat = chat(&room.ada, json!({})).await;
    let plan = "query ($input: GenerationPlanInput!) { generationPlan(input: $input) { refusals { code } } }";
    for (question, refusals) in [
        ("Hello?", json!([])),
        ("Something else?", json!([{ "code": "KEY_INVALID" }])),
    ] {
        let input = json!({ "chatId": chat, "content": question });
        let planned = room.ada.ok(plan, json!({ "input": input })).await["generationPlan"]["refusals"].take();
        assert_eq!(planned, refusals, "{question}");
    }
    assert_eq!(hello(&room.ada).await["cached"], true);
    let query = "{ viewer { apiKeys { health { accepted lastErrorCode } } } }";
    let keys = room.ada.ok(query, json!({})).await["viewer"]["apiKeys"].take();
    assert_eq!(keys[0]["health"]["lastErrorCode"], "KEY_INVALID", "{keys}");
    assert_eq!(
        asked(&room.ada, &chat, "Something else?", Value::Null).await["cached"],
        false
    );
    let keys = room.ada.ok(query, json!({})).await["viewer"]["apiKeys"].take();
    assert_eq!(keys[0]["health"]["lastErrorCode"], Value::Null, "{keys}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_substitute_may_have_answered_before() {
    let room = Room::after_hello().await;
    let lanes =
        json!([{ "model": "scripted:fail=unavailable,first=0" }, { "provider": "OPENAI", "model": "house-model" }]);
    let chat = chat(&room.ada, json!({})).await;
    let answer = asked(
        &room.ada,
        &chat,
        "Hello?",
        json!({ "mode": "FALLBACK", "lanes": lanes }),
    )
    .await;
    assert_eq!(
        (&answer["text"], &answer["cached"], &answer["usage"]["costUsd"]),
        (&json!("first"), &json!(true), &json!("0"))
    );
    assert_eq!(room.requests(), 1);
    let query =
        "SELECT coalesce(string_agg(outcome, ' ' ORDER BY id), '') FROM attempts WHERE generation_id = $1::text::uuid";
    let sql = room.app.sql().await;
    let row = sql
        .query_one(query, &[&uuid(answer["id"].as_str().expect("an id"))])
        .await;
    assert_eq!(row.expect("rows").get::<_, String>(0), "FAILED CACHED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_says_so_before_the_first_word() {
    let room = Room::after_hello().await;
    // Held before it looks, and then before it ends, so that there is time to look at it in between.
    let (before, behind) = (room.app.sql().await, room.app.sql().await);
    let hold = "BEGIN; LOCK TABLE replays IN ACCESS EXCLUSIVE MODE";
    before.batch_execute(hold).await.expect("locked");
    let chat = chat(&room.ada, json!({})).await;
    let id = room.ada.send(&chat, "Hello?").await;
    let mut events = room.ada.generation_events(&id, Some(0)).await;
    let hold = "BEGIN; LOCK TABLE events IN EXCLUSIVE MODE";
    behind.batch_execute(hold).await.expect("locked");
    before.batch_execute("ROLLBACK").await.expect("let go");
    let words = events.until("GenerationDelta").await;
    assert_eq!((&words["channel"], &words["text"]), (&json!("ANSWER"), &json!("first")));
    let query = "SELECT a.outcome, g.finished_at IS NULL FROM attempts a JOIN generations g ON g.id = a.generation_id WHERE g.id = $1::text::uuid";
    let row = room
        .app
        .sql()
        .await
        .query_one(query, &[&uuid(&id)])
        .await
        .expect("a row");
    assert_eq!(
        (row.get::<_, Option<String>>(0).as_deref(), row.get(1)),
        (Some("CACHED"), true)
    );
    behind.batch_execute("ROLLBACK").await.expect("let go");
    assert_eq!(events.until("GenerationFinished").await["generation"]["text"], "first");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_were_given_again_cost_nothing_also_when_the_process_dies() {
    let room = Room::after_hello().await;
    let again = hello(&room.ada).await;
    let id = again["id"].as_str().expect("an id");
    // As if the process had died between the words and the end.
    room.sql(&format!(
        "UPDATE generations SET finished_at = NULL, status = 'STREAMING', finish_reason = NULL, input_tokens = NULL, output_tokens = NULL, \
           cost_micro_usd = NULL, cost_state = NULL, lease_expires_at = now() - interval '1 minute', leased_by = gen_random_uuid() \
         WHERE id = '{}'",
        uuid(id)
    ))
    .await;
    let left = told(&room.ada, id).await;
    assert_eq!(
        (
            &left["status"],
            &left["cached"],
            &left["usage"]["totalTokens"],
            &left["usage"]["costUsd"]
        ),
        (&json!("INTERRUPTED"), &json!(true), &json!(0), &json!("0"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plan_says_it_beforehand() {
    const LANES: &str = "lanes { cached cost { leastUsd mostUsd } } refusals { code }";
    let room = Room::open().await;
    let other = chat(&room.ada, json!({})).await;
    let query = format!("query ($input: GenerationPlanInput!) {{ generationPlan(input: $input) {{ {LANES} }} }}");
    let plan = async |input: Value| {
        let mut answer = room.ada.ok(&query, json!({ "input": input })).await;
        assert_eq!(answer["generationPlan"]["refusals"], json!([]));
        answer["generationPlan"]["lanes"][0].take()
    };
    let question = json!({ "chatId": other, "content": "Hello?" });
    assert_eq!(plan(question.clone()).await, json!({ "cached": false, "cost": null }));
    let first = hello(&room.ada).await;
    assert_eq!(
        plan(question).await,
        json!({ "cached": true, "cost": { "leastUsd": "0", "mostUsd": "0" } })
    );
    let refused = json!({ "chatId": other, "content": "Hello?", "reply": { "cache": false } });
    assert_eq!(plan(refused).await["cached"], false);
    let anew = json!({ "regenerate": first["message"]["id"], "reply": { "cache": true } });
    assert_eq!(plan(anew).await["cached"], false);
    assert_eq!(room.requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lanes_of_one_question_each_give_what_was_said_before() {
    let room = Room::after_hello().await;
    let chat = chat(&room.ada, json!({})).await;
    let lane = json!({ "provider": "OPENAI", "model": "house-model" });
    let reply = json!({ "lanes": [lane, { "provider": "OPENAI", "model": "other-model" }] });
    let input = json!({ "chatId": chat, "content": "Hello?", "idempotencyKey": new_key(), "reply": reply });
    let payload = room.ada.mutate("sendMessage", input, "generations { id }").await;
    let mut seen = Vec::new();
    for generation in payload["generations"].as_array().expect("generations") {
        let answer = told(&room.ada, generation["id"].as_str().expect("an id")).await;
        seen.push((answer["text"].clone(), answer["cached"].clone()));
    }
    assert_eq!(seen, [(json!("first"), json!(true)), (json!("second"), json!(false))]);
}
