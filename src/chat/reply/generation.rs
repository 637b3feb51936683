//! The generation's row: its states, and the few statements that move it between them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::{IntervalDsl, now};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Timestamptz};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::payer::Payer;
pub use super::running::{abandoned, count_running, request_stop, running_for, running_in};
use crate::chat::chat::ChatKind;
use crate::chat::lifetime::lives;
use crate::db::schema::{chat_members, chats, generations, messages};
use crate::db::{Connection, Fixed, fixed, lives, text_enum};
use crate::error::Result;
use crate::id::{ChatId, GenerationId, MessageId, UserId};
use crate::usage::ledger;
pub use crate::usage::terms::KeySource;
use crate::usage::terms::{Asker, CostState, Purpose};

/// How long a process counts as alive without a word of it.
pub const LEASE_SECONDS: i64 = 6;

text_enum! {
    /// Where an answer stands. The last four are final.
    GenerationStatus {
        /// Nothing has come from the model yet.
        Queued = "QUEUED",
        /// It is being written.
        Streaming = "STREAMING",
        /// It needs a person: see its `toolCalls` that wait to be approved or denied. It waits as long as it takes.
        WaitingForApproval = "WAITING_FOR_APPROVAL",
        /// The model said that it is done.
        Completed = "COMPLETED",
        /// The provider refused or failed; what came before is kept.
        Failed = "FAILED",
        /// Somebody stopped it; what came before is kept.
        Stopped = "STOPPED",
        /// It broke off (a cut connection, a stalled provider, a stopped server); what came before is kept.
        Interrupted = "INTERRUPTED",
    }
}

/// What is known of an answer besides its text.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = generations, check_for_backend(diesel::pg::Pg))]
pub struct Generation {
    /// Its id.
    pub id: GenerationId,
    /// The message that it is written into.
    pub message_id: MessageId,
    /// The chat of that message.
    pub chat_id: ChatId,
    /// Who asked.
    pub user_id: UserId,
    /// Where it stands.
    pub status: GenerationStatus,
    /// Whose model.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// Whose key pays.
    pub key_source: KeySource,
    /// The number of the last delta in the stored text.
    pub sequence: i32,
    /// What the model showed of its thinking.
    pub reasoning: Option<String>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// Why there is no complete answer.
    pub error_code: Option<String>,
    /// How long the provider asks to wait.
    pub error_retry_after_seconds: Option<i32>,
    /// The provider's own id for the call.
    pub provider_request_id: Option<String>,
    /// Tokens of the prompt.
    pub input_tokens: Option<i64>,
    /// Those of them that were cached.
    pub cached_input_tokens: Option<i64>,
    /// Tokens of the answer.
    pub output_tokens: Option<i64>,
    /// Those of them that were reasoning.
    pub reasoning_tokens: Option<i64>,
    /// What it cost, in micro-USD; none when nobody knows.
    pub cost_micro_usd: Option<i64>,
    /// How sure its figures are; none while it runs.
    pub cost_state: Option<CostState>,
    /// The prices that it was charged by.
    pub price_version: Option<String>,
    /// When it was asked for.
    pub queued_at: DateTime<Utc>,
    /// When the model's first word came.
    pub first_token_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How much of its message's text is its own, once another one went on with it.
    pub text_octets: Option<i32>,
    /// The first of the answers that were asked for together with it.
    pub lanes_of: Option<GenerationId>,
    /// Whether only the first of them to be done is kept.
    pub race: bool,
}

/// A generation to be.
#[derive(Debug, Insertable)]
#[diesel(table_name = generations, treat_none_as_default_value = false)]
pub struct NewGeneration {
    /// Its id.
    pub id: GenerationId,
    /// The message that it is written into.
    pub message_id: MessageId,
    /// The chat of that message.
    pub chat_id: ChatId,
    /// Who asked.
    pub user_id: UserId,
    /// Whose model.
    pub provider: String,
    /// Which model.
    pub model: String,
    /// Whose key pays.
    pub key_source: KeySource,
    /// The process that will run it.
    pub leased_by: Uuid,
    /// The first of the answers that are asked for together with it.
    pub lanes_of: Option<GenerationId>,
    /// Whether only the first of them to be done is kept.
    pub race: bool,
}

