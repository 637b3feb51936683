//! How a person wants the AI to be with them, and people.

use chrono::Utc;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::event;
use crate::app::App;
use crate::db::schema::preferences;
use crate::db::{Connection, text_enum};
use crate::error::{Error, Result};
use crate::event::append;
use crate::id::UserId;
use crate::input;

text_enum! {
    /// Who may add somebody to groups.
    AddableBy {
        /// Everybody whom they do not block.
        Everybody = "EVERYBODY",
        /// The people in their address book.
        Contacts = "CONTACTS",
        /// Nobody.
        Nobody = "NOBODY",
    }
}

/// How a person wants the AI to be with them, and people.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = preferences, check_for_backend(diesel::pg::Pg))]
pub struct Preferences {
    /// What they say about themselves.
    pub about_me: Option<String>,
    /// How they want to be answered.
    pub response_style: Option<String>,
    /// In which language.
    pub language: Option<String>,
    /// Whether models are told their memories.
    pub memory_enabled: bool,
    /// Whether models are asked for titles.
    pub titles_enabled: bool,
    /// Whether long chats are summarised by themselves.
    pub summaries_enabled: bool,
    /// Who may add them to groups.
    pub addable_by: AddableBy,
    /// Grows with each change.
    pub version: i32,
}

impl Default for Preferences {
    fn default() -> Self {
        Preferences {
            about_me: None,
            response_style: None,
            language: None,
            memory_enabled: true,
            titles_enabled: true,
            summaries_enabled: true,
            addable_by: AddableBy::Everybody,
            version: 0,
        }
    }
}

/// What to change; none leaves it as it is.
#[derive(Debug, Default)]
pub struct PreferencesChange {
    /// What they say about themselves.
    pub about_me: Option<Option<String>>,
    /// How they want to be answered.
    pub response_style: Option<Option<String>>,
    /// In which language.
    pub language: Option<Option<String>>,
    /// Whether models are told their memories.
    pub memory_enabled: Option<bool>,
    /// Whether models are asked for titles.
    pub titles_enabled: Option<bool>,
    /// Whether long chats are summarised by themselves.
    pub summaries_enabled: Option<bool>,
    /// Who may add them to groups.
    pub addable_by: Option<AddableBy>,
}

#[derive(AsChangeset)]
#[diesel(table_name = preferences)]
struct Columns {
    about_me: Option<Option<String>>,
    response_style: Option<Option<String>>,
    language: Option<Option<String>>,
    memory_enabled: Option<bool>,
    titles_enabled: Option<bool>,
    summaries_enabled: Option<bool>,
    addable_by: Option<AddableBy>,
}

/// The preferences of a person.
///
/// # Errors
/// When Postgres fails.
pub async fn of(connection: &mut Connection, user_id: UserId) -> QueryResult<Preferences> {
    let found = preferences::table
        .find(user_id)
        .select(Preferences::as_select())
        .first(connection)
        .await;
    Ok(found.optional()?.unwrap_or_default())
}

/// Changes the preferences of a person.
///
/// # Errors
/// What cannot be so, by field.
pub async fn update(app: &App, user_id: UserId, change: PreferencesChange) -> Result<Preferences> {
    let mut errors = Vec::new();
    let mut text = |field: &str, what: &str, value: Option<String>, most: usize| {
        let value = value.filter(|value| !value.trim().is_empty())?;
        input::text(&[field], what, value.trim(), most)
            .map_err(|error| errors.push(error))
            .ok()
    };
    let about_me = change
        .about_me
        .map(|value| text("aboutMe", "What you say about yourself", value, 2_000));
    let response_style = change
        .response_style
        .map(|value| text("responseStyle", "The style", value, 1_000));
    let language = change.language.map(|value| {
        let value = value.filter(|value| !value.trim().is_empty())?;
        input::line(&["language"], "The language", &value, 40)
            .map_err(|error| errors.push(error))
            .ok()
    });
    if !errors.is_empty() {
        return Err(Error::Rejected(errors));
    }
    let columns = Columns {
        about_me,
        response_style,
        language,
        memory_enabled: change.memory_enabled,
        titles_enabled: change.titles_enabled,
        summaries_enabled: change.summaries_enabled,
        addable_by: change.addable_by,
    };
    let mut connection = app.connection().await?;
    let changed = connection
        .transaction(async |connection| {
            diesel::insert_into(preferences::table)
                .values((preferences::user_id.eq(user_id), preferences::version.eq(0)))
                .on_conflict_do_nothing()
                .execute(connection)
                .await?;
            let counted = (
                preferences::version.eq(preferences::version + 1),
                preferences::updated_at.eq(Utc::now()),
            );
            let changed: Preferences = diesel::update(preferences::table.find(user_id))
                .set((columns, counted))
                .returning(Preferences::as_returning())
                .get_result(connection)
                .await?;
            append(connection, [event::preferences_changed(user_id)]).await?;
            Ok::<_, Error>(changed)
        })
        .await?;
    app.log().wake();
    Ok(changed)
}
