//! What of a room each of eight people sees, field by field: a snapshot of all fields that the schema has, so that a new one
//! is looked at before it is there.

use std::collections::BTreeMap;
use std::fmt::Write;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{BaseType, FieldDefinition, Type, TypeKind, TypeSystemDefinition};
use parlor::graphql;
use serde_json::{Value, json};

use super::rooms::party::{Group, Party, VIEWERS};
use crate::harness::app::{Client, TestApp};
use crate::rooms::{done, newest_note};

/// The types that are looked at, and the way to one of each: a query, the names that lead to it, and what encloses it.
const THINGS: &[(&str, &str)] = &[
    ("Chat", "chat(id: \"<chat>\") { <> }"),
    ("ChatViewerState", "chat(id: \"<chat>\") { viewerState { <> } }"),
    ("Draft", "chat(id: \"<chat>\") { viewerState { draft { <> } } }"),
    ("ChatPermissions", "chat(id: \"<chat>\") { permissions { <> } }"),
    ("Member", "chat(id: \"<chat>\") { members(first: 1) { nodes { <> } } }"),
    ("Message", "message(id: \"<said>\") { <> }"),
    ("MessageEdit", "message(id: \"<said>\") { edits { nodes { <> } } }"),
    ("ReactionGroup", "message(id: \"<said>\") { reactions { <> } }"),
    ("Receipt", "message(id: \"<said>\") { receipts { nodes { <> } } }"),
    ("SystemNote", "message(id: \"<note>\") { system { <> } }"),
    ("Message", "message(id: \"<answer>\") { <> }"),
    ("Generation", "generation(id: \"<generation>\") { <> }"),
    ("TokenUsage", "generation(id: \"<generation>\") { usage { <> } }"),
    (
        "ScheduledMessage",
        "node(id: \"<scheduled>\") { ... on ScheduledMessage { <> } }",
    ),
    ("User", "user(by: { id: \"<owner>\" }) { <> }"),
    (
        "Chat",
        "admin { chats(userId: \"<owner>\", filter: { kinds: [GROUP] }) { nodes { <> } } }",
    ),
    (
        "Message",
        "admin { messages(chatId: \"<chat>\", last: 1) { nodes { <> } } }",
    ),
];

/// The fields of every object and interface.
fn types() -> BTreeMap<String, Vec<FieldDefinition>> {
    let mut types = BTreeMap::new();
    for definition in parse_schema(graphql::sdl()).expect("a schema").definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let fields = match definition.node.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            _ => continue,
        };
        let fields = fields.into_iter().map(|field| field.node).collect();
        types.insert(definition.node.name.node.to_string(), fields);
    }
    types
}

fn innermost(ty: &Type) -> String {
    match &ty.base {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(inner) => innermost(inner),
    }
}

/// A field, and of what it leads to the kind.
fn selected(types: &BTreeMap<String, Vec<FieldDefinition>>, field: &FieldDefinition) -> String {
    let (name, ty) = (&field.name.node, innermost(&field.ty.node));
    match types.get(&ty) {
        None => name.to_string(),
        Some(_) if ty.ends_with("Connection") => format!("{name} {{ nodes {{ __typename }} }}"),
        Some(_) => format!("{name} {{ __typename }}"),
    }
}

/// What stands at the end of the only way into an answer.
fn inside<'a>(answer: &'a Value, way: &str) -> &'a Value {
    let mut depth = way.split("<>").next().unwrap_or_default().matches('{').count();
    // The braces of arguments and fragments are no steps.
    depth -= way.split("<>").next().unwrap_or_default().matches(": {").count();
    depth -= way.matches("... on").count();
    let mut value = answer;
    for _ in 0..depth {
        let only = value.as_object().and_then(|fields| fields.values().next());
        value = only.unwrap_or(&Value::Null);
        if let Some(elements) = value.as_array() {
            value = elements.first().unwrap_or(&Value::Null);
        }
    }
    value
}

/// A value in one sign.
fn sign(value: &Value) -> char {
    match value {
        Value::Null => '-',
        Value::Array(elements) if elements.is_empty() => '0',
        Value::Object(fields) if fields.values().all(|value| value.as_array().is_some_and(Vec::is_empty)) => '0',
        _ => 'x',
    }
}