/// The stored text of an answer and the number of its last delta, read together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredText {
    /// The number of the last delta in both texts.
    pub sequence: i32,
    /// The text.
    pub text: String,
    /// What the model showed of its thinking.
    pub reasoning: Option<String>,
}

/// Stores a new generation, QUEUED, with the first row of its payer's tab: it is going to read `expected_input` tokens or
/// more.
///
/// # Errors
/// BUDGET_EXCEEDED, PRICE_UNKNOWN, or when Postgres fails.
pub async fn insert(
    connection: &mut Connection,
    new: NewGeneration,
    payer: &Payer,
    expected_input: u32,
) -> Result<Generation> {
    // The database's clock: processes may disagree about the time.
    let row = (
        &new,
        generations::status.eq(GenerationStatus::Queued),
        generations::lease_expires_at.eq((now.into_sql::<Timestamptz>() + LEASE_SECONDS.seconds()).nullable()),
    );
    let asker = Asker {
        user_id: new.user_id,
        payer_id: payer.user_id,
        chat_id: Some(new.chat_id),
        generation_id: Some(new.id),
        purpose: Purpose::Answer,
    };
    let tab = &payer.tab;
    tab.ask(asker, expected_input);
    // On their way together: who waits for the first word waits for one statement less.
    let mut shared: &Connection = connection;
    let inserted = diesel::insert_into(generations::table)
        .values(row)
        .returning(Generation::as_returning())
        .get_result::<Generation>(&mut shared);
    let (generation, found) = tokio::join!(inserted, ledger::insert(connection, tab));
    let generation = generation?;
    ledger::hold(connection, tab, found?).await?;
    Ok(generation)
}

/// The messages that `user_id` sees: not what was said before they joined a group, and with it not who wrote it how.
#[diesel::dsl::auto_type(no_type_alias)]
fn seen_by(user_id: UserId) -> _ {
    let theirs = chat_members::table.on(chat_members::chat_id.eq(messages::chat_id));
    messages::table
        .inner_join(theirs)
        .filter(chat_members::user_id.eq(user_id))
        .filter(messages::sequence.gt(chat_members::history_after))
        .select(messages::id)
}

/// A generation in a chat of `user_id`.
///
/// # Errors
/// When Postgres fails.
pub async fn find(connection: &mut Connection, user_id: UserId, id: GenerationId) -> QueryResult<Option<Generation>> {
    generations::table
        .find(id)
        .filter(generations::message_id.eq_any(seen_by(user_id)))
        .select(Generation::as_select())
        .first(connection)
        .await
        .optional()
}

/// How far a generation in a chat of `user_id` has come, and when it ended.
///
/// # Errors
/// When Postgres fails.
pub async fn find_state(
    connection: &mut Connection,
    user_id: UserId,
    id: GenerationId,
) -> QueryResult<Option<(i32, Option<DateTime<Utc>>)>> {
    generations::table
        .find(id)
        .filter(generations::message_id.eq_any(seen_by(user_id)))
        .select((generations::sequence, generations::finished_at))
        .first(connection)
        .await
        .optional()
}

/// Whether what a generation wrote is still there to be read.
pub(super) fn readable() -> Fixed<Bool> {
    fixed(concat!(
        "EXISTS (SELECT FROM messages WHERE messages.id = generations.message_id AND ",
        lives!("messages"),
        ")"
    ))
}

/// Those of the generations with these ids whose chats `user_id` is in.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(
    connection: &mut Connection,
    user_id: UserId,
    ids: &[GenerationId],
) -> QueryResult<Vec<Generation>> {
    generations::table
        .filter(generations::id.eq_any(ids))
        .filter(generations::message_id.eq_any(seen_by(user_id)))
        .filter(readable())
        .select(Generation::as_select())
        .load(connection)
        .await
}

