//! When a stream has to end because of who opened it.

use std::time::Duration;

use chrono::Utc;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::doors::Doors;
use crate::account::viewer::Viewer;

/// Why a viewer's streams must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The session was revoked or the account deactivated: signing in again is the only way back.
    Ended,
    /// The access token has run out: a fresh one opens the stream again.
    Expired,
}

/// Waits until this viewer's streams must end; for nobody's, for ever.
pub fn over(doors: &Doors, viewer: &Viewer) -> BoxFuture<'static, Over> {
    let Viewer::SignedIn(signed_in) = viewer else {
        return std::future::pending().boxed();
    };
    let ended = doors.house().ended(signed_in);
    let left = (signed_in.expires_at - Utc::now()).to_std().unwrap_or(Duration::ZERO);
    async move {
        tokio::select! {
            biased;
            () = ended => Over::Ended,
            () = tokio::time::sleep(left) => Over::Expired,
        }
    }
    .boxed()
}
