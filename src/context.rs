//! What every resolver finds in its context: the app, the viewer, and where the request came from.

use async_graphql::Context;

use crate::account::viewer::{Client, SignedIn, Viewer};
use crate::app::App;
use crate::error::Result;

/// Short ways to what the doors and the schema put into each request.
pub trait RequestContext {
    /// The shared handles.
    fn app(&self) -> &App;
    /// Who asks.
    fn viewer(&self) -> &Viewer;
    /// Where the request came from.
    fn client(&self) -> &Client;
    /// The signed-in person.
    ///
    /// # Errors
    /// [`crate::error::Error::Unauthenticated`].
    fn signed_in(&self) -> Result<&SignedIn>;
}

impl RequestContext for Context<'_> {
    fn app(&self) -> &App {
        self.data_unchecked()
    }

    fn viewer(&self) -> &Viewer {
        self.data_unchecked()
    }

    fn client(&self) -> &Client {
        self.data_unchecked()
    }

    fn signed_in(&self) -> Result<&SignedIn> {
        self.viewer().signed_in()
    }
}
