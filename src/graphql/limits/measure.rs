//! The size of a document with all its fragments expanded, without expanding them.

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Pos, Positioned, ServerResult, Value, Variables};
use async_graphql_value::Value as Literal;

use super::{
    ALIASES, COST, DEPTH, DIRECTIVES, FIELDS, INTROSPECTION_LISTS, PAGE, PAGE_AT_MOST, ROOT_MUTATIONS, SELECTIONS,
    exceeded, refused, spoken,
};

/// What a selection set comes to. Fragments count as often as they are spread.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// Fields on the level of the selection set itself.
    level: usize,
    /// Fields and fragments on all levels. Fragments count because walking them is work, whatever they hold.
    fields: usize,
    /// Fields with the sizes of pages multiplied in.
    cost: usize,
    /// Levels of fields.
    depth: usize,
    /// Levels of selection sets.
    selections: usize,
    /// Lists inside lists of the schema's description.
    lists: usize,
    aliases: usize,
    directives: usize,
    introspects: bool,
    /// Whether the selection set is one of a page.
    is_page: bool,
}

impl Size {
    fn add(&mut self, other: Size) {
        self.level = self.level.saturating_add(other.level);
        self.fields = self.fields.saturating_add(other.fields);
        self.cost = self.cost.saturating_add(other.cost);
        self.depth = self.depth.max(other.depth);
        self.lists = self.lists.max(other.lists);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.introspects |= other.introspects;
        self.selections = self.selections.max(other.selections);
        self.is_page |= other.is_page;
    }

    fn check(&self, operation: &Positioned<OperationDefinition>) -> ServerResult<()> {
        let limits = [
            (
                "QUERY_TOO_COMPLEX",
                "fields and fragments with all fragments expanded",
                self.fields,
                FIELDS,
            ),
            ("QUERY_TOO_DEEP", "levels of fields", self.depth, DEPTH),
            (
                "QUERY_TOO_DEEP",
                "lists inside lists of the schema's description",
                self.lists,
                INTROSPECTION_LISTS,
            ),
            ("QUERY_TOO_COMPLEX", "aliases", self.aliases, ALIASES),
            ("QUERY_TOO_COMPLEX", "directives", self.directives, DIRECTIVES),
        ];
        for (code, what, measured, limit) in limits {
            if measured > limit {
                return Err(exceeded(code, what, measured, limit, Some(operation.pos)));
            }
        }
        Ok(())
    }
}

/// Checks every operation, because validation walks them all, and the cost of the one that will run.
pub(super) fn check(
    document: &ExecutableDocument,
    run: &OperationDefinition,
    variables: &Variables,
    introspection: bool,
) -> ServerResult<()> {
    if check_expansion(document)?.introspects && !introspection {
        return Err(refused(
            "INTROSPECTION_DISABLED",
            "This server does not describe its schema to clients.",
            None,
        ));
    }
    let mut measure = Measure::new(document);
    measure.variables = Some((run, variables));
    let size = measure.selection_set(&run.selection_set.node)?;
    let position = Some(run.selection_set.pos);
    if size.cost > COST {
        return Err(exceeded(
            "QUERY_TOO_COMPLEX",
            "fields with the sizes of pages multiplied in",
            size.cost,
            COST,
            position,
        ));
    }
    match run.ty {
        OperationType::Mutation if size.level > ROOT_MUTATIONS => Err(exceeded(
            "QUERY_TOO_COMPLEX",
            "mutations in one operation",
            size.level,
            ROOT_MUTATIONS,
            position,
        )),
        OperationType::Subscription if size.level != 1 => {
            let message = format!(
                "A {} must have exactly one field on its first level; this one has {}.",
                spoken(run.ty),
                size.level
            );
            Err(refused("GRAPHQL_VALIDATION_FAILED", message, position))
        }
        _ => Ok(()),
    }
}

/// Checks what does not depend on variables, for all operations together.
pub(super) fn check_expansion(document: &ExecutableDocument) -> ServerResult<SizeSeen> {
    let mut measure = Measure::new(document);
    let mut total = Size::default();
    for (_, operation) in document.operations.iter() {
        total.add(measure.directives(&operation.node.directives)?);
        total.add(measure.selection_set(&operation.node.selection_set.node)?);
        total.check(operation)?;
    }
    // Fragments that nothing spreads are invalid, but validation walks them to find that out.
    for (name, definition) in &document.fragments {
        let unused = !measure.fragments.contains_key(name);
        let size = measure.fragment(&Positioned::new(name.clone(), definition.pos))?;
        if unused {
            total.add(size);
        }
    }
    if let Some((_, operation)) = document.operations.iter().next() {
        total.check(operation)?;
    }
    Ok(SizeSeen {
        introspects: total.introspects,
    })
}

/// What the rest needs to know of a document within the limits.
pub(super) struct SizeSeen {
    introspects: bool,
}

struct Measure<'a> {
    document: &'a ExecutableDocument,
    variables: Option<(&'a OperationDefinition, &'a Variables)>,
    /// The sizes of fragments; None while one is being measured.
    fragments: HashMap<&'a Name, Option<Size>>,
    /// In how many selection sets the one being measured stands.
    around: usize,
}

impl<'a> Measure<'a> {
    fn new(document: &'a ExecutableDocument) -> Self {
        Measure {
            document,
            variables: None,
            fragments: HashMap::new(),
            around: 0,
        }
    }

