//! Members of a group: added, removed, given roles, and listed by pages.

use serde_json::{Value, json};

use super::{done, group, notes, people, roster, say, texts};
use crate::harness::app::TestApp;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_come_and_go_and_it_is_told() {
    let app = TestApp::start().await;
    let [ada, bob, cyd, dan] = people(&app, ["ada", "bob", "cyd", "dan"]).await;
    let chat = group(&ada, &[&bob]).await;
    let add = json!({ "chatId": chat, "userIds": [cyd.id, dan.id, bob.id, cyd.id] });
    assert_eq!(
        bob.mutate("addMembers", add.clone(), "chat { id }").await["errors"][0]["code"],
        "FORBIDDEN"
    );
    let added = ada.mutate("addMembers", add.clone(), "chat { memberCount }").await;
    assert_eq!(
        (&added["errors"], &added["chat"]["memberCount"]),
        (&json!([]), &json!(4))
    );
    done(&ada, "addMembers", add).await;
    done(
        &ada,
        "setMemberRole",
        json!({ "chatId": chat, "userId": bob.id, "role": "MODERATOR" }),
    )
    .await;
    done(&bob, "removeMember", json!({ "chatId": chat, "userId": dan.id })).await;
    assert_eq!(roster(&cyd, &chat).await, ["ada OWNER", "bob MODERATOR", "cyd MEMBER"]);
    assert_eq!(texts(&dan, &chat).await, None);
    let told: Vec<Value> = notes(&ada, &chat)
        .await
        .iter()
        .map(|note| note["content"].clone())
        .collect();
    assert_eq!(
        json!(told),
        json!([
            "ada created the group.",
            "ada added cyd.",
            "ada added dan.",
            "ada made bob a moderator.",
            "bob removed dan."
        ])
    );
    insta::assert_json_snapshot!(notes(&ada, &chat).await[3..], @r#"
    [
      {
        "author": {
          "username": "ada"
        },
        "content": "ada made bob a moderator.",
        "role": "SYSTEM",
        "system": {
          "details": [],
          "kind": "ROLE_CHANGED",
          "role": "MODERATOR",
          "subject": {
            "username": "bob"
          }
        }
      },
      {
        "author": {
          "username": "bob"
        },
        "content": "bob removed dan.",
        "role": "SYSTEM",
        "system": {
          "details": [],
          "kind": "MEMBER_REMOVED",
          "role": null,
          "subject": {
            "username": "dan"
          }
        }
      }
    ]
    "#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_above_those_below_it_alone() {
    let app = TestApp::start().await;
    let [ada, bob, cyd, dan, eve] = people(&app, ["ada", "bob", "cyd", "dan", "eve"]).await;
    let chat = group(&ada, &[&bob, &cyd, &dan]).await;
    for moderator in [&bob, &cyd] {
        done(
            &ada,
            "setMemberRole",
            json!({ "chatId": chat, "userId": moderator.id, "role": "MODERATOR" }),
        )
        .await;
    }
    let refusals = [
        (&bob, "removeMember", &cyd, "FORBIDDEN"),
        (&bob, "removeMember", &ada, "FORBIDDEN"),
        (&bob, "removeMember", &bob, "INVALID"),
        (&bob, "removeMember", &eve, "NOT_FOUND"),
        (&dan, "removeMember", &bob, "FORBIDDEN"),
        (&dan, "removeMember", &eve, "FORBIDDEN"),
        (&eve, "removeMember", &dan, "NOT_FOUND"),
        (&bob, "setMemberRole", &dan, "FORBIDDEN"),
        (&ada, "setMemberRole", &ada, "INVALID"),
        (&ada, "setMemberRole", &eve, "NOT_FOUND"),
        (&eve, "setMemberRole", &dan, "NOT_FOUND"),
    ];
    let before = roster(&ada, &chat).await;
    for (who, mutation, whom, code) in refusals {
        let mut input = json!({ "chatId": chat, "userId": whom.id });
        if mutation == "setMemberRole" {
            input["role"] = json!("MODERATOR");
        }
        let refused = who.mutate(mutation, input.clone(), "chat { id }").await;
        assert_eq!(
            (&refused["chat"], &refused["errors"][0]["code"]),
            (&Value::Null, &json!(code)),
            "{mutation} {input}"
        );
    }
    assert_eq!(roster(&ada, &chat).await, before);
    // Who gives the group away is a moderator then.
    done(
        &ada,
        "setMemberRole",
        json!({ "chatId": chat, "userId": dan.id, "role": "OWNER" }),
    )
    .await;
    assert_eq!(
        roster(&ada, &chat).await,
        ["ada MODERATOR", "bob MODERATOR", "cyd MODERATOR", "dan OWNER"]
    );
    let back = ada
        .mutate(
            "setMemberRole",
            json!({ "chatId": chat, "userId": ada.id, "role": "OWNER" }),
            "",
        )
        .await;
    assert_eq!(back["errors"][0]["code"], "FORBIDDEN");
    done(&dan, "removeMember", json!({ "chatId": chat, "userId": bob.id })).await;
    assert_eq!(texts(&bob, &chat).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_owners_of_a_moment_are_not() {
    let app = TestApp::start().await;
    let [ada, bob, cyd] = people(&app, ["ada", "bob", "cyd"]).await;
    let chat = group(&ada, &[&bob, &cyd]).await;
    let give = |whom: &str| {
        ada.mutate(
            "setMemberRole",
            json!({ "chatId": chat, "userId": whom, "role": "OWNER" }),
            "",
        )
    };
    let (one, other) = tokio::join!(give(&bob.id), give(&cyd.id));
    let refused = [one, other]
        .iter()
        .filter(|payload| payload["errors"] != json!([]))
        .count();
    assert_eq!(refused, 1, "who has given it away has nothing to give");
    let owners = roster(&ada, &chat).await;
    assert_eq!(
        owners.iter().filter(|line| line.ends_with("OWNER")).count(),
        1,
        "{owners:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_listed_by_pages() {
    let app = TestApp::start().await;
    let [ada] = people(&app, ["ada"]).await;
    let chat = group(&ada, &[]).await;
    let many = "INSERT INTO users (id, username, email, display_name, password_hash) \
        SELECT gen_random_uuid(), 'u' || n, 'u' || n || '@example.com', 'u' || n, 'x' FROM generate_series(1, 120) AS n";
    let sql = app.sql().await;
    sql.batch_execute(many).await.expect("people");
    let ids = sql
        .query(
            "SELECT 'user_' || replace(id::text, '-', '') FROM users WHERE username <> 'ada' ORDER BY id",
            &[],
        )
        .await;
    let ids: Vec<String> = ids.expect("ids").iter().map(|row| row.get(0)).collect();
    for some in ids.chunks(60) {
        done(&ada, "addMembers", json!({ "chatId": chat, "userIds": some })).await;
    }
    let query = "query ($id: ID!, $after: String) { chat(id: $id) { memberCount members(first: 50, after: $after) { \
        nodes { user { id } } pageInfo { hasNextPage endCursor } } } }";
    let (mut seen, mut after, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let page = ada.ok(query, json!({ "id": chat, "after": after })).await["chat"].take();
        assert_eq!(page["memberCount"], 121);
        let nodes = page["members"]["nodes"].as_array().expect("members").clone();
        seen.extend(
            nodes
                .iter()
                .map(|node| node["user"]["id"].as_str().expect("an id").to_owned()),
        );
        (after, pages) = (page["members"]["pageInfo"]["endCursor"].clone(), pages + 1);
        if page["members"]["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    let once: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), once.len(), pages, &seen[0]), (121, 121, 3, &ada.id));
    let too_many = ada
        .run(&query.replace("first: 50", "first: 101"), json!({ "id": chat }))
        .await;
    assert_eq!(too_many["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    say(&ada, &chat, "Welcome.").await;
}
