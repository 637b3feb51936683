//! Gathering what devices were handed, storing it, and telling of it: a statement or two for whatever has come together,
//! off the way of everything else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::sql_types::{Array, BigInt, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use tokio::sync::Notify;

use super::MOST_PEOPLE;
use crate::app::App;
use crate::chat::event::RECEIPTS_UPDATED;
use crate::db::{Connection, prepared};
use crate::error::Result;
use crate::id::{ChatId, UserId};

/// How long marks are gathered before they are stored and told.
const GATHER: Duration = Duration::from_millis(500);
/// How often it is looked for what a process left untold that has died.
const LEFTOVERS: Duration = Duration::from_secs(10);
/// The most marks that are gathered. What comes when it is full is late: the next message moves the mark as far.
const MOST_GATHERED: usize = 100_000;
/// How many marks one statement stores or tells of.
const AT_ONCE: usize = 1_000;

type Gathered = HashMap<(ChatId, UserId), i64>;

/// What devices were handed and nobody has stored yet. A cheap handle.
#[derive(Debug, Clone, Default)]
pub struct Receipts {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    gathered: Mutex<Gathered>,
    wake: Notify,
    /// One flush at a time: who has waited for one knows that nothing is on its way.
    flush: tokio::sync::Mutex<()>,
}

impl Receipts {
    /// Remembers that a device of `user_id` was handed messages with these numbers.
    pub fn handed(&self, user_id: UserId, messages: impl Iterator<Item = (ChatId, i64)>) {
        let mut gathered = self.lock();
        let mut any = false;
        for (chat_id, sequence) in messages {
            any |= note(&mut gathered, (chat_id, user_id), sequence);
        }
        drop(gathered);
        if any {
            self.inner.wake.notify_one();
        }
    }

    /// Says that marks were stored that others are to be told of.
    pub fn moved(&self) {
        self.inner.wake.notify_one();
    }

    /// Stores and tells what comes together until the server stops, and then what is left.
    pub async fn run(self, app: App) {
        loop {
            tokio::select! {
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(LEFTOVERS) => {}
                () = app.stopped().cancelled() => {}
            }
            tokio::select! {
                () = tokio::time::sleep(GATHER) => {}
                () = app.stopped().cancelled() => {}
            }
            if let Err(error) = self.flush(&app).await {
                tracing::warn!(%error, "cannot store receipts");
                // For the next round, which the leftovers begin if nothing else does.
            }
            if app.stopped().is_cancelled() {
                return;
            }
        }
    }

