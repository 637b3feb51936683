//! Reactions: counted exactly, however many react at once.

use serde_json::{Value, json};

use super::{direct, done, group, people, say};
use crate::chats::refused;
use crate::harness::app::{Client, TestApp, User};

fn input(message: &str, emoji: &str) -> Value {
    json!({ "messageId": message, "emoji": emoji })
}

/// The reactions to a message, as somebody sees them.
async fn reactions(client: &Client, message: &str) -> Value {
    let query = "query ($id: ID!) { message(id: $id) { reactions { emoji count viewerReacted users { username } } } }";
    client.ok(query, json!({ "id": message })).await["message"]["reactions"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_react_and_take_it_back() {
    let app = TestApp::start().await;
    let [ada, bob, cyd]: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob, &cyd]).await;
    let message = say(&ada, &chat, "Cake?").await;
    done(&bob, "addReaction", input(&message, "🍰")).await;
    done(&cyd, "addReaction", input(&message, "👩🏽‍🍳")).await;
    let payload = cyd
        .mutate("addReaction", input(&message, " 🍰 "), "message { version }")
        .await;
    let again = cyd
        .mutate("addReaction", input(&message, "🍰"), "message { version }")
        .await;
    assert_eq!(payload, again, "once is enough");
    let (cake, cook) = (
        json!([{ "username": "bob" }, { "username": "cyd" }]),
        json!([{ "username": "cyd" }]),
    );
    assert_eq!(
        reactions(&bob, &message).await,
        json!([
            { "emoji": "🍰", "count": 2, "viewerReacted": true, "users": cake },
            { "emoji": "👩🏽‍🍳", "count": 1, "viewerReacted": false, "users": cook },
        ])
    );
    done(&cyd, "removeReaction", input(&message, "🍰")).await;
    done(&cyd, "removeReaction", input(&message, "👩🏽‍🍳")).await;
    done(&cyd, "removeReaction", input(&message, "🍩")).await;
    let left = json!([{ "emoji": "🍰", "count": 1, "viewerReacted": false, "users": [{ "username": "bob" }] }]);
    assert_eq!(reactions(&cyd, &message).await, left);
    // Who has left is not among those who see it; what they felt stays.
    done(&bob, "leaveChat", json!({ "chatId": chat })).await;
    assert_eq!(reactions(&ada, &message).await, left);
    assert_eq!(
        refused(&bob, "addReaction", input(&message, "🍰")).await[0].0,
        "NOT_FOUND"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_react_at_once_are_all_counted() {
    let app = TestApp::with(&["--requests-per-minute=0"]).await;
    let [ada, bob, cyd]: [User; 3] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob, &cyd]).await;
    let message = say(&ada, &chat, "Go!").await;
    let sibling = app.sibling().await;
    let clients: Vec<Client> = [&ada, &bob, &cyd]
        .iter()
        .flat_map(|user| [user.client.clone(), sibling.client_of(user)])
        .collect();
    let kinds = ["1", "2", "3", "4"];
    let all = clients
        .iter()
        .flat_map(|client| kinds.map(|kind| done(client, "addReaction", input(&message, kind))));
    futures_util::future::join_all(all).await;
    let counted = reactions(&ada, &message).await;
    let counts: Vec<_> = counted
        .as_array()
        .expect("four")
        .iter()
        .map(|group| &group["count"])
        .collect();
    assert_eq!(counts, [3, 3, 3, 3]);
    let query = "query ($id: ID!) { message(id: $id) { version } }";
    let version = ada.ok(query, json!({ "id": message })).await["message"]["version"].take();
    assert_eq!(version, 1 + 12, "each counted once");
    // And those who think better of it.
    let few = clients.iter().skip(2);
    let gone = few.flat_map(|client| ["1", "2"].map(|kind| done(client, "removeReaction", input(&message, kind))));
    futures_util::future::join_all(gone).await;
    done(&ada, "removeReaction", input(&message, "1")).await;
    let left = reactions(&bob, &message).await;
    let left: Vec<_> = left
        .as_array()
        .expect("three")
        .iter()
        .map(|group| (&group["emoji"], &group["count"]))
        .collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(
        left.contains(&(&json!("2"), &json!(1))) && left.contains(&(&json!("3"), &json!(3))),
        "{left:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_five_are_shown_also_when_one_of_them_goes() {
    let app = TestApp::start().await;
    let all: [User; 7] = people(&app, ["usera", "userb", "userc", "userd", "usere", "userf", "userg"]).await;
    let chat = group(&all[0], &all[1..].iter().collect::<Vec<_>>()).await;
    let message = say(&all[0], &chat, "Cake?").await;
    for user in &all {
        done(user, "addReaction", input(&message, "🍰")).await;
    }
    let names = async || {
        let seen = reactions(&all[6], &message).await;
        let users = seen[0]["users"].as_array().expect("people").clone();
        let names: Vec<String> = users
            .iter()
            .map(|user| user["username"].as_str().expect("a name").to_owned())
            .collect();
        (seen[0]["count"].as_i64().expect("a number"), names)
    };
    assert_eq!(
        names().await,
        (
            7,
            ["usera", "userb", "userc", "userd", "usere"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    done(&all[1], "removeReaction", input(&message, "🍰")).await;
    assert_eq!(
        names().await,
        (
            6,
            ["usera", "userc", "userd", "usere", "userf"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    done(&all[1], "addReaction", input(&message, "🍰")).await;
    done(&all[0], "removeReaction", input(&message, "🍰")).await;
    assert_eq!(
        names().await,
        (
            6,
            ["userc", "userd", "usere", "userf", "userg"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    done(&all[0], "deleteMessage", json!({ "messageId": message })).await;
    assert_eq!(reactions(&all[6], &message).await, json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_reaction() {
    let app = TestApp::start().await;
    let [ada, bob, eve]: [User; 3] = people(&app, ["ada", "bob", "eve"]).await;
    let chat = direct(&ada, &bob).await;
    let message = say(&ada, &chat, "Hm?").await;
    let family = "👨‍👩‍👧‍👦".repeat(8);
    done(&bob, "addReaction", input(&message, &family)).await;
    for (emoji, code) in [
        ("", "REQUIRED"),
        ("  ", "REQUIRED"),
        ("a\nb", "INVALID"),
        ("\u{202e}lol", "INVALID"),
        ("seventeen letters", "TOO_LONG"),
    ] {
        let refusals = refused(&bob, "addReaction", input(&message, emoji)).await;
        assert_eq!(
            (refusals[0].0.as_str(), refusals[0].1.as_str()),
            (code, "input.emoji"),
            "{emoji}"
        );
    }
    assert_eq!(
        refused(&eve, "addReaction", input(&message, "x")).await[0].0,
        "NOT_FOUND"
    );
    for number in 1..20 {
        done(&bob, "addReaction", input(&message, &number.to_string())).await;
    }
    assert_eq!(
        refused(&ada, "addReaction", input(&message, "20")).await[0].0,
        "LIMIT_REACHED"
    );
    done(&ada, "addReaction", input(&message, "19")).await;
    assert_eq!(reactions(&ada, &message).await.as_array().map(Vec::len), Some(20));
}
