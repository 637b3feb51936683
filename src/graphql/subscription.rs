//! Running subscriptions.

use async_graphql::{Request, Response};
use async_stream::stream;
use futures_util::stream::{Stream, StreamExt};

use super::{Schema, laden, prepare};
use crate::account::viewer::{Client, Viewer};
use crate::app::App;
use crate::chat::api::Outlet;

/// The answers to a subscription. Streams of events leave the executor once they have begun; `again` makes the request
/// once more for what has to be executed then.
pub fn answers(
    app: App,
    schema: Schema,
    request: Request,
    again: impl Fn() -> Request + Send + Sync + 'static,
    viewer: Viewer,
    client: Client,
) -> impl Stream<Item = Response> + Send + 'static {
    let outlet = Outlet::default();
    let request = Box::new(request.data(outlet.clone()));
    stream! {
        let prepared = Box::pin(prepare(&app, *request, viewer.clone(), client.clone())).await;
        let mut answers = match prepared {
            Ok(request) => schema.execute_stream(request),
            Err(refusal) => {
                yield *refusal;
                return;
            }
        };
        while let Some(answer) = answers.next().await {
            yield answer;
        }
        drop(answers);
        let Some(rest) = outlet.take() else { return };
        let loader = rest.loader.clone();
        let patient = app.clone();
        let execute = move |given| {
            let request = again().data(given);
            schema.execute_stream(laden(&app, request, Some(loader.clone()), viewer.clone(), client.clone()))
        };
        let mut answers = rest.answers(patient, execute).boxed();
        while let Some(answer) = answers.next().await {
            yield answer;
        }
    }
}