    fn selection_set(&mut self, set: &'a SelectionSet) -> ServerResult<Size> {
        let Some(first) = set.items.first() else {
            return Ok(Size::default());
        };
        // On the way in for the sake of the stack, on the way out because fragments are entered only once.
        check_selections(self.around, first.pos)?;
        self.around += 1;
        let mut total = Size::default();
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => total.add(self.field(&field.node)?),
                Selection::FragmentSpread(spread) => {
                    total.add(self.fragment(&spread.node.fragment_name)?);
                    total.fields = total.fields.saturating_add(1);
                }
                Selection::InlineFragment(fragment) => {
                    total.add(self.selection_set(&fragment.node.selection_set.node)?);
                    total.fields = total.fields.saturating_add(1);
                }
            }
            total.add(self.directives(selection.node.directives())?);
        }
        self.around -= 1;
        check_selections(total.selections, first.pos)?;
        total.selections += 1;
        Ok(total)
    }

    fn field(&mut self, field: &'a Field) -> ServerResult<Size> {
        self.check_text(field.arguments.iter().map(|(_, value)| value))?;
        let inner = self.selection_set(&field.selection_set.node)?;
        let introspects = matches!(field.name.node.as_str(), "__schema" | "__type");
        let is_list = matches!(
            field.name.node.as_str(),
            "fields" | "inputFields" | "interfaces" | "possibleTypes"
        );
        Ok(Size {
            level: 1,
            fields: inner.fields.saturating_add(1),
            cost: inner
                .cost
                .saturating_mul(self.items(field, inner.is_page))
                .saturating_add(1),
            // The description of a type is as deep as its wrappers, which tools ask for nine levels down.
            depth: if introspects { 1 } else { inner.depth + 1 },
            lists: if introspects {
                inner.lists
            } else {
                inner.lists + usize::from(is_list && is_bare(field))
            },
            aliases: inner.aliases.saturating_add(usize::from(field.alias.is_some())),
            directives: inner.directives,
            introspects: introspects || inner.introspects,
            selections: inner.selections,
            is_page: matches!(field.name.node.as_str(), "nodes" | "edges"),
        })
    }

    fn fragment(&mut self, spread: &Positioned<Name>) -> ServerResult<Size> {
        let Some((name, definition)) = self.document.fragments.get_key_value(&spread.node) else {
            // Left to validation, it would be looked for wherever it is spread.
            let message = format!("Unknown fragment \"{}\".", spread.node);
            return Err(refused("GRAPHQL_VALIDATION_FAILED", message, Some(spread.pos)));
        };
        match self.fragments.get(name) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                let message = format!("Fragment \"{name}\" spreads itself.");
                return Err(refused("GRAPHQL_VALIDATION_FAILED", message, Some(definition.pos)));
            }
            None => {}
        }
        self.fragments.insert(name, None);
        let mut size = self.selection_set(&definition.node.selection_set.node)?;
        size.add(self.directives(&definition.node.directives)?);
        self.fragments.insert(name, Some(size));
        Ok(size)
    }

    fn directives(&self, directives: &'a [Positioned<Directive>]) -> ServerResult<Size> {
        self.check_text(
            directives
                .iter()
                .flat_map(|directive| &directive.node.arguments)
                .map(|(_, value)| value),
        )?;
        Ok(Size {
            directives: directives.len(),
            ..Size::default()
        })
    }

    fn check_text(&self, values: impl Iterator<Item = &'a Positioned<Literal>>) -> ServerResult<()> {
        for value in values {
            if has_nul(&value.node) {
                return Err(refused(
                    "BAD_USER_INPUT",
                    "Text must not contain the character U+0000.",
                    Some(value.pos),
                ));
            }
        }
        Ok(())
    }

    /// How many items a field brings: what it asks for, or as many as it may. More than a page holds is refused by
    /// the field itself.
    fn items(&self, field: &Field, is_page: bool) -> usize {
        let asked = ["first", "last"]
            .into_iter()
            .filter_map(|name| field.get_argument(name))
            .filter_map(|value| self.integer(&value.node))
            .max();
        match (asked, field.name.node.as_str()) {
            (Some(asked), _) => usize::try_from(asked).unwrap_or(0).clamp(1, PAGE_AT_MOST),
            // Lists without pages; what caps them is a rule of their own rooms.
            (None, "activeGenerations") => 16,
            (None, "sessions") => 100,
            (None, _) if is_page => PAGE,
            (None, _) => 1,
        }
    }

    fn integer(&self, value: &Literal) -> Option<i64> {
        match value {
            Literal::Number(number) => number.as_i64(),
            Literal::Variable(name) => {
                let (operation, variables) = self.variables?;
                let default = || {
                    operation
                        .variable_definitions
                        .iter()
                        .find(|definition| definition.node.name.node == *name)?
                        .node
                        .default_value()
                };
                match variables.get(name).or_else(default)? {
                    Value::Number(number) => number.as_i64(),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Whether a field is one of the schema's description, which take no pages; `fields` of ours would.
fn is_bare(field: &Field) -> bool {
    field.arguments.iter().all(|(name, _)| name.node == "includeDeprecated")
}

/// Checks how many selection sets stand around another, or inside it.
fn check_selections(measured: usize, position: Pos) -> ServerResult<()> {
    if measured > SELECTIONS {
        let what = "levels of selections with all fragments expanded";
        return Err(exceeded("QUERY_TOO_DEEP", what, measured, SELECTIONS, Some(position)));
    }
    Ok(())
}

fn has_nul(value: &Literal) -> bool {
    match value {
        Literal::String(text) => text.contains('\0'),
        Literal::List(list) => list.iter().any(has_nul),
        Literal::Object(fields) => fields.values().any(has_nul),
        _ => false,
    }
}
