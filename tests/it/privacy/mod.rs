//! One's own data: deleting the account, and what stays of it with others.

mod delete;
mod disappear;
mod export;
mod fate;
mod rooms;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::app::{Client, PASSWORD, TestApp, User, uuid};

/// Deletes the account of a client's person.
pub(crate) async fn delete(client: &Client) -> Value {
    let input = json!({ "password": PASSWORD });
    client.mutate("deleteAccount", input, "deletedUserId").await
}

/// Deletes somebody's account, and waits until all that belonged to it is cleared away for the first time.
async fn deleted(app: &TestApp, user: &User) {
    let payload = delete(user).await;
    assert_eq!(payload, json!({ "deletedUserId": user.id, "errors": [] }));
    cleared(app, user).await;
}

/// Waits until a job has cleared away what belonged to somebody, and waits to look once more.
pub(crate) async fn cleared(app: &TestApp, user: &User) {
    let query = format!(
        "SELECT count(*) > 0 FROM jobs WHERE kind = 'privacy.clear' AND key = 'user_{}' \
         AND payload->>'again' = 'true' AND leased_by IS NULL",
        uuid(&user.id).replace('-', "")
    );
    until(app, &query).await;
}

/// What a query counts.
async fn count(app: &TestApp, query: &str) -> i64 {
    let row = app.sql().await.query_one(query, &[]).await;
    row.expect("a row").get(0)
}

/// Waits until a query says true.
async fn until(app: &TestApp, query: &str) {
    let sql = app.sql().await;
    let wait = async {
        while !sql.query_one(query, &[]).await.expect("a row").get::<_, bool>(0) {
            app.app.jobs().wake();
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .unwrap_or_else(|_| panic!("it never came to {query}"));
}
