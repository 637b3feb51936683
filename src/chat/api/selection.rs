//! What clients select of an event, in a form in which two that select the same are equal; and whether what they get is
//! the same for whoever may see the event at all.
//!
//! Only what is listed in [`OPEN`] counts as the same for everybody: a field that is not there is resolved for each
//! viewer alone, and so is everything beside it in the event. A field is put there when nothing it shows depends on who
//! asks: no counts of one's own, no idempotency key, nothing behind which there is a question of access.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::parser::types::{Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned};

/// The fields that show the same to everybody, by type; each with the type of what it holds, if that has fields itself.
const OPEN: &[(&str, &[(&str, &str)])] = &[
    (
        "MessageCreated",
        &[("cursor", ""), ("occurredAt", ""), ("message", "Message")],
    ),
    (
        "MessageUpdated",
        &[
            ("cursor", ""),
            ("occurredAt", ""),
            ("message", "Message"),
            ("changed", ""),
        ],
    ),
    ("ChatUpserted", &[("cursor", ""), ("occurredAt", ""), ("chat", "Chat")]),
    (
        "BranchChanged",
        &[
            ("cursor", ""),
            ("occurredAt", ""),
            ("chat", "Chat"),
            ("afterSequence", ""),
        ],
    ),
    (
        "HistoryCleared",
        &[
            ("cursor", ""),
            ("occurredAt", ""),
            ("chatId", ""),
            ("throughSequence", ""),
        ],
    ),
    (
        "TypingChanged",
        &[
            ("cursor", ""),
            ("occurredAt", ""),
            ("chatId", ""),
            ("userId", ""),
            ("user", "User"),
            ("isTyping", ""),
            ("expiresAt", ""),
        ],
    ),
    (
        "PresenceChanged",
        &[("cursor", ""), ("occurredAt", ""), ("presence", "Presence")],
    ),
    (
        "AssistantActivity",
        &[
            ("cursor", ""),
            ("occurredAt", ""),
            ("chatId", ""),
            ("generationId", ""),
            ("messageId", ""),
            ("activity", ""),
        ],
    ),
    (
        "Message",
        &[
            ("id", ""),
            ("chat", "Chat"),
            ("sequence", ""),
            ("role", ""),
            ("author", "Actor"),
            ("system", "SystemNote"),
            ("content", ""),
            ("kind", ""),
            ("importance", ""),
            ("metadata", ""),
            ("pinnedAt", ""),
            ("pinnedBy", "User"),
            ("deletedBy", "User"),
            ("active", ""),
            ("generation", "Generation"),
            ("createdAt", ""),
            ("editedAt", ""),
            ("deletedAt", ""),
            ("version", ""),
        ],
    ),
    (
        "Chat",
        &[
            ("id", ""),
            ("kind", ""),
            ("title", ""),
            ("titleSource", ""),
            ("isDefault", ""),
            ("provider", ""),
            ("model", ""),
            ("description", ""),
            ("iconUrl", ""),
            ("history", ""),
            ("messageLifetimeSeconds", ""),
            ("assistantReplies", ""),
            ("payer", ""),
            ("memberCount", ""),
            ("createdAt", ""),
        ],
    ),
    ("Actor", &[("id", ""), ("displayName", "")]),
    (
        "User",
        &[
            ("id", ""),
            ("username", ""),
            ("displayName", ""),
            ("bio", ""),
            ("createdAt", ""),
        ],
    ),
    (
        "Assistant",
        &[("id", ""), ("displayName", ""), ("avatarUrl", ""), ("description", "")],
    ),
    (
        "SystemNote",
        &[("kind", ""), ("subject", "User"), ("role", ""), ("details", "")],
    ),
    (
        "Generation",
        &[
            ("id", ""),
            ("status", ""),
            ("provider", ""),
            ("model", ""),
            ("text", ""),
            ("reasoning", ""),
            ("sequence", ""),
            ("finishReason", ""),
            ("queuedAt", ""),
            ("firstTokenAt", ""),
            ("finishedAt", ""),
        ],
    ),
    ("Presence", &[("userId", ""), ("status", ""), ("lastSeenAt", "")]),
];

