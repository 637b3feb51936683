//! The assistant's row, who may use it, and how assistants are found.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::dsl::exists;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::ai::{Effort, Provider};
use crate::db::schema::{assistants, chat_assistants, chat_members};
use crate::db::{Connection, prepared, text_enum};
use crate::id::{AssistantId, ChatId, UserId};
use crate::page::Window;

text_enum! {
    /// Who can use an assistant.
    Visibility {
        /// Its owner alone.
        Private = "PRIVATE",
        /// Everybody on this server.
        Shared = "SHARED",
    }
}

text_enum! {
    /// How much a model thinks before it answers.
    ReasoningEffort {
        /// A little: about 2000 tokens.
        Low = "LOW",
        /// Some: about 6000 tokens.
        Medium = "MEDIUM",
        /// Much: about 12000 tokens.
        High = "HIGH",
    }
}

impl From<ReasoningEffort> for Effort {
    fn from(effort: ReasoningEffort) -> Self {
        match effort {
            ReasoningEffort::Low => Effort::Low,
            ReasoningEffort::Medium => Effort::Medium,
            ReasoningEffort::High => Effort::High,
        }
    }
}

/// An AI with a personality.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = assistants, check_for_backend(Pg))]
pub struct Assistant {
    /// Its id.
    pub id: AssistantId,
    /// Who made it; none for the server's own.
    pub owner_id: Option<UserId>,
    /// The name to show to those who can use it.
    pub display_name: String,
    /// The name that others see.
    pub public_name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it is told before every conversation.
    pub instructions: String,
    /// Whose model.
    pub provider: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// How freely it chooses its words.
    pub temperature: Option<f64>,
    /// How long an answer may get.
    pub max_output_tokens: Option<i32>,
    /// How much it thinks first.
    pub reasoning_effort: Option<ReasoningEffort>,
    /// A picture.
    pub avatar_url: Option<String>,
    /// Who can use it.
    pub visibility: Visibility,
    /// Grows with each change.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Since when it is gone.
    pub deleted_at: Option<DateTime<Utc>>,
}

impl Assistant {
    /// The id of the default assistant, the same on every server.
    pub const DEFAULT: AssistantId = AssistantId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));

    /// Whether `user_id` can choose it and see all of it.
    pub fn is_open_to(&self, user_id: UserId) -> bool {
        let theirs = self.owner_id.is_none() || self.owner_id == Some(user_id);
        self.deleted_at.is_none() && (theirs || self.visibility == Visibility::Shared)
    }

    /// The name to show to `user_id`: others see of one that is private or gone the name that it had when it was shared, or
    /// added to a group.
    pub fn name_for(&self, user_id: UserId) -> &str {
        if self.is_open_to(user_id) || self.owner_id == Some(user_id) {
            return &self.display_name;
        }
        self.public_name.as_deref().unwrap_or("Assistant")
    }

    /// The name to show to those of whom nothing more is known.
    pub fn shown_name(&self) -> &str {
        self.public_name.as_deref().unwrap_or(&self.display_name)
    }

    /// Whose model answers.
    pub fn asks(&self) -> Option<Provider> {
        self.provider.as_deref().and_then(|name| name.parse().ok())
    }
}

type Condition = Box<dyn BoxableExpression<assistants::table, Pg, SqlType = Nullable<Bool>>>;

/// Those that `user_id` can use.
fn open_to(user_id: UserId) -> Condition {
    let theirs = assistants::owner_id.is_null().or(assistants::owner_id.eq(user_id));
    let shared = assistants::visibility.eq(Visibility::Shared);
    Box::new(assistants::deleted_at.is_null().and(theirs.or(shared)))
}

/// A page of the assistants that `user_id` can use: the default one, then the oldest first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(
    connection: &mut Connection,
    user_id: UserId,
    window: &Window<AssistantId>,
) -> QueryResult<Vec<Assistant>> {
    let mut query = assistants::table
        .filter(open_to(user_id))
        .select(Assistant::as_select())
        .limit(window.fetch())
        .into_boxed();
    query = if window.backwards {
        query.order(assistants::id.desc())
    } else {
        query.order(assistants::id.asc())
    };
    if let Some(after) = window.after {
        query = query.filter(assistants::id.gt(after));
    }
    if let Some(before) = window.before {
        query = query.filter(assistants::id.lt(before));
    }
    query.load(connection).await
}

/// Those of the assistants with these ids that `user_id` can use, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn find_open(
    connection: &mut Connection,
    user_id: UserId,
    ids: &[AssistantId],
) -> QueryResult<HashMap<AssistantId, Assistant>> {
    let found: Vec<Assistant> = assistants::table
        .filter(assistants::id.eq_any(ids))
        .filter(open_to(user_id))
        .select(Assistant::as_select())
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|assistant| (assistant.id, assistant)).collect())
}

