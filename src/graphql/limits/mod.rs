//! What a request may cost, decided before anything of it is validated or run, on every transport.
//!
//! These are functions that the doors call, and not an extension of async-graphql: with any extension at all,
//! its executor looks up and boxes every single field.
//!
//! async-graphql's own depth and complexity limits walk the expanded document first and compare afterwards, so
//! a few hundred bytes of nested fragment spreads keep them busy for seconds. Here each fragment is measured
//! once and its measure is multiplied where it is spread; the work is linear in the document's length.

mod measure;
mod operation;
mod source;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{ErrorExtensionValues, Pos, Request, ServerError, ServerResult};

pub use operation::{root_fields, select};

/// The most bytes in a document.
pub const SOURCE_BYTES: usize = 16 * 1024;
/// The most lexical tokens in a document.
pub const TOKENS: usize = 4_000;
/// The most brackets inside brackets; the parser recurses into them.
pub const BRACKETS: usize = 64;
/// The most fields inside fields.
pub const DEPTH: usize = 15;
/// The most selection sets inside selection sets, those of fragments among them: as many as async-graphql allows.
pub const SELECTIONS: usize = 32;
/// The most lists inside lists of the schema's description.
pub const INTROSPECTION_LISTS: usize = 2;
/// The most aliases.
pub const ALIASES: usize = 30;
/// The most directives.
pub const DIRECTIVES: usize = 50;
/// The most mutations in one operation.
pub const ROOT_MUTATIONS: usize = 10;
/// The most fields and fragments once all fragments are expanded.
pub const FIELDS: usize = 1_000;
/// The most fields that can be resolved, with the sizes of pages multiplied in.
pub const COST: usize = 50_000;
/// How many items a page counts for when its size is not asked for.
pub const PAGE: usize = 50;
/// How many items a page counts for at most.
pub const PAGE_AT_MOST: usize = 100;
/// The most values in the variables, counting those inside lists and objects.
pub const VARIABLE_VALUES: usize = 5_000;
/// The most bytes in the name of an operation.
pub const OPERATION_NAME_BYTES: usize = 200;

/// Decides whether a request may run, and what kind of operation it is.
///
/// # Errors
/// The limit that the request exceeds, or that it is not clear which operation is meant, or that a variable is
/// missing.
pub fn admit(document: &ExecutableDocument, request: &Request, introspection: bool) -> ServerResult<OperationType> {
    let operation = select(document, request.operation_name.as_deref())?;
    operation::check_variables(&operation.node, &request.variables)?;
    measure::check(document, &operation.node, &request.variables, introspection)?;
    Ok(operation.node.ty)
}

/// Parses a document that is within the limits of length and nesting.
///
/// # Errors
/// `GRAPHQL_PARSE_FAILED`, or the limit that the text exceeds.
pub fn parse(source: &str) -> ServerResult<ExecutableDocument> {
    source::check(source)?;
    parse_query(source).map_err(|error| unparsable(error.into()))
}

/// Checks the document alone, for those who keep it: what passes is bounded in every direction.
///
/// # Errors
/// The limit that the document exceeds.
pub fn check_document(document: &ExecutableDocument) -> ServerResult<()> {
    measure::check_expansion(document).map(drop)
}

fn unparsable(error: ServerError) -> ServerError {
    let code = if error.message.contains("recursion limit") {
        "QUERY_TOO_DEEP"
    } else {
        "GRAPHQL_PARSE_FAILED"
    };
    coded(error, code)
}

/// The refusal of a request that exceeds a limit; it names the limit, the measured value and where they met.
fn exceeded(code: &'static str, what: &str, measured: usize, limit: usize, position: Option<Pos>) -> ServerError {
    let message =
        format!("The request has {measured} {what}; at most {limit} are allowed. Split it into smaller requests.");
    let mut error = coded(ServerError::new(message, position), code);
    let extensions = error.extensions.get_or_insert_default();
    extensions.set("limit", limit);
    extensions.set("measured", measured);
    error
}

fn refused(code: &'static str, message: impl Into<String>, position: Option<Pos>) -> ServerError {
    coded(ServerError::new(message, position), code)
}

/// Gives an error its `extensions.code`.
pub fn coded(mut error: ServerError, code: &'static str) -> ServerError {
    error
        .extensions
        .get_or_insert_with(ErrorExtensionValues::default)
        .set("code", code);
    error
}

/// The words for a type of operation.
fn spoken(operation: OperationType) -> &'static str {
    match operation {
        OperationType::Query => "query",
        OperationType::Mutation => "mutation",
        OperationType::Subscription => "subscription",
    }
}
