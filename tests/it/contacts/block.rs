//! Blocking: who is blocked is told nothing, by no answer and by no event.

use parlor::contact::{blocks_among, blocks_between};
use parlor::id::UserId;
use serde_json::{Value, json};

use super::{act, found, look};
use crate::chats::{refusal, refused};
use crate::harness::app::{Client, TestApp, User};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_takes_a_contact_out_on_one_side() {
    let app = TestApp::start().await;
    let (ada, bob, cyd) = (app.user("ada").await, app.user("bob").await, app.user("cyd").await);
    act(&ada, "addContact", &bob).await;
    act(&bob, "addContact", &ada).await;
    let blocked = act(&ada, "blockUser", &bob).await;
    assert_eq!(
        blocked["user"],
        json!({ "id": bob.id, "isContact": false, "isBlocked": true })
    );
    assert_eq!(act(&ada, "blockUser", &bob).await, blocked, "a repeat changes nothing");
    act(&ada, "blockUser", &cyd).await;
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        look(&ada).await,
        (Vec::new(), names(&["cyd", "bob"])),
        "blocked last, listed first"
    );
    assert_eq!(look(&bob).await, (names(&["ada"]), Vec::new()));
    act(&ada, "unblockUser", &bob).await;
    act(&ada, "unblockUser", &bob).await;
    assert_eq!(look(&ada).await, (Vec::new(), names(&["cyd"])));
    let oneself = refusal(
        "INVALID",
        "input.userId",
        "You cannot block yourself. Block somebody else.",
    );
    assert_eq!(refused(&ada, "blockUser", json!({ "userId": ada.id })).await, oneself);
}

/// Everything that `client` can see of and do to `other`, in this order.
async fn view(client: &Client, other: &User) -> Vec<Value> {
    let user = "id username displayName bio isContact isBlocked createdAt";
    let read = format!(
        "query ($id: ID!) {{ user(by: {{ id: $id }}) {{ {user} }} node(id: $id) {{ ... on User {{ {user} }} }} \
         viewer {{ contacts {{ nodes {{ version user {{ {user} }} }} }} blockedUsers {{ {user} }} }} }}"
    );
    let mut seen = vec![client.ok(&read, json!({ "id": other.id })).await];
    for mutation in [
        "addContact",
        "removeContact",
        "addContact",
        "addContact",
        "blockUser",
        "unblockUser",
        "removeContact",
    ] {
        let field = if mutation == "addContact" {
            "contact { version user"
        } else {
            "user"
        };
        let close = if mutation == "addContact" { "}" } else { "" };
        let fields = format!("{field} {{ {user} }} {close}");
        seen.push(client.mutate(mutation, json!({ "userId": other.id }), &fields).await);
        seen.push(client.ok(&read, json!({ "id": other.id })).await);
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blocked_sees_what_the_ignored_see() {
    let app = TestApp::start().await;
    let (bob, blocked, ignored) = (app.user("bob").await, app.user("ada").await, app.user("eve").await);
    let query = "subscription { events(ephemeral: false) { __typename ... on ContactChanged { user { id } } ... on ChatUpserted { chat { title } } } }";
    let mut streams = Vec::new();
    for client in [&blocked, &ignored] {
        act(client, "addContact", &bob).await;
        let mut stream = client.subscribe(query, json!({})).await;
        assert_eq!(stream.next().await.expect("a beginning")["__typename"], "StreamReady");
        streams.push(stream);
    }
    act(&bob, "addContact", &blocked).await;
    act(&bob, "blockUser", &blocked).await;
    assert_eq!(view(&blocked, &bob).await, view(&ignored, &bob).await);
    let mut heard = Vec::new();
    for (stream, client) in streams.iter_mut().zip([&blocked, &ignored]) {
        client.mutate("createChat", json!({ "title": "the end" }), "").await;
        let mut events = Vec::new();
        while events
            .last()
            .is_none_or(|event: &Value| event["__typename"] != "ChatUpserted")
        {
            events.push(stream.next().await.expect("an event"));
        }
        heard.push(events);
    }
    assert_eq!(heard[0], heard[1], "the same events, and those of one's own alone");
    assert_eq!(look(&bob).await.1, ["ada"], "what the blocked do lifts no block");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_blocks_is_found_as_ever_and_the_deactivated_are_not() {
    let app = TestApp::start().await;
    let (ada, bob, dan) = (app.user("ada").await, app.user("bob").await, app.user("dan").await);
    let chief = app.admin("chief").await;
    act(&ada, "addContact", &bob).await;
    act(&ada, "addContact", &dan).await;
    act(&bob, "blockUser", &ada).await;
    let barred = json!({ "userId": dan.id, "active": false });
    chief.mutate("setUserActive", barred, "").await;
    let by = "query ($name: String!, $email: String!) { name: user(by: { username: $name }) { id } address: user(by: { email: $email }) { id } }";
    for (other, name, is_found) in [(&bob, "bob", true), (&dan, "dan", false)] {
        let email = format!("{name}@example.com");
        let expected = if is_found { vec![name.to_owned()] } else { Vec::new() };
        for query in [name, &name[..2], &format!("@{name}"), &email] {
            assert_eq!(found(&ada, query).await, expected, "{query}");
        }
        let named = ada.ok(by, json!({ "name": name, "email": email })).await;
        let one = if is_found {
            json!({ "id": other.id })
        } else {
            json!(null)
        };
        assert_eq!(named, json!({ "name": one, "address": one }));
        // What names them keeps its name.
        let known = "query ($id: ID!) { user(by: { id: $id }) { username isContact } }";
        let known = ada.ok(known, json!({ "id": other.id })).await;
        assert_eq!(known["user"], json!({ "username": name, "isContact": true }));
    }
    assert_eq!(look(&ada).await.0, ["dan", "bob"]);
    // Who blocks finds those whom they block, to unblock them.
    assert_eq!(found(&bob, "ada@example.com").await, ["ada"]);
    let named = chief.ok(by, json!({ "name": "BOB", "email": "Bob@Example.com" })).await;
    assert_eq!(named, json!({ "name": { "id": bob.id }, "address": { "id": bob.id } }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_rooms_can_ask_for_blocks_either_way() {
    let app = TestApp::start().await;
    let (ada, bob, cyd, dan) = (
        app.user("ada").await,
        app.user("bob").await,
        app.user("cyd").await,
        app.user("dan").await,
    );
    act(&ada, "blockUser", &bob).await;
    act(&cyd, "blockUser", &ada).await;
    let [a, b, c, d] = [&ada, &bob, &cyd, &dan].map(|user| UserId::from(user.id.as_str()));
    let mut connection = app.app.connection().await.expect("a connection");
    for (one, other, expected) in [
        (a, b, true),
        (b, a, true),
        (a, c, true),
        (a, d, false),
        (b, c, false),
        (a, a, false),
    ] {
        let between = blocks_between(&mut connection, one, other).await.expect("an answer");
        assert_eq!(between, expected);
    }
    let among = blocks_among(&mut connection, a, &[b, c, d]).await.expect("an answer");
    assert_eq!(among, [b, c].into());
    assert!(
        blocks_among(&mut connection, a, &[])
            .await
            .expect("an answer")
            .is_empty()
    );
}
