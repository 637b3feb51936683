//! The audit log: what administrators and the keepers of keys will want to know later.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::viewer::{Client, SignedIn};
use crate::db::Connection;
use crate::db::schema::audit_log;
use crate::error::Result;
use crate::id::{AuditId, UserId};
use crate::page::Window;

/// Who did something, for the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Actor {
    /// The person; none for the command line and for people who are not signed in.
    pub user_id: Option<UserId>,
    /// Where it came from.
    pub address: Option<IpAddr>,
}

impl Actor {
    /// Somebody who is signed in.
    pub fn signed_in(who: &SignedIn, client: &Client) -> Self {
        Actor {
            user_id: Some(who.user_id),
            address: Some(client.address),
        }
    }

    /// Somebody who is not signed in.
    pub fn anonymous(client: &Client) -> Self {
        Actor {
            user_id: None,
            address: Some(client.address),
        }
    }
}

/// One entry of the audit log.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = audit_log, check_for_backend(diesel::pg::Pg))]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Who did it.
    pub actor_id: Option<UserId>,
    /// What was done.
    pub action: String,
    /// What it was done to.
    pub target: Option<String>,
    /// Where it came from.
    pub address: Option<String>,
    /// What else there is to know.
    pub detail: serde_json::Value,
}

/// Writes an entry, in the transaction of what it tells of.
///
/// # Errors
/// When Postgres fails.
pub async fn record(
    connection: &mut Connection,
    actor: Actor,
    action: &str,
    target: Option<String>,
    detail: serde_json::Value,
) -> Result<()> {
    let row = (
        audit_log::id.eq(AuditId::new()),
        audit_log::actor_id.eq(actor.user_id),
        audit_log::action.eq(action),
        audit_log::target.eq(target),
        audit_log::address.eq(actor.address.map(|address| address.to_string())),
        audit_log::detail.eq(detail),
    );
    diesel::insert_into(audit_log::table)
        .values(row)
        .execute(connection)
        .await?;
    Ok(())
}

/// A page of the log, newest first.
///
/// # Errors
/// When Postgres fails.
pub async fn page(connection: &mut Connection, window: &Window<AuditId>) -> Result<Vec<AuditEntry>> {
    // Ids are made in time's order, so they are the order of the log.
    let mut query = audit_log::table
        .select(AuditEntry::as_select())
        .limit(window.fetch())
        .into_boxed();
    query = if window.backwards {
        query.order(audit_log::id.asc())
    } else {
        query.order(audit_log::id.desc())
    };
    if let Some(after) = window.after {
        query = query.filter(audit_log::id.lt(after));
    }
    if let Some(before) = window.before {
        query = query.filter(audit_log::id.gt(before));
    }
    Ok(query.load(connection).await?)
}