/// The events that several streams may be told in one and the same way.
const EVENTS: [&str; 8] = [
    "MessageCreated",
    "MessageUpdated",
    "ChatUpserted",
    "BranchChanged",
    "HistoryCleared",
    "TypingChanged",
    "PresenceChanged",
    "AssistantActivity",
];

/// Which interfaces a type has.
fn is_a(ty: &str, condition: &str) -> bool {
    let interfaces: &[&str] = match ty {
        "Message" | "Chat" | "Generation" => &["Node"],
        "User" | "Assistant" => &["Actor", "Node"],
        other if EVENTS.contains(&other) => &["Event"],
        _ => &[],
    };
    ty == condition || interfaces.contains(&condition)
}

type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// What a client selects of each event that may be told to several in the same way.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selections {
    by_event: Vec<(&'static str, Arc<str>)>,
}

impl Selections {
    /// Reads what is selected on a field that holds events.
    pub(super) fn of(field: &Field, fragments: &Fragments) -> Self {
        let select = |event: &'static str| {
            let mut text = String::new();
            let mut writer = Writer {
                fragments,
                text: &mut text,
            };
            writer.write(&field.selection_set.node, event)?;
            Some((event, text.into()))
        };
        Selections {
            by_event: EVENTS.into_iter().filter_map(select).collect(),
        }
    }

    /// What is selected of an event of this name, if everybody who selects it gets the same.
    pub(super) fn get(&self, event: &str) -> Option<&Arc<str>> {
        let found = self.by_event.iter().find(|(name, _)| *name == event);
        found.map(|(_, selection)| selection)
    }
}

struct Writer<'a> {
    fragments: &'a Fragments,
    text: &'a mut String,
}

