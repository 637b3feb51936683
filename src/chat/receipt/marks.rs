//! The marks as they are stored, and what they say of messages.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::{DeliveryStatus, MOST_PEOPLE};
use crate::chat::chat::Chat;
use crate::chat::member::Membership;
use crate::db::{Connection, prepared};
use crate::id::{ChatId, MessageId, UserId};

/// How far somebody has come in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Mark {
    /// Which room.
    #[diesel(sql_type = SqlUuid)]
    pub chat_id: ChatId,
    /// Who.
    #[diesel(sql_type = SqlUuid)]
    pub user_id: UserId,
    /// The newest message that a device of theirs was handed.
    #[diesel(sql_type = BigInt)]
    pub delivered: i64,
    /// The newest message that they have read.
    #[diesel(sql_type = BigInt)]
    pub read: i64,
}

/// Who joins a group has missed nothing that was said before: it waits for nobody who was not there. The group is locked.
///
/// # Errors
/// When Postgres fails.
pub async fn begin(connection: &mut Connection, chat: &Chat, people: &[UserId]) -> QueryResult<()> {
    if chat.last_sequence == 0 {
        return Ok(());
    }
    // In one order, in which they are also stored when they were gathered.
    let query = "INSERT INTO receipts (chat_id, user_id, delivered_sequence, read_sequence) \
        SELECT $1, person, $3, $3 FROM unnest($2) AS person ORDER BY person \
        ON CONFLICT (chat_id, user_id) DO UPDATE SET delivered_sequence = excluded.delivered_sequence, \
          read_sequence = excluded.read_sequence, untold = false";
    let query = diesel::sql_query(query)
        .bind::<SqlUuid, _>(chat.id)
        .bind::<Array<SqlUuid>, _>(people)
        .bind::<BigInt, _>(chat.last_sequence);
    query.execute(connection).await.map(drop)
}

/// Moves the marks of a member who has read up to a message of the room, if they are behind; says whether the others are
/// to be told. Whom somebody blocks is told nothing of it.
///
/// # Errors
/// When Postgres fails.
pub async fn read(connection: &mut Connection, membership: &Membership, through: i64) -> QueryResult<bool> {
    let Membership { chat, user_id, .. } = membership;
    if !chat.is_shared() {
        return Ok(false);
    }
    let query = "INSERT INTO receipts (chat_id, user_id, delivered_sequence, read_sequence, untold) \
        SELECT $1, $2, $3, $3, true \
        WHERE NOT EXISTS (SELECT FROM blocks WHERE user_id = $2 AND blocked_id = ANY (ARRAY[$4, $5])) \
          AND (SELECT count(*) FROM (SELECT FROM chat_members WHERE chat_id = $1 LIMIT $6 + 1) AS few) <= $6 \
        ON CONFLICT (chat_id, user_id) DO UPDATE SET read_sequence = excluded.read_sequence, untold = true, \
          delivered_sequence = greatest(receipts.delivered_sequence, excluded.read_sequence) \
        WHERE receipts.read_sequence < excluded.read_sequence";
    let query = diesel::sql_query(query)
        .bind::<SqlUuid, _>(chat.id)
        .bind::<SqlUuid, _>(*user_id)
        .bind::<BigInt, _>(through)
        .bind::<Nullable<SqlUuid>, _>(chat.direct_low_id)
        .bind::<Nullable<SqlUuid>, _>(chat.direct_high_id)
        .bind::<BigInt, _>(MOST_PEOPLE);
    Ok(prepared(query).execute(connection).await? > 0)
}

