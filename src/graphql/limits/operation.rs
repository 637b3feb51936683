//! Which operation of a document is meant, and whether its variables are there.

use std::collections::HashMap;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, ServerResult, Value, Variables};

use super::{OPERATION_NAME_BYTES, SELECTIONS, VARIABLE_VALUES, exceeded, refused};

/// The operation that a request means.
///
/// # Errors
/// `OPERATION_RESOLUTION_FAILURE` when that is not clear.
pub fn select<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> ServerResult<&'a Positioned<OperationDefinition>> {
    const CODE: &str = "OPERATION_RESOLUTION_FAILURE";
    if let Some(name) = name.filter(|name| name.len() > OPERATION_NAME_BYTES) {
        return Err(exceeded(
            "BAD_USER_INPUT",
            "bytes in its operationName",
            name.len(),
            OPERATION_NAME_BYTES,
            None,
        ));
    }
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(operation),
        (DocumentOperations::Multiple(operations), None) if operations.len() == 1 => operations
            .values()
            .next()
            .ok_or_else(|| refused(CODE, "The document has no operation.", None)),
        (DocumentOperations::Multiple(_), None) => Err(refused(
            CODE,
            "The document has several operations. Name the one to run in operationName.",
            None,
        )),
        (DocumentOperations::Multiple(operations), Some(name)) => operations
            .get(name)
            .ok_or_else(|| refused(CODE, format!("The document has no operation named \"{name}\"."), None)),
        (DocumentOperations::Single(_), Some(name)) => Err(refused(
            CODE,
            format!("The document has no operation named \"{name}\"."),
            None,
        )),
    }
}

pub(super) fn check_variables(operation: &OperationDefinition, variables: &Variables) -> ServerResult<()> {
    let mut values = 0;
    for (name, value) in variables.iter() {
        let clean = check_value(value, &mut values);
        if values > VARIABLE_VALUES {
            return Err(exceeded(
                "BAD_USER_INPUT",
                "values in its variables",
                values,
                VARIABLE_VALUES,
                None,
            ));
        }
        if !clean {
            return Err(refused(
                "BAD_USER_INPUT",
                format!("Variable \"${name}\" contains the character U+0000, which no text may contain."),
                None,
            ));
        }
    }
    for definition in &operation.variable_definitions {
        let (name, declared) = (&definition.node.name.node, &definition.node.var_type.node);
        let given = variables.get(name);
        let missing = given.is_none() && definition.node.default_value.is_none();
        if !declared.nullable && (missing || matches!(given, Some(Value::Null))) {
            let message = format!("Variable \"${name}\" of required type \"{declared}\" was not provided.");
            return Err(refused("BAD_USER_INPUT", message, Some(definition.pos)));
        }
    }
    Ok(())
}

/// Counts the values and says whether their text is free of NUL, which Postgres cannot store.
fn check_value(value: &Value, values: &mut usize) -> bool {
    *values += 1;
    match value {
        Value::String(text) => !text.contains('\0'),
        Value::List(list) => list.iter().all(|value| check_value(value, values)),
        Value::Object(fields) => fields
            .iter()
            .all(|(name, value)| !name.contains('\0') && check_value(value, values)),
        _ => true,
    }
}

/// How many root fields an operation has, those in fragments counted as often as they are spread.
pub fn root_fields(document: &ExecutableDocument, name: Option<&str>) -> u32 {
    select(document, name).map_or(1, |operation| {
        let mut fragments = HashMap::new();
        count(
            document,
            &operation.node.selection_set.node,
            SELECTIONS + 1,
            &mut fragments,
        )
    })
}

/// Counts each fragment once. One that spreads itself has no fields there, and what is nested too deep none at all;
/// such documents are refused before they run.
fn count<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    levels: usize,
    fragments: &mut HashMap<&'a Name, u32>,
) -> u32 {
    let Some(levels_below) = levels.checked_sub(1) else {
        return 0;
    };
    set.items.iter().fold(0_u32, |total, selection| {
        let fields = match &selection.node {
            Selection::Field(_) => 1,
            Selection::InlineFragment(fragment) => {
                count(document, &fragment.node.selection_set.node, levels_below, fragments)
            }
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                match (fragments.get(name), document.fragments.get(name)) {
                    (Some(fields), _) => *fields,
                    (None, None) => 0,
                    (None, Some(fragment)) => {
                        fragments.insert(name, 0);
                        let fields = count(document, &fragment.node.selection_set.node, levels_below, fragments);
                        fragments.insert(name, fields);
                        fields
                    }
                }
            }
        };
        total.saturating_add(fields)
    })
}
