//! Ways around the root fields: nested fields, lists, streams, and keys that somebody else has used.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use parlor::graphql;
use serde_json::{Value, json};

use super::{furnish, people};
use crate::harness::app::TestApp;

/// Every type, with the types of its fields or of what implements it.
fn neighbours() -> BTreeMap<String, BTreeSet<String>> {
    let schema = parse_schema(graphql::sdl()).expect("a schema");
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for definition in schema.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let name = definition.node.name.node.to_string();
        let (fields, interfaces) = match definition.node.kind {
            TypeKind::Object(object) => (object.fields, object.implements),
            TypeKind::Interface(interface) => (interface.fields, interface.implements),
            _ => continue,
        };
        for interface in interfaces {
            found
                .entry(interface.node.to_string())
                .or_default()
                .insert(name.clone());
        }
        let types = fields.iter().map(|field| field.node.ty.node.to_string());
        let types = types.map(|name| name.trim_matches(['!', '[', ']']).to_owned());
        found.entry(name).or_default().extend(types);
    }
    found
}

#[test]
fn nothing_private_hangs_on_what_everybody_may_see() {
    let neighbours = neighbours();
    for public in ["User", "Assistant", "Actor", "ServerInfo", "UserError"] {
        let mut reached = BTreeSet::from([public.to_owned()]);
        let mut waiting = vec![public.to_owned()];
        while let Some(name) = waiting.pop() {
            for next in neighbours.get(&name).into_iter().flatten() {
                if reached.insert(next.clone()) {
                    waiting.push(next.clone());
                }
            }
        }
        for private in [
            "Chat",
            "Message",
            "Generation",
            "ApiKey",
            "ScheduledMessage",
            "PushSubscription",
            "Webhook",
            "WebhookDelivery",
            "ToolServer",
            "Session",
            "Viewer",
            "AdminUser",
            "AuditEntry",
            "Memory",
            "Preferences",
            "ChatSummary",
            "Contact",
        ] {
            assert!(!reached.contains(private), "{public} leads to {private}");
        }
    }
    assert!(
        neighbours["Message"].contains("Chat") && neighbours["Actor"].contains("User"),
        "the search works"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_nested_field_leads_to_anothers() {
    let app = TestApp::start().await;
    let [stranger, owner, admin] = people(&app).await;
    let (theirs, mine) = (furnish(&owner).await, furnish(&stranger).await);
    // A reply that points into another's chat, as no part of the server would write it.
    let uuid = |id: &str| id.split('_').nth(1).expect("a prefix").to_owned();
    let (parent, reply) = (uuid(&theirs.question), uuid(&mine.answer));
    let cross = format!("UPDATE messages SET parent_id = '{parent}' WHERE id = '{reply}'");
    assert_eq!(app.sql().await.execute(&cross, &[]).await.expect("a row"), 1);
    let query = "query ($id: ID!) { message(id: $id) { parent { content chat { title } } chat { messages { nodes { parent { content } } } } } }";
    let seen = stranger.ok(query, json!({ "id": mine.answer })).await["message"].take();
    assert_eq!(seen["parent"], Value::Null);
    assert_eq!(seen["chat"]["messages"]["nodes"][1]["parent"], Value::Null);

    let everything = "query ($id: ID!) { node(id: $id) { __typename id ... on Chat { messages { nodes { content } } lastMessage { content } } \
        ... on Message { content chat { title } parent { content } generation { text } } \
        ... on Generation { text message { content } } ... on ApiKey { hint } } }";
    for client in [&stranger, &admin] {
        for id in [&theirs.chat, &theirs.question, &theirs.answer, &theirs.generation] {
            assert_eq!(
                client.ok(everything, json!({ "id": id })).await,
                json!({ "node": null })
            );
        }
        let lists = "{ viewer { assistantChat { id } chats(filter: { archived: null }) { nodes { id } } apiKeys { id } toolServers { id } sessions { id } } }";
        let text = client.ok(lists, json!({})).await.to_string();
        assert!(!text.contains(&theirs.chat), "{text}");
    }
    let own = owner.ok(everything, json!({ "id": theirs.answer })).await["node"].take();
    assert_eq!(
        (&own["parent"]["content"], &own["__typename"]),
        (&json!("Who goes there?"), &json!("Message"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_another_has_used_is_ones_own() {
    let app = TestApp::start().await;
    let [stranger, owner, _] = people(&app).await;
    let create = async |client: &crate::harness::app::Client| {
        let input = json!({ "idempotencyKey": "the-same", "model": "scripted:words=1,first=0,delay=0" });
        client.mutate("createChat", input, "chat { id }").await["chat"]["id"].take()
    };
    let (theirs, mine) = (create(&owner).await, create(&stranger).await);
    assert_ne!(theirs, mine);
    assert_eq!(create(&owner).await, theirs);
    let send = async |client: &crate::harness::app::Client, chat: &Value| {
        let input = json!({ "chatId": chat, "content": "Hello?", "idempotencyKey": "the-same" });
        client.mutate("sendMessage", input, "message { id chat { id } }").await
    };
    let (first, second) = (send(&owner, &theirs).await, send(&stranger, &mine).await);
    assert_ne!(first["message"]["id"], second["message"]["id"]);
    assert_eq!(second["message"]["chat"]["id"], mine);
    assert_eq!(
        send(&stranger, &theirs).await["errors"][0]["code"],
        "CONFLICT",
        "the key is bound to its chat"
    );
    assert_eq!(send(&owner, &theirs).await["message"], first["message"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_stream_brings_anothers_events() {
    let app = TestApp::start().await;
    let [stranger, owner, admin] = people(&app).await;
    let theirs = furnish(&owner).await;
    let cursor = stranger.ok("{ viewer { syncCursor } }", json!({})).await["viewer"]["syncCursor"].take();
    let events = "subscription ($ids: [ID!], $after: String) { events(chatIds: $ids, after: $after, ephemeral: false) { __typename ... on ChatUpserted { chat { id } } } }";
    let one = "subscription ($id: ID!, $after: String) { chatEvents(chatId: $id, after: $after, ephemeral: false) { __typename } }";
    let narrow = json!({ "ids": [theirs.chat, "chat_0"], "after": cursor });
    let absent = json!({ "id": "chat_01234567012370123456789abcdef012", "after": cursor });
    let mut all = stranger.subscribe(events, json!({ "after": cursor })).await;
    let mut narrow = stranger.subscribe(events, narrow).await;
    let mut single = stranger
        .subscribe(one, json!({ "id": theirs.chat, "after": cursor }))
        .await;
    let mut nothing = stranger.subscribe(one, absent).await;
    let mut admins = admin.subscribe(events, json!({ "after": cursor })).await;
    let (began, as_if) = (
        single.next().await.expect("an event"),
        nothing.next().await.expect("an event"),
    );
    assert_eq!(began, as_if, "another's chat is like none");
    for stream in [&mut all, &mut narrow, &mut admins] {
        assert_eq!(stream.next().await.expect("an event")["__typename"], "StreamReady");
    }

    owner.send(&theirs.chat, "For nobody else").await;
    owner
        .mutate("deleteChat", json!({ "chatId": theirs.chat }), "deletedChatId")
        .await;
    let mine = stranger.chat("scripted").await;
    let admins_own = admin.chat("scripted").await;
    for (stream, chat) in [(&mut all, mine), (&mut admins, admins_own)] {
        let event = stream.next().await.expect("an event");
        assert_eq!(
            event,
            json!({ "__typename": "ChatUpserted", "chat": { "id": chat } }),
            "the first thing heard"
        );
    }
    let (ended, as_if) = (single.result().await, nothing.result().await);
    assert_eq!(ended, as_if, "another's chat is like none");
    assert_eq!(
        ended.expect("an answer")["errors"][0]["extensions"]["code"],
        "NOT_FOUND"
    );
    // What has nothing to tell stays open until its owner leaves.
    stranger
        .mutate("logout", json!({ "everywhere": true }), "endedSessions")
        .await;
    let last = narrow.result().await.expect("an answer");
    assert_eq!(last["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{last}");
}
