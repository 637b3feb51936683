//! Webhooks in GraphQL.

use async_graphql::dataloader::DataLoader;
use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

use super::change::{self, NewWebhook, WebhookChange};
use super::log::{self, DeliveryKey, LogOf, WebhookDelivery, WebhookDeliveryState};
use super::row::{Webhook, WebhookDisabledReason, WebhookEvent};
use crate::account::api::UserLoader;
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::{WebhookDeliveryId, WebhookId};
use crate::page::{Page, PageArguments, Window};

/// A page of deliveries.
pub type WebhookDeliveryConnection = Page<DeliveryKey, WebhookDelivery>;

/// How many deliveries a page has when nobody says.
const DELIVERIES: i64 = 50;

/// An address of another service that is told of what happens: POST requests with JSON, signed as Standard Webhooks says
/// (`webhook-id`, `webhook-timestamp`, `webhook-signature`), tried again for about a day.
#[Object]
impl Webhook {
    /// Opaque and typed.
    pub async fn id(&self) -> WebhookId {
        self.id
    }

    /// Where.
    async fn url(&self) -> &str {
        &self.url
    }

    /// What its keeper calls it.
    async fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Of what it is told.
    async fn events(&self) -> Vec<WebhookEvent> {
        self.kinds.iter().flatten().copied().collect()
    }

    /// Whether it is the server's own, which is told of all chats, rather than a person's, which is told of theirs.
    async fn server(&self) -> bool {
        self.owner_id.is_none()
    }

    /// Whether it is told of anything.
    async fn enabled(&self) -> bool {
        self.enabled
    }

    /// Why not; null while it is.
    async fn disabled_reason(&self) -> Option<WebhookDisabledReason> {
        self.disabled_reason
    }

    /// When the first delivery failed since the last that did not; after a day it is disabled.
    async fn failing_since(&self) -> Option<DateTime<Utc>> {
        self.failing_since
    }

    /// What it was told, or is to be, newest first; kept for 14 days.
    async fn deliveries(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start, at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only deliveries after this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only deliveries before this cursor.")] before: Option<String>,
    ) -> Result<WebhookDeliveryConnection> {
        let arguments = PageArguments {
            first,
            after,
            last,
            before,
        };
        let window = Window::forward(arguments, DELIVERIES)?;
        let loader = context.data_unchecked::<DataLoader<UserLoader>>();
        let rows = loader.load_one(LogOf::new(self.id, &window)).await?.unwrap_or_default();
        Ok(window.connection(rows, |delivery| (delivery.created_at, delivery.id)))
    }

    /// Grows with each change: apply an event only when its version is higher.
    async fn version(&self) -> i32 {
        self.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.updated_at
    }
}

/// What a webhook was told, or is to be.
#[Object]
impl WebhookDelivery {
    /// The `webhook-id` that it is sent with, each time.
    async fn id(&self) -> WebhookDeliveryId {
        self.id
    }

    /// What happened.
    async fn event(&self) -> WebhookEvent {
        self.kind
    }

    /// What became of it.
    async fn state(&self) -> WebhookDeliveryState {
        self.state
    }

    /// How often it was tried.
    async fn attempts(&self) -> i32 {
        self.attempts
    }

    /// The HTTP status of the last answer; null when there was none.
    async fn response_status(&self) -> Option<i32> {
        self.response_status
    }

    /// What was wrong the last time.
    async fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// When it was called for.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// When it was delivered, given up or skipped.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.finished_at
    }
}

/// A webhook to make.
#[derive(Debug, InputObject)]
pub struct CreateWebhookInput {
    /// Where: an https address, public unless whoever runs the server allows another.
    url: String,
    /// Of what it is to be told.
    events: Vec<WebhookEvent>,
    /// What to call it, at most 200 characters.
    description: Option<String>,
    /// Whether it is the server's own, which is told of all chats; administrators make those.
    #[graphql(default)]
    server: bool,
}

