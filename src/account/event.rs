//! The event of profiles: for the person on all devices, for the rooms that they are in, and for those who have them in
//! their address books. Who blocks them in a direct chat is not told: a name can be a message, too.

use diesel::QueryResult;
use diesel::sql_types::{Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::{Connection, prepared};
use crate::id::UserId;

/// Somebody changed their profile, or is gone.
pub const USER_UPDATED: &str = "user.updated";

const TELL: &str = "INSERT INTO events (user_id, chat_id, kind, payload) \
      SELECT id, NULL, $2, jsonb_build_object('userId', $1) FROM (SELECT $1 AS id UNION SELECT user_id FROM contacts WHERE contact_id = $1) AS person \
      UNION ALL SELECT NULL, chats.id, $2, jsonb_build_object('userId', $1, 'chatId', chats.id) \
      FROM chat_members JOIN chats ON chats.id = chat_members.chat_id WHERE chat_members.user_id = $1 AND chats.kind <> 'ASSISTANT' \
        AND NOT (chats.kind = 'DIRECT' AND EXISTS (SELECT FROM blocks WHERE blocked_id = $1 AND user_id IN (direct_low_id, direct_high_id)))";

/// Tells of somebody's profile, in the transaction that changes it.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn tell(connection: &mut Connection, user_id: UserId) -> QueryResult<()> {
    let query = diesel::sql_query(TELL)
        .bind::<SqlUuid, _>(user_id)
        .bind::<Text, _>(USER_UPDATED);
    prepared(query).execute(connection).await.map(drop)
}
