//! Null where a field failed, as the specification has it ("Handling Execution Errors").
//!
//! async-graphql leaves a failed field out of its object, whether it may be null or not. Clients with a
//! normalised cache take such an object for incomplete, and typed clients read a value where there is none. So
//! for each error the way to its field is walked once more, through the document and the schema, and what must
//! be null is made so.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet, TypeKind,
    TypeSystemDefinition,
};
use async_graphql::parser::{Error, parse_schema};
use async_graphql::{Name, PathSegment, Response, Value};
use async_graphql_value::indexmap::IndexMap;

/// The types of all fields of a schema.
#[derive(Debug, Default)]
pub struct FieldTypes {
    types: HashMap<String, HashMap<String, String>>,
    roots: HashMap<&'static str, String>,
}

/// Whether a value had to become null although its type does not allow it, so that what holds it must too.
#[derive(Debug, PartialEq, Eq)]
enum Failed {
    Here,
    Above,
}

impl FieldTypes {
    /// Reads the types from a schema in SDL.
    ///
    /// # Errors
    /// When it is no SDL.
    pub fn from_sdl(sdl: &str) -> Result<Self, Error> {
        let mut known = FieldTypes::default();
        for definition in parse_schema(sdl)?.definitions {
            match definition {
                TypeSystemDefinition::Type(definition) => {
                    let fields = match definition.node.kind {
                        TypeKind::Object(object) => object.fields,
                        TypeKind::Interface(interface) => interface.fields,
                        _ => continue,
                    };
                    let types = fields
                        .into_iter()
                        .map(|field| (field.node.name.node.to_string(), field.node.ty.node.to_string()));
                    known
                        .types
                        .entry(definition.node.name.node.to_string())
                        .or_default()
                        .extend(types);
                }
                TypeSystemDefinition::Schema(schema) => {
                    let roots = [
                        ("query", schema.node.query),
                        ("mutation", schema.node.mutation),
                        ("subscription", schema.node.subscription),
                    ];
                    known.roots.extend(
                        roots
                            .into_iter()
                            .filter_map(|(root, name)| Some((root, name?.node.to_string()))),
                    );
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        Ok(known)
    }

    /// Makes null what the errors of an answer say has failed.
    pub fn complete(&self, document: &ExecutableDocument, operation: &OperationDefinition, response: &mut Response) {
        let (root, usual) = match operation.ty {
            OperationType::Query => ("query", "Query"),
            OperationType::Mutation => ("mutation", "Mutation"),
            OperationType::Subscription => ("subscription", "Subscription"),
        };
        let root = self.roots.get(root).map_or(usual, String::as_str);
        let sets = [&operation.selection_set.node];
        // All nulls have their places before any of them spreads; what is null already cannot be told from an
        // object whose fields have all failed, which async-graphql makes null as well.
        for pass in [Pass::Place, Pass::Spread] {
            let way = Way {
                known: self,
                document,
                pass,
            };
            for error in response.errors.iter().filter(|error| !error.path.is_empty()) {
                if pass == Pass::Place && response.data == Value::Null {
                    response.data = Value::Object(IndexMap::new());
                }
                if way.walk_object(&mut response.data, root, &sets, &error.path) == Failed::Above {
                    response.data = Value::Null;
                }
            }
        }
    }
}

/// What is done on the way to a field that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Its null is put where it belongs.
    Place,
    /// Its null spreads to what cannot hold it.
    Spread,
}

struct Way<'a> {
    known: &'a FieldTypes,
    document: &'a ExecutableDocument,
    pass: Pass,
}

impl<'a> Way<'a> {
    fn walk_object(&self, object: &mut Value, ty: &str, sets: &[&'a SelectionSet], path: &[PathSegment]) -> Failed {
        let (Value::Object(values), Some((PathSegment::Field(key), rest))) = (object, path.split_first()) else {
            return Failed::Here;
        };
        let mut found = Vec::new();
        for set in sets {
            self.find(set, ty, key, &mut found);
        }
        // Fields of one key have types of one form, whichever of them it was.
        let Some(field_type) = found
            .iter()
            .find_map(|(parent, field)| self.known.types.get(*parent)?.get(field.name.node.as_str()))
        else {
            return Failed::Here;
        };
        let inner: Vec<_> = found.iter().map(|(_, field)| &field.selection_set.node).collect();
        let value = values.entry(Name::new(key)).or_insert(Value::Null);
        self.walk(value, field_type, &inner, rest)
    }

    fn walk(&self, value: &mut Value, ty: &str, sets: &[&'a SelectionSet], path: &[PathSegment]) -> Failed {
        let (bare, is_non_null) = ty.strip_suffix('!').map_or((ty, false), |bare| (bare, true));
        if self.pass == Pass::Place && *value == Value::Null && matches!(path, [PathSegment::Field(_), ..]) {
            *value = Value::Object(IndexMap::new());
        }
        let failed = match path.split_first() {
            None => Failed::Above,
            Some(_) if *value == Value::Null => Failed::Above,
            Some((PathSegment::Index(index), rest)) => {
                let item_type = bare.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
                match (&mut *value, item_type) {
                    (Value::List(items), Some(item_type)) => match items.get_mut(*index) {
                        Some(item) => self.walk(item, item_type, sets, rest),
                        None => Failed::Here,
                    },
                    _ => Failed::Here,
                }
            }
            Some((PathSegment::Field(_), _)) => self.walk_object(value, bare, sets, path),
        };
        if failed == Failed::Here {
            return Failed::Here;
        }
        if path.is_empty() || self.pass == Pass::Spread {
            *value = Value::Null;
        }
        if is_non_null && self.pass == Pass::Spread {
            Failed::Above
        } else {
            Failed::Here
        }
    }

    /// The fields that answer under a key, with the type they are selected on.
    fn find<'b>(&self, set: &'a SelectionSet, ty: &'b str, key: &str, found: &mut Vec<(&'b str, &'a Field)>)
    where
        'a: 'b,
    {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) if field.node.response_key().node == key => {
                    found.push((ty, &field.node));
                }
                Selection::Field(_) => {}
                Selection::InlineFragment(fragment) => {
                    let ty = fragment
                        .node
                        .type_condition
                        .as_ref()
                        .map_or(ty, |condition| condition.node.on.node.as_str());
                    self.find(&fragment.node.selection_set.node, ty, key, found);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        self.find(
                            &fragment.node.selection_set.node,
                            fragment.node.type_condition.node.on.node.as_str(),
                            key,
                            found,
                        );
                    }
                }
            }
        }
    }
}
