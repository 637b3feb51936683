//! Making, changing and deleting assistants.

use chrono::Utc;
use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::json;

use super::assistant::{ReasoningEffort, Visibility};
use super::{Assistant, event, model};
use crate::account::audit::{self, Actor};
use crate::account::user::Role;
use crate::account::viewer::{Client, SignedIn};
use crate::ai::Provider;
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::assistants;
use crate::error::{Error, ErrorCode, Result, UserError};
use crate::event::{append, append_all};
use crate::id::{AssistantId, UserId};
use crate::input;

/// The most assistants that one person may have.
const MOST: i64 = 500;

/// What to change about an assistant; none leaves it as it is.
#[derive(Debug, Default)]
pub struct AssistantChange {
    /// The name to show.
    pub display_name: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// What it is told.
    pub instructions: Option<String>,
    /// Whose model.
    pub provider: Option<Option<Provider>>,
    /// Which model.
    pub model: Option<Option<String>>,
    /// How freely it chooses its words.
    pub temperature: Option<Option<f64>>,
    /// How long an answer may get.
    pub max_output_tokens: Option<Option<i32>>,
    /// How much it thinks first.
    pub reasoning_effort: Option<Option<ReasoningEffort>>,
    /// A picture.
    pub avatar_url: Option<Option<String>>,
    /// Who can use it.
    pub visibility: Option<Visibility>,
}

#[derive(AsChangeset, Insertable, Default)]
#[diesel(table_name = assistants)]
struct Columns {
    display_name: Option<String>,
    public_name: Option<String>,
    description: Option<Option<String>>,
    instructions: Option<String>,
    provider: Option<Option<String>>,
    model: Option<Option<String>>,
    temperature: Option<Option<f64>>,
    max_output_tokens: Option<Option<i32>>,
    reasoning_effort: Option<Option<ReasoningEffort>>,
    avatar_url: Option<Option<String>>,
    visibility: Option<Visibility>,
}

impl AssistantChange {
    fn check(self, app: &App) -> Result<Columns> {
        let mut errors = Vec::new();
        let columns = Columns {
            display_name: self
                .display_name
                .and_then(|name| kept(&mut errors, input::line(&["displayName"], "The name", &name, 80))),
            public_name: None,
            description: self.description.map(|description| {
                let text = description.filter(|text| !text.trim().is_empty())?;
                kept(
                    &mut errors,
                    input::text(&["description"], "The description", text.trim(), 500),
                )
            }),
            instructions: self.instructions.and_then(|text| {
                kept(
                    &mut errors,
                    input::text(&["instructions"], "The instructions", &text, 8_000),
                )
            }),
            provider: self
                .provider
                .map(|provider| provider.map(|provider| provider.name().to_owned())),
            model: self
                .model
                .map(|name| kept(&mut errors, model::checked(app, &["model"], name)).flatten()),
            temperature: self
                .temperature
                .map(|value| kept(&mut errors, value.map(checked_temperature).transpose()).flatten()),
            max_output_tokens: self
                .max_output_tokens
                .map(|value| kept(&mut errors, value.map(checked_length).transpose()).flatten()),
            reasoning_effort: self.reasoning_effort,
            avatar_url: self.avatar_url.map(|url| {
                let url = url.filter(|url| !url.trim().is_empty())?;
                kept(&mut errors, input::picture(&["avatarUrl"], "The avatar", &url))
            }),
            visibility: self.visibility,
        };
        if errors.is_empty() {
            Ok(columns)
        } else {
            Err(Error::Rejected(errors))
        }
    }
}

/// The value, or its error among the others.
fn kept<T>(errors: &mut Vec<UserError>, checked: Result<T, UserError>) -> Option<T> {
    checked.map_err(|error| errors.push(error)).ok()
}

fn checked_temperature(value: f64) -> Result<f64, UserError> {
    if (0.0..=2.0).contains(&value) {
        return Ok(value);
    }
    let message = "The temperature must be between 0 and 2.";
    Err(UserError::new(ErrorCode::Invalid, &["temperature"], message))
}

fn checked_length(value: i32) -> Result<i32, UserError> {
    if (1..=1_000_000).contains(&value) {
        return Ok(value);
    }
    let message = "The longest answer must be between 1 and 1000000 tokens.";
    Err(UserError::new(ErrorCode::Invalid, &["maxOutputTokens"], message))
}

/// Makes an assistant.
///
/// # Errors
/// What cannot be so, by field; LIMIT_REACHED; RATE_LIMITED for too many shared ones in a row.
pub async fn create(app: &App, user_id: UserId, wanted: AssistantChange) -> Result<Assistant> {
    let mut columns = wanted.check(app)?;
    let visibility = columns.visibility.unwrap_or(Visibility::Private);
    if visibility == Visibility::Shared {
        app.throttle().shared_change(user_id)?;
        columns.public_name.clone_from(&columns.display_name);
    }
    let mut connection = app.connection().await?;
    let assistant = connection
        .transaction(async |connection| {
            let have: i64 = assistants::table
                .filter(assistants::owner_id.eq(user_id))
                .filter(assistants::deleted_at.is_null())
                .count()
                .get_result(connection)
                .await?;
            if have >= MOST {
                let message = format!("You have {MOST} assistants. Delete some first.");
                return Err(Error::rejected(ErrorCode::LimitReached, &[], message));
            }
            let whose = (assistants::id.eq(AssistantId::new()), assistants::owner_id.eq(user_id));
            let assistant: Assistant = diesel::insert_into(assistants::table)
                .values((whose, columns))
                .returning(Assistant::as_returning())
                .get_result(connection)
                .await?;
            append(connection, [event::upserted(&assistant, assistant.visibility)]).await?;
            Ok(assistant)
        })
        .await?;
    app.log().wake();
    Ok(assistant)
}

