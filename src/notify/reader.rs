//! The reader of the event log: finds whom what happened concerns, and calls for what is to be done about it.
//!
//! One server reads at a time, under the lock of the reader's row; the others try again a second later. While nobody wants
//! to be told of anything, it sleeps: its row has no cursor, and whoever comes first puts it at the log's end.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::Utc;
use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::json;
use uuid::Uuid;

use super::push;
use super::rules::{self, Concerned};
use super::webhook::{self, row::WebhookEvent};
use crate::app::App;
use crate::db::schema::{chat_members, generations, log_readers, messages};
use crate::db::{Connection, prepared};
use crate::error::{Error, Result};
use crate::event::{self, Audience, Cursor, LoggedEvent, Position, Resumable};
use crate::id::{ChatId, MessageId, UserId};
use crate::job;

/// The reader's row.
const NAME: &str = "notify";
/// How long what other servers write waits at most; what this one writes wakes the reader at once.
const EVERY: Duration = Duration::from_secs(1);
/// How long it rests after a read, so that a busy server is read in batches.
const REST: Duration = Duration::from_millis(50);
/// How many events are read at once.
const READ: i32 = 500;
/// How many people those may concern together: what is called for in one transaction has to be done in time.
const RECIPIENTS: i64 = 10_000;

/// How many jobs are called for in one statement.
const JOBS: usize = 2_000;

/// The names in the log of what messages do.
const CREATED: &str = "message.created";
const UPDATED: &str = "message.updated";

/// Reads until the server stops.
pub async fn run(app: App) {
    let mut most = READ;
    loop {
        tokio::select! {
            () = app.log().written() => {}
            () = tokio::time::sleep(EVERY) => {}
            () = app.shutdown().cancelled() => return,
        }
        loop {
            match advance_by(&app, most).await {
                Ok(more) => {
                    most = READ.min(most.saturating_mul(2));
                    if !more {
                        break;
                    }
                }
                Err(error) => {
                    // Perhaps it was too much at once.
                    most = 1.max(most / 2);
                    tracing::warn!(%error, most, "cannot read the event log for notifications");
                    break;
                }
            }
        }
        tokio::time::sleep(REST).await;
    }
}

/// Reads on; says whether there may be more.
///
/// # Errors
/// When Postgres fails; nothing is called for then, and it is read again.
pub async fn advance(app: &App) -> Result<bool> {
    advance_by(app, READ).await
}

/// Reads on by at most so many events.
async fn advance_by(app: &App, most: i32) -> Result<bool> {
    let mut connection = app.upkeep_connection().await?;
    if !is_wanted(&mut connection).await? {
        return Ok(false);
    }
    let more = connection
        .transaction(async |connection| {
            let row = log_readers::table
                .find(NAME)
                .select(log_readers::cursor)
                .for_update()
                .skip_locked();
            let Some(cursor) = row.first::<Option<String>>(connection).await.optional()? else {
                // Another server reads.
                return Ok(false);
            };
            let wanted = who_waits(connection).await?;
            let Some(cursor) = cursor.filter(|_| wanted) else {
                save(connection, None).await?;
                return Ok(false);
            };
            let position = resume(connection, &cursor).await?;
            let (rows, next, more) = read(connection, &position, most).await?;
            called_for(connection, &rows).await?;
            if next != position {
                let epoch = event::current(connection).await?.epoch;
                let cursor = Cursor { epoch, position: next };
                save(connection, Some(cursor.to_string())).await?;
            }
            Ok::<_, Error>(more)
        })
        .await?;
    drop(connection);
    app.deliveries().wake();
    app.pushes().wake();
    Ok(more)
}

/// Wakes the reader, in the transaction of whoever wants to be told of things from now on, before they are stored.
///
/// # Errors
/// When Postgres fails.
pub async fn wake(connection: &mut Connection) -> Result<()> {
    let row = log_readers::table.find(NAME).select(log_readers::cursor).for_update();
    let asleep = row.first::<Option<String>>(connection).await?.is_none();
    if asleep {
        let now = event::current(connection).await?;
        save(connection, Some(now.to_string())).await?;
    }
    Ok(())
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    yes: bool,
}

/// Whether the reader is awake.
async fn is_wanted(connection: &mut Connection) -> QueryResult<bool> {
    let query = "SELECT cursor IS NOT NULL AS yes FROM log_readers WHERE name = 'notify'";
    let answer: Answer = prepared(diesel::sql_query(query)).get_result(connection).await?;
    Ok(answer.yes)
}

/// Whether anybody wants to be told of anything.
async fn who_waits(connection: &mut Connection) -> QueryResult<bool> {
    let query = "SELECT EXISTS (SELECT FROM push_subscriptions) OR EXISTS (SELECT FROM webhooks WHERE enabled) AS yes";
    let answer: Answer = prepared(diesel::sql_query(query)).get_result(connection).await?;
    Ok(answer.yes)
}

async fn save(connection: &mut Connection, cursor: Option<String>) -> QueryResult<()> {
    diesel::update(log_readers::table.find(NAME))
        .set(log_readers::cursor.eq(cursor))
        .execute(connection)
        .await
        .map(drop)
}

/// Where to read on: at a cursor, or at the log's end when it leads nowhere any more.
async fn resume(connection: &mut Connection, cursor: &str) -> Result<Position> {
    if let Ok(cursor) = cursor.parse::<Cursor>()
        && event::resumable(connection, &cursor).await? == Resumable::Yes
    {
        return Ok(cursor.position);
    }
    tracing::warn!("notifications of what happened before now are left out: the log does not go back that far");
    Ok(event::current(connection).await?.position)
}

