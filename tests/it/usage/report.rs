//! Reports: exact against the rows, whatever they are grouped by.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::House;
use crate::harness::app::{Client, TestApp, uuid};

const SUMS: &str = "attempts unpricedAttempts estimatedAttempts costUsd inputTokens cachedInputTokens cacheWriteTokens outputTokens reasoningTokens totalTokens";

/// Rows of three people, three models of two providers and four chats over ninety days, some of them without a price.
async fn fill(app: &TestApp, people: [&str; 3]) {
    let sql = app.sql().await;
    let insert = "INSERT INTO attempts (id, user_id, payer_id, chat_id, provider, model, key_source, purpose, started_at, ended_at, outcome, \
          input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_micro_usd, price_version, state) \
        SELECT gen_random_uuid(), who, who, ('00000000-0000-7000-8000-00000000000' || n % 4)::uuid, \
          (ARRAY['openai', 'openai', 'anthropic'])[1 + n % 3], (ARRAY['gpt-5', 'gpt-5-mini', 'claude'])[1 + n % 3], \
          'SERVER', 'ANSWER', at, CASE WHEN n % 50 = 7 THEN NULL ELSE at + interval '1 second' END, CASE WHEN n % 50 = 7 THEN NULL ELSE 'COMPLETED' END, \
          n * 7 % 1000, n % 5, n % 3, n * 13 % 500, n % 11, CASE WHEN n % 6 = 2 THEN NULL ELSE n * 37 % 10000 END, \
          CASE WHEN n % 6 = 2 THEN NULL ELSE 'v1' END, CASE WHEN n % 4 = 0 THEN 'ESTIMATED' ELSE 'REPORTED' END \
        FROM (SELECT n, (ARRAY[$1, $2, $3])[1 + n * 5 % 3]::text::uuid AS who, '2027-01-01T00:00:00Z'::timestamptz + n * interval '6 hours' AS at \
          FROM generate_series(0, 359) AS n) AS rows";
    let people = people.map(uuid);
    sql.execute(insert, &[&people[0], &people[1], &people[2]])
        .await
        .expect("rows");
}

/// The same sums, made here.
async fn expected(app: &TestApp, key: &str, user: Option<&str>, from: &str, to: &str) -> BTreeMap<String, Value> {
    let query = format!(
        "SELECT {key}, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_micro_usd, state \
         FROM attempts WHERE ended_at IS NOT NULL AND started_at >= '{from}' AND started_at < '{to}'{}",
        user.map(|user| format!(" AND user_id = '{}'", uuid(user)))
            .unwrap_or_default()
    );
    let mut sums: BTreeMap<String, [i64; 9]> = BTreeMap::new();
    for row in app.sql().await.query(&query, &[]).await.expect("rows") {
        let cost: Option<i64> = row.get(6);
        let number = |column: usize| row.get::<_, i64>(column);
        let estimated = row.get::<_, String>(7) == "ESTIMATED";
        for name in [row.get::<_, String>(0), "total".to_owned()] {
            let sum = sums.entry(name).or_default();
            for (at, add) in [
                1,
                i64::from(cost.is_none()),
                i64::from(estimated),
                cost.unwrap_or(0),
                number(1),
                number(2),
                number(3),
                number(4),
                number(5),
            ]
            .into_iter()
            .enumerate()
            {
                sum[at] += add;
            }
        }
    }
    let shown = |sum: [i64; 9]| {
        json!({
            "attempts": sum[0], "unpricedAttempts": sum[1], "estimatedAttempts": sum[2],
            "costUsd": (sum[1] < sum[0]).then(|| parlor::scalar::Decimal(sum[3]).to_string()),
            "inputTokens": sum[4], "cachedInputTokens": sum[5], "cacheWriteTokens": sum[6], "outputTokens": sum[7],
            "reasoningTokens": sum[8], "totalTokens": sum[4] + sum[7],
        })
    };
    sums.into_iter().map(|(name, sum)| (name, shown(sum))).collect()
}

