//! Membership: the proof that somebody may see a chat, and how the chat looks to them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::chat::Chat;
use super::draft::StoredDraft;
use super::room::permission::MemberRole;
use crate::db::schema::{chat_members, chats};
use crate::db::{Connection, prepared};
use crate::error::{Error, Result};
use crate::id::{ChatId, UserId};
use crate::notify::rules::NotificationLevel;

/// Somebody's access to a chat. Functions that touch a chat take one, and only [`Membership::of`], [`Membership::lock`]
/// and [`Membership::lock_own`] make it.
#[derive(Debug, Clone)]
#[expect(
    clippy::manual_non_exhaustive,
    reason = "the private field keeps the rest of this crate from making one"
)]
pub struct Membership {
    /// Who.
    pub user_id: UserId,
    /// The chat, as it was read with the membership.
    pub chat: Chat,
    /// What they may do in it.
    pub role: MemberRole,
    /// Messages up to this number are not theirs to see.
    pub history_after: i64,
    _proof: (),
}

/// What is read to make a [`Membership`].
type Read = (Chat, MemberRole, i64);

impl Membership {
    fn made(user_id: UserId, (chat, role, history_after): Read) -> Self {
        Membership {
            user_id,
            chat,
            role,
            history_after,
            _proof: (),
        }
    }

    /// The access of `user_id` to `chat_id`; none when there is no such chat or they are not in it.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn of(mut connection: &Connection, user_id: UserId, chat_id: ChatId) -> QueryResult<Option<Self>> {
        let found = chats::table
            .inner_join(chat_members::table)
            .filter(chats::id.eq(chat_id))
            .filter(chat_members::user_id.eq(user_id))
            .select((Chat::as_select(), chat_members::role, chat_members::history_after))
            .first(&mut connection)
            .await
            .optional()?;
        Ok(found.map(|read| Membership::made(user_id, read)))
    }

    /// The same, with the rows of chat and member locked until the transaction ends: the chat's orders all that
    /// happens in it.
    ///
    /// # Errors
    /// NOT_FOUND for `chatId`, or when Postgres fails.
    pub async fn lock(connection: &mut Connection, user_id: UserId, chat_id: ChatId) -> Result<Self> {
        let locked = chats::table
            .inner_join(chat_members::table)
            .filter(chats::id.eq(chat_id))
            .filter(chat_members::user_id.eq(user_id))
            .select((Chat::as_select(), chat_members::role, chat_members::history_after))
            .for_no_key_update()
            .first(connection)
            .await
            .optional()?;
        let membership = locked.map(|read| Membership::made(user_id, read));
        membership.ok_or_else(|| Error::not_found(&["chatId"], "chat"))
    }

    /// The same with the member's row locked alone, for what changes nothing but that: it waits for nobody who writes, and
    /// nobody who writes waits for it. What it changes is in order by that row, and told to its person only.
    ///
    /// Whoever holds it locks no message afterwards: what takes messages away takes them out of members' rows, too. A room
    /// is deleted after its last member's row.
    ///
    /// # Errors
    /// NOT_FOUND for `chatId`, or when Postgres fails.
    pub async fn lock_own(connection: &Connection, user_id: UserId, chat_id: ChatId) -> Result<Self> {
        let row = chat_members::table.find((chat_id, user_id));
        let row = row.select(chat_members::role).for_no_key_update();
        // On their way together: Postgres reads the second when it has the lock.
        let mut first = connection;
        let (locked, membership) = tokio::join!(
            row.first::<MemberRole>(&mut first),
            Membership::of(connection, user_id, chat_id)
        );
        let membership = locked.optional()?.and(membership?);
        membership.ok_or_else(|| Error::not_found(&["chatId"], "chat"))
    }
}

/// How a chat looks to one of its members.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = chat_members, check_for_backend(diesel::pg::Pg))]
pub struct MemberState {
    /// Which chat.
    pub chat_id: ChatId,
    /// The newest message that they have read.
    pub last_read_sequence: i64,
    /// Since when they keep it on top.
    pub pinned_at: Option<DateTime<Utc>>,
    /// Since when they have put it away.
    pub archived_at: Option<DateTime<Utc>>,
    /// Of which messages they are notified.
    pub notifications: NotificationLevel,
    /// Until when of none.
    pub muted_until: Option<DateTime<Utc>>,
    /// What they may do in it.
    pub role: MemberRole,
    /// Messages up to this number are not theirs to see.
    pub history_after: i64,
    /// Grows with each change of what only they see of it.
    pub version: i32,
    /// When they last sent what the other is not shown.
    pub own_activity_at: Option<DateTime<Utc>>,
    /// What they have begun to write.
    #[diesel(embed)]
    pub draft: StoredDraft,
}

impl MemberState {
    /// The later one of a moment of the chat and of what they sent last that the other is not shown.
    pub fn latest(&self, moment: DateTime<Utc>) -> DateTime<Utc> {
        self.own_activity_at.map_or(moment, |own| own.max(moment))
    }

    /// How these chats look to `user_id`, in one query.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn find_many(
        connection: &mut Connection,
        user_id: UserId,
        chats: &[ChatId],
    ) -> QueryResult<HashMap<ChatId, MemberState>> {
        let found: Vec<MemberState> = chat_members::table
            .filter(chat_members::user_id.eq(user_id))
            .filter(chat_members::chat_id.eq_any(chats))
            .select(MemberState::as_select())
            .load(connection)
            .await?;
        Ok(found.into_iter().map(|state| (state.chat_id, state)).collect())
    }
}

/// How many messages of others each chat's active branch holds that `user_id` has not read; counted to a thousand.
///
/// # Errors
/// When Postgres fails.
pub async fn unread_counts(
    connection: &mut Connection,
    user_id: UserId,
    chats: &[ChatId],
) -> QueryResult<HashMap<ChatId, i64>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        chat_id: ChatId,
        #[diesel(sql_type = BigInt)]
        unread: i64,
    }
    let query = "SELECT member.chat_id, unread.count AS unread FROM chat_members AS member \
          LEFT JOIN chat_lifetimes AS life ON life.chat_id = member.chat_id CROSS JOIN LATERAL (\
          SELECT count(*) FROM (SELECT 1 FROM messages WHERE chat_id = member.chat_id AND active \
            AND sequence > greatest(member.last_read_sequence, life.gone_through) \
            AND (life.seconds IS NULL OR created_at > now() - make_interval(secs => life.seconds)) \
            AND author_id IS DISTINCT FROM member.user_id AND withheld_from IS DISTINCT FROM member.user_id AND role <> 'SYSTEM' AND deleted_at IS NULL LIMIT 1000) AS counted) AS unread \
        WHERE member.user_id = $1 AND member.chat_id = ANY ($2)";
    let rows: Vec<Row> = prepared(
        diesel::sql_query(query)
            .bind::<SqlUuid, _>(user_id)
            .bind::<Array<SqlUuid>, _>(chats),
    )
    .load(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.chat_id, row.unread)).collect())
}

/// Remembers that a member has read up to a message of the chat; never goes back. Returns whether anything changed.
///
/// # Errors
/// When Postgres fails.
pub async fn mark_read(connection: &mut Connection, membership: &Membership, through: i64) -> QueryResult<bool> {
    let mine = chat_members::table
        .find((membership.chat.id, membership.user_id))
        .filter(chat_members::last_read_sequence.lt(through));
    let read = diesel::update(mine).set((
        chat_members::last_read_sequence.eq(through),
        chat_members::version.eq(chat_members::version + 1),
    ));
    Ok(prepared(read).execute(connection).await? > 0)
}