/// The messages of all but one wait for the one who is furthest behind, and those of that one for the next: so it is the
/// next who must be ahead of who has gone. Of those who are left the one who has come furthest tells of it.
const FREED: &str = "WITH here AS (\
      SELECT user_id, coalesce(delivered_sequence, 0) AS delivered, coalesce(read_sequence, 0) AS read \
      FROM chat_members LEFT JOIN receipts USING (chat_id, user_id) WHERE chat_id = $1), \
    gone AS (SELECT coalesce(max(delivered_sequence), 0) AS delivered, coalesce(max(read_sequence), 0) AS read \
      FROM receipts WHERE chat_id = $1 AND user_id = $2) \
    SELECT user_id FROM here WHERE (SELECT count(*) FROM (SELECT FROM here LIMIT 2) AS few) = 1 \
      OR (SELECT read FROM here ORDER BY read OFFSET 1 LIMIT 1) > (SELECT read FROM gone) \
      OR (SELECT delivered FROM here ORDER BY delivered OFFSET 1 LIMIT 1) > (SELECT delivered FROM gone) \
    ORDER BY read DESC, delivered DESC, user_id LIMIT 1";

/// Whose marks to tell, as they are, now that somebody has gone from a group, which is locked: messages have waited for
/// that one alone, or for nobody else. None when nothing has come to more or to less by it.
///
/// # Errors
/// When Postgres fails.
pub async fn freed(connection: &mut Connection, chat_id: ChatId, gone: UserId) -> QueryResult<Option<UserId>> {
    #[derive(QueryableByName)]
    struct Furthest {
        #[diesel(sql_type = SqlUuid)]
        user_id: UserId,
    }
    let query = diesel::sql_query(FREED)
        .bind::<SqlUuid, _>(chat_id)
        .bind::<SqlUuid, _>(gone);
    let found: Option<Furthest> = prepared(query).get_result(connection).await.optional()?;
    Ok(found.map(|furthest| furthest.user_id))
}

/// The marks of these people in these rooms, for those that `viewer` is in, and of those who still are.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(
    connection: &mut Connection,
    viewer: UserId,
    wanted: &[(ChatId, UserId)],
) -> QueryResult<Vec<Mark>> {
    let (chats, people): (Vec<ChatId>, Vec<UserId>) = wanted.iter().copied().unzip();
    let query = "SELECT wanted.chat_id, wanted.user_id, coalesce(delivered_sequence, 0) AS delivered, coalesce(read_sequence, 0) AS read \
        FROM unnest($1, $2) AS wanted (chat_id, user_id) JOIN chats ON chats.id = wanted.chat_id \
          LEFT JOIN receipts ON receipts.chat_id = wanted.chat_id AND receipts.user_id = wanted.user_id \
        WHERE EXISTS (SELECT FROM chat_members WHERE chat_id = wanted.chat_id AND user_id = $3) \
          AND (wanted.user_id IN (chats.direct_low_id, chats.direct_high_id) \
            OR EXISTS (SELECT FROM chat_members AS own WHERE own.chat_id = wanted.chat_id AND own.user_id = wanted.user_id)) \
        ORDER BY wanted.chat_id, wanted.user_id";
    let query = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(chats)
        .bind::<Array<SqlUuid>, _>(people)
        .bind::<SqlUuid, _>(viewer);
    prepared(query).load(connection).await
}

/// How far all others have come in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub struct Floor {
    #[diesel(sql_type = SqlUuid)]
    chat_id: ChatId,
    /// Every other person's devices were handed what is numbered so or lower; none where there is nobody else.
    #[diesel(sql_type = Nullable<BigInt>)]
    delivered: Option<i64>,
    /// Every other person has read it.
    #[diesel(sql_type = Nullable<BigInt>)]
    read: Option<i64>,
}

impl Floor {
    /// How far a message of the viewer's with this number has come.
    pub fn status(&self, sequence: i64) -> DeliveryStatus {
        let covers = |floor: Option<i64>| floor.is_some_and(|floor| floor >= sequence);
        match (covers(self.read), covers(self.delivered)) {
            (true, _) => DeliveryStatus::Read,
            (false, true) => DeliveryStatus::Delivered,
            (false, false) => DeliveryStatus::Sent,
        }
    }
}