/// The result of `createWebhook`.
#[derive(Debug, SimpleObject)]
pub struct CreateWebhookPayload {
    /// The webhook.
    webhook: Option<Webhook>,
    /// What its deliveries are signed with: `whsec_…`. It is shown this once.
    secret: Option<String>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What to change about a webhook; what is left away stays as it is.
#[derive(Debug, InputObject)]
pub struct UpdateWebhookInput {
    /// Which webhook.
    webhook_id: WebhookId,
    /// Where.
    url: Option<String>,
    /// Of what it is to be told.
    events: Option<Vec<WebhookEvent>>,
    /// What to call it; null for nothing.
    #[graphql(default)]
    description: MaybeUndefined<String>,
    /// Whether it is to be told of anything, such as again after it was disabled.
    enabled: Option<bool>,
    /// Whether to give it another secret.
    #[graphql(default)]
    new_secret: bool,
}

/// The result of `updateWebhook`.
#[derive(Debug, SimpleObject)]
pub struct UpdateWebhookPayload {
    /// The webhook as it is now.
    webhook: Option<Webhook>,
    /// Its new secret, if it was given one. It is shown this once.
    secret: Option<String>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which webhook to delete.
#[derive(Debug, InputObject)]
pub struct DeleteWebhookInput {
    /// Which webhook.
    webhook_id: WebhookId,
}

/// The result of `deleteWebhook`.
#[derive(Debug, SimpleObject)]
pub struct DeleteWebhookPayload {
    /// The webhook that is gone.
    deleted_webhook_id: Option<WebhookId>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What to deliver once more.
#[derive(Debug, InputObject)]
pub struct RedeliverWebhookInput {
    /// One of a webhook's deliveries.
    webhook_delivery_id: WebhookDeliveryId,
}

/// The result of `redeliverWebhook`.
#[derive(Debug, SimpleObject)]
pub struct RedeliverWebhookPayload {
    /// The delivery, which waits again.
    webhook_delivery: Option<WebhookDelivery>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What is done with webhooks.
#[derive(Debug, Default)]
pub struct WebhookMutation;

#[Object]
impl WebhookMutation {
    /// Has another service told of what happens in the viewer's chats, or in all.
    async fn create_webhook(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The webhook.")] input: CreateWebhookInput,
    ) -> Result<CreateWebhookPayload> {
        let who = context.signed_in()?;
        let new = NewWebhook {
            url: input.url,
            kinds: input.events,
            description: input.description,
            server: input.server,
        };
        let (made, errors) = payload(change::create(context.app(), who, context.client(), new).await)?;
        let (webhook, secret) = made.unzip();
        Ok(CreateWebhookPayload {
            webhook,
            secret: secret.map(|secret| secret.expose_secret().to_owned()),
            errors,
        })
    }

    /// Changes a webhook.
    async fn update_webhook(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateWebhookInput,
    ) -> Result<UpdateWebhookPayload> {
        let who = context.signed_in()?;
        let change = WebhookChange {
            url: input.url,
            kinds: input.events,
            description: match input.description {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(text) => Some(Some(text)),
            },
            enabled: input.enabled,
            new_secret: input.new_secret,
        };
        let updated = change::update(context.app(), who, context.client(), input.webhook_id, change).await;
        let (updated, errors) = payload(updated)?;
        let (webhook, secret) = updated.unzip();
        Ok(UpdateWebhookPayload {
            webhook,
            secret: secret.flatten().map(|secret| secret.expose_secret().to_owned()),
            errors,
        })
    }

    /// Deletes a webhook with its deliveries.
    async fn delete_webhook(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which webhook.")] input: DeleteWebhookInput,
    ) -> Result<DeleteWebhookPayload> {
        let who = context.signed_in()?;
        let deleted = change::delete(context.app(), who, context.client(), input.webhook_id).await;
        let (deleted_webhook_id, errors) = payload(deleted)?;
        Ok(DeleteWebhookPayload {
            deleted_webhook_id,
            errors,
        })
    }

    /// Delivers something once more, under the same `webhook-id`, with what it speaks of as it is then.
    async fn redeliver_webhook(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which delivery.")] input: RedeliverWebhookInput,
    ) -> Result<RedeliverWebhookPayload> {
        let who = context.signed_in()?;
        let redelivered = log::redeliver(context.app(), who, input.webhook_delivery_id).await;
        let (webhook_delivery, errors) = payload(redelivered)?;
        Ok(RedeliverWebhookPayload {
            webhook_delivery,
            errors,
        })
    }
}