/// The generations that were asked for together, which began with `first`, in the order of their lanes.
///
/// # Errors
/// When Postgres fails.
pub async fn find_lanes(
    mut connection: &Connection,
    user_id: UserId,
    first: GenerationId,
) -> QueryResult<Vec<Generation>> {
    generations::table
        .inner_join(messages::table)
        .inner_join(chat_members::table.on(chat_members::chat_id.eq(generations::chat_id)))
        .filter(generations::id.eq(first).or(generations::lanes_of.eq(first)))
        .filter(chat_members::user_id.eq(user_id))
        .filter(messages::sequence.gt(chat_members::history_after))
        .order(messages::sequence)
        .select(Generation::as_select())
        .load(&mut connection)
        .await
}

/// A generation in a chat of `user_id`, its stored text, and what kind of chat that is, read together.
///
/// # Errors
/// When Postgres fails.
pub async fn find_with_text(
    connection: &mut Connection,
    user_id: UserId,
    id: GenerationId,
) -> QueryResult<Option<(Generation, String, ChatKind)>> {
    type Row = (Generation, String, Option<i32>, ChatKind);
    let found: Option<Row> = generations::table
        .inner_join(messages::table)
        .inner_join(chats::table)
        .inner_join(chat_members::table.on(chat_members::chat_id.eq(generations::chat_id)))
        .filter(generations::id.eq(id))
        .filter(chat_members::user_id.eq(user_id))
        .filter(messages::sequence.gt(chat_members::history_after))
        .filter(lives())
        .select((
            Generation::as_select(),
            messages::content,
            generations::text_octets,
            chats::kind,
        ))
        .first(connection)
        .await
        .optional()?;
    Ok(found.map(|(generation, content, octets, kind)| (generation, up_to(content, octets), kind)))
}

/// The part of a message's text that is a generation's: all of it, or what was there when another one went on.
fn up_to(mut content: String, octets: Option<i32>) -> String {
    let end = octets.and_then(|octets| usize::try_from(octets).ok());
    if let Some(end) = end.filter(|end| content.is_char_boundary(*end)) {
        content.truncate(end);
    }
    content
}

/// The newest generation of each of these messages, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn find_by_messages(
    connection: &mut Connection,
    ids: &[MessageId],
) -> QueryResult<HashMap<MessageId, Generation>> {
    let found: Vec<Generation> = generations::table
        .filter(generations::message_id.eq_any(ids))
        .filter(generations::text_octets.is_null())
        .select(Generation::as_select())
        .load(connection)
        .await?;
    Ok(found
        .into_iter()
        .map(|generation| (generation.message_id, generation))
        .collect())
}

/// The stored texts of these generations, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn texts(
    connection: &mut Connection,
    ids: &[GenerationId],
) -> QueryResult<HashMap<GenerationId, StoredText>> {
    type Row = (GenerationId, i32, String, Option<i32>, Option<String>);
    let found: Vec<Row> = generations::table
        .inner_join(messages::table)
        .filter(generations::id.eq_any(ids))
        .select((
            generations::id,
            generations::sequence,
            messages::content,
            generations::text_octets,
            generations::reasoning,
        ))
        .load(connection)
        .await?;
    Ok(found
        .into_iter()
        .map(|(id, sequence, content, octets, reasoning)| {
            (
                id,
                StoredText {
                    sequence,
                    text: up_to(content, octets),
                    reasoning,
                },
            )
        })
        .collect())
}

/// How many bytes of its message's text were there before this generation began.
///
/// # Errors
/// When Postgres fails.
pub async fn octets_before(connection: &mut Connection, id: GenerationId) -> QueryResult<usize> {
    let message_id: Option<MessageId> = generations::table
        .find(id)
        .select(generations::message_id)
        .first(connection)
        .await
        .optional()?;
    let octets: Option<i32> = generations::table
        .filter(generations::message_id.nullable().eq(message_id))
        .filter(generations::id.lt(id))
        .select(diesel::dsl::max(generations::text_octets))
        .first(connection)
        .await?;
    Ok(octets.and_then(|octets| usize::try_from(octets).ok()).unwrap_or(0))
}