    /// Stores and tells what has come together so far.
    ///
    /// # Errors
    /// When Postgres fails; then it stays gathered.
    pub async fn flush(&self, app: &App) -> Result<()> {
        let _alone = self.inner.flush.lock().await;
        let mut connection = app.upkeep_connection().await?;
        let taken: Vec<_> = std::mem::take(&mut *self.lock()).into_iter().collect();
        for (at, marks) in taken.chunks(AT_ONCE).enumerate() {
            if let Err(error) = store(&mut connection, marks).await {
                let mut gathered = self.lock();
                for (key, sequence) in &taken[at * AT_ONCE..] {
                    note(&mut gathered, *key, *sequence);
                }
                return Err(error.into());
            }
        }
        let mut told = false;
        loop {
            let count = tell(&mut connection).await?;
            told |= count > 0;
            if count < AT_ONCE {
                break;
            }
        }
        if told {
            app.log().wake();
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Gathered> {
        self.inner.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the higher mark; says whether there is a new one.
fn note(gathered: &mut Gathered, key: (ChatId, UserId), sequence: i64) -> bool {
    let room = gathered.len() < MOST_GATHERED;
    match gathered.get_mut(&key) {
        Some(mark) if *mark >= sequence => false,
        Some(mark) => {
            *mark = sequence;
            true
        }
        None if room => {
            gathered.insert(key, sequence);
            true
        }
        None => false,
    }
}

/// Of members only, and where people are told of each other; whom somebody blocks is told nothing of them, and nobody that
/// a device of somebody invisible is connected: what they read themselves says so. Chats that are
/// being deleted at this moment are left out, so that nobody waits for anybody in a circle.
const STORE: &str = "WITH handed AS (SELECT * FROM unnest($1, $2, $3) AS handed (chat_id, user_id, sequence)), \
    open AS MATERIALIZED (SELECT id, last_sequence, direct_low_id, direct_high_id FROM chats \
      WHERE id IN (SELECT chat_id FROM handed) AND kind <> 'ASSISTANT' \
        AND (SELECT count(*) FROM (SELECT FROM chat_members WHERE chat_id = chats.id LIMIT $4 + 1) AS few) <= $4 \
      FOR KEY SHARE SKIP LOCKED) \
    INSERT INTO receipts (chat_id, user_id, delivered_sequence, untold) \
    SELECT handed.chat_id, handed.user_id, least(handed.sequence, open.last_sequence), true \
    FROM handed JOIN open ON open.id = handed.chat_id JOIN chat_members USING (chat_id, user_id) \
    WHERE NOT EXISTS (SELECT FROM blocks WHERE blocks.user_id = handed.user_id AND blocked_id IN (open.direct_low_id, open.direct_high_id)) \
      AND NOT EXISTS (SELECT FROM presences WHERE presences.user_id = handed.user_id AND invisible) \
      AND NOT EXISTS (SELECT FROM receipts AS there WHERE there.chat_id = handed.chat_id AND there.user_id = handed.user_id \
        AND there.delivered_sequence >= handed.sequence) \
    ORDER BY handed.chat_id, handed.user_id \
    ON CONFLICT (chat_id, user_id) DO UPDATE SET delivered_sequence = excluded.delivered_sequence, untold = true \
    WHERE receipts.delivered_sequence < excluded.delivered_sequence";

async fn store(connection: &mut Connection, marks: &[((ChatId, UserId), i64)]) -> diesel::QueryResult<()> {
    let chats: Vec<ChatId> = marks.iter().map(|((chat_id, _), _)| *chat_id).collect();
    let people: Vec<UserId> = marks.iter().map(|((_, user_id), _)| *user_id).collect();
    let sequences: Vec<i64> = marks.iter().map(|(_, sequence)| *sequence).collect();
    let query = diesel::sql_query(STORE)
        .bind::<Array<SqlUuid>, _>(chats)
        .bind::<Array<SqlUuid>, _>(people)
        .bind::<Array<BigInt>, _>(sequences)
        .bind::<BigInt, _>(MOST_PEOPLE);
    prepared(query).execute(connection).await.map(drop)
}

/// One event for each chat. Marks that somebody moves at this moment are told the next time, and what is told of is read
/// when the event is delivered: it never goes back.
const TELL: &str = "WITH dirty AS MATERIALIZED (SELECT receipts.chat_id, receipts.user_id FROM receipts JOIN chats ON chats.id = receipts.chat_id \
      WHERE untold LIMIT $1 FOR NO KEY UPDATE OF receipts SKIP LOCKED FOR KEY SHARE OF chats SKIP LOCKED), \
    told AS (UPDATE receipts SET untold = false FROM dirty \
      WHERE receipts.chat_id = dirty.chat_id AND receipts.user_id = dirty.user_id RETURNING receipts.chat_id, receipts.user_id), \
    logged AS (INSERT INTO events (chat_id, kind, payload) SELECT chat_id, $2, \
      jsonb_build_object('chatId', chat_id, 'userIds', jsonb_agg(user_id ORDER BY user_id)) FROM told GROUP BY chat_id) \
    SELECT count(*) AS told FROM told";

/// Gives how many marks were told of.
async fn tell(connection: &mut Connection) -> diesel::QueryResult<usize> {
    #[derive(diesel::QueryableByName)]
    struct Told {
        #[diesel(sql_type = BigInt)]
        told: i64,
    }
    let query = diesel::sql_query(TELL)
        .bind::<BigInt, _>(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
        .bind::<Text, _>(RECEIPTS_UPDATED);
    let told: Told = prepared(query).get_result(connection).await?;
    Ok(usize::try_from(told.told).unwrap_or_default())
}
