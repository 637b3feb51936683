//! Who is in which room, as lists show it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::permission::MemberRole;
use crate::db::{Connection, prepared};
use crate::id::{ChatId, UserId};

/// Somebody in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// What they may do.
    pub role: MemberRole,
    /// Since when they are in it.
    pub joined_at: DateTime<Utc>,
    /// The newest message that a device of theirs was handed.
    pub delivered: i64,
    /// The newest message that they have read.
    pub read: i64,
}

/// What a list of members is ordered by: those first who are there longest.
pub type MemberKey = (DateTime<Utc>, UserId);

impl Member {
    /// Its place in lists.
    pub fn key(&self) -> MemberKey {
        (self.joined_at, self.user_id)
    }
}

/// A page of one room's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Which room.
    pub chat_id: ChatId,
    /// Only members after this one.
    pub after: Option<MemberKey>,
    /// How many.
    pub most: i64,
}

/// A direct chat's people are its pair, whoever of them has deleted it, and since it was made.
const PAGES: &str = "SELECT wanted.place, here.user_id, here.role, here.joined_at, \
      coalesce(receipts.delivered_sequence, 0) AS delivered, coalesce(receipts.read_sequence, 0) AS read \
    FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS wanted (chat_id, after_at, after_id, most, place) \
    JOIN chats ON chats.id = wanted.chat_id CROSS JOIN LATERAL (\
      SELECT * FROM (\
        SELECT user_id, role, joined_at FROM chat_members WHERE chat_id = chats.id AND chats.kind <> 'DIRECT' \
        UNION ALL \
        SELECT pair.id, 'MEMBER', chats.created_at FROM (VALUES (chats.direct_low_id), (chats.direct_high_id)) AS pair (id) \
        WHERE chats.kind = 'DIRECT' AND pair.id IS NOT NULL) AS member \
      WHERE wanted.after_at IS NULL OR (joined_at, user_id) > (wanted.after_at, wanted.after_id) \
      ORDER BY joined_at, user_id LIMIT wanted.most) AS here \
    LEFT JOIN receipts ON receipts.chat_id = wanted.chat_id AND receipts.user_id = here.user_id \
    ORDER BY wanted.place, here.joined_at, here.user_id";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    place: i64,
    #[diesel(sql_type = SqlUuid)]
    user_id: UserId,
    #[diesel(sql_type = Text)]
    role: MemberRole,
    #[diesel(sql_type = Timestamptz)]
    joined_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    delivered: i64,
    #[diesel(sql_type = BigInt)]
    read: i64,
}

/// Pages of rooms' members, in one query. For rooms that the asker was shown.
///
/// # Errors
/// When Postgres fails.
pub async fn pages(connection: &mut Connection, wanted: &[Wanted]) -> QueryResult<HashMap<Wanted, Vec<Member>>> {
    let chats: Vec<ChatId> = wanted.iter().map(|page| page.chat_id).collect();
    let (after, ids): (Vec<_>, Vec<_>) = wanted.iter().map(|page| page.after.unzip()).unzip();
    let most: Vec<i64> = wanted.iter().map(|page| page.most).collect();
    let query = diesel::sql_query(PAGES)
        .bind::<Array<SqlUuid>, _>(chats)
        .bind::<Array<Nullable<Timestamptz>>, _>(after)
        .bind::<Array<Nullable<SqlUuid>>, _>(ids)
        .bind::<Array<BigInt>, _>(most);
    let rows: Vec<Row> = prepared(query).load(connection).await?;
    let mut pages: HashMap<Wanted, Vec<Member>> = HashMap::new();
    for row in rows {
        let place = usize::try_from(row.place - 1).unwrap_or(usize::MAX);
        if let Some(page) = wanted.get(place) {
            pages.entry(*page).or_default().push(Member {
                user_id: row.user_id,
                role: row.role,
                joined_at: row.joined_at,
                delivered: row.delivered,
                read: row.read,
            });
        }
    }
    Ok(pages)
}

/// How many people are in each of these rooms, in one query. For rooms that the asker was shown.
///
/// # Errors
/// When Postgres fails.
pub async fn counts(connection: &mut Connection, chats: &[ChatId]) -> QueryResult<HashMap<ChatId, i64>> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = SqlUuid)]
        id: ChatId,
        #[diesel(sql_type = BigInt)]
        people: i64,
    }
    let query = "SELECT id, CASE WHEN kind = 'DIRECT' THEN num_nonnulls(direct_low_id, direct_high_id)::bigint \
        ELSE (SELECT count(*) FROM chat_members WHERE chat_id = chats.id) END AS people FROM chats WHERE id = ANY ($1)";
    let query = diesel::sql_query(query).bind::<Array<SqlUuid>, _>(chats);
    let rows: Vec<Counted> = prepared(query).load(connection).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.people)).collect())
}
