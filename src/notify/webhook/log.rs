//! The log of deliveries.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use super::delivery;
use super::row::{Webhook, WebhookEvent, is_keeper};
use crate::account::viewer::SignedIn;
use crate::app::App;
use crate::db::schema::{webhook_deliveries, webhooks};
use crate::db::{Connection, text_enum};
use crate::error::{Error, Result};
use crate::event::{Audience, LoggedEvent};
use crate::id::{WebhookDeliveryId, WebhookId};
use crate::job;
use crate::notify::rules::Concerned;
use crate::page::Window;

/// For how many days deliveries are kept.
const KEPT_DAYS: i32 = 14;

text_enum! {
    /// What became of a delivery.
    WebhookDeliveryState {
        /// It is to be delivered, for the first time or again.
        Pending = "PENDING",
        /// It was.
        Delivered = "DELIVERED",
        /// It was given up.
        Failed = "FAILED",
        /// There was nothing to tell any more.
        Skipped = "SKIPPED",
    }
}

/// What a webhook was told, or is to be.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = webhook_deliveries, check_for_backend(diesel::pg::Pg))]
pub struct WebhookDelivery {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// Which webhook.
    pub webhook_id: WebhookId,
    /// What happened.
    pub kind: WebhookEvent,
    /// The ids that it speaks of.
    pub payload: Value,
    /// What became of it.
    pub state: WebhookDeliveryState,
    /// How often it was tried.
    pub attempts: i32,
    /// The HTTP status of the last answer.
    pub response_status: Option<i32>,
    /// What was wrong the last time.
    pub error: Option<String>,
    /// When it was delivered, given up or skipped.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it was called for.
    pub created_at: DateTime<Utc>,
}

/// A position in the log of a webhook.
pub type DeliveryKey = (DateTime<Utc>, WebhookDeliveryId);

/// A page of the log of a webhook, newest first.
///
/// # Errors
/// When Postgres fails.
pub async fn page(
    connection: &mut Connection,
    webhook: WebhookId,
    window: &Window<DeliveryKey>,
) -> QueryResult<Vec<WebhookDelivery>> {
    use webhook_deliveries::{created_at, id};
    let mut query = webhook_deliveries::table
        .filter(webhook_deliveries::webhook_id.eq(webhook))
        .select(WebhookDelivery::as_select())
        .limit(window.fetch())
        .into_boxed();
    query = if window.backwards {
        query.order((created_at.asc(), id.asc()))
    } else {
        query.order((created_at.desc(), id.desc()))
    };
    if let Some((at, of)) = window.after {
        query = query.filter(created_at.lt(at).or(created_at.eq(at).and(id.lt(of))));
    }
    if let Some((at, of)) = window.before {
        query = query.filter(created_at.gt(at).or(created_at.eq(at).and(id.gt(of))));
    }
    query.load(connection).await
}

#[derive(QueryableByName)]
struct Made {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Calls for deliveries of events and notifications to the webhooks that want them.
///
/// # Errors
/// When Postgres fails.
pub async fn call_for(connection: &mut Connection, rows: &[LoggedEvent], concerned: &[Concerned]) -> Result<()> {
    let (mut kinds, mut payloads, mut chats, mut people) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        if let (Audience::Chat(chat_id), Some(kind)) = (row.audience(), WebhookEvent::of_log(&row.kind)) {
            kinds.push(kind.as_str());
            payloads.push(row.payload.clone());
            chats.push(Some(chat_id));
            people.push(None);
        }
    }
    for Concerned { message_id, user_id } in concerned {
        kinds.push(WebhookEvent::Notification.as_str());
        payloads.push(json!({ "messageId": message_id.0, "userId": user_id.0 }));
        chats.push(None);
        people.push(Some(*user_id));
    }
    if kinds.is_empty() {
        return Ok(());
    }
    let query = "INSERT INTO webhook_deliveries (webhook_id, kind, payload) \
        SELECT webhooks.id, happened.kind, happened.payload \
        FROM unnest($1, $2, $3, $4) AS happened (kind, payload, chat_id, user_id) JOIN webhooks ON enabled AND happened.kind = ANY (kinds) \
        WHERE owner_id IS NULL OR owner_id = happened.user_id \
          OR EXISTS (SELECT FROM chat_members WHERE chat_members.chat_id = happened.chat_id AND chat_members.user_id = owner_id) \
        RETURNING id";
    let made: Vec<Made> = diesel::sql_query(query)
        .bind::<Array<Text>, _>(kinds)
        .bind::<Array<Jsonb>, _>(payloads)
        .bind::<Array<Nullable<SqlUuid>>, _>(chats)
        .bind::<Array<Nullable<SqlUuid>>, _>(people)
        .load(connection)
        .await?;
    let wanted = made
        .into_iter()
        .map(|made| (made.id.to_string(), json!({ "id": made.id })));
    let wanted: Vec<(String, Value)> = wanted.collect();
    if !wanted.is_empty() {
        job::enqueue_all(connection, delivery::KIND.name, wanted, Utc::now()).await?;
    }
    Ok(())
}

/// Has something delivered once more.
///
/// # Errors
/// NOT_FOUND.
pub async fn redeliver(app: &App, who: &SignedIn, id: WebhookDeliveryId) -> Result<WebhookDelivery> {
    use diesel_async::AsyncConnection;
    let mut connection = app.connection().await?;
    let delivery = connection
        .transaction(async |connection| {
            let found: Option<(WebhookDelivery, Webhook)> = webhook_deliveries::table
                .inner_join(webhooks::table)
                .filter(webhook_deliveries::id.eq(id))
                .select((WebhookDelivery::as_select(), Webhook::as_select()))
                .for_no_key_update()
                .first(connection)
                .await
                .optional()?;
            let found = found.filter(|(_, webhook)| is_keeper(who, webhook));
            if found.is_none() {
                return Err(Error::not_found(&["webhookDeliveryId"], "delivery"));
            }
            let columns = (
                webhook_deliveries::state.eq(WebhookDeliveryState::Pending),
                webhook_deliveries::attempts.eq(0),
                webhook_deliveries::finished_at.eq(None::<DateTime<Utc>>),
            );
            let delivery: WebhookDelivery = diesel::update(webhook_deliveries::table.find(id))
                .set(columns)
                .returning(WebhookDelivery::as_returning())
                .get_result(connection)
                .await?;
            let (kind, key) = (delivery::KIND.name, id.0.to_string());
            job::enqueue(connection, kind, &key, json!({ "id": id.0 }), Utc::now()).await?;
            Ok(delivery)
        })
        .await?;
    app.deliveries().wake();
    Ok(delivery)
}

/// Removes what is too old.
///
/// # Errors
/// When Postgres fails.
pub async fn sweep(connection: &mut Connection) -> Result<()> {
    let old = "DELETE FROM webhook_deliveries WHERE created_at < now() - make_interval(days => $1)";
    diesel::sql_query(old)
        .bind::<diesel::sql_types::Integer, _>(KEPT_DAYS)
        .execute(connection)
        .await?;
    Ok(())
}