/// How far all but `viewer` have come in each of these rooms, in one query; nothing of chats with an assistant. For rooms
/// that the viewer was shown.
///
/// # Errors
/// When Postgres fails.
pub async fn floors(
    connection: &mut Connection,
    viewer: UserId,
    chats: &[ChatId],
) -> QueryResult<HashMap<ChatId, Floor>> {
    let query = "SELECT chats.id AS chat_id, others.delivered, others.read FROM chats CROSS JOIN LATERAL (\
          SELECT min(coalesce(delivered_sequence, 0)) AS delivered, min(coalesce(read_sequence, 0)) AS read FROM (\
            SELECT user_id FROM chat_members WHERE chat_id = chats.id AND chats.kind <> 'DIRECT' UNION ALL \
            SELECT pair.id FROM (VALUES (chats.direct_low_id), (chats.direct_high_id)) AS pair (id) WHERE pair.id IS NOT NULL) AS here \
          LEFT JOIN receipts ON receipts.chat_id = chats.id AND receipts.user_id = here.user_id WHERE here.user_id <> $2) AS others \
        WHERE chats.id = ANY ($1) AND chats.kind <> 'ASSISTANT'";
    let query = diesel::sql_query(query)
        .bind::<Array<SqlUuid>, _>(chats)
        .bind::<SqlUuid, _>(viewer);
    let rows: Vec<Floor> = prepared(query).load(connection).await?;
    Ok(rows.into_iter().map(|row| (row.chat_id, row)).collect())
}

/// Somebody whom a message has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Who.
    pub user_id: UserId,
    /// How far it has come with them.
    pub status: DeliveryStatus,
}

/// A page of those whom one message has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Which message.
    pub message_id: MessageId,
    /// Only people after this one.
    pub after: Option<UserId>,
    /// How many.
    pub most: i64,
}

/// Those who came later are not told of as if they had read what was said before.
const PAGES: &str = "SELECT wanted.place, reached.user_id, reached.read_sequence >= message.sequence AS has_read \
    FROM unnest($1, $2, $3) WITH ORDINALITY AS wanted (message_id, after, most, place) \
    JOIN messages AS message ON message.id = wanted.message_id JOIN chats ON chats.id = message.chat_id \
    CROSS JOIN LATERAL (SELECT user_id, read_sequence FROM receipts \
      WHERE receipts.chat_id = message.chat_id AND delivered_sequence >= message.sequence \
        AND user_id IS DISTINCT FROM message.author_id AND (wanted.after IS NULL OR user_id > wanted.after) \
        AND (user_id IN (chats.direct_low_id, chats.direct_high_id) OR EXISTS (SELECT FROM chat_members AS own \
          WHERE own.chat_id = message.chat_id AND own.user_id = receipts.user_id AND own.joined_at <= message.created_at)) \
      ORDER BY user_id LIMIT wanted.most) AS reached \
    ORDER BY wanted.place, reached.user_id";

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    place: i64,
    #[diesel(sql_type = SqlUuid)]
    user_id: UserId,
    #[diesel(sql_type = Bool)]
    has_read: bool,
}

/// Pages of those whom messages have reached, in one query. For messages that the asker was shown.
///
/// # Errors
/// When Postgres fails.
pub async fn pages(connection: &mut Connection, wanted: &[Wanted]) -> QueryResult<HashMap<Wanted, Vec<Receipt>>> {
    let ids: Vec<MessageId> = wanted.iter().map(|page| page.message_id).collect();
    let after: Vec<Option<UserId>> = wanted.iter().map(|page| page.after).collect();
    let most: Vec<i64> = wanted.iter().map(|page| page.most).collect();
    let query = diesel::sql_query(PAGES)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Nullable<SqlUuid>>, _>(after)
        .bind::<Array<BigInt>, _>(most);
    let rows: Vec<Row> = prepared(query).load(connection).await?;
    let mut pages: HashMap<Wanted, Vec<Receipt>> = HashMap::new();
    for row in rows {
        let place = usize::try_from(row.place - 1).unwrap_or(usize::MAX);
        let status = if row.has_read {
            DeliveryStatus::Read
        } else {
            DeliveryStatus::Delivered
        };
        if let Some(page) = wanted.get(place) {
            let user_id = row.user_id;
            pages.entry(*page).or_default().push(Receipt { user_id, status });
        }
    }
    Ok(pages)
}