/// The sign of a field. How fast an answer was is not known of one that was over at once.
fn shown(name: &str, thing: &Value) -> char {
    match name {
        "tokensPerSecond" if thing.get(name).is_some() => 'x',
        _ => sign(&thing[name]),
    }
}

/// What somebody gets of one thing: a sign for each field, or one for all when there is nothing for them.
async fn look(client: &Client, document: &str, way: &str, fields: &[FieldDefinition]) -> Vec<char> {
    let answer = client.run(&format!("{{ {document} }}"), json!({})).await;
    let thing = inside(&answer["data"], way);
    if thing.is_object() {
        assert!(answer.get("errors").is_none(), "{document}\n{answer}");
        return fields
            .iter()
            .map(|field| shown(field.name.node.as_str(), thing))
            .collect();
    }
    let nothing = if answer.get("errors").is_some() { '!' } else { '.' };
    vec![nothing; fields.len()]
}

/// A group in which there is something of everything.
async fn lived_in(app: &TestApp, party: &Party) -> (Group, String) {
    let group = party.group().await;
    let (chat, said) = (&group.chat, &group.said);
    let details =
        json!({ "chatId": chat, "description": "Of paint", "iconUrl": "/icon.png", "messageLifetimeSeconds": 86400 });
    done(&party.owner, "updateChat", details).await;
    let edit = json!({ "messageId": said, "content": "Is anybody there?", "idempotencyKey": "edit" });
    done(&party.bystander, "editMessage", edit).await;
    done(
        &party.member,
        "addReaction",
        json!({ "messageId": said, "emoji": "🦊" }),
    )
    .await;
    for client in [&party.blocked, &party.member, &party.moderator, &party.owner] {
        done(client, "markRead", json!({ "chatId": chat, "messageId": said })).await;
        done(client, "saveDraft", json!({ "chatId": chat, "text": "Well" })).await;
    }
    app.app.receipts().flush(&app.app).await.expect("stored");
    let note = newest_note(&party.owner, chat).await;
    (group, note)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_every_field_each_sees_what_the_snapshot_says() {
    let app = TestApp::with(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    let party = Party::of(&app).await;
    let (group, note) = lived_in(&app, &party).await;
    let types = types();
    let mut table = String::new();
    writeln!(table, "{}", VIEWERS.join(" ")).expect("text");
    for (name, way) in THINGS {
        let fields = &types[*name];
        let selection: Vec<String> = fields.iter().map(|field| selected(&types, field)).collect();
        let mut document = way.replace("<>", &selection.join(" "));
        for (name, id) in [
            ("<chat>", &group.chat),
            ("<said>", &group.said),
            ("<answer>", &group.answer),
            ("<generation>", &group.generation),
            ("<scheduled>", &group.scheduled),
            ("<note>", &note),
            ("<owner>", &party.owner.id),
        ] {
            document = document.replace(name, id);
        }
        let mut columns = Vec::new();
        for client in party.viewers() {
            columns.push(look(client, &document, way, fields).await);
        }
        writeln!(table, "{name}: {way}").expect("text");
        for (at, field) in fields.iter().enumerate() {
            let signs: String = columns.iter().map(|column| column[at]).collect();
            writeln!(table, "  {signs} {}", field.name.node).expect("text");
        }
        // Who is blocked is a member like another: no field tells them.
        assert_eq!(columns[2], columns[4], "{name}: {way}");
    }
    insta::assert_snapshot!(table, @r#"
    anonymous stranger blocked former member moderator owner admin
    Chat: chat(id: "<chat>") { <> }
      !.0.000. activeGenerations
      !.x.xxx. assistantReplies
      !.x.xxx. assistants
      !.0.000. builtinTools
      !.x.xxx. createdAt
      !.x.xxx. description
      !.x.xxx. history
      !.x.xxx. iconUrl
      !.x.xxx. id
      !.x.xxx. isDefault
      !.x.xxx. kind
      !.x.xxx. lastActivityAt
      !.x.xxx. lastMessage
      !.x.xxx. memberCount
      !.x.xxx. members
      !.x.xxx. messageLifetimeSeconds
      !.x.xxx. messages
      !.-.---. model
      !.x.xxx. payer
      !.x.xxx. permissions
      !.0.000. pinnedMessages
      !.-.---. provider
      !.0.000. summaries
      !.x.xxx. title
      !.x.xxx. titleSource
      !.0.000. toolServers
      !.0.000. typing
      !.x.xxx. updatedAt
      !.x.xxx. version
      !.x.xxx. viewerState
    ChatViewerState: chat(id: "<chat>") { viewerState { <> } }
      !.x.xxx. archived
      !.x.xxx. draft
      !.x.xxx. draftVersion
      !.x.xxx. lastReadSequence
      !.x.xxx. mentionCount
      !.-.---. mutedUntil
      !.x.xxx. notifications
      !.x.xxx. permissions
      !.x.xxx. pinned
      !.x.xxx. role
      !.x.xxx. unreadCount
    Draft: chat(id: "<chat>") { viewerState { draft { <> } } }
      !.-.---. replyTo
      !.x.xxx. text
      !.x.xxx. updatedAt
    ChatPermissions: chat(id: "<chat>") { permissions { <> } }
      !.x.xxx. addMembers
      !.x.xxx. askAi
      !.x.xxx. changeDetails
      !.x.xxx. pin
      !.x.xxx. post
    Member: chat(id: "<chat>") { members(first: 1) { nodes { <> } } }
      !.x.xxx. deliveredSequence
      !.x.xxx. joinedAt
      !.x.xxx. readSequence
      !.x.xxx. role
      !.x.xxx. user
    Message: message(id: "<said>") { <> }
      !.x.xxx. active
      !.x.xxx. author
      !.x.xxx. chat
      !.x.xxx. content
      !.x.xxx. createdAt
      !.-.---. deletedAt
      !.-.---. deletedBy
      !.x.xxx. editedAt
      !.x.xxx. edits
      !.-.---. generation
      !.x.xxx. id
      !.-.---. idempotencyKey
      !.x.xxx. importance
      !.x.xxx. kind
      !.0.000. mentions
      !.-.---. metadata
      !.x.xxx. parent
      !.-.---. pinnedAt
      !.-.---. pinnedBy
      !.x.xxx. reactions
      !.x.xxx. receipts
      !.-.---. replyTo
      !.x.xxx. role
      !.x.xxx. sequence
      !.0.000. siblings
      !.-.---. status
      !.-.---. system
      !.x.xxx. version
    MessageEdit: message(id: "<said>") { edits { nodes { <> } } }
      !.x.xxx. content
      !.x.xxx. replacedAt
      !.x.xxx. writtenAt
    ReactionGroup: message(id: "<said>") { reactions { <> } }
      !.x.xxx. count
      !.x.xxx. emoji
      !.x.xxx. users
      !.x.xxx. viewerReacted
    Receipt: message(id: "<said>") { receipts { nodes { <> } } }
      !.x.xxx. status
      !.x.xxx. user
    SystemNote: message(id: "<note>") { system { <> } }
      !.-.---. assistant
      !.x.xxx. details
      !.x.xxx. kind
      !.-.---. role
      !.-.---. subject
    Message: message(id: "<answer>") { <> }
      !.x.xxx. active
      !.x.xxx. author
      !.x.xxx. chat
      !.x.xxx. content
      !.x.xxx. createdAt
      !.-.---. deletedAt
      !.-.---. deletedBy
      !.-.---. editedAt
      !.0.000. edits
      !.x.xxx. generation
      !.x.xxx. id
      !.-.---. idempotencyKey
      !.x.xxx. importance
      !.x.xxx. kind
      !.0.000. mentions
      !.-.---. metadata
      !.x.xxx. parent
      !.-.---. pinnedAt
      !.-.---. pinnedBy
      !.0.000. reactions
      !.x.xxx. receipts
      !.x.xxx. replyTo
      !.x.xxx. role
      !.x.xxx. sequence
      !.0.000. siblings
      !.-.---. status
      !.-.---. system
      !.x.xxx. version
    Generation: generation(id: "<generation>") { <> }
      !.-.---. activity
      !.x.xxx. askedBy
      !.x.xxx. cached
      !.-.---. error
      !.x.xxx. finishReason
      !.x.xxx. finishedAt
      !.x.xxx. firstTokenAt
      !.x.xxx. firstTokenMs
      !.x.xxx. id
      !.x.xxx. keySource
      !.x.xxx. message
      !.x.xxx. model
      !.x.xxx. payer
      !.x.xxx. provider
      !.x.xxx. queuedAt
      !.-.---. reasoning
      !.x.xxx. sequence
      !.x.xxx. status
      !.x.xxx. text
      !.x.xxx. tokensPerSecond
      !.0.000. toolCalls
      !.x.xxx. usage
    TokenUsage: generation(id: "<generation>") { usage { <> } }
      !.x.xxx. cachedInputTokens
      !.x.xxx. costState
      !.x.xxx. costUsd
      !.x.xxx. inputTokens
      !.x.xxx. outputTokens
      !.x.xxx. priceVersion
      !.x.xxx. reasoningTokens
      !.x.xxx. totalTokens
    ScheduledMessage: node(id: "<scheduled>") { ... on ScheduledMessage { <> } }
      !.....x. chat
      !.....x. content
      !.....x. createdAt
      !.....x. id
      !.....-. lastError
      !.....-. lastMessage
      !.....-. lastSentAt
      !.....x. missed
      !.....-. missedAt
      !.....x. missedCount
      !.....x. nextAt
      !.....x. rule
      !.....x. sendAt
      !.....x. sentCount
      !.....x. state
      !.....x. timeZone
      !.....x. updatedAt
      !.....x. version
    User: user(by: { id: "<owner>" }) { <> }
      !------- bio
      !xxxxxxx createdAt
      !xxxxxxx displayName
      !xxxxxxx id
      !xxxxxxx isBlocked
      !xxxxxxx isContact
      !xxxxxxx isDeleted
      !xxxxxxx presence
      !xxxxxxx username
    Chat: admin { chats(userId: "<owner>", filter: { kinds: [GROUP] }) { nodes { <> } } }
      !!!!!!!0 activeGenerations
      !!!!!!!x assistantReplies
      !!!!!!!x assistants
      !!!!!!!0 builtinTools
      !!!!!!!x createdAt
      !!!!!!!x description
      !!!!!!!x history
      !!!!!!!x iconUrl
      !!!!!!!x id
      !!!!!!!x isDefault
      !!!!!!!x kind
      !!!!!!!x lastActivityAt
      !!!!!!!x lastMessage
      !!!!!!!x memberCount
      !!!!!!!x members
      !!!!!!!x messageLifetimeSeconds
      !!!!!!!x messages
      !!!!!!!- model
      !!!!!!!x payer
      !!!!!!!x permissions
      !!!!!!!0 pinnedMessages
      !!!!!!!- provider
      !!!!!!!0 summaries
      !!!!!!!x title
      !!!!!!!x titleSource
      !!!!!!!0 toolServers
      !!!!!!!0 typing
      !!!!!!!x updatedAt
      !!!!!!!x version
      !!!!!!!- viewerState
    Message: admin { messages(chatId: "<chat>", last: 1) { nodes { <> } } }
      !!!!!!!x active
      !!!!!!!x author
      !!!!!!!x chat
      !!!!!!!x content
      !!!!!!!x createdAt
      !!!!!!!- deletedAt
      !!!!!!!- deletedBy
      !!!!!!!- editedAt
      !!!!!!!0 edits
      !!!!!!!- generation
      !!!!!!!x id
      !!!!!!!- idempotencyKey
      !!!!!!!x importance
      !!!!!!!x kind
      !!!!!!!0 mentions
      !!!!!!!- metadata
      !!!!!!!- parent
      !!!!!!!- pinnedAt
      !!!!!!!- pinnedBy
      !!!!!!!0 reactions
      !!!!!!!x receipts
      !!!!!!!- replyTo
      !!!!!!!x role
      !!!!!!!x sequence
      !!!!!!!0 siblings
      !!!!!!!- status
      !!!!!!!x system
      !!!!!!!x version
    "#);
}
