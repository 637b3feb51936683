//! The log of deliveries.

use std::collections::{HashMap, HashSet};

use async_graphql::dataloader::Loader;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};

use super::queue;
use super::row::{Webhook, WebhookEvent, is_keeper};
use crate::account::api::UserLoader;
use crate::account::viewer::SignedIn;
use crate::app::App;
use crate::db::schema::{webhook_deliveries, webhooks};
use crate::db::{Connection, text_enum};
use crate::error::{Error, Result};
use crate::event::{Audience, LoggedEvent};
use crate::id::{ChatId, UserId, WebhookDeliveryId, WebhookId};
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
#[derive(Debug, Clone, Queryable, QueryableByName, Selectable)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogOf {
    webhook: WebhookId,
    part: Part,
}

/// The part of a log that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Part {
    after: Option<DeliveryKey>,
    before: Option<DeliveryKey>,
    backwards: bool,
    fetch: i64,
}

impl LogOf {
    /// This part of the log of a webhook.
    pub fn new(webhook: WebhookId, window: &Window<DeliveryKey>) -> Self {
        let part = Part {
            after: window.after,
            before: window.before,
            backwards: window.backwards,
            fetch: window.fetch(),
        };
        LogOf { webhook, part }
    }
}

/// The same part of the logs of many webhooks in one query.
impl Loader<LogOf> for UserLoader {
    type Value = Vec<WebhookDelivery>;
    type Error = Error;

    async fn load(&self, keys: &[LogOf]) -> Result<HashMap<LogOf, Vec<WebhookDelivery>>> {
        let mut of: HashMap<Part, Vec<WebhookId>> = HashMap::new();
        for key in keys {
            of.entry(key.part).or_default().push(key.webhook);
        }
        let mut logs: HashMap<LogOf, Vec<WebhookDelivery>> = HashMap::new();
        for (part, webhooks) in of {
            for delivery in pages(&mut *self.app.connection().await?, &webhooks, part).await? {
                let webhook = delivery.webhook_id;
                logs.entry(LogOf { webhook, part }).or_default().push(delivery);
            }
        }
        Ok(logs)
    }
}

/// One part of the logs of these webhooks, each in reading direction.
async fn pages(connection: &mut Connection, webhooks: &[WebhookId], part: Part) -> QueryResult<Vec<WebhookDelivery>> {
    let order = if part.backwards { "ASC" } else { "DESC" };
    let query = format!(
        "SELECT delivery.* FROM unnest($1) AS wanted (id) CROSS JOIN LATERAL (SELECT * FROM webhook_deliveries WHERE webhook_id = wanted.id \
           AND ($2 IS NULL OR (created_at, id) < ($2, $3)) AND ($4 IS NULL OR (created_at, id) > ($4, $5)) \
           ORDER BY created_at {order}, id {order} LIMIT $6) AS delivery ORDER BY delivery.created_at {order}, delivery.id {order}"
    );
    let (after, before) = (part.after.unzip(), part.before.unzip());
    diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(webhooks)
        .bind::<Nullable<Timestamptz>, _>(after.0)
        .bind::<Nullable<SqlUuid>, _>(after.1)
        .bind::<Nullable<Timestamptz>, _>(before.0)
        .bind::<Nullable<SqlUuid>, _>(before.1)
        .bind::<BigInt, _>(part.fetch)
        .load(connection)
        .await
}

/// How many things that happened are looked at in one statement.
const AT_ONCE: usize = 2_000;

/// What happened: in a chat, or to a person.
struct Happened {
    kind: WebhookEvent,
    payload: Value,
    chat_id: Option<ChatId>,
    user_id: Option<UserId>,
}

/// Calls for deliveries of events and notifications to the webhooks that want them.
///
/// # Errors
/// When Postgres fails.
pub async fn call_for(connection: &mut Connection, rows: &[LoggedEvent], concerned: &[Concerned]) -> Result<()> {
    let events = rows.iter().filter_map(|row| {
        let (Audience::Chat(chat_id), Some(kind)) = (row.audience(), WebhookEvent::of_log(&row.kind)) else {
            return None;
        };
        Some(Happened {
            kind,
            payload: row.payload.clone(),
            chat_id: Some(chat_id),
            user_id: None,
        })
    });
    let mut happened: Vec<Happened> = events.collect();
    let (everybody, some) = to_be_notified(connection, concerned).await?;
    let wanted = concerned.iter().filter(|one| everybody || some.contains(&one.user_id));
    happened.extend(wanted.map(|one| Happened {
        kind: WebhookEvent::Notification,
        payload: json!({ "messageId": one.message_id.0, "userId": one.user_id.0 }),
        chat_id: None,
        user_id: Some(one.user_id),
    }));
    for some in happened.chunks(AT_ONCE) {
        store(connection, some).await?;
    }
    Ok(())
}