async fn report(client: &Client, root: &str, arguments: &str) -> Value {
    let query = format!(
        "{{ {root} {{ usage({arguments}) {{ truncated total {{ {SUMS} }} groups {{ since provider model chatId userId sums {{ {SUMS} }} }} }} }} }}"
    );
    client.ok(&query, json!({})).await[root]["usage"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_grouping_adds_up_to_the_rows() {
    let house = House::open().await;
    let (ada, bob, eve) = (
        house.app.user("ada").await,
        house.app.user("bob").await,
        house.app.user("eve").await,
    );
    fill(&house.app, [&ada.id, &bob.id, &eve.id]).await;
    let (from, to) = ("2027-01-10T03:00:00Z", "2027-03-20T12:00:00Z");
    let day = "to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')";
    let month = "to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-01')";
    for (grouping, key) in [
        ("DAY", day),
        ("MONTH", month),
        ("PROVIDER", "upper(provider)"),
        ("MODEL", "upper(provider) || '/' || model"),
        ("CHAT", "'chat_' || replace(chat_id::text, '-', '')"),
        ("USER", "'user_' || replace(user_id::text, '-', '')"),
    ] {
        let arguments = format!("from: \"{from}\", to: \"{to}\", groupBy: {grouping}");
        for (client, root, user) in [(&house.admin, "admin", None), (&ada, "viewer", Some(ada.id.as_str()))] {
            let mut wanted = expected(&house.app, key, user, from, to).await;
            let told = report(client, root, &arguments).await;
            assert_eq!(told["truncated"], false);
            assert_eq!(
                told["total"],
                wanted.remove("total").expect("a sum"),
                "{root} {grouping}"
            );
            let groups = told["groups"].as_array().expect("a list");
            assert_eq!(groups.len(), wanted.len(), "{root} {grouping}");
            let mut names = Vec::new();
            for group in groups {
                let text = |name: &str| group[name].as_str().unwrap_or_default().to_owned();
                let name = match grouping {
                    "DAY" | "MONTH" => text("since")[..10].to_owned(),
                    "MODEL" => format!("{}/{}", text("provider"), text("model")),
                    "PROVIDER" => text("provider"),
                    "CHAT" => text("chatId"),
                    _ => text("userId"),
                };
                assert_eq!(group["sums"], wanted[&name], "{root} {grouping} {name}");
                names.push(name);
            }
            if matches!(grouping, "DAY" | "MONTH") {
                assert!(names.is_sorted(), "{names:?}");
            }
        }
    }
    let one = report(
        &house.admin,
        "admin",
        &format!("from: \"{from}\", to: \"{to}\", userId: \"{}\"", bob.id),
    )
    .await;
    let wanted = expected(&house.app, day, Some(&bob.id), from, to).await;
    assert_eq!(one["total"], wanted["total"]);
    let none = report(&eve, "viewer", "groupBy: MODEL").await;
    assert_eq!(
        (&none["groups"], &none["total"]["costUsd"], &none["total"]["attempts"]),
        (&json!([]), &json!("0"), &json!(0))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_bounded_and_groups_are_cut() {
    let house = House::open().await;
    let ada = house.app.user("ada").await;
    for (arguments, complaint) in [
        (
            "from: \"2027-01-02T00:00:00Z\", to: \"2027-01-02T00:00:00Z\"",
            "`from` must be before `to`.",
        ),
        (
            "from: \"1990-01-01T00:00:00Z\", to: \"2027-01-02T00:00:00Z\"",
            "`from` and `to` must be at most 3660 days apart.",
        ),
    ] {
        let answer = ada
            .run(
                &format!("{{ viewer {{ usage({arguments}) {{ truncated }} }} }}"),
                json!({}),
            )
            .await;
        assert_eq!(answer["errors"][0]["message"], complaint, "{answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    }
    let sql = house.app.sql().await;
    let many = "INSERT INTO attempts (id, user_id, payer_id, provider, model, key_source, purpose, started_at, ended_at, outcome, input_tokens, \
          cost_micro_usd, price_version) \
        SELECT gen_random_uuid(), $1::text::uuid, $1::text::uuid, 'openai', 'model-' || n, 'SERVER', 'ANSWER', now() - interval '1 hour', now(), 'COMPLETED', 1, n, 'v' \
        FROM generate_series(1, 1200) AS n";
    sql.execute(many, &[&uuid(&ada.id)]).await.expect("rows");
    let told = report(&ada, "viewer", "groupBy: MODEL").await;
    assert_eq!(
        (&told["truncated"], &told["total"]["attempts"]),
        (&json!(true), &json!(1200))
    );
    let groups = told["groups"].as_array().expect("a list");
    assert_eq!(
        (groups.len(), &groups[0]["model"]),
        (1000, &json!("model-1200")),
        "the dearest first"
    );
    assert_eq!(
        told["total"]["costUsd"],
        parlor::scalar::Decimal(1200 * 1201 / 2).to_string()
    );
}
