//! Web push in GraphQL.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use super::subscription::{self, NewSubscription, PushSubscription};
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::PushSubscriptionId;

/// A browser of the viewer's that is woken when there is news and it has no stream open.
#[Object]
impl PushSubscription {
    /// Opaque and typed.
    pub async fn id(&self) -> PushSubscriptionId {
        self.id
    }

    /// The origin of the browser's push service.
    #[graphql(name = "service")]
    async fn origin(&self) -> String {
        self.service()
    }

    /// Whether it was registered with the session that asks.
    async fn current(&self, context: &Context<'_>) -> Result<bool> {
        Ok(context.signed_in()?.session_id == self.session_id)
    }

    /// When something was last pushed to it.
    async fn last_pushed_at(&self) -> Option<DateTime<Utc>> {
        self.last_pushed_at
    }

    /// When it was registered.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }
}

/// A browser to wake: what `pushManager.subscribe` gives, with the keys as in `toJSON()`.
#[derive(Debug, InputObject)]
pub struct RegisterPushSubscriptionInput {
    /// Where its push service takes messages for it.
    endpoint: String,
    /// `keys.p256dh`.
    #[graphql(name = "p256dh")]
    p256dh: String,
    /// `keys.auth`.
    auth: String,
}

/// The result of `registerPushSubscription`.
#[derive(Debug, SimpleObject)]
pub struct RegisterPushSubscriptionPayload {
    /// The browser.
    push_subscription: Option<PushSubscription>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// Which browser not to wake any more.
#[derive(Debug, InputObject)]
pub struct RemovePushSubscriptionInput {
    /// One of `viewer.pushSubscriptions`.
    push_subscription_id: PushSubscriptionId,
}

/// The result of `removePushSubscription`.
#[derive(Debug, SimpleObject)]
pub struct RemovePushSubscriptionPayload {
    /// What is gone.
    removed_push_subscription_id: Option<PushSubscriptionId>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people do about being told.
#[derive(Debug, Default)]
pub struct PushMutation;

#[Object]
impl PushMutation {
    /// Has a browser woken by web push for messages that are news to the viewer, while its session has no stream open. It
    /// gets JSON: `{ type: "message", chatId, messageId, title, body, expiresAt }`, the last for what disappears.
    /// Registered again, also by somebody else, it is theirs and of their session, and is forgotten when that ends.
    async fn register_push_subscription(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The browser.")] input: RegisterPushSubscriptionInput,
    ) -> Result<RegisterPushSubscriptionPayload> {
        let (app, who) = (context.app(), context.signed_in()?);
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let (p256dh, auth) = (decode(&input.p256dh), decode(&input.auth));
        let registered = async {
            let new = NewSubscription::check(&app.reachable(), &input.endpoint, p256dh, auth)?;
            subscription::register(app, who, new).await
        };
        let (push_subscription, errors) = payload(registered.await)?;
        Ok(RegisterPushSubscriptionPayload {
            push_subscription,
            errors,
        })
    }

    /// Has a browser woken no more.
    async fn remove_push_subscription(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which one.")] input: RemovePushSubscriptionInput,
    ) -> Result<RemovePushSubscriptionPayload> {
        let who = context.signed_in()?;
        let mut connection = context.app().connection().await?;
        let removed = subscription::remove(&mut connection, who.user_id, input.push_subscription_id).await;
        let (removed_push_subscription_id, errors) = payload(removed)?;
        Ok(RemovePushSubscriptionPayload {
            removed_push_subscription_id,
            errors,
        })
    }
}
