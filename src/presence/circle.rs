//! Who may see somebody: whom they have among their contacts, and who is in a room with them, without those who are
//! blocked either way.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::{Array, Integer, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::db::{Connection, prepared};
use crate::event::Circle;
use crate::id::{ChatId, UserId};

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    user_id: UserId,
    #[diesel(sql_type = Integer)]
    kind: i32,
    #[diesel(sql_type = SqlUuid)]
    other: Uuid,
}

const ROOM: i32 = 0;
const CONTACT: i32 = 1;
const BLOCKED: i32 = 2;

/// The circles of these people, in one query that knows of rooms but not of their members.
///
/// # Errors
/// When Postgres fails.
pub async fn of(connection: &mut Connection, people: &[UserId]) -> QueryResult<HashMap<UserId, Circle>> {
    let query = "SELECT user_id, 0 AS kind, chat_id AS other FROM chat_members JOIN chats ON chats.id = chat_id AND kind <> 'ASSISTANT' \
          WHERE user_id = ANY ($1) \
        UNION ALL SELECT user_id, 1, contact_id FROM contacts WHERE user_id = ANY ($1) \
        UNION ALL SELECT user_id, 2, blocked_id FROM blocks WHERE user_id = ANY ($1) \
        UNION ALL SELECT blocked_id, 2, user_id FROM blocks WHERE blocked_id = ANY ($1)";
    let rows: Vec<Row> = prepared(diesel::sql_query(query).bind::<Array<SqlUuid>, _>(people))
        .load(connection)
        .await?;
    let mut circles: HashMap<UserId, Circle> = people.iter().map(|id| (*id, Circle::default())).collect();
    for Row { user_id, kind, other } in rows {
        let circle = circles.entry(user_id).or_default();
        match kind {
            ROOM => circle.chats.push(ChatId(other)),
            CONTACT => circle.people.push(UserId(other)),
            BLOCKED => drop(circle.except.insert(UserId(other))),
            _ => {}
        }
    }
    Ok(circles)
}

/// From whom it is kept that these people type: those who are blocked either way.
///
/// # Errors
/// When Postgres fails.
pub async fn kept_from(
    connection: &mut Connection,
    people: &[UserId],
) -> QueryResult<HashMap<UserId, HashSet<UserId>>> {
    let query = "SELECT user_id, 2 AS kind, blocked_id AS other FROM blocks WHERE user_id = ANY ($1) \
        UNION ALL SELECT blocked_id, 2, user_id FROM blocks WHERE blocked_id = ANY ($1)";
    let rows: Vec<Row> = prepared(diesel::sql_query(query).bind::<Array<SqlUuid>, _>(people))
        .load(connection)
        .await?;
    let mut kept: HashMap<UserId, HashSet<UserId>> = HashMap::new();
    for row in rows {
        kept.entry(row.user_id).or_default().insert(UserId(row.other));
    }
    Ok(kept)
}
