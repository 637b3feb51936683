//! The rows of webhooks, and who may see them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::json;

use crate::account::user::Role;
use crate::account::viewer::SignedIn;
use crate::db::schema::{users, webhooks};
use crate::db::{Connection, text_enum};
use crate::event::{Audience, NewEvent};
use crate::id::{UserId, WebhookId};

/// A webhook appeared, changed, or is gone.
pub const WEBHOOK_CHANGED: &str = "webhook.changed";

text_enum! {
    /// What webhooks can be told of.
    WebhookEvent {
        /// `message.created`: a message was sent, or an answer begun.
        MessageCreated = "MESSAGE_CREATED",
        /// `message.updated`: a message changed, or an answer is whole.
        MessageUpdated = "MESSAGE_UPDATED",
        /// `chat.updated`: a chat appeared or changed, or something was said in it.
        ChatUpdated = "CHAT_UPDATED",
        /// `notification`: a message is news to a person, at once when they have no stream open, and else half a minute later
        /// if they have not read it by then; for gateways of mobile push.
        Notification = "NOTIFICATION",
    }
}

text_enum! {
    /// Why a webhook is told of nothing.
    WebhookDisabledReason {
        /// Its keeper said so.
        ByHand = "BY_HAND",
        /// It failed for too long.
        Failing = "FAILING",
        /// It answered 410.
        Gone = "GONE",
    }
}

impl WebhookEvent {
    /// Its name in what is delivered.
    pub fn wire_name(self) -> &'static str {
        match self {
            WebhookEvent::MessageCreated => "message.created",
            WebhookEvent::MessageUpdated => "message.updated",
            WebhookEvent::ChatUpdated => "chat.updated",
            WebhookEvent::Notification => "notification",
        }
    }

    /// What a name in the event log stands for, if webhooks can be told of it.
    pub fn of_log(kind: &str) -> Option<Self> {
        match kind {
            "message.created" => Some(WebhookEvent::MessageCreated),
            "message.updated" => Some(WebhookEvent::MessageUpdated),
            "chat.upserted" => Some(WebhookEvent::ChatUpdated),
            _ => None,
        }
    }
}

/// An address that is told of what happens.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = webhooks, check_for_backend(diesel::pg::Pg))]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose; none for the server's own.
    pub owner_id: Option<UserId>,
    /// Where.
    pub url: String,
    /// What its keeper calls it.
    pub description: Option<String>,
    /// Of what.
    pub kinds: Vec<Option<WebhookEvent>>,
    /// Whether it is told of anything.
    pub enabled: bool,
    /// Why not.
    pub disabled_reason: Option<WebhookDisabledReason>,
    /// When the first delivery failed since the last that did not.
    pub failing_since: Option<DateTime<Utc>>,
    /// Grows with each change.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// What deliveries are signed with, sealed.
    pub(super) sealed: Vec<u8>,
}

/// Shows neither the address, which may hold a secret, nor the sealed one.
impl std::fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Webhook");
        shown.field("id", &self.id).field("owner_id", &self.owner_id);
        shown.finish_non_exhaustive()
    }
}

impl Webhook {
    /// The events that it changed: for its owner, or for the administrators where it is the server's own.
    pub(super) async fn changed(&self, connection: &mut Connection) -> QueryResult<Vec<NewEvent>> {
        let keepers = match self.owner_id {
            Some(owner) => vec![owner],
            None => {
                let admins = users::table
                    .filter(users::role.eq(Role::Admin))
                    .filter(users::deactivated_at.is_null());
                admins.order(users::id).select(users::id).load(connection).await?
            }
        };
        let event = |keeper| {
            let payload = json!({ "webhookId": self.id.0 });
            NewEvent::new(Audience::User(keeper), WEBHOOK_CHANGED, payload)
        };
        Ok(keepers.into_iter().map(event).collect())
    }
}

/// Those of a person, or the server's own, oldest first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut Connection, owner: Option<UserId>) -> QueryResult<Vec<Webhook>> {
    webhooks::table
        .filter(webhooks::owner_id.is_not_distinct_from(owner))
        .order(webhooks::id)
        .select(Webhook::as_select())
        .load(connection)
        .await
}

/// A webhook that somebody keeps: their own, or for administrators the server's.
///
/// # Errors
/// When Postgres fails.
pub async fn find(connection: &mut Connection, who: &SignedIn, id: WebhookId) -> QueryResult<Option<Webhook>> {
    let found: Option<Webhook> = webhooks::table
        .find(id)
        .select(Webhook::as_select())
        .first(connection)
        .await
        .optional()?;
    Ok(found.filter(|webhook| is_keeper(who, webhook)))
}

/// Whether somebody keeps a webhook.
pub(super) fn is_keeper(who: &SignedIn, webhook: &Webhook) -> bool {
    match webhook.owner_id {
        Some(owner) => owner == who.user_id,
        None => who.role == Role::Admin,
    }
}

/// Those of these that a person keeps: their own, and for administrators the server's.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(
    connection: &mut Connection,
    keeper: UserId,
    ids: &[WebhookId],
) -> QueryResult<HashMap<WebhookId, Webhook>> {
    let admin = users::table
        .find(keeper)
        .filter(users::role.eq(Role::Admin))
        .filter(users::deactivated_at.is_null());
    let found: Vec<Webhook> = webhooks::table
        .filter(webhooks::id.eq_any(ids))
        .filter(
            webhooks::owner_id
                .is_not_distinct_from(Some(keeper))
                .or(webhooks::owner_id.is_null().and(exists(admin))),
        )
        .select(Webhook::as_select())
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|webhook| (webhook.id, webhook)).collect())
}
