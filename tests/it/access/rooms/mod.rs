//! Who may do what in a group and in a direct chat: everybody who is, was or never was in it, on every field that takes
//! something of it.

mod pair;
pub(super) mod party;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{InputValueDefinition, TypeKind, TypeSystemDefinition};
use parlor::graphql;
use serde_json::Value;

use self::party::{Group, Party, VIEWERS, pending_call};
use self::table::{Leaves, TABLE};
use super::Outcome::{self, Allowed, Empty};
use super::ask;
use super::roots::outcome;
use crate::harness::app::{TestApp, new_key};
use crate::rooms::say;

/// What comes of asking, where a list with nothing in it is another thing than one with something.
fn seen(field: &str, answer: &Value) -> Outcome {
    let outcome = outcome(field, answer);
    let mut inner = &answer["data"][field];
    while let Some(only) = inner.as_object().filter(|fields| fields.len() == 1) {
        inner = only.values().next().unwrap_or(&Value::Null);
    }
    let is_empty = inner.as_array().is_some_and(Vec::is_empty) && answer.to_string().contains("nodes");
    if outcome == Allowed && is_empty { Empty } else { outcome }
}

/// The document for one of the viewers.
async fn written(party: &Party, group: &Group, call: &str, column: usize, tool_call: &str) -> String {
    let own = match VIEWERS[column] {
        _ if !call.contains("<own>") => String::new(),
        "former" => group.formers.clone(),
        "anonymous" | "stranger" | "admin" => group.said.clone(),
        _ => say(party.viewers()[column], &group.chat, "Me, too").await,
    };
    let mut document = call.to_owned();
    for (name, value) in [
        ("<group>", group.chat.as_str()),
        ("<said>", &group.said),
        ("<own>", &own),
        ("<answer>", &group.answer),
        ("<generation>", &group.generation),
        ("<scheduled>", &group.scheduled),
        ("<call>", tool_call),
        ("<summary>", &party.summary),
        ("<assistant>", &party.assistants[0]),
        ("<other>", &party.assistants[1]),
        ("<bystander>", &party.bystander.id),
        ("<newcomer>", &party.newcomer.id),
        ("<who>", VIEWERS[column]),
        ("<key>", &new_key()),
    ] {
        document = document.replace(name, value);
    }
    document
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_in_and_out_of_a_group_gets_what_the_table_says() {
    let app = TestApp::with(&["--requests-per-minute=0", "--messages-per-minute=0"]).await;
    let party = Party::of(&app).await;
    let mut kept: Option<Group> = None;
    let mut wrong = Vec::new();
    for (kind, field, call, leaves, expected, _) in TABLE {
        let mut tool_call = String::new();
        for (column, client) in party.viewers().into_iter().enumerate() {
            let group = match kept.take() {
                Some(group) => group,
                None => {
                    tool_call.clear();
                    party.group().await
                }
            };
            if call.contains("<call>") && tool_call.is_empty() {
                tool_call = pending_call(&app, &group.generation).await;
            }
            let document = written(&party, &group, call, column, &tool_call).await;
            let answer = ask(client, *kind, &document).await;
            let got = seen(field, &answer);
            if got != expected[column] {
                wrong.push(format!(
                    "{} gets {got:?} instead of {:?}: {document}\n{answer}",
                    VIEWERS[column], expected[column]
                ));
            }
            // A refusal has changed nothing: the next finds it as it was.
            let changed = got == Allowed && *leaves == Leaves::Changed;
            kept = (!changed).then_some(group);
        }
        if !tool_call.is_empty() {
            // Its answer waits, where those of the other rows have ended.
            kept = None;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Ids that lead to no room, or only in the company of one that does.
const ELSEWHERE: &[&str] = &[
    "apiKeyId",
    "assistantId",
    "assistantIds",
    "authorId",
    "memberIds",
    "memoryId",
    "pushSubscriptionId",
    "sessionId",
    "toolGrantId",
    "toolServerId",
    "toolServerIds",
    "userId",
    "userIds",
    "webhookDeliveryId",
    "webhookId",
];

/// The ids that somebody can put into arguments, with those within their inputs.
fn ids<'a>(
    inputs: &'a BTreeMap<String, Vec<InputValueDefinition>>,
    arguments: impl Iterator<Item = &'a InputValueDefinition>,
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut waiting: Vec<&InputValueDefinition> = arguments.collect();
    let mut walked = BTreeSet::new();
    while let Some(argument) = waiting.pop() {
        let ty = argument.ty.node.to_string();
        let ty = ty.trim_matches(['!', '[', ']']).to_owned();
        if ty == "ID" {
            found.insert(argument.name.node.as_str());
        }
        // Accounts have a table of their own.
        if ty != "UserBy" && walked.insert(ty.clone()) {
            waiting.extend(inputs.get(&ty).into_iter().flatten());
        }
    }
    found
}

#[test]
fn the_table_has_a_row_for_every_id_of_something_in_a_room() {
    let schema = parse_schema(graphql::sdl()).expect("a schema");
    let (mut inputs, mut fields) = (BTreeMap::new(), Vec::new());
    for definition in schema.definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        match definition.node.kind {
            TypeKind::InputObject(input) => {
                let values = input.fields.into_iter().map(|field| field.node).collect();
                inputs.insert(definition.node.name.node.to_string(), values);
            }
            TypeKind::Object(object) => fields.extend(object.fields.into_iter().map(|field| field.node)),
            _ => {}
        }
    }
    let mut missing = Vec::new();
    let mut needed = 0;
    for field in &fields {
        let name = field.name.node.as_str();
        for id in ids(&inputs, field.arguments.iter().map(|argument| &argument.node)) {
            if ELSEWHERE.contains(&id) {
                continue;
            }
            needed += 1;
            let (call, argument) = (format!("{name}("), format!("{id}:"));
            let has = |row: &&table::Row| row.2.contains(&call) && row.2.contains(&argument);
            if !TABLE.iter().any(|row| has(&row)) {
                missing.push(format!("{name}({id}:)"));
            }
        }
    }
    assert!(needed > 40, "the search works: {needed}");
    assert!(missing.is_empty(), "add a row for {missing:#?}");
}
