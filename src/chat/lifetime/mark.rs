//! Moving the number up to which a chat's messages are gone, and telling of it.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::chat::branch::{LONG_WORK, activate, lock_running};
use crate::chat::chat::TitleSource;
use crate::chat::message::MessageRole;
use crate::chat::{event, title};
use crate::db::Connection;
use crate::db::schema::{chat_lifetimes, chat_summaries, chats, generations, messages};
use crate::error::Result;
use crate::event::{NewEvent, append_all};
use crate::id::{ChatId, GenerationId, MessageId, SummaryId};

/// What is known of a chat for this, under its lock.
pub(super) struct Locked {
    /// Messages up to this number are gone already.
    gone_through: i64,
    /// How old messages may get, if the chat says so.
    pub(super) seconds: Option<i32>,
    /// The moment of Postgres' clock, which wrote theirs, too.
    pub(super) now: DateTime<Utc>,
}

/// Locks a chat; none when it is gone.
pub(super) async fn lock(connection: &mut Connection, chat_id: ChatId) -> QueryResult<Option<Locked>> {
    let found: Option<(i64, DateTime<Utc>)> = chats::table
        .find(chat_id)
        .select((chats::cleared_sequence, now.into_sql::<Timestamptz>()))
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?;
    let Some((cleared, moment)) = found else {
        return Ok(None);
    };
    let lifetime: Option<(Option<i32>, i64)> = chat_lifetimes::table
        .find(chat_id)
        .select((chat_lifetimes::seconds, chat_lifetimes::gone_through))
        .first(connection)
        .await
        .optional()?;
    let (seconds, gone_through) = lifetime.unwrap_or_default();
    Ok(Some(Locked {
        gone_through: gone_through.max(cleared),
        seconds,
        now: moment,
    }))
}

/// The first message that is not too old, of either kind of branch; and the last one before it.
const BOUND: &str = "WITH first AS (SELECT min(living.sequence) AS sequence FROM (VALUES (true), (false)) AS kind (active) CROSS JOIN LATERAL (\
      SELECT sequence FROM messages WHERE chat_id = $1 AND messages.active = kind.active AND sequence > $2 AND created_at > $3 \
      ORDER BY sequence LIMIT 1) AS living) \
    SELECT max(last.sequence) AS through FROM first CROSS JOIN (VALUES (true), (false)) AS kind (active) CROSS JOIN LATERAL (\
      SELECT sequence FROM messages WHERE chat_id = $1 AND messages.active = kind.active AND sequence > $2 \
        AND (first.sequence IS NULL OR messages.sequence < first.sequence) ORDER BY messages.sequence DESC LIMIT 1) AS last";

/// Those that followed a message that is gone begin branches now.
const BEGIN: &str = "UPDATE messages SET parent_id = NULL, version = messages.version + 1 FROM messages AS gone \
    WHERE messages.chat_id = $1 AND messages.active IN (true, false) AND messages.sequence > $2 AND gone.id = messages.parent_id \
      AND gone.chat_id = $1 AND gone.sequence <= $2 RETURNING messages.id";

/// Those that replied to a message that is gone reply to none now.
const UNREPLY: &str = "UPDATE messages SET reply_to_id = NULL, version = messages.version + 1 FROM messages AS gone \
    WHERE gone.chat_id = $1 AND gone.active IN (true, false) AND gone.sequence <= $2 AND messages.reply_to_id = gone.id \
      AND messages.sequence > $2 RETURNING messages.id";

#[derive(QueryableByName)]
struct Bound {
    #[diesel(sql_type = Nullable<BigInt>)]
    through: Option<i64>,
}

#[derive(QueryableByName)]
struct Begun {
    #[diesel(sql_type = SqlUuid)]
    id: MessageId,
}