impl Writer<'_> {
    /// Writes what is selected on an object of a type; none when it is not the same for everybody.
    fn write(&mut self, set: &SelectionSet, ty: &str) -> Option<()> {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => self.field(&field.node, ty)?,
                Selection::InlineFragment(fragment) => {
                    let fragment = &fragment.node;
                    let on = fragment
                        .type_condition
                        .as_ref()
                        .map(|condition| condition.node.on.node.as_str());
                    self.fragment(&fragment.selection_set.node, on, ty, fragment.directives.is_empty())?;
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = &self.fragments.get(&spread.node.fragment_name.node)?.node;
                    let on = Some(fragment.type_condition.node.on.node.as_str());
                    let is_plain = spread.node.directives.is_empty() && fragment.directives.is_empty();
                    self.fragment(&fragment.selection_set.node, on, ty, is_plain)?;
                }
            }
        }
        Some(())
    }

    fn fragment(&mut self, set: &SelectionSet, on: Option<&str>, ty: &str, is_plain: bool) -> Option<()> {
        match on {
            // What a directive says may depend on variables.
            _ if !is_plain => None,
            Some(on) if is_a(ty, on) => self.write(set, ty),
            Some(on) if is_a(on, ty) => {
                self.text.push_str("...");
                self.text.push_str(on);
                self.braced(set, on)
            }
            // Of another event.
            Some(_) if EVENTS.contains(&ty) => Some(()),
            // Of whatever is both, such as `... on Node` of an author: all of a user may be in it.
            Some(_) => None,
            None => self.write(set, ty),
        }
    }

    fn field(&mut self, field: &Field, ty: &str) -> Option<()> {
        let name = field.name.node.as_str();
        if !field.directives.is_empty() || !field.arguments.is_empty() {
            return None;
        }
        self.text.push_str(field.response_key().node.as_str());
        self.text.push(':');
        self.text.push_str(name);
        self.text.push(' ');
        if name == "__typename" {
            return Some(());
        }
        let (_, fields) = OPEN.iter().find(|(open, _)| *open == ty)?;
        match fields.iter().find(|(open, _)| *open == name)? {
            (_, "") => Some(()),
            (_, inner) => self.braced(&field.selection_set.node, inner),
        }
    }

    fn braced(&mut self, set: &SelectionSet, ty: &str) -> Option<()> {
        self.text.push('{');
        self.write(set, ty)?;
        self.text.push('}');
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
    use async_graphql::parser::{parse_query, parse_schema};

    use super::*;

    fn selections(events: &str, fragments: &str) -> Selections {
        let document =
            parse_query(format!("subscription {{ events {{ {events} }} }} {fragments}")).expect("a document");
        let (_, operation) = document.operations.iter().next().expect("an operation");
        let Selection::Field(field) = &operation.node.selection_set.node.items[0].node else {
            panic!("a field");
        };
        Selections::of(&field.node, &document.fragments)
    }

    #[test]
    fn the_same_in_other_words_is_the_same() {
        let plain = selections(
            "__typename cursor ... on MessageCreated { message { id author { displayName ... on User { username } } } } \
             ... on ChatUpserted { chat { id viewerState { unreadCount } } }",
            "",
        );
        let other = selections(
            "__typename ... on Event { cursor } ...new ... on ChatRemoved { chatId }",
            "fragment new on MessageCreated { message { ...shown } } \
             fragment shown on Message { id author { displayName ... on User { username } } }",
        );
        let text = plain.get("MessageCreated").expect("the same for everybody");
        assert_eq!(Some(text), other.get("MessageCreated"));
        assert_eq!(
            &**text,
            "__typename:__typename cursor:cursor message:message {id:id author:author {displayName:displayName ...User{username:username }}}"
        );
        assert_eq!(plain.get("ChatUpserted"), None, "what is unread differs");
        assert_eq!(
            &**other.get("ChatUpserted").expect("nothing of one's own"),
            "__typename:__typename cursor:cursor "
        );
        let renamed = selections("__typename cursor ... on MessageCreated { message { other: id } }", "");
        assert_ne!(renamed.get("MessageCreated"), other.get("MessageCreated"));
    }

    #[test]
    fn what_depends_on_the_viewer_or_on_variables_is_not_shared() {
        for selected in [
            "idempotencyKey",
            "id idempotencyKey",
            "siblings { id }",
            "parent { id }",
            "chat { version }",
            "chat { viewerState { unreadCount } }",
            "chat { lastMessage { id } }",
            "chat { messages { nodes { id } } }",
            "author { ... on User { isBlocked } }",
            "author { ... on User { presence { status } } }",
            "author { id ... on Node { ... on User { isBlocked } } }",
            "author { id ... on Node { id } }",
            "id @skip(if: $no)",
            "... @include(if: $yes) { id }",
        ] {
            let selections = selections(&format!("... on MessageCreated {{ message {{ {selected} }} }}"), "");
            assert_eq!(selections.get("MessageCreated"), None, "{selected}");
        }
    }

    #[test]
    fn everything_in_the_list_is_in_the_schema() {
        let mut types = BTreeMap::new();
        for definition in parse_schema(include_str!("../../../schema.graphql"))
            .expect("a schema")
            .definitions
        {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            let fields: BTreeMap<String, String> = fields
                .into_iter()
                .map(|field| (field.node.name.node.to_string(), field.node.ty.node.to_string()))
                .collect();
            types.insert(definition.node.name.node.to_string(), fields);
        }
        for (ty, fields) in OPEN {
            for (field, inner) in *fields {
                let found = types[*ty]
                    .get(*field)
                    .unwrap_or_else(|| panic!("{ty}.{field} is no field"));
                let named = found.trim_matches(['[', ']', '!']);
                let expected = if types.contains_key(named) { named } else { "" };
                assert_eq!(*inner, expected, "{ty}.{field}");
            }
        }
    }
}
