//! What the schema says of the inputs of mutations: every place in them, and of what type it is.

use std::collections::BTreeMap;

use async_graphql::parser::types::{BaseType, DocumentOperations, Selection, Type, TypeKind, TypeSystemDefinition};
use async_graphql::parser::{parse_query, parse_schema};
use parlor::graphql;
use serde_json::{Value, json};

/// How deep an input goes before it is cut off.
const DEPTH: usize = 4;

/// A place in an input.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The names that lead there.
    pub(super) path: Vec<String>,
    /// The type of a value there, or of an element of the list there.
    pub(super) scalar: String,
    pub(super) is_list: bool,
    pub(super) is_enum: bool,
    pub(super) is_required: bool,
}

impl Place {
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
}

struct Field {
    name: String,
    ty: Type,
    has_default: bool,
}

/// The inputs and enums of the schema.
pub(super) struct Shape {
    inputs: BTreeMap<String, Vec<Field>>,
    enums: BTreeMap<String, String>,
    /// Each mutation with its input's type.
    pub(super) mutations: Vec<(String, String)>,
}

/// The name of what is in a type, and whether that is in a list.
fn innermost(ty: &Type) -> (String, bool) {
    match &ty.base {
        BaseType::Named(name) => (name.to_string(), false),
        BaseType::List(inner) => (innermost(inner).0, true),
    }
}

impl Shape {
    pub(super) fn read() -> Shape {
        let mut shape = Shape {
            inputs: BTreeMap::new(),
            enums: BTreeMap::new(),
            mutations: Vec::new(),
        };
        for definition in parse_schema(graphql::sdl()).expect("a schema").definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let name = definition.node.name.node.to_string();
            match definition.node.kind {
                TypeKind::InputObject(input) => {
                    let field =
                        |field: async_graphql::Positioned<async_graphql::parser::types::InputValueDefinition>| Field {
                            name: field.node.name.node.to_string(),
                            has_default: field.node.default_value.is_some(),
                            ty: field.node.ty.node,
                        };
                    shape.inputs.insert(name, input.fields.into_iter().map(field).collect());
                }
                TypeKind::Enum(values) => {
                    let first = values.values.first().expect("a value").node.value.node.to_string();
                    shape.enums.insert(name, first);
                }
                TypeKind::Object(object) if name == "Mutation" => {
                    for field in object.fields {
                        let input = &field.node.arguments[0].node.ty.node;
                        shape
                            .mutations
                            .push((field.node.name.node.to_string(), innermost(input).0));
                    }
                }
                _ => {}
            }
        }
        shape
    }

    /// Every place in an input of this type.
    pub(super) fn places(&self, input: &str) -> Vec<Place> {
        let mut found = Vec::new();
        self.walk(input, &mut Vec::new(), &mut found);
        found
    }

    fn walk(&self, input: &str, path: &mut Vec<String>, found: &mut Vec<Place>) {
        for field in self.inputs.get(input).into_iter().flatten() {
            let (scalar, is_list) = innermost(&field.ty);
            path.push(field.name.clone());
            found.push(Place {
                path: path.clone(),
                is_list,
                is_enum: self.enums.contains_key(&scalar),
                is_required: !field.ty.nullable && !field.has_default,
                scalar: scalar.clone(),
            });
            if path.len() < DEPTH {
                self.walk(&scalar, path, found);
            }
            path.pop();
        }
    }

    /// Whether a path of an error's `field` leads somewhere in an input of this type.
    pub(super) fn leads(&self, input: &str, path: &[&str]) -> bool {
        let Some((name, rest)) = path.split_first() else {
            return true;
        };
        // The place in a list.
        if name.parse::<usize>().is_ok() {
            return self.leads(input, rest);
        }
        let mut fields = self.inputs.get(input).into_iter().flatten();
        let field = fields.find(|field| field.name == *name);
        field.is_some_and(|field| self.leads(&innermost(&field.ty).0, rest))
    }

    /// An input like `base` with `value` at a place; what it needs beside that is put there.
    pub(super) fn with(&self, input: &str, base: &Value, path: &[String], value: &Value) -> Value {
        let Some((name, rest)) = path.split_first() else {
            return value.clone();
        };
        let mut whole = match base {
            Value::Object(_) => base.clone(),
            _ => self.least(input),
        };
        let fields = self.inputs.get(input).into_iter().flatten();
        let field = fields.into_iter().find(|field| field.name == *name).expect("a field");
        let (inner, is_list) = innermost(&field.ty);
        let there = match &whole[name] {
            Value::Array(elements) => elements.first().cloned().unwrap_or(Value::Null),
            there => there.clone(),
        };
        let inside = self.with(&inner, &there, rest, value);
        whole[name] = if is_list && !rest.is_empty() {
            json!([inside])
        } else {
            inside
        };
        whole
    }

    /// The least input of a type: what is required.
    fn least(&self, input: &str) -> Value {
        let mut whole = json!({});
        for field in self.inputs.get(input).into_iter().flatten() {
            if !field.ty.nullable && !field.has_default {
                let (scalar, is_list) = innermost(&field.ty);
                let one = self.ordinary(&scalar);
                whole[&field.name] = if is_list { json!([one]) } else { one };
            }
        }
        whole
    }

    /// A value of a type that has nothing particular.
    pub(super) fn ordinary(&self, scalar: &str) -> Value {
        if let Some(first) = self.enums.get(scalar) {
            return json!(first);
        }
        match scalar {
            "Boolean" => json!(false),
            "Int" | "Long" | "Float" => json!(1),
            "Decimal" => json!("1"),
            "DateTime" => json!("2030-01-01T00:00:00Z"),
            "JSON" => json!({}),
            "String" | "ID" => json!("x"),
            input => self.least(input),
        }
    }
}

/// The input in a call that is written out.
pub(super) fn input_of(call: &str) -> Value {
    let document = parse_query(format!("mutation {{ {call} }}")).expect("a call");
    let DocumentOperations::Single(operation) = document.operations else {
        panic!("one operation");
    };
    let Selection::Field(field) = &operation.node.selection_set.node.items[0].node else {
        panic!("a field");
    };
    let (_, input) = &field.node.arguments[0];
    let input = input.node.clone().into_const().expect("no variables");
    input.into_json().expect("JSON")
}