/// Makes what was said before `cutoff` gone for everybody, in a chat that is locked, and tells of it. Gives the answers that
/// were being written into it.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn mark(
    connection: &mut Connection,
    chat_id: ChatId,
    locked: &Locked,
    cutoff: DateTime<Utc>,
) -> Result<Vec<GenerationId>> {
    diesel::sql_query(LONG_WORK).execute(connection).await?;
    let bound: Bound = diesel::sql_query(BOUND)
        .bind::<SqlUuid, _>(chat_id)
        .bind::<BigInt, _>(locked.gone_through)
        .bind::<Timestamptz, _>(cutoff)
        .get_result(connection)
        .await?;
    let Some(through) = bound.through else {
        return Ok(Vec::new());
    };
    let running = lock_running(connection, chat_id).await?;
    let running: Vec<GenerationId> = generations::table
        .inner_join(messages::table)
        .filter(generations::id.eq_any(running))
        .filter(messages::sequence.le(through))
        .select(generations::id)
        .load(connection)
        .await?;
    let mut events = empty_summaries(connection, chat_id, through).await?;
    events.push(event::history_cleared(chat_id, through));
    events.extend(begin_anew(connection, chat_id, through).await?);
    events.extend(show_another(connection, chat_id, through).await?);
    let row = (
        chat_lifetimes::chat_id.eq(chat_id),
        chat_lifetimes::gone_through.eq(through),
    );
    diesel::insert_into(chat_lifetimes::table)
        .values(row)
        .on_conflict(chat_lifetimes::chat_id)
        .do_update()
        .set(chat_lifetimes::gone_through.eq(through))
        .execute(connection)
        .await?;
    retitle(connection, chat_id, through).await?;
    let cleared = (
        chats::cleared_sequence.eq(through),
        chats::version.eq(chats::version + 1),
        chats::updated_at.eq(now),
    );
    diesel::update(chats::table.find(chat_id))
        .set(cleared)
        .execute(connection)
        .await?;
    events.push(event::chat_upserted(chat_id));
    append_all(connection, events).await?;
    Ok(running)
}

/// A title that nobody gave the chat tells of what is gone: what is left gives it another one.
async fn retitle(connection: &mut Connection, chat_id: ChatId, through: i64) -> Result<()> {
    let made = chats::table
        .find(chat_id)
        .filter(chats::title.is_not_null())
        .filter(chats::title_source.is_distinct_from(TitleSource::User));
    let wanted = diesel::select(diesel::dsl::exists(made)).get_result::<bool>(connection);
    if !wanted.await? {
        return Ok(());
    }
    let first: Option<String> = messages::table
        .filter(messages::chat_id.eq(chat_id))
        .filter(messages::active)
        .filter(messages::sequence.gt(through))
        .filter(messages::role.eq(MessageRole::User))
        .filter(messages::deleted_at.is_null())
        .order(messages::sequence)
        .select(messages::content)
        .first(connection)
        .await
        .optional()?;
    let title = first.as_deref().and_then(title::heuristic);
    let source = title.as_ref().map(|_| TitleSource::Heuristic);
    diesel::update(chats::table.find(chat_id))
        .set((chats::title.eq(title), chats::title_source.eq(source)))
        .execute(connection)
        .await?;
    Ok(())
}

/// What stands at the beginning now has nothing before it, and other versions than it had: the other beginnings.
async fn begin_anew(connection: &mut Connection, chat_id: ChatId, through: i64) -> Result<Vec<NewEvent>> {
    let begun: Vec<Begun> = diesel::sql_query(BEGIN)
        .bind::<SqlUuid, _>(chat_id)
        .bind::<BigInt, _>(through)
        .load(connection)
        .await?;
    let mut changed: Vec<MessageId> = begun.into_iter().map(|message| message.id).collect();
    let others = messages::table
        .filter(messages::chat_id.eq(chat_id))
        .filter(messages::parent_id.is_null())
        .filter(messages::sequence.gt(through))
        .filter(messages::id.ne_all(changed.clone()));
    let others: Vec<MessageId> = diesel::update(others)
        .set(messages::version.eq(messages::version + 1))
        .returning(messages::id)
        .get_results(connection)
        .await?;
    changed.extend(others);
    let unreplied: Vec<Begun> = diesel::sql_query(UNREPLY)
        .bind::<SqlUuid, _>(chat_id)
        .bind::<BigInt, _>(through)
        .load(connection)
        .await?;
    let begun = changed.into_iter().map(|id| (id, "SIBLINGS"));
    let unreplied = unreplied.into_iter().map(|message| (message.id, "REPLY_TO"));
    Ok(begun
        .chain(unreplied)
        .map(|(id, changed)| event::message_updated(chat_id, id, &[changed]))
        .collect())
}

