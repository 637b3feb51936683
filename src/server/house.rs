//! What the doors need from the rest of the server, and how the real one gives it.
//!
//! It is a trait so that the doors can be tested with a schema of three fields and no database.

use async_graphql::{Request, Response};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{BoxStream, StreamExt};

use super::documents::Opened;
use crate::account::token::{self, TokenError};
use crate::account::viewer::{Client, SignedIn, Viewer};
use crate::app::App;
use crate::error::Error;
use crate::export::download::{self, Download};
use crate::graphql::{self, Schema, subscription};

/// The rest of the server, seen from its doors.
pub trait House: Send + Sync + 'static {
    /// Whose access token this is.
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<SignedIn, TokenError>>;

    /// Runs a query or a mutation.
    fn execute(&self, request: Request, viewer: Viewer, client: Client) -> BoxFuture<'static, Response>;

    /// Runs a subscription.
    fn execute_stream(&self, opened: Opened, viewer: Viewer, client: Client) -> BoxStream<'static, Response>;

    /// Waits until the session is revoked or its account deactivated.
    fn ended(&self, signed_in: &SignedIn) -> BoxFuture<'static, ()>;

    /// The schema.
    fn sdl(&self) -> String;

    /// The archive that a link's last part leads to, if it leads to one.
    fn download(&self, token: String) -> BoxFuture<'_, Result<Option<Download>, Error>> {
        drop(token);
        std::future::ready(Ok(None)).boxed()
    }

    /// Whether requests can be served; the error says what is missing.
    fn ready(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// The real house.
#[derive(Clone)]
pub struct Parlor {
    /// The handles every request shares.
    pub app: App,
    /// What clients can ask for.
    pub schema: Schema,
}

impl House for Parlor {
    fn authenticate<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<SignedIn, TokenError>> {
        token::authenticate(&self.app, token).boxed()
    }

    fn execute(&self, request: Request, viewer: Viewer, client: Client) -> BoxFuture<'static, Response> {
        let Parlor { app, schema } = self.clone();
        let answer = async move {
            match graphql::prepare(&app, request, viewer, client).await {
                Ok(request) => schema.execute(request).await,
                Err(refusal) => *refusal,
            }
        };
        answer.boxed()
    }

    fn execute_stream(&self, opened: Opened, viewer: Viewer, client: Client) -> BoxStream<'static, Response> {
        let Parlor { app, schema } = self.clone();
        let again = opened.again();
        subscription::answers(app, schema, opened.request, move || again.request(), viewer, client).boxed()
    }

    fn ended(&self, signed_in: &SignedIn) -> BoxFuture<'static, ()> {
        let session = self.app.live_sessions().join(signed_in);
        async move { session.ended().await }.boxed()
    }

    fn sdl(&self) -> String {
        self.schema.sdl()
    }

    fn download(&self, token: String) -> BoxFuture<'_, Result<Option<Download>, Error>> {
        async move { download::open(&self.app, &token).await }.boxed()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        self.app.ready().boxed()
    }
}