/// Of whose notifications any webhook is told: of everybody's, or of some people's.
async fn to_be_notified(connection: &mut Connection, concerned: &[Concerned]) -> QueryResult<(bool, HashSet<UserId>)> {
    if concerned.is_empty() {
        return Ok((false, HashSet::new()));
    }
    let people: HashSet<UserId> = concerned.iter().map(|one| one.user_id).collect();
    let notified = vec![Some(WebhookEvent::Notification)];
    let owners: Vec<Option<UserId>> = webhooks::table
        .filter(webhooks::enabled)
        .filter(webhooks::kinds.contains(notified))
        .filter(
            webhooks::owner_id
                .is_null()
                .or(webhooks::owner_id.eq_any(people.into_iter().collect::<Vec<_>>())),
        )
        .select(webhooks::owner_id)
        .distinct()
        .load(connection)
        .await?;
    Ok((owners.contains(&None), owners.into_iter().flatten().collect()))
}

/// Those of the server's webhooks, and those of whom it happened to, if their accounts are not closed.
const STORE: &str = "WITH happened AS (SELECT kind, payload, chat_id, user_id FROM unnest($1, $2, $3, $4) AS happened (kind, payload, chat_id, user_id)), \
    wanted AS (SELECT webhooks.id, happened.kind, happened.payload FROM happened JOIN webhooks ON owner_id IS NULL AND enabled AND happened.kind = ANY (kinds) \
      UNION ALL SELECT webhooks.id, happened.kind, happened.payload FROM happened \
        CROSS JOIN LATERAL (SELECT happened.user_id WHERE happened.user_id IS NOT NULL \
          UNION ALL SELECT chat_members.user_id FROM chat_members WHERE chat_members.chat_id = happened.chat_id) AS person \
        JOIN webhooks ON owner_id = person.user_id AND enabled AND happened.kind = ANY (kinds) \
        JOIN users ON users.id = owner_id AND users.deactivated_at IS NULL), \
    made AS (INSERT INTO webhook_deliveries (webhook_id, kind, payload) SELECT id, kind, payload FROM wanted RETURNING webhook_id) \
    SELECT DISTINCT webhooks.id, owner_id FROM made JOIN webhooks ON webhooks.id = webhook_id";

async fn store(connection: &mut Connection, happened: &[Happened]) -> QueryResult<()> {
    #[derive(QueryableByName)]
    struct Told {
        #[diesel(sql_type = SqlUuid)]
        id: WebhookId,
        #[diesel(sql_type = Nullable<SqlUuid>)]
        owner_id: Option<UserId>,
    }
    let kinds: Vec<&str> = happened.iter().map(|one| one.kind.as_str()).collect();
    let payloads: Vec<&Value> = happened.iter().map(|one| &one.payload).collect();
    let chats: Vec<Option<ChatId>> = happened.iter().map(|one| one.chat_id).collect();
    let people: Vec<Option<UserId>> = happened.iter().map(|one| one.user_id).collect();
    let told: Vec<Told> = diesel::sql_query(STORE)
        .bind::<Array<Text>, _>(kinds)
        .bind::<Array<Jsonb>, _>(payloads)
        .bind::<Array<Nullable<SqlUuid>>, _>(chats)
        .bind::<Array<Nullable<SqlUuid>>, _>(people)
        .load(connection)
        .await?;
    let told: Vec<(WebhookId, Option<UserId>)> = told.into_iter().map(|told| (told.id, told.owner_id)).collect();
    if told.is_empty() {
        return Ok(());
    }
    queue::call(connection, &told).await
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
            let Some((_, webhook)) = found.filter(|(_, webhook)| is_keeper(who, webhook)) else {
                return Err(Error::not_found(&["webhookDeliveryId"], "delivery"));
            };
            let columns = (
                webhook_deliveries::state.eq(WebhookDeliveryState::Pending),
                webhook_deliveries::attempts.eq(0),
                webhook_deliveries::finished_at.eq(None::<DateTime<Utc>>),
                webhook_deliveries::next_at.eq(diesel::dsl::now),
            );
            let delivery: WebhookDelivery = diesel::update(webhook_deliveries::table.find(id))
                .set(columns)
                .returning(WebhookDelivery::as_returning())
                .get_result(connection)
                .await?;
            queue::call(connection, &[(webhook.id, webhook.owner_id)]).await?;
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