/// Where nothing is left of the branch that was shown, the newest of the others is: what is left is never out of sight.
async fn show_another(connection: &mut Connection, chat_id: ChatId, through: i64) -> Result<Option<NewEvent>> {
    let left = messages::table
        .filter(messages::chat_id.eq(chat_id))
        .filter(messages::sequence.gt(through));
    let newest: Option<(MessageId, bool)> = left
        .filter(messages::parent_id.is_null())
        .order((messages::active.desc(), messages::sequence.desc()))
        .select((messages::id, messages::active))
        .first(connection)
        .await
        .optional()?;
    // Whatever is shown begins with a beginning.
    let Some((root, false)) = newest else { return Ok(None) };
    diesel::update(messages::table.find(root))
        .set(messages::chosen.eq(true))
        .execute(connection)
        .await?;
    activate(connection, &[root], Some(root)).await?;
    Ok(Some(event::branch_changed(chat_id, through)))
}

/// A summary tells from the beginning on, and so of what is gone: its words go, and it counts as one that goes no further,
/// which `HistoryCleared` takes along. Told of before that event.
async fn empty_summaries(connection: &mut Connection, chat_id: ChatId, through: i64) -> Result<Vec<NewEvent>> {
    let all = chat_summaries::table.filter(chat_summaries::chat_id.eq(chat_id));
    let further = all
        .filter(chat_summaries::content.ne(""))
        .filter(chat_summaries::through_sequence.gt(through));
    let empty = (
        chat_summaries::content.eq(""),
        chat_summaries::tokens.eq(0),
        chat_summaries::through_sequence.eq(through),
        chat_summaries::reverted_at.eq(now),
        chat_summaries::version.eq(chat_summaries::version + 1),
    );
    let emptied: Vec<SummaryId> = diesel::update(further)
        .set(empty)
        .returning(chat_summaries::id)
        .get_results(connection)
        .await?;
    // Those that went no further before; the others wait, unseen, for the messages that they end with.
    let over = all
        .filter(chat_summaries::content.ne(""))
        .filter(chat_summaries::through_sequence.le(through));
    diesel::delete(over).execute(connection).await?;
    Ok(emptied
        .into_iter()
        .map(|id| event::summary_upserted(chat_id, id))
        .collect())
}

/// Sets how old messages of a chat may get, which is locked: what was gone stays gone, and what is too old now goes. Gives
/// the answers that were being written into it.
///
/// # Errors
/// When Postgres fails.
pub async fn set(connection: &mut Connection, chat_id: ChatId, seconds: Option<i32>) -> Result<Vec<GenerationId>> {
    let mut running = Vec::new();
    for set in [false, true] {
        if set {
            let values = (chat_lifetimes::seconds.eq(seconds), chat_lifetimes::due_at.eq(now));
            diesel::insert_into(chat_lifetimes::table)
                .values((chat_lifetimes::chat_id.eq(chat_id), values))
                .on_conflict(chat_lifetimes::chat_id)
                .do_update()
                .set(values)
                .execute(connection)
                .await?;
        }
        let Some(locked) = lock(connection, chat_id).await? else {
            continue;
        };
        if let Some(seconds) = locked.seconds {
            let cutoff = locked.now - TimeDelta::seconds(seconds.into());
            running.extend(mark(connection, chat_id, &locked, cutoff).await?);
        }
    }
    Ok(running)
}
