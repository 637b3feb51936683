//! One cent, and fifty who want it at once.

use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use super::{House, budgets, plain_chat, spent, try_to_send};
use crate::harness::upstream::{Gate, Reply};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_sends_at_once_spend_one_cent_and_no_more() {
    let house = House::priced(Some(100)).await;
    let ada = Arc::new(house.app.user("ada").await);
    house.allow(&ada, "0.01").await;
    let other = house.app.sibling().await;
    let there = other.client_of(&ada);
    let gate = Gate::new();
    // As dear as an answer can be.
    let dear = || {
        Reply::stream()
            .word("dear")
            .hold(&gate)
            .finish("length")
            .usage(1, 100)
            .done()
    };
    house.upstream.script((0..50).map(|_| dear()));
    let mut chats = Vec::new();
    for _ in 0..50 {
        chats.push(plain_chat(&ada).await);
    }
    let mut sends = JoinSet::new();
    for (number, chat) in chats.into_iter().enumerate() {
        let client = if number % 2 == 0 {
            ada.client.clone()
        } else {
            there.clone()
        };
        sends.spawn(async move { try_to_send(&client, &chat, "Hello").await });
    }
    let (mut begun, mut refused) = (Vec::new(), 0);
    while let Some(payload) = sends.join_next().await {
        let payload = payload.expect("an answer");
        match payload["generation"]["id"].as_str() {
            Some(id) => begun.push(id.to_owned()),
            None => {
                assert_eq!(payload["errors"][0]["code"], "BUDGET_EXCEEDED", "{payload}");
                refused += 1;
            }
        }
    }
    // 1001 are held for each: nine whole parts, and what is left is not worth beginning.
    assert_eq!((begun.len(), refused), (9, 41));
    gate.open();
    for generation in &begun {
        spent(&ada, generation).await;
    }
    let sql = house.app.sql().await;
    let query = "SELECT sum(cost_micro_usd)::bigint, count(*) FROM attempts";
    let row = sql.query_one(query, &[]).await.expect("sums");
    let (sum, count): (i64, i64) = (row.get(0), row.get(1));
    assert_eq!((sum, count), (9 * 1_001, 9), "what was refused left no row");
    assert!(sum <= 10_000);
    let budget = budgets(&ada).await[0].take();
    assert_eq!(
        (&budget["spentUsd"], &budget["reservedUsd"]),
        (&json!("0.009009"), &json!("0"))
    );
    // The rest is not enough for a whole answer.
    let payload = try_to_send(&ada, &plain_chat(&ada).await, "Hello").await;
    assert_eq!(payload["errors"][0]["code"], "BUDGET_EXCEEDED");
}
