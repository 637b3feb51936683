//! What a webhook is told: what happened, and what it speaks of as it is now.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::{Value, json};
use uuid::Uuid;

use super::log::WebhookDelivery;
use super::row::{Webhook, WebhookEvent};
use crate::app::App;
use crate::db::{Connection, lives};
use crate::error::Result;
use crate::id::{AssistantId, ChatId, MessageId, UserId};
use crate::notify::content::Shown;
use crate::notify::{live, rules};

/// How much of a text is told, in characters.
const TEXT: usize = 16_000;

/// What there is to tell.
#[derive(Debug)]
pub enum Told {
    /// This.
    Now(Value),
    /// Perhaps something, but not before so long.
    Later(Duration),
    /// Nothing, or nobody who may be told, any more.
    Nothing,
}

/// The body of a delivery.
///
/// # Errors
/// When Postgres fails.
pub async fn of(app: &App, webhook: &Webhook, delivery: &WebhookDelivery) -> Result<Told> {
    let mut connection = app.connection().await?;
    let id = |name: &str| serde_json::from_value::<Uuid>(delivery.payload[name].clone()).unwrap_or_default();
    let data = match delivery.kind {
        WebhookEvent::MessageCreated | WebhookEvent::MessageUpdated => {
            message(&mut connection, webhook, MessageId(id("messageId"))).await?
        }
        WebhookEvent::ChatUpdated => chat(&mut connection, webhook, ChatId(id("chatId"))).await?,
        WebhookEvent::Notification => {
            let (message_id, user_id) = (MessageId(id("messageId")), UserId(id("userId")));
            if let Some(left) = live::left(delivery.created_at)
                && live::looks_on(app, &mut connection, user_id).await?
            {
                return Ok(Told::Later(left));
            }
            notification(&mut connection, message_id, user_id).await?
        }
    };
    let told = |data| {
        json!({
            "type": delivery.kind.wire_name(),
            "timestamp": delivery.created_at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "data": data,
        })
    };
    Ok(data.map_or(Told::Nothing, |data| Told::Now(told(data))))
}

#[derive(QueryableByName)]
struct MessageRow {
    #[diesel(sql_type = SqlUuid)]
    chat_id: ChatId,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    sequence: i64,
    #[diesel(sql_type = Text)]
    role: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    content: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    author_id: Option<UserId>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    assistant_id: Option<AssistantId>,
    #[diesel(sql_type = diesel::sql_types::Integer)]
    version: i32,
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<diesel::sql_types::Timestamptz>)]
    edited_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<diesel::sql_types::Timestamptz>)]
    deleted_at: Option<DateTime<Utc>>,
}

/// A message, if it is one of the server's webhook or its owner may see it.
async fn message(connection: &mut Connection, webhook: &Webhook, id: MessageId) -> QueryResult<Option<Value>> {
    let query = concat!(
        "SELECT chat_id, sequence, role, kind, CASE WHEN author_id = $2 THEN coalesce(own_content, content) ELSE content END AS content, \
          author_id, assistant_id, version, created_at, CASE WHEN author_id = $2 THEN coalesce(own_edited_at, edited_at) ELSE edited_at END AS edited_at, deleted_at \
        FROM messages WHERE id = $1 AND ",
        lives!("messages"),
        " AND ($2 IS NULL OR EXISTS (SELECT FROM chat_members AS member \
          WHERE member.chat_id = messages.chat_id AND member.user_id = $2 AND messages.sequence > member.history_after AND messages.withheld_from IS DISTINCT FROM $2))"
    );
    let row: Option<MessageRow> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(id)
        .bind::<Nullable<SqlUuid>, _>(webhook.owner_id)
        .get_result(connection)
        .await
        .optional()?;
    Ok(row.map(|row| {
        // What only the members can read is nothing to anybody else.
        let readable = row.kind != "ENCRYPTED";
        let content: Option<String> = readable.then(|| row.content.chars().take(TEXT).collect());
        json!({
            "id": id.to_string(),
            "chatId": row.chat_id.to_string(),
            "sequence": row.sequence,
            "role": row.role,
            "kind": row.kind,
            "content": content,
            "truncated": readable && row.content.chars().nth(TEXT).is_some(),
            "authorId": row.author_id.map(|id| id.to_string()),
            "assistantId": row.assistant_id.map(|id| id.to_string()),
            "version": row.version,
            "createdAt": row.created_at.to_rfc3339(),
            "editedAt": row.edited_at.map(|at| at.to_rfc3339()),
            "deletedAt": row.deleted_at.map(|at| at.to_rfc3339()),
        })
    }))
}

#[derive(QueryableByName)]
struct ChatRow {
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    title: Option<String>,
    #[diesel(sql_type = diesel::sql_types::Integer)]
    version: i32,
    #[diesel(sql_type = diesel::sql_types::Timestamptz)]
    last_activity_at: DateTime<Utc>,
}

/// A chat, if it is the server's webhook that asks, or its owner is a member.
async fn chat(connection: &mut Connection, webhook: &Webhook, id: ChatId) -> QueryResult<Option<Value>> {
    let query = "SELECT kind, title, version, last_activity_at FROM chats WHERE id = $1 AND ($2 IS NULL OR EXISTS \
        (SELECT FROM chat_members AS member WHERE member.chat_id = chats.id AND member.user_id = $2))";
    let row: Option<ChatRow> = diesel::sql_query(query)
        .bind::<SqlUuid, _>(id)
        .bind::<Nullable<SqlUuid>, _>(webhook.owner_id)
        .get_result(connection)
        .await
        .optional()?;
    Ok(row.map(|row| {
        json!({
            "id": id.to_string(),
            "kind": row.kind,
            "title": row.title,
            "version": row.version,
            "lastActivityAt": row.last_activity_at.to_rfc3339(),
        })
    }))
}

/// A notification, if it is news still.
async fn notification(
    connection: &mut Connection,
    message_id: MessageId,
    user_id: UserId,
) -> QueryResult<Option<Value>> {
    if rules::concerned(connection, &[message_id], Some(user_id))
        .await?
        .is_empty()
    {
        return Ok(None);
    }
    let shown = Shown::read(connection, message_id).await?;
    Ok(shown.map(|shown| {
        let mut data = shown.to_json();
        data["userId"] = json!(user_id.to_string());
        data
    }))
}
