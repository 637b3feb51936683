//! Editing among people: in place, for a while, with what was said before kept.

use serde_json::{Value, json};

use super::{direct, done, group, id, people, say};
use crate::chats::refused;
use crate::harness::app::{Client, TestApp, User, new_key};

fn input(message: &str, content: &str) -> Value {
    json!({ "messageId": message, "content": content, "idempotencyKey": new_key() })
}

/// What a message says, and said.
async fn said(client: &Client, message: &str) -> Vec<String> {
    let query = "query ($id: ID!) { message(id: $id) { content edits { nodes { content } } } }";
    let seen = client.ok(query, json!({ "id": message })).await["message"].take();
    let former = seen["edits"]["nodes"].as_array().expect("edits");
    let former = former.iter().map(|edit| id(&edit["content"]));
    std::iter::once(id(&seen["content"])).chain(former).collect()
}

/// The code and message of the one refusal.
async fn refusal(client: &Client, input: Value) -> (String, String) {
    let mut refusals = refused(client, "editMessage", input).await;
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    let (code, path, message) = refusals.remove(0);
    assert_eq!(path, "input.messageId", "{message}");
    (code, message)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_says_something_else_and_what_it_said_is_kept() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = direct(&ada, &bob).await;
    let message = say(&ada, &chat, "Noon?").await;
    let reply = say(&bob, &chat, "Fine.").await;
    let fields = "message { id content editedAt sequence version edits { nodes { content writtenAt replacedAt } } } generation { id }";
    let first = ada.mutate("editMessage", input(&message, "One?"), fields).await;
    assert_eq!((&first["errors"], &first["generation"]), (&json!([]), &Value::Null));
    assert_eq!(
        (
            &first["message"]["id"],
            &first["message"]["content"],
            &first["message"]["version"]
        ),
        (&json!(message), &json!("One?"), &json!(2)),
        "the same message"
    );
    assert_eq!(
        first["message"]["edits"]["nodes"][0]["replacedAt"],
        first["message"]["editedAt"]
    );
    done(&ada, "editMessage", input(&message, "Two?")).await;
    done(&ada, "editMessage", input(&message, "Two?")).await;
    for client in [&ada, &bob] {
        assert_eq!(said(client, &message).await, ["Two?", "Noon?", "One?"]);
    }
    let query = "query ($id: ID!) { message(id: $id) { edits(first: 1) { nodes { content } pageInfo { hasNextPage endCursor } } } }";
    let page = bob.ok(query, json!({ "id": message })).await["message"]["edits"].take();
    assert_eq!(
        (&page["nodes"], &page["pageInfo"]["hasNextPage"]),
        (&json!([{ "content": "Noon?" }]), &json!(true))
    );
    let query = "query ($id: ID!, $after: String) { message(id: $id) { edits(first: 1, after: $after) { nodes { content } pageInfo { hasNextPage } } } }";
    let after = json!({ "id": message, "after": page["pageInfo"]["endCursor"] });
    let page = bob.ok(query, after).await["message"]["edits"].take();
    assert_eq!(
        page,
        json!({ "nodes": [{ "content": "One?" }], "pageInfo": { "hasNextPage": false } })
    );
    // It is where it was, and found by what it says now.
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } search(query: \"two\") { nodes { message { id } } } \
        noon: search(query: \"noon\") { nodes { message { id } } } }";
    let seen = bob.ok(query, json!({ "id": chat })).await;
    assert_eq!(
        seen["chat"]["messages"]["nodes"],
        json!([{ "id": message }, { "id": reply }])
    );
    assert_eq!(seen["search"]["nodes"], json!([{ "message": { "id": message } }]));
    assert_eq!(seen["noon"]["nodes"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_counts_once_and_its_repeat_undoes_no_later_one() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = group(&ada, &[&bob]).await;
    let message = say(&bob, &chat, "one").await;
    let first = input(&message, "two");
    let edits = (0..8).map(|_| bob.mutate("editMessage", first.clone(), "message { content }"));
    for payload in futures_util::future::join_all(edits).await {
        assert_eq!(
            (&payload["errors"], &payload["message"]["content"]),
            (&json!([]), &json!("two"))
        );
    }
    done(&bob, "editMessage", input(&message, "three")).await;
    let late = bob.mutate("editMessage", first.clone(), "message { content }").await;
    assert_eq!(late["message"]["content"], "three", "as it is now");
    assert_eq!(said(&ada, &message).await, ["three", "one", "two"]);
    let mut other = first.clone();
    other["content"] = json!("four");
    assert_eq!(refused(&bob, "editMessage", other).await[0].0, "CONFLICT");
    // A former member is told nothing of what it says by now.
    done(&ada, "removeMember", json!({ "chatId": chat, "userId": bob.id })).await;
    assert_eq!(refusal(&bob, first).await.0, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_edited() {
    let app = TestApp::start().await;
    let [ada, bob, eve]: [User; 3] = people(&app, ["ada", "bob", "eve"]).await;
    let chat = group(&ada, &[&bob]).await;
    let message = say(&bob, &chat, "Mine.").await;
    let query = "query ($id: ID!) { chat(id: $id) { messages { nodes { id } } } }";
    let told = ada.ok(query, json!({ "id": chat })).await["chat"]["messages"]["nodes"][0]["id"].take();
    let others = "Only messages of your own can be edited. To get another answer, regenerate it.";
    let state = |message: &str| ("INVALID_STATE".to_owned(), message.to_owned());
    assert_eq!(refusal(&ada, input(&message, "Yours.")).await, state(others));
    assert_eq!(
        refusal(&ada, input(&id(&told), "Nothing happened.")).await,
        state(others)
    );
    assert_eq!(refusal(&eve, input(&message, "Anybody's.")).await.0, "NOT_FOUND");
    let sql = app.sql().await;
    sql.batch_execute("UPDATE messages SET created_at = now() - interval '1441 minutes'")
        .await
        .expect("a day");
    let old = "Messages can be edited for 24 hours and no longer. Send a new one instead.";
    assert_eq!(refusal(&bob, input(&message, "Late.")).await, state(old));
    sql.batch_execute("UPDATE messages SET created_at = now() - interval '1439 minutes'")
        .await
        .expect("a day");
    done(&bob, "editMessage", input(&message, "Just in time.")).await;
    let strict = app.sibling_with(&["--edit-minutes=0"]).await.expect("a server");
    let never = "Messages cannot be edited on this server. Send a new one instead.";
    assert_eq!(
        refusal(&strict.client_of(&bob), input(&message, "Never.")).await,
        state(never)
    );
    let many = "INSERT INTO message_edits (message_id, number, content, written_at) \
        SELECT message_id, n, 'x', now() FROM message_edits, generate_series(2, 100) AS n";
    sql.batch_execute(many).await.expect("edits");
    assert_eq!(refusal(&bob, input(&message, "Once more.")).await.0, "LIMIT_REACHED");
    done(
        &ada,
        "updateChat",
        json!({ "chatId": chat, "permissions": { "post": "OWNER" } }),
    )
    .await;
    assert_eq!(refusal(&bob, input(&message, "Muted.")).await.0, "FORBIDDEN");
    assert_eq!(said(&ada, &message).await[0], "Just in time.");
    let limits = ada.ok("{ serverInfo { limits { editMinutes } } }", json!({})).await;
    assert_eq!(limits["serverInfo"]["limits"]["editMinutes"], 1440);
    let absent = input(&message, " ");
    assert_eq!(refused(&bob, "editMessage", absent).await[0].1, "input.content");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_blocked_change_is_seen_by_them_alone() {
    let app = TestApp::start().await;
    let [ada, bob]: [User; 2] = people(&app, ["ada", "bob"]).await;
    let chat = direct(&ada, &bob).await;
    let message = say(&ada, &chat, "one").await;
    let his = say(&bob, &chat, "Leave me alone.").await;
    done(&bob, "blockUser", json!({ "userId": ada.id })).await;
    let fields = "message { content editedAt edits { nodes { content } } }";
    let edit = ada.mutate("editMessage", input(&message, "two"), fields).await;
    assert_eq!(
        (&edit["errors"], &edit["message"]["content"]),
        (&json!([]), &json!("two"))
    );
    assert!(edit["message"]["editedAt"].is_string());
    done(&ada, "editMessage", input(&message, "two and a half")).await;
    done(&ada, "addReaction", json!({ "messageId": his, "emoji": "🖕" })).await;
    let query =
        "query ($id: ID!) { message(id: $id) { content editedAt reactions { count } edits { nodes { content } } } }";
    let as_ever = json!({ "content": "one", "editedAt": null, "reactions": [], "edits": { "nodes": [] } });
    assert_eq!(bob.ok(query, json!({ "id": message })).await["message"], as_ever);
    assert_eq!(said(&ada, &message).await, ["two and a half", "one", "two"]);
    let reactions = "query ($id: ID!) { message(id: $id) { reactions { count } } search(query: \"half\") { nodes { message { id } } } }";
    let shown = ada.ok(reactions, json!({ "id": his })).await;
    assert_eq!(shown["message"]["reactions"], json!([{ "count": 1 }]));
    // It stays so when they make up.
    done(&bob, "unblockUser", json!({ "userId": ada.id })).await;
    done(&ada, "editMessage", input(&message, "three")).await;
    assert_eq!(bob.ok(query, json!({ "id": message })).await["message"], as_ever);
    let shown = bob.ok(reactions, json!({ "id": his })).await;
    assert_eq!(
        (&shown["message"]["reactions"], &shown["search"]["nodes"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(said(&ada, &message).await, ["three", "one", "two", "two and a half"]);
    // What is said then is changed for both.
    let message = say(&ada, &chat, "Sorry").await;
    done(&ada, "editMessage", input(&message, "Sorry!")).await;
    assert_eq!(said(&bob, &message).await, ["Sorry!", "Sorry"]);
}
