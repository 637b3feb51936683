//! Who is asking. "Nobody" is a value like any other.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::user::Role;
use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};

/// Who sent a request.
#[derive(Debug, Clone)]
pub enum Viewer {
    /// Nobody we know.
    Anonymous,
    /// Somebody with a valid access token of a living session.
    SignedIn(SignedIn),
}

/// A signed-in person, as their access token and the database say.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Whose account it is.
    pub user_id: UserId,
    /// Which sign-in the token belongs to.
    pub session_id: SessionId,
    /// What the person may do, read from the database with each request.
    pub role: Role,
    /// When the access token ends.
    pub expires_at: DateTime<Utc>,
}

/// Where a request came from.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client's address, seen through trusted proxies only.
    pub address: IpAddr,
    /// What the client calls itself.
    pub user_agent: Option<String>,
}

impl Viewer {
    /// The signed-in person.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when there is none.
    pub fn signed_in(&self) -> Result<&SignedIn> {
        match self {
            Viewer::SignedIn(signed_in) => Ok(signed_in),
            Viewer::Anonymous => Err(Error::Unauthenticated),
        }
    }

    /// The signed-in administrator.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for nobody, [`Error::Forbidden`] for everybody else.
    pub fn admin(&self) -> Result<&SignedIn> {
        let signed_in = self.signed_in()?;
        if signed_in.role == Role::Admin {
            Ok(signed_in)
        } else {
            Err(Error::Forbidden)
        }
    }
}
