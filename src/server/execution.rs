//! Running one query or mutation to its end, whatever becomes of the client or the resolver.

use std::panic::AssertUnwindSafe;

use async_graphql::parser::types::OperationType;
use async_graphql::{Response, ServerError};
use futures_util::FutureExt;

use super::answer;
use super::documents::Opened;
use super::doors::Doors;
use crate::account::viewer::{Client, Viewer};
use crate::graphql::codes;

/// Runs a query or a mutation. A mutation goes on when the client leaves: its transaction and what follows the
/// commit belong together.
pub async fn run(doors: &Doors, opened: Opened, viewer: Viewer, client: Client) -> Response {
    let plan = opened.plan();
    let Opened { request, operation, .. } = opened;
    let limit = doors.settings().execution_timeout;
    let execution = AssertUnwindSafe(doors.house().execute(request, viewer, client)).catch_unwind();
    let finish = async move {
        match tokio::time::timeout(limit, execution).await {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => panicked(&*panic),
            Err(_) => {
                let message = format!(
                    "The operation took longer than {} seconds and was given up.",
                    limit.as_secs_f32()
                );
                answer::error("OPERATION_TIMEOUT", message)
            }
        }
    };
    let response = if operation == OperationType::Mutation {
        doors
            .tasks()
            .spawn(finish)
            .await
            .unwrap_or_else(|error| panicked(&error.to_string()))
    } else {
        finish.await
    };
    plan.finish(doors.types(), response)
}

/// The answer where a resolver panicked.
pub fn panicked(panic: &(dyn std::any::Any + Send)) -> Response {
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let error = ServerError::new(format!("panic: {}", words.unwrap_or("of an unknown kind")), None);
    Response::from_errors(vec![codes::internal(error)])
}