/// The assistants with these ids, whoever can use them, in one query: for what they wrote, where they keep their names.
///
/// # Errors
/// When Postgres fails.
pub async fn find_named(
    connection: &mut Connection,
    ids: &[AssistantId],
) -> QueryResult<HashMap<AssistantId, Assistant>> {
    let found: Vec<Assistant> = assistants::table
        .filter(assistants::id.eq_any(ids))
        .select(Assistant::as_select())
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|assistant| (assistant.id, assistant)).collect())
}

/// The assistants that were chosen for each of these chats, in order, whether or not they can still be used, in one
/// query. Chats without a choice are not in it: the default one answers there.
///
/// # Errors
/// When Postgres fails.
pub async fn chosen_for(connection: &mut Connection, chats: &[ChatId]) -> QueryResult<HashMap<ChatId, Vec<Assistant>>> {
    let found: Vec<(ChatId, Assistant)> = chat_assistants::table
        .inner_join(assistants::table)
        .filter(chat_assistants::chat_id.eq_any(chats))
        .order((chat_assistants::chat_id, chat_assistants::position))
        .select((chat_assistants::chat_id, Assistant::as_select()))
        .load(connection)
        .await?;
    let mut chosen: HashMap<ChatId, Vec<Assistant>> = HashMap::new();
    for (chat_id, assistant) in found {
        chosen.entry(chat_id).or_default().push(assistant);
    }
    Ok(chosen)
}

/// The assistants of a chat that `user_id` can use, in order; the default one when there are none. Never empty: the
/// first one answers.
///
/// # Errors
/// When Postgres fails.
pub async fn of_chat(mut connection: &Connection, chat_id: ChatId, user_id: UserId) -> QueryResult<Vec<Assistant>> {
    // The default one comes along, last, so that one statement does it.
    let query = "SELECT assistants.id, assistants.owner_id, assistants.display_name, assistants.public_name, assistants.description, assistants.instructions, assistants.provider, assistants.model, assistants.temperature, assistants.max_output_tokens, assistants.reasoning_effort, assistants.avatar_url, assistants.visibility, assistants.version, assistants.created_at, assistants.updated_at, assistants.deleted_at FROM (SELECT assistant_id, position FROM chat_assistants WHERE chat_id = $1 \
          UNION ALL SELECT $3, 32767) AS chosen JOIN assistants ON assistants.id = chosen.assistant_id \
        WHERE deleted_at IS NULL AND (owner_id IS NULL OR owner_id = $2 OR visibility = 'SHARED') ORDER BY chosen.position";
    let mut found: Vec<Assistant> = prepared(
        diesel::sql_query(query)
            .bind::<SqlUuid, _>(chat_id)
            .bind::<SqlUuid, _>(user_id)
            .bind::<SqlUuid, _>(Assistant::DEFAULT),
    )
    .load(&mut connection)
    .await?;
    if found.len() > 1 {
        found.pop();
    }
    Ok(found)
}

/// The assistants of a group that answer there, in order: shared ones, and private ones whose owners are in it.
///
/// # Errors
/// When Postgres fails.
pub async fn of_room(connection: &mut Connection, chat_id: ChatId) -> QueryResult<Vec<Assistant>> {
    let owner_is_here = chat_members::table
        .filter(chat_members::chat_id.eq(chat_id))
        .filter(chat_members::user_id.nullable().eq(assistants::owner_id));
    let open = assistants::owner_id
        .is_null()
        .or(assistants::visibility.eq(Visibility::Shared))
        .or(exists(owner_is_here));
    chat_assistants::table
        .inner_join(assistants::table)
        .filter(chat_assistants::chat_id.eq(chat_id))
        .filter(assistants::deleted_at.is_null())
        .filter(open)
        .order(chat_assistants::position)
        .select(Assistant::as_select())
        .load(connection)
        .await
}

/// Puts these in the place of the assistants of a chat, in this order.
///
/// # Errors
/// When Postgres fails.
pub async fn choose(connection: &mut Connection, chat_id: ChatId, ids: &[AssistantId]) -> QueryResult<()> {
    diesel::delete(chat_assistants::table.filter(chat_assistants::chat_id.eq(chat_id)))
        .execute(connection)
        .await?;
    let rows: Vec<_> = (0_i16..)
        .zip(ids)
        .map(|(position, id)| {
            (
                chat_assistants::chat_id.eq(chat_id),
                chat_assistants::assistant_id.eq(*id),
                chat_assistants::position.eq(position),
            )
        })
        .collect();
    diesel::insert_into(chat_assistants::table)
        .values(rows)
        .execute(connection)
        .await
        .map(drop)
}