/// Changes an assistant of one's own, or, as an administrator, the server's.
///
/// # Errors
/// What cannot be so, by field; NOT_FOUND for whatever is not one's own; INVALID_STATE for hiding the default one.
pub async fn update(
    app: &App,
    who: &SignedIn,
    client: &Client,
    id: AssistantId,
    change: AssistantChange,
) -> Result<Assistant> {
    let mut columns = change.check(app)?;
    let mut connection = app.connection().await?;
    let assistant = connection
        .transaction(async |connection| {
            let before = lock_own(connection, who, id).await?;
            let visibility = columns.visibility.unwrap_or(before.visibility);
            if before.owner_id.is_none() && visibility != before.visibility {
                let message = "The default assistant is everybody's and stays so.";
                return Err(Error::rejected(ErrorCode::InvalidState, &["visibility"], message));
            }
            if event::concerns_everybody(before.owner_id, before.visibility, visibility) {
                app.throttle().shared_change(who.user_id)?;
            }
            if visibility == Visibility::Shared {
                columns.public_name = Some(columns.display_name.clone().unwrap_or(before.display_name));
            }
            if before.owner_id.is_none() {
                let actor = Actor::signed_in(who, client);
                let target = Some(id.to_string());
                audit::record(connection, actor, "admin.update_assistant", target, json!({})).await?;
            }
            let counted = (
                assistants::version.eq(assistants::version + 1),
                assistants::updated_at.eq(Utc::now()),
            );
            let assistant: Assistant = diesel::update(assistants::table.find(id))
                .set((columns, counted))
                .returning(Assistant::as_returning())
                .get_result(connection)
                .await?;
            append(connection, [event::upserted(&assistant, before.visibility)]).await?;
            Ok(assistant)
        })
        .await?;
    app.log().wake();
    Ok(assistant)
}

/// Deletes an assistant of one's own: what it wrote keeps its name, and in its chats the default one answers.
///
/// # Errors
/// NOT_FOUND for whatever is not one's own; INVALID_STATE for the default one.
pub async fn delete(app: &App, who: &SignedIn, id: AssistantId) -> Result<AssistantId> {
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| {
            let before = lock_own(connection, who, id).await?;
            if before.owner_id.is_none() {
                let message = "The default assistant is always there and cannot be deleted.";
                return Err(Error::rejected(ErrorCode::InvalidState, &["assistantId"], message));
            }
            // Only the name is of use to anybody from now on.
            let gone = (
                assistants::deleted_at.eq(Utc::now()),
                assistants::description.eq(None::<String>),
                assistants::instructions.eq(""),
                assistants::version.eq(assistants::version + 1),
                assistants::updated_at.eq(Utc::now()),
            );
            let assistant: Assistant = diesel::update(assistants::table.find(id))
                .set(gone)
                .returning(Assistant::as_returning())
                .get_result(connection)
                .await?;
            append(connection, [event::upserted(&assistant, before.visibility)]).await?;
            Ok(())
        })
        .await?;
    app.log().wake();
    Ok(id)
}

/// Only the name that others saw is of use to anybody.
const CLEAR: &str = "UPDATE assistants SET deleted_at = coalesce(deleted_at, now()), display_name = coalesce(public_name, 'Assistant'), \
      description = NULL, instructions = '', avatar_url = NULL, version = version + 1, updated_at = now() \
    WHERE owner_id = $1 AND (deleted_at IS NULL OR avatar_url IS NOT NULL OR display_name <> coalesce(public_name, 'Assistant'))";

/// Deletes all assistants of somebody who is gone, those that they shared, too: nobody could answer for them any more.
/// Where they were chosen the default one answers; those who saw the name of a shared one keep it.
///
/// # Errors
/// When Postgres fails.
pub async fn forget(app: &App, gone: UserId) -> Result<()> {
    let mut connection = app.connection().await?;
    connection
        .transaction(async |connection| {
            let theirs = assistants::table.filter(assistants::owner_id.eq(gone));
            let lives: Vec<Assistant> = theirs
                .filter(assistants::deleted_at.is_null())
                .select(Assistant::as_select())
                .order(assistants::id)
                .for_update()
                .load(connection)
                .await?;
            diesel::sql_query(CLEAR)
                .bind::<SqlUuid, _>(gone)
                .execute(connection)
                .await?;
            let events = lives.iter().map(|lived| event::upserted(lived, lived.visibility));
            append_all(connection, events.collect()).await
        })
        .await?;
    app.log().wake();
    Ok(())
}

/// Locks an assistant that `who` may change. Another's that one can use is not found either: there is nothing to
/// change about it.
async fn lock_own(connection: &mut Connection, who: &SignedIn, id: AssistantId) -> Result<Assistant> {
    let found: Option<Assistant> = assistants::table
        .find(id)
        .filter(assistants::deleted_at.is_null())
        .select(Assistant::as_select())
        .for_update()
        .first(connection)
        .await
        .optional()?;
    let own = found.filter(|found| match found.owner_id {
        Some(owner) => owner == who.user_id,
        None => who.role == Role::Admin,
    });
    own.ok_or_else(|| Error::not_found(&["assistantId"], "assistant"))
}
