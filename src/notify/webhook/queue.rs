//! The job that delivers what waits for the webhooks of one keeper: a person, or the server where a webhook is its own.
//!
//! What waits are the rows of deliveries; the job only says that there are some. As there is one for each keeper, at most
//! so many requests of one are under way over all servers, however slow the services are that they go to:
//!
//! ```text
//! call ── skip what nobody may be told ── some of each webhook at once ── more? ── again, for a while ── rest until the next is due
//!                                           └ silent thrice in a row: the webhook rests, and what waits for it waits
//! ```

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Integer, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::change::MOST_SILENCES;
use super::delivery;
use super::log::WebhookDelivery;
use super::row::Webhook;
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::{webhook_deliveries, webhooks};
use crate::error::Result;
use crate::id::{UserId, WebhookId};
use crate::job::{self, Kind, Running, Trouble};

/// How many deliveries to one webhook of a person's are under way at once.
const OF_ONE: i32 = 4;
/// How many of one person's, to all of their webhooks.
const OF_A_PERSON: i64 = 8;
/// How many to one of the server's own, which is told of everybody's news.
const OF_THE_SERVER: i32 = 16;
/// How long one keeper's deliveries go on before another's have their turn.
const TURN: Duration = Duration::from_secs(20);
/// How many deliveries are skipped in one step.
const SKIPPED: usize = 1_000;
/// How long a delivery waits that could not be tried for our own reasons.
const OUR_FAULT: Duration = Duration::from_secs(60);

/// The kind of job.
pub const KIND: Kind = Kind {
    name: "notify.webhook",
    attempts: i32::MAX,
    limit: Duration::from_secs(90),
    run,
};

/// Whose webhooks are meant.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Keeper {
    /// All those of a person.
    Person(UserId),
    /// This one of the server's.
    Server(WebhookId),
}

impl Keeper {
    fn of(owner: Option<UserId>, webhook: WebhookId) -> Self {
        owner.map_or(Keeper::Server(webhook), Keeper::Person)
    }

    fn key(self) -> Uuid {
        match self {
            Keeper::Person(UserId(id)) | Keeper::Server(WebhookId(id)) => id,
        }
    }

    /// How many to one webhook, and in all.
    fn most(self) -> (i32, i64) {
        match self {
            Keeper::Person(_) => (OF_ONE, OF_A_PERSON),
            Keeper::Server(_) => (OF_THE_SERVER, OF_THE_SERVER.into()),
        }
    }
}

/// Calls for the deliveries of these webhooks, in the transaction that stores them.
pub(super) async fn call(connection: &mut Connection, of: &[(WebhookId, Option<UserId>)]) -> QueryResult<()> {
    let mut keepers: Vec<Keeper> = of.iter().map(|(id, owner)| Keeper::of(*owner, *id)).collect();
    keepers.sort_by_key(|keeper| keeper.key());
    keepers.dedup_by_key(|keeper| keeper.key());
    let wanted = keepers.iter().map(|keeper| (keeper.key().to_string(), json!(keeper)));
    job::call_all(connection, KIND.name, wanted.collect()).await
}

fn run(app: App, payload: Value) -> Running {
    Box::pin(async move {
        let keeper: Keeper =
            serde_json::from_value(payload).map_err(|error| Trouble::hopeless(format!("unreadable: {error}")))?;
        let begun = Instant::now();
        loop {
            while skip(&mut *app.connection().await?, keeper).await? >= SKIPPED {}
            let due = due(&mut *app.connection().await?, keeper).await?;
            if due.is_empty() {
                break;
            }
            let tried = due.iter().map(|(delivery, webhook)| attempt(&app, webhook, delivery));
            join_all(tried).await.into_iter().collect::<Result<()>>()?;
            if begun.elapsed() >= TURN || app.shutdown().is_cancelled() {
                break;
            }
        }
        match rest(&mut *app.connection().await?, keeper).await? {
            Some(seconds) => Err(Trouble::resume(
                Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            )),
            None => Ok(()),
        }
    })
}

/// Tries to deliver. What goes wrong with one, on our side, does not hold up the others.
async fn attempt(app: &App, webhook: &Webhook, delivery: &WebhookDelivery) -> Result<()> {
    let Err(error) = delivery::attempt(app, webhook, delivery).await else {
        return Ok(());
    };
    tracing::warn!(%error, delivery = %delivery.id, "a delivery could not be tried");
    let later = chrono::Utc::now() + OUR_FAULT;
    diesel::update(webhook_deliveries::table.find(delivery.id))
        .set(webhook_deliveries::next_at.eq(later))
        .execute(&mut *app.connection().await?)
        .await?;
    Ok(())
}

