//! Streams of events leave the executor as soon as they have begun.
//!
//! The executor of a subscription holds the parsed document, and all else that a request has with it, for as long as the
//! stream lives: of ten thousand sockets of one app each would hold its own. So it answers the first event alone. Then the
//! stream is taken from it and waits as nothing but itself, and an event that was not answered for others before is
//! answered by one more execution of the same request, which is given this event and nothing else.
//!
//! ```text
//! executor: StreamReady ── the rest ──► written for others already? ── the same bytes
//!                                       else: an execution that is given the event ── its answer, kept for the others
//! ```

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::indexmap::IndexMap;
use async_graphql::{Context, Name, Response, Value};
use async_stream::stream;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};

use super::loader::ChatLoader;
use super::share::Told;
use crate::app::App;
use crate::error::{Error, Result};
use crate::event;

/// How often an event is tried to be answered while Postgres is there, and says that it is not.
const TRIES: usize = 8;

/// The events of one client, in order.
pub(super) type Events = BoxStream<'static, Result<Told>>;

/// Through which a stream leaves the executor; goes with the request. A cheap handle.
#[derive(Clone, Default)]
pub struct Outlet {
    rest: Arc<Mutex<Option<Rest>>>,
}

/// What is left of a stream that has begun.
pub struct Rest {
    events: Events,
    /// What the field is called in the answer.
    field: Name,
    /// What the events in hand speak of, for executions to come.
    pub loader: ChatLoader,
}

/// The only event that an execution is to answer; goes with its request.
pub struct Given {
    told: Mutex<Option<Result<Told>>>,
}

impl Outlet {
    /// What left through here.
    pub fn take(&self) -> Option<Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, rest: Rest) {
        *self.rest.lock().unwrap_or_else(PoisonError::into_inner) = Some(rest);
    }
}

/// The event that this execution was given, if it was.
pub(super) fn given(context: &Context<'_>) -> Option<Events> {
    let given = context.data_opt::<Given>()?;
    let told = given.told.lock().unwrap_or_else(PoisonError::into_inner).take();
    Some(stream::iter(told).boxed())
}

/// The first event for the executor; the others leave it, if the request has an outlet.
pub(super) fn begin(context: &Context<'_>, loader: ChatLoader, mut events: Events) -> Events {
    // A subscription has one field, so that the executor ends with this stream: the limits see to that.
    let outlet = context.data_opt::<Outlet>().cloned();
    let Some(outlet) = outlet else { return events };
    let field = context.item.node.response_key().node.clone();
    let first = stream! {
        if let Some(first) = events.next().await {
            yield first;
        }
        outlet.put(Rest { events, field, loader });
    };
    first.boxed()
}

impl Rest {
    /// The answers to the other events; `execute` runs the request of this stream for what it is given. It is run again as
    /// long as Postgres is away: the next event's cursor would be past what could not be read.
    pub fn answers(
        self,
        app: App,
        execute: impl Fn(Given) -> BoxStream<'static, Response> + Send + Sync + 'static,
    ) -> impl Stream<Item = Response> + Send + 'static {
        let Rest { mut events, field, .. } = self;
        stream! {
            while let Some(told) = events.next().await {
                if let Some(bytes) = told.as_ref().ok().and_then(Told::written) {
                    yield written(&field, bytes.clone());
                    continue;
                }
                // Boxed: most of what comes was written for others already.
                match Box::pin(executed(&app, &field, told, &execute)).await {
                    Ok(answer) => yield answer,
                    Err(last) => {
                        yield last;
                        return;
                    }
                }
            }
        }
    }
}

/// The answer that is an event in JSON.
fn written(field: &Name, bytes: Bytes) -> Response {
    let fields = IndexMap::from([(field.clone(), Value::Binary(bytes))]);
    Response::new(Value::Object(fields))
}

/// The answer of an execution, by which others are served who select the same; once Postgres is there, or else, when the
/// server stops before, the last answer.
async fn executed(
    app: &App,
    field: &Name,
    told: Result<Told>,
    execute: &(impl Fn(Given) -> BoxStream<'static, Response> + Sync),
) -> Result<Response, Response> {
    let run = async |told| {
        let given = Given {
            told: Mutex::new(Some(told)),
        };
        execute(given).next().await.unwrap_or_default()
    };
    let told = match told {
        Ok(told) => told,
        failure => return Ok(run(failure).await),
    };
    let patiently = async || {
        let mut tries = 1;
        loop {
            let answer = run(Ok(told.clone())).await;
            if !is_unavailable(&answer) || tries == TRIES {
                return Ok(answer);
            }
            tries += 1;
            // As long as Postgres is away nothing is tried; what fails although it is there is too much for it.
            if let Err(error) = app
                .patiently(|| async { event::current(&mut *app.connection().await?).await })
                .await
            {
                return Err(run(Err(error)).await);
            }
        }
    };
    let Some(place) = told.place() else {
        return patiently().await;
    };
    let shared = place.get_or_try_init(async || {
        let answer = patiently().await.map_err(Err)?;
        field_of(field, &answer).ok_or(Ok(answer))
    });
    match shared.await {
        Ok(bytes) => Ok(written(field, bytes.clone())),
        // Nobody else's: what failed may not fail for the next one.
        Err(answer) => answer,
    }
}

/// Whether something of an answer could not be read because Postgres was away.
fn is_unavailable(answer: &Response) -> bool {
    let code = Error::UNAVAILABLE.into();
    let mut codes = answer
        .errors
        .iter()
        .filter_map(|error| error.extensions.as_ref()?.get("code"));
    codes.any(|found| *found == code)
}

/// The field of an answer in JSON, if nothing of it failed.
fn field_of(field: &Name, answer: &Response) -> Option<Bytes> {
    let Value::Object(fields) = &answer.data else {
        return None;
    };
    let value = fields.get(field).filter(|_| answer.errors.is_empty())?;
    serde_json::to_vec(value).ok().map(Bytes::from)
}
