//! Lists of chats: filters and pages.

use serde_json::{Value, json};

use super::{made, page, titles};
use crate::harness::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_filtered_literally() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut ids = Vec::new();
    for title in [
        "50% off",
        "50 apples",
        "snake_case",
        "snakeXcase",
        r"back\slash",
        "Ünïcode",
    ] {
        ids.push(made(&ada, json!({ "title": title })).await["id"].clone());
    }
    app.user("bob")
        .await
        .mutate("createChat", json!({ "title": "50% Bob" }), "")
        .await;
    assert_eq!(titles(&ada, r#"query: "50%""#).await, ["50% off"]);
    assert_eq!(titles(&ada, r#"query: "50""#).await, ["50 apples", "50% off"]);
    assert_eq!(titles(&ada, r#"query: "E_C""#).await, ["snake_case"]);
    assert_eq!(titles(&ada, r#"query: "k\\s""#).await, [r"back\slash"]);
    assert_eq!(titles(&ada, r#"query: "ÜNÏ""#).await, ["Ünïcode"]);
    assert_eq!(titles(&ada, r#"query: "%""#).await, ["50% off"]);
    assert_eq!(titles(&ada, r#"query: "nothing""#).await, [""; 0]);
    assert_eq!(titles(&ada, r#"query: "  ""#).await.len(), 6);

    let pin = json!({ "chatId": ids[0], "pinned": true });
    let shown = ada
        .mutate("updateChat", pin, "chat { version viewerState { pinned archived } }")
        .await;
    assert_eq!(
        shown["chat"]["viewerState"],
        json!({ "pinned": true, "archived": false })
    );
    assert_eq!(shown["chat"]["version"], 2);
    ada.mutate("updateChat", json!({ "chatId": ids[1], "archived": true }), "")
        .await;
    assert_eq!(titles(&ada, "pinned: true").await, ["50% off"]);
    assert_eq!(titles(&ada, "pinned: false").await.len(), 4);
    assert_eq!(titles(&ada, "archived: true").await, ["50 apples"]);
    assert_eq!(titles(&ada, "").await.len(), 5, "archived chats are put away");
    assert_eq!(titles(&ada, "archived: null").await.len(), 6);
    assert_eq!(page(&ada, "first: 100").await.0.len(), 5);
    ada.mutate("updateChat", json!({ "chatId": ids[1], "archived": false }), "")
        .await;
    ada.mutate("updateChat", json!({ "chatId": ids[0], "pinned": false }), "")
        .await;
    assert_eq!(titles(&ada, "pinned: true").await, [""; 0]);
    assert_eq!(titles(&ada, "").await.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_meet_without_gap_or_repeat() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut newest_first = Vec::new();
    for number in 0..11 {
        made(&ada, json!({ "title": format!("chat {number}") })).await;
        newest_first.insert(0, format!("chat {number}"));
    }
    // All at one moment: only the id keeps them apart, and it grows.
    let sql = app.sql().await;
    sql.execute("UPDATE chats SET last_activity_at = now()", &[])
        .await
        .expect("an update");

    let cursor = |info: &Value, end: &str| info[end].as_str().expect("a cursor").to_owned();
    let (mut forwards, mut info) = page(&ada, "first: 4").await;
    assert_eq!(info["hasPreviousPage"], false);
    while info["hasNextPage"] == true {
        let (more, next) = page(&ada, &format!("first: 4, after: {:?}", cursor(&info, "endCursor"))).await;
        forwards.extend(more);
        info = next;
    }
    assert_eq!(forwards, newest_first);

    let (mut backwards, mut info) = page(&ada, "last: 4").await;
    assert_eq!(info["hasNextPage"], false);
    while info["hasPreviousPage"] == true {
        let (more, next) = page(&ada, &format!("last: 4, before: {:?}", cursor(&info, "startCursor"))).await;
        backwards.splice(0..0, more);
        info = next;
    }
    assert_eq!(backwards, newest_first);
    assert_eq!(page(&ada, "first: 0").await.0, [""; 0]);

    for (arguments, message) in [
        (
            "first: 101",
            "`first` must be between 0 and 100; ask for more with a cursor.",
        ),
        (
            "last: -1",
            "`last` must be between 0 and 100; ask for more with a cursor.",
        ),
        ("first: 1, last: 1", "Give either `first` or `last`, not both."),
        (r#"first: 1, after: "x""#, "`after` is not a cursor of this list."),
    ] {
        let answer = ada
            .run(
                &format!("{{ viewer {{ chats({arguments}) {{ nodes {{ id }} }} }} }}"),
                json!({}),
            )
            .await;
        assert_eq!(
            answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
            "{arguments}"
        );
        assert_eq!(answer["errors"][0]["message"], message);
    }
}
