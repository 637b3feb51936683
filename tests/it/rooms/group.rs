//! Groups: made with whom one names, and what they say of themselves.

use serde_json::{Value, json};

use super::{done, group, id, notes, people, roster, say, texts};
use crate::harness::app::{TestApp, new_key};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_made_with_all_its_people() {
    let app = TestApp::start().await;
    let [ada, bob, cyd, eve] = people(&app, ["ada", "bob", "cyd", "eve"]).await;
    let input = json!({
        "kind": "GROUP", "title": "Painters", "description": "We paint.", "iconUrl": "/files/icon.png", "history": "FROM_START",
        // Named twice, and the maker too: each is in it once.
        "permissions": { "pin": "MEMBER" }, "memberIds": [bob.id, cyd.id, bob.id, ada.id],
    });
    let fields = "chat { kind title titleSource description iconUrl history memberCount permissions { post addMembers pin changeDetails askAi } \
        viewerState { role permissions unreadCount } lastMessage { content system { kind } } }";
    insta::assert_json_snapshot!(ada.mutate("createChat", input, fields).await, @r#"
    {
      "chat": {
        "description": "We paint.",
        "history": "FROM_START",
        "iconUrl": "/files/icon.png",
        "kind": "GROUP",
        "lastMessage": {
          "content": "ada created the group.",
          "system": {
            "kind": "CREATED"
          }
        },
        "memberCount": 3,
        "permissions": {
          "addMembers": "MODERATOR",
          "askAi": "MEMBER",
          "changeDetails": "MODERATOR",
          "pin": "MEMBER",
          "post": "MEMBER"
        },
        "title": "Painters",
        "titleSource": "USER",
        "viewerState": {
          "permissions": [
            "POST",
            "ADD_MEMBERS",
            "PIN",
            "CHANGE_DETAILS",
            "ASK_AI"
          ],
          "role": "OWNER",
          "unreadCount": 0
        }
      },
      "errors": []
    }
    "#);
    let chats = "{ viewer { chats { nodes { id viewerState { role permissions unreadCount } } } } }";
    let mut seen = bob.ok(chats, json!({})).await["viewer"]["chats"]["nodes"].take();
    let chat = id(&seen[0]["id"]);
    assert_eq!(
        seen[0]["viewerState"].take(),
        json!({ "role": "MEMBER", "permissions": ["POST", "PIN", "ASK_AI"], "unreadCount": 0 })
    );
    assert_eq!(roster(&cyd, &chat).await, ["ada OWNER", "bob MEMBER", "cyd MEMBER"]);
    assert_eq!(texts(&eve, &chat).await, None);
    assert_eq!(
        texts(&cyd, &chat).await,
        Some(vec!["ada created the group.".to_owned()])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_creation_makes_no_second_group() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let input = json!({ "kind": "GROUP", "title": "Once", "memberIds": [bob.id], "idempotencyKey": new_key() });
    let made = futures_util::future::join_all((0..8).map(|_| ada.mutate("createChat", input.clone(), "chat { id }")));
    let made = made.await;
    assert!(made.iter().all(|payload| payload == &made[0]), "{made:?}");
    assert!(made[0]["chat"]["id"].is_string());
    let mut other = input.clone();
    other["title"] = json!("Twice");
    assert_eq!(
        ada.mutate("createChat", other, "chat { id }").await["errors"][0]["code"],
        "CONFLICT"
    );
    done(&ada, "leaveChat", json!({ "chatId": made[0]["chat"]["id"] })).await;
    let again = ada.mutate("createChat", input, "chat { id }").await;
    assert_eq!(
        (&again["chat"], &again["errors"][0]["code"]),
        (&Value::Null, &json!("NOT_FOUND"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_details_are_changed_by_whom_it_lets() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let change = json!({ "chatId": chat, "title": "Sculptors", "description": "We carve.", "iconUrl": "https://example.com/i.png" });
    let refused = bob.mutate("updateChat", change.clone(), "chat { id }").await;
    assert_eq!(refused["errors"][0]["code"], "FORBIDDEN");
    done(
        &ada,
        "updateChat",
        json!({ "chatId": chat, "permissions": { "changeDetails": "MEMBER" } }),
    )
    .await;
    let changed = bob
        .mutate("updateChat", change, "chat { title description iconUrl titleSource }")
        .await;
    insta::assert_json_snapshot!(changed, @r#"
    {
      "chat": {
        "description": "We carve.",
        "iconUrl": "https://example.com/i.png",
        "title": "Sculptors",
        "titleSource": "USER"
      },
      "errors": []
    }
    "#);
    for of_the_owner in [
        json!({ "history": "FROM_START" }),
        json!({ "permissions": { "post": "OWNER" } }),
    ] {
        let mut input = of_the_owner;
        input["chatId"] = json!(chat);
        assert_eq!(
            bob.mutate("updateChat", input, "").await["errors"][0]["code"],
            "FORBIDDEN"
        );
    }
    done(
        &ada,
        "updateChat",
        json!({ "chatId": chat, "description": "", "iconUrl": null, "history": "FROM_START" }),
    )
    .await;
    let query =
        "query ($id: ID!) { chat(id: $id) { title description iconUrl history permissions { post changeDetails } } }";
    let permissions = json!({ "post": "MEMBER", "changeDetails": "MEMBER" });
    assert_eq!(
        bob.ok(query, json!({ "id": chat })).await["chat"],
        json!({ "title": "Sculptors", "description": null, "iconUrl": null, "history": "FROM_START", "permissions": permissions })
    );
    let told = notes(&bob, &chat).await;
    let told = told.iter().map(|note| {
        json!([
            note["author"]["username"],
            note["system"]["kind"],
            note["system"]["details"],
            note["content"]
        ])
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            json!(["ada", "CREATED", [], "ada created the group."]),
            json!([
                "ada",
                "DETAILS_CHANGED",
                ["PERMISSIONS"],
                "ada changed the permissions."
            ]),
            json!([
                "bob",
                "DETAILS_CHANGED",
                ["TITLE", "DESCRIPTION", "ICON"],
                "bob changed the title, description, icon."
            ]),
            json!([
                "ada",
                "DETAILS_CHANGED",
                ["DESCRIPTION", "ICON", "HISTORY"],
                "ada changed the description, icon, history."
            ]),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_may_keep_members_from_writing() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    done(
        &ada,
        "updateChat",
        json!({ "chatId": chat, "permissions": { "post": "MODERATOR" } }),
    )
    .await;
    let input = json!({ "chatId": chat, "content": "May I?", "idempotencyKey": new_key() });
    let refused = bob.mutate("sendMessage", input.clone(), "message { id }").await;
    assert_eq!(
        (&refused["message"], &refused["errors"][0]["code"]),
        (&Value::Null, &json!("FORBIDDEN"))
    );
    done(
        &ada,
        "setMemberRole",
        json!({ "chatId": chat, "userId": bob.id, "role": "MODERATOR" }),
    )
    .await;
    // A refused send has stored nothing, its key neither.
    done(&bob, "sendMessage", input).await;
    say(&ada, &chat, "You may.").await;
    let told = texts(&ada, &chat).await.expect("a group");
    assert_eq!(told[told.len() - 2..], ["May I?", "You may."]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ones_own_stays_ones_own() {
    let app = TestApp::start().await;
    let [ada, bob] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let query = "query ($id: ID!) { chat(id: $id) { version viewerState { pinned archived lastReadSequence } messages { nodes { id } } } }";
    let before = bob.ok(query, json!({ "id": chat })).await;
    done(
        &ada,
        "updateChat",
        json!({ "chatId": chat, "pinned": true, "archived": true }),
    )
    .await;
    let message = before["chat"]["messages"]["nodes"][0]["id"].clone();
    assert_eq!(
        bob.ok(query, json!({ "id": chat })).await,
        before,
        "not even the version that others see grows"
    );
    let mine = ada.ok(query, json!({ "id": chat })).await;
    assert_eq!(
        mine["chat"]["viewerState"],
        json!({ "pinned": true, "archived": true, "lastReadSequence": 1 })
    );
    assert!(mine["chat"]["version"].as_i64() > before["chat"]["version"].as_i64());
    done(&bob, "markRead", json!({ "chatId": chat, "messageId": message })).await;
    assert_eq!(ada.ok(query, json!({ "id": chat })).await, mine);
}