/// The webhooks of a keeper, with `$1` for the person and `$2` for the server's webhook.
macro_rules! kept {
    ($rest:literal) => {
        concat!(
            "FROM webhooks LEFT JOIN users AS person ON person.id = owner_id ",
            $rest,
            " (owner_id = $1 OR (owner_id IS NULL AND webhooks.id = $2))"
        )
    };
}

fn person(keeper: Keeper) -> (Option<UserId>, Option<WebhookId>) {
    match keeper {
        Keeper::Person(id) => (Some(id), None),
        Keeper::Server(id) => (None, Some(id)),
    }
}

/// Skips what waits for a webhook that is told of nothing, or whose owner's account is closed; gives how many.
async fn skip(connection: &mut Connection, keeper: Keeper) -> QueryResult<usize> {
    const QUERY: &str = concat!(
        "UPDATE webhook_deliveries SET state = 'SKIPPED', finished_at = now() WHERE id = ANY (ARRAY(SELECT delivery.id ",
        kept!("JOIN webhook_deliveries AS delivery ON webhook_id = webhooks.id AND state = 'PENDING' WHERE"),
        " AND (NOT enabled OR person.deactivated_at IS NOT NULL) LIMIT $3))"
    );
    let (owner, server) = person(keeper);
    diesel::sql_query(QUERY)
        .bind::<Nullable<SqlUuid>, _>(owner)
        .bind::<Nullable<SqlUuid>, _>(server)
        .bind::<BigInt, _>(i64::try_from(SKIPPED).unwrap_or(i64::MAX))
        .execute(connection)
        .await
}

/// What is to be delivered now: some of each webhook, and one only of one that was silent.
async fn due(connection: &mut Connection, keeper: Keeper) -> QueryResult<Vec<(WebhookDelivery, Webhook)>> {
    #[derive(QueryableByName)]
    struct Due {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    const QUERY: &str = concat!(
        "SELECT delivery.id ",
        kept!(
            "CROSS JOIN LATERAL (SELECT id, next_at, row_number() OVER (ORDER BY next_at) AS place FROM webhook_deliveries \
               WHERE webhook_id = webhooks.id AND state = 'PENDING' AND next_at <= now() ORDER BY next_at LIMIT $3) AS delivery WHERE"
        ),
        " AND enabled AND person.deactivated_at IS NULL AND (rests_until IS NULL OR rests_until <= now()) \
          AND (silences < $4 OR place = 1) ORDER BY next_at LIMIT $5"
    );
    let ((owner, server), (of_one, in_all)) = (person(keeper), keeper.most());
    let due: Vec<Due> = diesel::sql_query(QUERY)
        .bind::<Nullable<SqlUuid>, _>(owner)
        .bind::<Nullable<SqlUuid>, _>(server)
        .bind::<Integer, _>(of_one)
        .bind::<Integer, _>(MOST_SILENCES)
        .bind::<BigInt, _>(in_all)
        .load(connection)
        .await?;
    webhook_deliveries::table
        .inner_join(webhooks::table)
        .filter(webhook_deliveries::id.eq_any(due.into_iter().map(|due| due.id)))
        .select((WebhookDelivery::as_select(), Webhook::as_select()))
        .load(connection)
        .await
}

/// In how many seconds the next delivery is due; none when nothing waits.
async fn rest(connection: &mut Connection, keeper: Keeper) -> QueryResult<Option<f64>> {
    #[derive(QueryableByName)]
    struct Rest {
        #[diesel(sql_type = Nullable<Double>)]
        seconds: Option<f64>,
    }
    const QUERY: &str = concat!(
        "SELECT extract(epoch FROM min(greatest(first.next_at, rests_until)) - now())::float8 AS seconds ",
        kept!(
            "CROSS JOIN LATERAL (SELECT next_at FROM webhook_deliveries WHERE webhook_id = webhooks.id AND state = 'PENDING' \
               ORDER BY next_at LIMIT 1) AS first WHERE"
        )
    );
    let (owner, server) = person(keeper);
    let rest: Rest = diesel::sql_query(QUERY)
        .bind::<Nullable<SqlUuid>, _>(owner)
        .bind::<Nullable<SqlUuid>, _>(server)
        .get_result(connection)
        .await?;
    Ok(rest.seconds)
}