/// The next events, the position behind them, and whether there may be more.
async fn read(
    connection: &mut Connection,
    position: &Position,
    most: i32,
) -> Result<(Vec<LoggedEvent>, Position, bool)> {
    let (upto, after_id) = match &position.then {
        Some((upto, id)) => (upto.clone(), *id),
        None => (event::current(connection).await?.position.seen, 0),
    };
    let mut rows = event::read_everything(connection, (&position.seen, &upto, after_id), most).await?;
    let bounded = bounded(connection, &rows, RECIPIENTS * i64::from(most) / i64::from(READ)).await?;
    let more = bounded < rows.len() || rows.len() >= usize::try_from(most).unwrap_or(usize::MAX);
    rows.truncate(bounded);
    let next = match rows.last() {
        Some(last) if more => Position {
            seen: position.seen.clone(),
            then: Some((upto, last.id)),
        },
        _ => Position::at(upto),
    };
    Ok((rows, next, more))
}

/// How many of these events concern at most so many people, and at least one of them.
async fn bounded(connection: &mut Connection, rows: &[LoggedEvent], most: i64) -> QueryResult<usize> {
    let chat = |row: &LoggedEvent| match row.audience() {
        Audience::Chat(id) if WebhookEvent::of_log(&row.kind).is_some() => Some(id),
        _ => None,
    };
    let chats: HashSet<ChatId> = rows.iter().filter_map(chat).collect();
    if chats.is_empty() {
        return Ok(rows.len());
    }
    let members: HashMap<ChatId, i64> = chat_members::table
        .filter(chat_members::chat_id.eq_any(chats))
        .group_by(chat_members::chat_id)
        .select((chat_members::chat_id, count_star()))
        .load(connection)
        .await?
        .into_iter()
        .collect();
    let mut people = 0;
    let fit = rows.iter().take_while(|row| {
        people += chat(row).and_then(|id| members.get(&id)).copied().unwrap_or_default();
        people <= most
    });
    Ok(fit.count().max(1).min(rows.len()))
}

/// Calls for all that is to be done about these events.
async fn called_for(connection: &mut Connection, rows: &[LoggedEvent]) -> Result<()> {
    let news = news(connection, rows).await?;
    let concerned = rules::concerned(connection, &news, None).await?;
    push_to(connection, &concerned).await?;
    webhook::log::call_for(connection, rows, &concerned).await
}

/// Of the messages that events speak of those that are news: a person's when it is sent, a model's when it is whole.
async fn news(connection: &mut Connection, rows: &[LoggedEvent]) -> Result<Vec<MessageId>> {
    let id = |row: &LoggedEvent| serde_json::from_value::<MessageId>(row.payload["messageId"].clone()).ok();
    let created = rows.iter().filter(|row| row.kind == CREATED).filter_map(id);
    let created: Vec<MessageId> = created.collect();
    // What ends an answer says so of both; corrections of its figures come later.
    let ended = |row: &&LoggedEvent| {
        let changed = row.payload["changed"].as_array();
        let has = |name: &str| changed.is_some_and(|changed| changed.iter().any(|change| change == name));
        row.kind == UPDATED && has("CONTENT") && has("GENERATION")
    };
    let ended: Vec<MessageId> = rows.iter().filter(ended).filter_map(id).collect();
    if created.is_empty() && ended.is_empty() {
        return Ok(Vec::new());
    }
    let said = messages::table
        .filter(messages::id.eq_any(&created))
        .filter(messages::role.eq("USER"))
        .select(messages::id);
    let answered = generations::table
        .filter(generations::message_id.eq_any(&ended))
        .filter(generations::status.eq("COMPLETED"))
        .select(generations::message_id);
    let news: Vec<MessageId> = said.union(answered).load(connection).await?;
    Ok(news)
}

/// Calls for a job for each browser of those whom messages concern.
async fn push_to(connection: &mut Connection, concerned: &[Concerned]) -> Result<()> {
    if concerned.is_empty() {
        return Ok(());
    }
    #[derive(QueryableByName)]
    struct Browser {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
        #[diesel(sql_type = SqlUuid)]
        user_id: UserId,
    }
    let people: HashSet<UserId> = concerned.iter().map(|one| one.user_id).collect();
    let people: Vec<UserId> = people.into_iter().collect();
    let query = "SELECT push.id, push.user_id FROM push_subscriptions AS push JOIN sessions ON sessions.id = push.session_id \
        WHERE push.user_id = ANY ($1) AND sessions.revoked_at IS NULL AND sessions.expires_at > now()";
    let browsers: Vec<Browser> = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(&people)
        .load(connection)
        .await?;
    let mut of: HashMap<UserId, Vec<Uuid>> = HashMap::new();
    for browser in browsers {
        of.entry(browser.user_id).or_default().push(browser.id);
    }
    let now = Utc::now();
    let mut wanted = Vec::new();
    for Concerned { message_id, user_id } in concerned {
        for id in of.get(user_id).into_iter().flatten() {
            let key = format!("{id}:{}", message_id.0);
            wanted.push((
                key,
                json!({ "subscriptionId": id, "messageId": message_id.0, "since": now }),
            ));
        }
    }
    for some in wanted.chunks(JOBS) {
        job::enqueue_all(connection, push::KIND.name, some.to_vec(), now).await?;
    }
    Ok(())
}
